"""Compile an ONNX file as the converter does, without a conversion; run by the Python of the converter's environment.

`python tvm_files.py MODEL.onnx FOLDER` leaves the model's files in the folder.
"""

import json
import sys
from pathlib import Path

import onnx
import tvm

from modelport.api.status import Signature, Tensor
from modelport.frameworks.tvm import TvmOptions
from modelport_converter.frameworks.tvm.compiling.building import make_target, write_files
from modelport_converter.frameworks.tvm.compiling.importing import read_program
from modelport_converter.frameworks.tvm.graphs.preparing import prepare


def compile_file(path: Path, folder: Path) -> None:
    """Write the files of a model whose inputs stay as they are declared."""
    inputs = [
        Tensor(
            name=value.name,
            dtype="float32",  # nothing asks for it
            shape=[each.dim_param or each.dim_value for each in value.type.tensor_type.shape.dim],
        )
        for value in onnx.load(str(path)).graph.input
    ]
    program = read_program(prepare(path, Signature(inputs=inputs)), channels_last=False)
    write_files(program, tvm.compile(program.module, make_target(TvmOptions())), folder)


if __name__ == "__main__":
    for each in json.loads(sys.argv[1]):
        compile_file(Path(each), Path(each).parent)
