"""ONNX models are compiled: their graph is mended for TVM's frontend, its program compiled, and asked once here.

The frontend keeps free dimensions where its operators do. Where they do not, or where the compiled program does not run
for all lengths that are asked, the model needs fixed ones.
"""

import time

import numpy as np
import tvm
from tvm.relax import VirtualMachine

from modelport.api.reasons import Reason
from modelport.api.status import Signature
from modelport.errors import ModelportError
from modelport.frameworks.tvm import TvmOptions
from modelport.steps.handover import read_signature
from modelport.steps.runner import say
from modelport.storage.trees import open_tree
from modelport.verification.reference import FILE_NAME, Reference, read_reference
from modelport_converter.frameworks.tvm.compiling.building import make_target, write_files
from modelport_converter.frameworks.tvm.compiling.importing import MAIN, Program, read_program
from modelport_converter.frameworks.tvm.graphs.preparing import prepare
from modelport_converter.tasks import MODEL, HopTask, find_part, last_line

LOGGER = "tvm"


def convert(task: HopTask, options: TvmOptions) -> None:
    """Write the compiled model. Raises ModelportError (ConversionFailed, ShapesNeeded)."""
    signature, reference = read_signature(task.asked), read_reference(task.asked / FILE_NAME)
    model = prepare(find_part(open_tree(task.model), "onnx"), signature)
    say(LOGGER, f"{len(model.graph.node)} nodes to compile for {options.cpu}")
    started = time.monotonic()
    target = make_target(options)
    try:
        program = read_program(model)
        built = tvm.compile(program.module, target)
        _ask(program, built, reference)
    except Exception as error:  # TVM's errors have no common base
        raise _refusal(error, signature, reference) from error
    folder = task.out / MODEL
    folder.mkdir()
    write_files(program, built, folder)
    say(LOGGER, f"compiled in {time.monotonic() - started:.0f} s")


def _ask(program: Program, built: tvm.runtime.Executable, reference: Reference) -> None:
    """Ask a question of each shape: code for free lengths may not run for all of them."""
    machine = VirtualMachine(built, tvm.cpu())
    shapes = set()
    for sample in reference.usual:
        inputs = sample.inputs[0]
        shape = tuple(each.shape for each in inputs.values())
        if shape not in shapes:
            shapes.add(shape)
            given = [tvm.runtime.tensor(np.ascontiguousarray(each)) for each in inputs.values()]
            machine[MAIN](*given, *program.parameters)


def _refusal(error: Exception, signature: Signature, reference: Reference) -> ModelportError:
    free = [each for each in signature.inputs if any(isinstance(length, str) for length in each.shape)]
    said = last_line(error)
    if not free:
        return ModelportError(Reason.CONVERSION_FAILED, f"TVM cannot compile the model: {said}")
    lengths = {name: most for name, (_, most) in reference.lengths.items()}
    shapes = {
        each.name: [
            length if isinstance(length, int) else 1 if axis == 0 else lengths.get(length, 1)
            for axis, length in enumerate(each.shape)
        ]
        for each in free
    }
    found = ", ".join(f"{each.name} [{', '.join(map(str, each.shape))}]" for each in free)
    stated = ", ".join(f"{name}: {shape}" for name, shape in shapes.items())
    message = (
        f"spec.target.shapes: expected fixed lengths, because TVM cannot keep these free ({said:.150}); "
        f"found {found:.120}; state for example shapes: {{{stated:.150}}}"
    )
    return ModelportError(Reason.SHAPES_NEEDED, message)
