"""PyTorch: weights (a state dict, saved by torch.save) with a factory that builds the model."""

from modelport.conversion.base import Converter, Format, Framework
from modelport.conversion.detection import Evidence, Tree, play
from modelport.conversion.onnx_options import OnnxOptions

SUFFIXES = (".pt", ".pth", ".bin", ".ckpt")
PICKLE = "data.pkl"
"""In the zip archive that torch.save writes since 1.6, in a folder named after the file."""
LEGACY = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""How torch.save began a file before: a pickle of the number 0x1950a86a20f9469cfc6c."""


def _detect(tree: Tree) -> Evidence | None:
    sure = [path for path in tree.paths if tree.read(path).startswith(LEGACY) or _is_saved(tree.members(path))]
    return play("weights", sure or [path for path in tree.paths if _is_cut(tree, path)], is_sure=bool(sure))


def _is_saved(members: frozenset[str]) -> bool:
    """Whether torch.save wrote an archive: all is in one folder, with a pickle and the version of the archive."""
    roots = {name.partition("/")[0] for name in members}
    return len(roots) == 1 and {f"{root}/{name}" for root in roots for name in (PICKLE, "version")} <= members


def _is_cut(tree: Tree, path: str) -> bool:
    """Whether it has the name of weights, and lost its end: there is no list of its members any more."""
    begins = path.endswith(SUFFIXES) and tree.read(path).startswith((b"PK\x03\x04", b"\x80\x02"))
    return begins and not tree.members(path)


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
        # PyTorch has two, and each has faults that the other has not: the one that the first path does not take
        Converter("pytorch-state-dict", "onnx", OnnxOptions, cost=20, by="other-exporter"),
    ),
)
