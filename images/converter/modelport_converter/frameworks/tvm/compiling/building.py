"""TVM's compiler: a library of a program, and the files of a model."""

import subprocess
from pathlib import Path
from typing import Any

import tvm

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.frameworks.tvm import TvmOptions
from modelport_converter.frameworks.tvm.compiling.importing import PARAMETER, Program

LIBRARY, PROGRAM, PARAMETERS = "model.so", "model.json", "model.params"


def make_target(options: TvmOptions) -> tvm.target.Target:
    """Return the machine that code is made for."""
    return tvm.target.Target({"kind": "llvm", "mcpu": options.cpu, "num-cores": options.threads})


def write_files(program: Program, built: Any, folder: Path) -> None:
    """Write library, program and parameters."""
    built.export_library(str(folder / LIBRARY), fcompile=_link)
    (folder / PROGRAM).write_text(tvm.ir.save_json(program.module))
    named = {PARAMETER.format(number): value for number, value in enumerate(program.parameters)}
    tvm.runtime.save_param_dict_to_file(named, str(folder / PARAMETERS))


def _link(output: str, objects: list[str], **_: Any) -> None:
    """Make a library of object files by the linker alone: there is no C compiler in the image."""
    try:
        subprocess.run(["ld", "-shared", "-o", output, *objects], check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        message = "expected the linker ld, found none; install binutils"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error
    except subprocess.CalledProcessError as error:
        raise ModelportError(Reason.CONVERSION_FAILED, f"the linker fails: {error.stderr.strip():.300}") from error
