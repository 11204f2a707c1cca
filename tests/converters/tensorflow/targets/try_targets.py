"""`python try_targets.py FOLDER` tries the candidates below FOLDER that this environment's runtime serves, and asks them.

It is run by the Python of a runtime's environment. For each it leaves what step try leaves, and served.npz: the answers to
the question in right.npz. What is refused is in tried-RUNTIME.json.
"""

import json
import pathlib
import sys

import msgspec
import numpy as np

from modelport.errors import ModelportError
from modelport.jobs.requests import ConvertRequest
from modelport.runtimes import RUNTIMES
from modelport.steps.handover import ARTIFACT, read_candidate, read_signature
from modelport.steps.runner import Context
from modelport.storage.manifests import MODEL, model_paths
from modelport_server.backends.base import How
from modelport_server.execution import loading
from modelport_server.steps.trying import try_model

root, runtime = pathlib.Path(sys.argv[1]), RUNTIMES[sys.argv[2]]
refused = {}
outcomes = json.loads((root / "outcomes.json").read_text())
for name in (name for name, outcome in outcomes.items() if not outcome["reason"]):
    folder = root / name
    request = msgspec.json.decode((folder / "request.json").read_bytes(), type=ConvertRequest)
    if request.target_format not in runtime.formats:
        continue
    (folder / "try" / "out").mkdir(parents=True)
    try:
        try_model(Context("try", request, folder, folder))
    except ModelportError as error:
        refused[name] = {"reason": str(error.reason), "message": error.message}
        continue
    if not (folder / "right.npz").exists():
        continue
    candidate = read_candidate(folder / "try" / "out")
    model = folder / "try" / "out" / ARTIFACT / MODEL
    infer = loading.load(runtime.name, model, model_paths(candidate.files), How(candidate.load_options))
    right = np.load(folder / "right.npz")
    asked = {key.removeprefix("in."): right[key] for key in right if key.startswith("in.")}
    if len(asked) == 1:  # whose name may be made up
        asked = {read_signature(folder / "ask" / "out").inputs[0].name: next(iter(asked.values()))}
    np.savez(folder / "served.npz", **infer(asked))
(root / f"tried-{runtime.name}.json").write_text(json.dumps(refused))
