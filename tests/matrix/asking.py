"""Asks what was published the question whose answer was kept; run by the runtime's own Python.

`python asking.py ARTIFACT RIGHT.npz RELATIVE ABSOLUTE` prints how the answer differs; nothing if it does not.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from modelport.steps.handover import read_manifest
from modelport.storage.manifests import MODEL, model_paths
from modelport_server.backends.base import How
from modelport_server.dataplane.shapes import Expected
from modelport_server.errors import BadRequestError
from modelport_server.execution import loading


def ask(artifact: Path, right: Path, relative: float, absolute: float) -> str:
    """Return how the published model's answer differs from the one before the model was stored; nothing if it does not.

    The absolute difference is in units of the answer's largest number, or of 1.
    """
    manifest = read_manifest(artifact)[0]
    infer = loading.load(manifest.runtime, artifact / MODEL, model_paths(manifest.files), How(manifest.load_options))
    kept = dict(np.load(right))
    asked = {name.removeprefix("in."): each for name, each in kept.items() if name.startswith("in.")}
    inputs = [each.name for each in manifest.signature.inputs]
    if len(inputs) == 1:  # whose name some forms do not keep
        asked = {inputs[0]: next(iter(asked.values()))}
    lengths: dict[str, int] = {}
    for each in manifest.signature.inputs:
        try:
            Expected(each, manifest.lengths).check_given(asked[each.name].shape, lengths)
        except BadRequestError as error:
            return f"a server would refuse the question: {error}; mend its shape in targets.toml"
    found = list(infer({name: asked[name] for name in inputs}).values())
    wanted = [kept[f"out.{number}"] for number in range(sum(name.startswith("out.") for name in kept))]
    if len(found) != len(wanted):
        return f"expected {len(wanted)} outputs, found {len(found)}"
    for answer in wanted:  # an order that some forms do not keep is the signature's, which the gate judges
        near = [each for each in found if each.shape == answer.shape and _is_near(each, answer, relative, absolute)]
        if not near:
            return f"no output is what the framework answered for shape {list(answer.shape)}"
    return ""


def _is_near(found: Any, wanted: Any, relative: float, absolute: float) -> bool:
    if "O" in (found.dtype.kind, wanted.dtype.kind) or "U" in (found.dtype.kind, wanted.dtype.kind):
        return [str(each) for each in found.flat] == [str(each) for each in wanted.flat]
    if found.dtype == np.float16:  # of which a framework's own answers are a few steps away
        relative = max(relative, 4 * float(np.finfo(np.float16).eps))
    largest = max(1.0, float(np.abs(wanted).max(initial=0)))
    return bool(np.allclose(found, wanted, rtol=relative, atol=absolute * largest))


if __name__ == "__main__":
    sys.stdout.write(ask(Path(sys.argv[1]), Path(sys.argv[2]), *map(float, sys.argv[3:])))
