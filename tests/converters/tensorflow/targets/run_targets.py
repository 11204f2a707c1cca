"""`python run_targets.py FOLDER` makes and asks small models, and converts each to some targets, in one process.

It is run by the Python of the converter's environment. For each it leaves the steps' volumes below FOLDER/NAME--TARGET, and
outcomes.json for all.
"""

import json
import pathlib
import shutil
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

root = pathlib.Path(sys.argv[1])
sys.path[:0] = [str(pathlib.Path(__file__).parents[1]), str(pathlib.Path(__file__).parent)]

import target_kinds  # noqa: E402
import tensorflow_kinds as kinds  # noqa: E402

from modelport.jobs.requests import ConvertRequest  # noqa: E402

outcomes: dict[str, dict[str, Any]] = {}


def convert(case: kinds.Case, targets: Mapping[str, Mapping[str, Any]], shapes: Mapping[str, list[int]]) -> None:
    """Ask a model once, and convert it to each of the targets."""
    first, *others = targets
    name = f"{case.name}{'-fixed' if shapes else ''}"
    folder = root / f"{name}--{first}"
    case = case._replace(options=targets[first])
    outcomes[folder.name] = kinds.run(case, folder, first.partition("+")[0], shapes)
    for target in others:
        other = root / f"{name}--{target}"
        (other / "stage").mkdir(parents=True)
        for each in ("stage/out", "ask"):
            if (folder / each).exists():
                shutil.copytree(folder / each, other / each)
        if (folder / "right.npz").exists():
            shutil.copy(folder / "right.npz", other)
        request = msgspec.json.decode((folder / "request.json").read_bytes(), type=ConvertRequest)
        format_name = target.partition("+")[0]
        hops = kinds.hops_to(case.format, format_name, targets[target])
        request = msgspec.structs.replace(request, target_format=format_name, hops=hops)
        outcomes[other.name] = kinds.carry_out(request, other, "hop-1") or {"reason": "", "message": ""}


for case, targets, shapes in target_kinds.CASES:
    if not sys.argv[2:] or case.name in sys.argv[2:]:
        convert(case, targets, shapes)
(root / "outcomes.json").write_text(json.dumps(outcomes))
