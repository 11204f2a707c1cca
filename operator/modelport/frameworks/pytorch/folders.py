"""Folders as transformers writes them: config.json with weights beside it."""

import re

from modelport.conversion.detection import Evidence, Tree, play
from modelport.frameworks.pytorch.pickles import SUFFIXES as PICKLES
from modelport.frameworks.pytorch.tensors import SUFFIX as SAFETENSORS

CONFIG = "config.json"
WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
"""In the order in which transformers looks for them."""
_KEYS = re.compile(rb'"(architectures|auto_map|model_type)"\s*:')


def detect_huggingface(tree: Tree) -> Evidence | None:
    """Look for a configuration with weights; all other files of weights in its folder belong to it, too."""
    found = [each for path in tree.paths if (each := _look(tree, path))]
    evidence = play("config", [each["config"] for each in found], is_sure=True)
    return evidence and evidence._replace(parts=found[0])


def _look(tree: Tree, path: str) -> dict[str, str]:
    folder, _, name = path.rpartition("/")
    if name != CONFIG or not _KEYS.search(tree.read(path)):
        return {}
    beside = {each.rpartition("/")[2]: each for each in tree.paths if each.rpartition("/")[0] == folder}
    weights = next((beside[each] for each in WEIGHTS if each in beside), "")
    others = [each for name, each in beside.items() if name.endswith((SAFETENSORS, *PICKLES)) and each != weights]
    numbered = {f"beside-{number}": each for number, each in enumerate(others)}
    return {"config": path, "weights": weights, **numbered} if weights else {}
