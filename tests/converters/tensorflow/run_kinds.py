"""`python run_kinds.py FOLDER [NAME …]` makes, asks and converts all small models, by the steps themselves, in one process.

It is run by the Python of the converter's environment. For each it leaves the steps' volumes below FOLDER/NAME, right.npz
with a question and the answer of the model before it was saved, and outcomes.json for all.
"""

import json
import pathlib
import sys

import tensorflow_kinds
import tensorflow_loops
import tensorflow_traps

root = pathlib.Path(sys.argv[1])
CASES = (*tensorflow_kinds.CASES, *tensorflow_traps.CASES, *tensorflow_loops.CASES)
chosen = [case for case in CASES if case.name in sys.argv[2:] or not sys.argv[2:]]
outcomes = {case.name: tensorflow_kinds.run(case, root / case.name) for case in chosen}
(root / "outcomes.json").write_text(json.dumps(outcomes))
