"""torchvision beside a torch that its compiled part was not built for.

Package indexes serve torchvision built for CUDA; beside the CPU build of torch its extension does not load, and without
it `import torchvision` fails at registering shapes of operators that nobody declared. Most models want transforms and
layers alone. So the one operator with a simple definition is given here, and declared before torchvision looks.
"""

import importlib.util
from pathlib import Path

import torch

_declared: list[torch.library.Library] = []
"""The library's operators live as long as it does."""


def install() -> bool:
    """Declare torchvision's operators if its extension cannot; return whether that was necessary."""
    package = importlib.util.find_spec("torchvision")
    if _declared or package is None or not package.submodule_search_locations:
        return False
    if _is_loadable(Path(package.submodule_search_locations[0])):
        return False
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.impl("nms", suppress_overlaps, "CPU")
    _declared.append(library)
    return True


def _is_loadable(folder: Path) -> bool:
    extensions = sorted(folder.glob("_C*.so"))
    try:
        for extension in extensions:
            torch.ops.load_library(str(extension))
    except OSError:
        return False
    return bool(extensions)


def suppress_overlaps(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Return the indices of boxes (x1, y1, x2, y2), best first, that overlap no better one by more than the threshold."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    order = scores.argsort(descending=True, stable=True)
    kept: list[torch.Tensor] = []
    while order.numel():
        best, rest = order[0], order[1:]
        kept.append(best)
        corner = torch.maximum(boxes[best, :2], boxes[rest, :2])
        opposite = torch.minimum(boxes[best, 2:], boxes[rest, 2:])
        overlap = (opposite - corner).clamp(min=0).prod(dim=1)
        order = rest[overlap / (areas[best] + areas[rest] - overlap) <= iou_threshold]
    return torch.stack(kept) if kept else torch.empty(0, dtype=torch.int64)
