"""Libraries of object files by the linker alone: there is no C compiler in the image."""

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import tvm

from modelport.api.reasons import Reason
from modelport.errors import ModelportError


def link(output: str, objects: list[str], **_: Any) -> None:
    """Make a library, as TVM's exporter asks for it. Raises ModelportError (ConversionFailed)."""
    try:
        subprocess.run(["ld", "-shared", "-o", output, *objects], check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        message = "expected the linker ld, found none; install binutils"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error
    except subprocess.CalledProcessError as error:
        raise ModelportError(Reason.CONVERSION_FAILED, f"the linker fails: {error.stderr.strip():.300}") from error


def export(module: tvm.runtime.Module) -> str:
    """Return the path of a library of one program to measure, in a folder of its own."""
    path = Path(tempfile.mkdtemp()) / "program.so"
    module.export_library(str(path), fcompile=link)
    return str(path)
