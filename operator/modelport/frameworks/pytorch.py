"""PyTorch: weights (a state dict, saved by torch.save) with a factory that builds the model."""

from modelport.conversion.base import Converter, Format, Framework
from modelport.conversion.detection import Evidence, Tree
from modelport.conversion.onnx_options import OnnxOptions

SUFFIXES = (".pt", ".pth", ".bin", ".ckpt")
PICKLE = "data.pkl"
"""In the zip archive that torch.save writes since 1.6, in a folder named after the file."""
LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""How torch.save began a file before: a pickle of the number 0x1950a86a20f9469cfc6c."""


def _detect(tree: Tree) -> Evidence | None:
    zipped = {path: tree.members(path) for path in tree.paths}
    sure = [
        path
        for path, members in zipped.items()
        if any(name.rpartition("/")[2] == PICKLE for name in members) or tree.read(path).startswith(LEGACY)
    ]
    # a file that lost its end has no list of its members any more
    named = [
        path
        for path, members in zipped.items()
        if path.endswith(SUFFIXES) and not members and tree.read(path).startswith((b"PK\x03\x04", b"\x80\x02"))
    ]
    found = sure or named
    return Evidence({"weights": found[0]}, is_sure=bool(sure)) if found else None


FRAMEWORK = Framework(
    "pytorch",
    "PyTorch",
    formats=(
        Format(
            "pytorch-state-dict",
            "PyTorch weights (torch.save of a state dict) with a factory",
            _detect,
            suffixes=SUFFIXES,
            needs=("code", "inputs"),
        ),
    ),
    converters=(
        Converter("pytorch-state-dict", "onnx", OnnxOptions, cost=10),
        # torch.onnx.export(dynamo=True) alone: slower, and right where a trace is not
        Converter("pytorch-state-dict", "onnx", OnnxOptions, cost=20, by="dynamo"),
    ),
)
