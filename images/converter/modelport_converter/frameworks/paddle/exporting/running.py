"""paddle2onnx, asked in a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_converter.frameworks.paddle.exporting import core
from modelport_converter.onnx_graphs.writing import OPSET

PARTS = {"paddle": ("pdmodel", ".pdmodel"), "paddle-json": ("json", ".json")}
"""By format: the part of the image with the release that reads it, and how files of it must be called."""
UNKNOWN = re.compile(r"operators? (?:is |are )?not supported yet, including ([\w., -]+)")
KIND = re.compile(rb'"#":"1\.(?![at]_)(\w+?)_?"')
"""How operators are written in PIR: not types of attributes and values, which begin with a_ and t_; _ is in place."""
SILENT = frozenset({"data", "feed", "fetch", "if", "while", "yield"})
"""Kinds that are no operators to paddle2onnx."""
RUNNING = re.compile(r"^\S*(Error|Exception)\b.*", re.MULTILINE)
ERROR, NAMED = "[ERROR][Paddle2ONNX] ", "[OP: "
"""How lines begin that tell an error, and what is in those that name the operator."""


def export_program(
    content: bytes, weights: Path | None, format_name: str, name: str, kinds: Iterable[str]
) -> onnx.ModelProto:
    """Return the model that paddle2onnx makes of a program, which has operators of these kinds.

    Raises ModelportError (ConversionFailed).
    """
    part, suffix = PARTS[format_name]
    with TemporaryDirectory() as folder:
        program, target = Path(folder) / f"program{suffix}", Path(folder) / "model.onnx"
        program.write_bytes(content)
        arguments = [part, str(program), str(weights or ""), str(OPSET), str(target)]
        ended = subprocess.run(
            [sys.executable, "-W", "ignore", core.__file__, *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            env=os.environ | {"GLOG_minloglevel": "2"},
        )
        if ended.returncode or not target.exists():
            message = f"{name:.100}: paddle2onnx refuses the program: {_reason(ended, content, kinds)}"
            raise ModelportError(Reason.CONVERSION_FAILED, message)
        return onnx.load(target)


def _reason(ended: subprocess.CompletedProcess[str], content: bytes, kinds: Iterable[str]) -> str:
    told = f"{ended.stdout}\n{ended.stderr}"
    listed = UNKNOWN.search(told)
    unknown = listed[1].strip(" ,.") if listed else ""
    known = next((line for line in told.splitlines() if line.startswith(core.KNOWN)), "")
    if known and "unsupported operators" in told:
        found = {kind.decode() for kind in KIND.findall(content)} - SILENT
        listing = {each.removesuffix("_") for each in known.removeprefix(core.KNOWN).split()}
        unknown = ", ".join(sorted(found - listing))
    if unknown:
        return f"it does not know {unknown:.200}; build the network of other operators"
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    named = [line for line in lines if NAMED in line]
    if named:
        return f"{named[0].removeprefix(ERROR):.250}"
    errors = [line for line in lines if "ERROR" in line or RUNNING.match(line)]
    last = (errors or lines or [f"it ends with status {ended.returncode}"])[-1]
    return f"{last:.150}; it does not say which of these it is: {', '.join(sorted(set(kinds) - SILENT)):.150}"
