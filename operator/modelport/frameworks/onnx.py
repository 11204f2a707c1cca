"""ONNX: an open format for models, with its own converter for opset changes and simplification."""

from modelport.conversion.base import Converter, Format, Framework
from modelport.conversion.detection import Evidence, Tree, play
from modelport.conversion.onnx_options import OnnxFileOptions

SUFFIX = ".onnx"
GRAPH = 7
"""Field of ModelProto in onnx.proto; ir_version, the first one that is written, is field 1."""
NUMBERS = (1, 5)
"""Its fields that are numbers, and none that leads to as many bytes; a tensor alone begins like a model, too."""


def _detect(tree: Tree) -> Evidence | None:
    begun = [path for path in tree.paths if tree.read(path)[:1] == b"\x08"]
    sure = [path for path in begun if _holds_graph(tree, path)]
    found = sure or [path for path in begun if path.endswith(SUFFIX)]
    named = [path for path in found if path.endswith(SUFFIX)] or found
    return play("model", named, is_sure=bool(sure))


def _holds_graph(tree: Tree, path: str) -> bool:
    """Whether the fields of a protobuf message lead from the beginning of the file to a graph that ends within it."""
    size, offset = tree.size(path), 0
    for _ in range(64):  # a model has a few fields, some of them again and again
        head = tree.read(path, offset)
        tag, used = _varint(head, 0)
        value, used = _varint(head, used) if used else (0, 0)
        kind = tag & 7
        if not used or kind != (0 if tag >> 3 in NUMBERS else 2):
            return False
        offset += used + (value if kind == 2 else 0)  # noqa: PLR2004  # 2: a length, and as many bytes
        if offset > size:
            return False
        if tag >> 3 == GRAPH:
            return True
        if offset == size:
            return False
    return False


def _varint(data: bytes, start: int) -> tuple[int, int]:
    """Return a number of base 128, and where it ends; 0 for the end if it has none."""
    value = 0
    for index, byte in enumerate(data[start : start + 10]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # noqa: PLR2004  # the last one has no high bit
            return value, start + index + 1
    return 0, 0


FRAMEWORK = Framework(
    "onnx",
    "ONNX",
    formats=(
        Format("onnx", "ONNX model (.onnx, external data beside it)", _detect, suffixes=(SUFFIX,), holds_graph=True),
    ),
    converters=(Converter("onnx", "onnx", OnnxFileOptions, cost=1),),
)
