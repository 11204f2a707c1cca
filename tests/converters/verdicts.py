"""What becomes of models that a script converts in the converter's environment, where ONNX Runtime is not: tried, judged, asked."""

import io
import os
import subprocess
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from modelport.jobs.requests import ConvertRequest
from modelport.steps.handover import ARTIFACT, read_manifest
from modelport.steps.runner import Context
from modelport.storage.manifests import MODEL, ArtifactManifest, model_paths
from modelport.verification.arrays import Tensors
from modelport.verification.calls import Infer
from modelport_cli.local.environments import find_recipe, prepare
from modelport_converter.steps.judge import judge
from modelport_server.backends.base import How
from modelport_server.execution import loading
from modelport_server.steps.trying import try_model

PATHS = [Path(__file__).parents[2] / part for part in ("operator", "images/converter", "tests")]
SECONDS = 1500


def convert_all(image: str, script: Path, folder: Path, *arguments: str) -> dict[str, dict[str, str]]:
    """Have a script convert its models below `folder`, in an image's environment; return what came of each, by name."""
    _run(image, script, folder, *arguments)
    found: dict[str, dict[str, str]] = msgspec.json.decode((folder / "outcomes.json").read_bytes())
    return found


def printed_by(script: Path) -> Any:
    """Return what a script prints, which is JSON, in the environment of PyTorch's image."""
    return msgspec.json.decode(_run("converter-pytorch", script))


def _run(image: str, script: Path, *arguments: Path | str) -> str:
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, PATHS))}
    command = [prepare(find_recipe(image)), "-W", "ignore", script, *arguments]
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout


def verify(folder: Path) -> ArtifactManifest:
    """Try and judge as the steps do, and return the manifest. Raises ModelportError."""
    request = msgspec.json.decode((folder / "request.json").read_bytes(), type=ConvertRequest)
    for step, run in (("try", try_model), ("judge", judge)):
        (folder / step / "out").mkdir(parents=True)
        with redirect_stderr(io.StringIO()):
            run(Context(step, request, folder, folder))
    return read_manifest(folder / "judge" / "out" / ARTIFACT)[0]


def serve(manifest: ArtifactManifest, model: Path) -> Infer:
    """Return what answers for the files of an artifact, as a server loads them."""
    return loading.load(manifest.runtime, model, model_paths(manifest.files), How(manifest.load_options))


def assert_right(folder: Path, scale: float = 1.0) -> ArtifactManifest:
    """Verify, ask the served model what the source framework was asked, and return the manifest."""
    manifest = verify(folder)
    infer = serve(manifest, folder / "try" / "out" / ARTIFACT / MODEL)
    right: Tensors = dict(np.load(folder / "right.npz"))
    found = infer({each.name: right.pop(each.name) for each in manifest.signature.inputs})
    assert right
    assert right.keys() <= found.keys()
    for name in right:
        assert found[name].shape == right[name].shape
        np.testing.assert_allclose(found[name], right[name] * scale, rtol=1e-4, atol=1e-5)
    return manifest


def describe(outcome: dict[str, Any]) -> tuple[str, str]:
    """Return why a model was refused: reason and message, which a status has room for."""
    assert len(outcome["message"]) <= 500, outcome
    return outcome["reason"], outcome["message"]
