"""TVM's compiler: a library of a program, and the files of a model."""

from pathlib import Path
from typing import Any

import tvm

from modelport.frameworks.tvm import TvmOptions
from modelport_converter.frameworks.tvm.compiling.importing import PARAMETER, Program
from modelport_converter.frameworks.tvm.compiling.linking import link

LIBRARY, PROGRAM, PARAMETERS = "model.so", "model.json", "model.params"


def make_target(options: TvmOptions) -> tvm.target.Target:
    """Return the machine that code is made for."""
    return tvm.target.Target({"kind": "llvm", "mcpu": options.cpu, "num-cores": options.threads})


def write_files(program: Program, built: Any, folder: Path) -> None:
    """Write library, program and parameters."""
    built.export_library(str(folder / LIBRARY), fcompile=link)
    (folder / PROGRAM).write_text(tvm.ir.save_json(program.module))
    named = {PARAMETER.format(number): value for number, value in enumerate(program.parameters)}
    tvm.runtime.save_param_dict_to_file(named, str(folder / PARAMETERS))
