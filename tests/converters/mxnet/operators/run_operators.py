"""`python run_operators.py FOLDER [NAME …]` asks and converts one small model for each way to use an operator."""

import json
import os
import pathlib
import sys
import traceback

import elements
import layers
import numpys
import regions
import tensors
from operator_cases import leave

root = pathlib.Path(sys.argv[1])
CASES = (*elements.CASES, *layers.CASES, *tensors.CASES, *regions.CASES, *numpys.CASES)
chosen = [each for each in CASES if each.name in sys.argv[2:] or not sys.argv[2:]]
outcomes = {}
for each in chosen:
    assert each.name not in outcomes, each.name
    outcomes[each.name] = {"reason": "died", "message": ""}
    if not os.fork():  # which kernels there are, MXNet asks once in a process
        try:
            told = leave(each, root / each.name)
        except Exception:  # noqa: BLE001  # told beside the others
            told = {"reason": "error", "message": traceback.format_exc()[-1200:]}
        (root / f"{each.name}.json").write_text(json.dumps(told))
        os._exit(0)
    os.wait()
    if (root / f"{each.name}.json").exists():
        outcomes[each.name] = json.loads((root / f"{each.name}.json").read_text())
(root / "outcomes.json").write_text(json.dumps(outcomes))
