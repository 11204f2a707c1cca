"""One cell of the matrix: `modelport run` as a user would call it, and a question to what it publishes."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from conversion_matrix import CONVERTS, WRONG, Cell, Row, converter_digest

from modelport.steps.handover import read_manifest
from modelport.storage.files import describe_tree, tree_digest
from modelport.storage.manifests import MODEL, model_paths
from modelport_server.backends.base import How
from modelport_server.execution import loading

SECONDS = 900
"""That one cell may take."""
RELATIVE, ABSOLUTE = 2e-4, 2e-5
"""What the published model's answer may differ by from the one before storing; the gate measures far finer."""
MESSAGE = 300


class NotMadeError(Exception):
    """The framework did not make the model."""


def measure(cell: Cell, folder: Path) -> Row:
    """Convert a made cell and return what came of it. Raises NotMadeError."""
    if not (folder / "cell.json").exists():
        raise NotMadeError((folder / "error").read_text() if (folder / "error").exists() else f"nothing in {folder}")
    with tempfile.TemporaryDirectory(prefix="matrix-") as scratch:
        started = time.monotonic()
        status = convert(folder, Path(scratch))
        return _row(cell, status, time.monotonic() - started, folder, Path(scratch) / "artifact")


def convert(folder: Path, scratch: Path) -> dict[str, Any]:
    """Return the status that `modelport run` prints."""
    (source,) = (folder / "source").iterdir()
    told = msgspec.json.decode((folder / "cell.json").read_bytes())
    spec = {"uri": f"s3://models/{source.name}{'/' if source.is_dir() else ''}", **told}
    code = folder / "code"
    if code.exists():
        spec["code"] = {"uri": "s3://models/code/", "digest": tree_digest(describe_tree(code)), **spec["code"]}
    manifest = scratch / "manifest.yaml"  # JSON is YAML
    head = {"apiVersion": "modelport.dev/v1alpha1", "kind": "ModelConversion", "metadata": {"name": "cell"}}
    manifest.write_bytes(msgspec.json.encode({**head, "spec": {"source": spec}}))
    command = [sys.executable, "-m", "modelport_cli", "run", manifest, "--json"]
    command += ["--output", scratch / "artifact", "--source", source]
    command += ["--code", code] if code.exists() else []
    ended, answer, errors = _call(command)
    if ended not in (0, 1):
        return {"failure": {"reason": f"ExitStatus{ended}", "message": errors.strip()[-MESSAGE:]}}
    status: dict[str, Any] = msgspec.json.decode(answer)
    return status


def _call(command: list[Any]) -> tuple[int, str, str]:
    """Run a command; an interrupted one tidies up itself before this returns."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as child:
        try:
            answer, errors = child.communicate(timeout=SECONDS)
        except BaseException:
            child.terminate()
            child.wait()
            raise
    return child.returncode, answer, errors


def _row(cell: Cell, status: dict[str, Any], seconds: float, folder: Path, artifact: Path) -> Row:
    common = {"cell": cell.name, "seconds": round(seconds, 1), "converter": converter_digest(cell.framework)}
    common["format"] = status.get("source", {}).get("format", "")
    common["path"] = " → ".join(status.get("path", []))
    if failure := status.get("failure"):
        return Row(outcome=failure["reason"], message=failure["message"][:MESSAGE], **common)
    evidence = status["verification"]
    worst = max(evidence["outputs"], key=lambda each: float(each["relativeRms"]))
    measured = {
        "relative_rms": worst["relativeRms"],
        "limit": worst["limit"],
        "excess": max((each["excess"] for each in evidence["outputs"]), key=float),
        "largest_error": evidence["maxAbsoluteError"],
        "size": status["artifact"]["sizeBytes"],
    }
    wrong = ask(artifact, folder / "right.npz")
    return Row(outcome=WRONG if wrong else CONVERTS, message=wrong, **measured, **common)


def ask(artifact: Path, right: Path) -> str:
    """Return how the published model's answer differs from the one before the model was stored; nothing if it does not."""
    if not right.exists():
        return ""
    manifest = read_manifest(artifact)[0]
    infer = loading.load(manifest.runtime, artifact / MODEL, model_paths(manifest.files), How(manifest.load_options))
    kept = dict(np.load(right))
    asked = {name.removeprefix("in."): each for name, each in kept.items() if name.startswith("in.")}
    inputs = [each.name for each in manifest.signature.inputs]
    if len(inputs) == 1:  # whose name some forms do not keep
        asked = {inputs[0]: next(iter(asked.values()))}
    found = list(infer({name: asked[name] for name in inputs}).values())
    wanted = [kept[f"out.{number}"] for number in range(sum(name.startswith("out.") for name in kept))]
    if len(found) != len(wanted):
        return f"expected {len(wanted)} outputs, found {len(found)}"
    for answer in wanted:  # an order that some forms do not keep is the signature's, which the gate judges
        near = [each for each in found if each.shape == answer.shape and _is_near(each, answer)]
        if not near:
            return f"no output is what the framework answered for shape {list(answer.shape)}"
    return ""


def _is_near(found: Any, wanted: Any) -> bool:
    return bool(np.allclose(found, wanted, rtol=RELATIVE, atol=ABSOLUTE * max(1.0, float(np.abs(wanted).max()))))
