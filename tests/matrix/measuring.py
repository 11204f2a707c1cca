"""One cell of the matrix: `modelport run` as a user would call it, and a question to what it publishes."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
from conversion_matrix import CONVERTS, TARGETS, WRONG, Cell, Row, Target, converter_digest

from matrix.sources import ROOT
from modelport.frameworks import FORMATS
from modelport.runtimes import RUNTIMES
from modelport.steps.handover import read_manifest
from modelport.storage.files import describe_tree, tree_digest
from modelport_cli.local.environments import find_recipe, prepare

SECONDS = 900
"""That one cell may take."""
ASKING = Path(__file__).with_name("asking.py")
MESSAGE = 300


class NotMadeError(Exception):
    """The framework did not make the model, or it was not measured in time."""


def measure(cell: Cell, folder: Path) -> Row:
    """Convert a made cell and return what came of it. Raises NotMadeError."""
    if not (folder / "cell.json").exists():
        raise NotMadeError((folder / "error").read_text() if (folder / "error").exists() else f"nothing in {folder}")
    with tempfile.TemporaryDirectory(prefix="matrix-") as scratch:
        started = time.monotonic()
        status = convert(cell, folder, Path(scratch))
        return _row(cell, status, time.monotonic() - started, folder, Path(scratch) / "artifact")


def convert(cell: Cell, folder: Path, scratch: Path) -> dict[str, Any]:
    """Return the status that `modelport run` prints."""
    (source,) = (folder / "source").iterdir()
    told = msgspec.json.decode((folder / "cell.json").read_bytes())
    spec = {"uri": f"s3://models/{source.name}{'/' if source.is_dir() else ''}", **told}
    code = folder / "code"
    if code.exists():
        spec["code"] = {"uri": "s3://models/code/", "digest": tree_digest(describe_tree(code)), **spec["code"]}
    manifest = scratch / "manifest.yaml"  # JSON is YAML
    head = {"apiVersion": "modelport.dev/v1alpha1", "kind": "ModelConversion", "metadata": {"name": "cell"}}
    wanted = TARGETS[cell.target]
    target = {"format": wanted.format, "options": wanted.options, "shapes": cell.shapes}
    if FORMATS[wanted.format].executes_code:
        spec["trust"] = "Trusted"
    tolerance = {"relative": cell.tolerance} if cell.tolerance else wanted.tolerance
    verification = {"tolerance": tolerance} if tolerance else {}
    whole = {**head, "spec": {"source": spec, "target": target, "verification": verification}}
    manifest.write_bytes(msgspec.json.encode(whole))
    command = [sys.executable, "-m", "modelport_cli", "run", manifest, "--json"]
    command += ["--output", scratch / "artifact", "--source", source]
    command += ["--code", code] if code.exists() else []
    ended, answer, errors = _call(command)
    if ended not in (0, 1):
        return {"failure": {"reason": f"ExitStatus{ended}", "message": errors.strip()[-MESSAGE:]}}
    status: dict[str, Any] = msgspec.json.decode(answer)
    return status


def _call(command: list[Any], variables: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Run a command; an interrupted one tidies up itself before this returns."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True, env=variables) as child:
        try:
            answer, errors = child.communicate(timeout=SECONDS)
        except BaseException as error:
            child.terminate()
            child.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise NotMadeError(f"expected an end within {SECONDS} s, found none") from None
            raise
    return child.returncode, answer, errors


def _row(cell: Cell, status: dict[str, Any], seconds: float, folder: Path, artifact: Path) -> Row:
    common = {"cell": cell.name, "seconds": round(seconds, 1), "converter": converter_digest(cell)}
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
    latencies = status["verification"].get("performance", {}).get("latencies", [])
    if latencies:
        measured |= {"rows": latencies[0]["rows"], "milliseconds": latencies[0]["p50"]}
    wrong = ask(artifact, folder / "right.npz", TARGETS[cell.target])
    return Row(outcome=WRONG if wrong else CONVERTS, message=wrong, **measured, **common)


def ask(artifact: Path, right: Path, target: Target) -> str:
    """Return how the published model's answer differs from the one before the model was stored; nothing if it does not."""
    if not right.exists():
        return ""
    image = RUNTIMES[read_manifest(artifact)[0].runtime].image
    paths = os.pathsep.join(str(ROOT / part) for part in ("operator", "images/server"))
    command = [
        prepare(find_recipe(image)),
        "-W",
        "ignore",
        ASKING,
        artifact,
        right,
        str(target.near),
        str(target.near_zero),
    ]
    ended, answer, errors = _call(command, {**os.environ, "PYTHONPATH": paths})
    return answer if ended == 0 else f"the question fails: {errors.strip()[-MESSAGE:]}"
