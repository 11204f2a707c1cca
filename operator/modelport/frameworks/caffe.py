"""Caffe: a net as text (prototxt) and its weights (caffemodel)."""

import re
from typing import Annotated, Literal

from msgspec import Meta

from modelport.conversion.base import Converter, Format, Framework, Options
from modelport.conversion.detection import Evidence, Tree

LAYERS = re.compile(rb"(?:^|[\s}])(?:layers?|input)\s*:?\s*[{<\"']")
"""How the blocks of a net begin, or its inputs, outside of them (caffe.proto: NetParameter), be it all in one line."""
TYPES = re.compile(rb"\btype\s*:\s*[\"'A-Z]")
SOLVER = re.compile(rb"(?:^|\s)(?:base_lr|lr_policy|train_net|solver_mode)\s*:")
TRAINS = re.compile(
    rb"\b(?:phase\s*:\s*TRAIN|type\s*:\s*[\"']?(?:\w*Data|[A-Z]*_?DATA|\w*Loss|\w*_LOSS|Accuracy|ACCURACY)\b)"
)
"""What a net for training has, and one that only answers has not."""
TEXT_BYTES = 1 << 20
WEIGHTS = ".caffemodel"
TEXT = (".prototxt", ".pt", ".txt", ".cfg")
NAME, OLD_LAYERS, LAYER = 1, 2, 100
"""Fields of NetParameter that bytes hold: a name, and layers of two generations."""


def _detect(tree: Tree) -> Evidence | None:
    texts = {path: content for path in tree.paths if (content := _text(tree, path))}
    nets = [path for path, content in texts.items() if LAYERS.search(content) and TYPES.search(content)]
    answering = [path for path in nets if not TRAINS.search(texts[path])]
    architectures = answering or nets or [path for path, content in texts.items() if SOLVER.search(content)]
    weights = [path for path in tree.paths if _holds_layers(tree, path)]
    named = [path for path in tree.paths if path.endswith((WEIGHTS, f"{WEIGHTS}.h5"))]
    chosen = [path for path in weights if path in named] or weights if weights else named
    if not architectures and not named:
        return None
    parts = {"architecture": architectures[:1], "weights": chosen[:1]}
    return Evidence(
        {part: paths[0] for part, paths in parts.items() if paths},
        is_sure=bool(architectures or weights),
        rivals=(*architectures[1:], *chosen[1:]),
    )


def _text(tree: Tree, path: str) -> bytes:
    """Return the text of a file; nothing for other content."""
    content = tree.read(path)
    if b"\0" in content or not path.endswith(TEXT):
        return b""
    while len(content) < min(tree.size(path), TEXT_BYTES):
        content += tree.read(path, len(content))
    return content


def _holds_layers(tree: Tree, path: str) -> bool:
    """Whether a file is a message that begins with a net's name, if it has any, and a layer that has a name."""
    content = tree.read(path)
    number, start, end = _field(content, 0)
    if number == NAME:
        number, start, end = _field(content, end)
    if number not in {OLD_LAYERS, LAYER} or end > tree.size(path):
        return False
    inner, name, ends = _field(content, start)
    # V1 writes the blobs' names in front of its own; V2 the name and then the type
    named = (inner == 1 and number == LAYER) or (inner in {2, 3, 4} and number == OLD_LAYERS)
    return named and ends <= end and content[name:ends].isascii() and bool(path.endswith(WEIGHTS) or number == LAYER)


def _field(content: bytes, at: int) -> tuple[int, int, int]:
    """Return number, start and end of a field that has a length; zeros for any other."""
    tag, at = _varint(content, at)
    if tag & 7 != 2:  # noqa: PLR2004  # a length, and as many bytes
        return 0, 0, 0
    length, at = _varint(content, at)
    return tag >> 3, at, at + length


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(content[at : at + 10]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # noqa: PLR2004  # the last one has no high bit
            return value, at + index + 1
    return 0, at


class CaffeOptions(Options, frozen=True, kw_only=True):
    """Options of what writes Caffe."""

    dialect: Annotated[
        Literal["opencv", "bvlc"],
        Meta(
            description="Whose Caffe is to read the files: OpenCV's, which serves them and has layers of SSD's, or BVLC's master."
        ),
    ] = "opencv"


FRAMEWORK = Framework(
    "caffe",
    "Caffe",
    formats=(
        Format(
            "caffe",
            "Caffe net (.prototxt, which says what is done with every weight) and weights (.caffemodel)",
            _detect,
            suffixes=(WEIGHTS, ".prototxt"),
            holds_graph=True,
        ),
    ),
    converters=(
        Converter("caffe", "onnx", Options, cost=10),
        Converter("caffe", "caffe", CaffeOptions, cost=1),
        Converter("onnx", "caffe", CaffeOptions, cost=10),
    ),
)
