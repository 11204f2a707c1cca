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
from modelport.conversion.shapes import need_shapes
from modelport.errors import ModelportError
from modelport.frameworks.tvm import TvmOptions
from modelport.steps.handover import read_signature
from modelport.steps.runner import say
from modelport.storage.trees import open_tree
from modelport.verification.measure.sameness import distance
from modelport.verification.reference import FILE_NAME, Reference, read_reference
from modelport_converter.frameworks.tvm.compiling.building import make_target, write_files
from modelport_converter.frameworks.tvm.compiling.importing import INPUTS, MAIN, OUTPUTS, Program, read_program
from modelport_converter.frameworks.tvm.compiling.sums import widen_sums
from modelport_converter.frameworks.tvm.compiling.tuning import tune
from modelport_converter.frameworks.tvm.graphs.preparing import prepare
from modelport_converter.tasks import MODEL, TUNING, HopTask, find_part, last_line

LOGGER = "tvm"
FAR = 1e-5
"""Relative RMS that rounding alone seldom comes to."""
SECONDS = 20
"""That asking takes at most, beside the last question."""


def convert(task: HopTask, options: TvmOptions) -> None:
    """Write the compiled model. Raises ModelportError (ConversionFailed, ShapesNeeded)."""
    signature, reference = read_signature(task.asked), read_reference(task.asked / FILE_NAME)
    if options.tuning_trials:
        _check_lengths(signature)
    model = prepare(find_part(open_tree(task.model), "onnx"), signature)
    say(LOGGER, f"{len(model.graph.node)} nodes to compile for {options.cpu}")
    started = time.monotonic()
    target = make_target(options)
    try:
        program = read_program(model, channels_last=options.tuning_trials > 0)
        built = tvm.compile(program.module, target)
        far = _distance(program, built, reference)
        if far > FAR and (wide := widen_sums(program)):
            rebuilt = tvm.compile(wide.module, target)
            if _distance(wide, rebuilt, reference) < far / 2:
                say(
                    LOGGER, f"long sums are computed in float64: in float32 its answers are {far:.1e} from the source's"
                )
                program, built = wide, rebuilt
        if options.tuning_trials:
            tuned = tune(program, target, options.tuning_trials, task.tuning, task.out / TUNING)
            built = tvm.compile(tuned, target)
    except ModelportError as error:
        if error.reason is not Reason.CONVERSION_FAILED:
            raise
        raise _refusal(error, signature, reference) from error
    except Exception as error:  # TVM's errors have no common base
        raise _refusal(error, signature, reference) from error
    folder = task.out / MODEL
    folder.mkdir()
    write_files(program, built, folder)
    say(LOGGER, f"compiled in {time.monotonic() - started:.0f} s")


def _check_lengths(signature: Signature) -> None:
    for given in signature.inputs:
        if any(isinstance(length, str) for length in given.shape):
            found = f"{given.name} [{', '.join(map(str, given.shape))}]"
            message = (
                f"spec.target.shapes: expected fixed lengths for options.tuningTrials, found {found}; state its shape"
            )
            raise ModelportError(Reason.SHAPES_NEEDED, message)


def _distance(program: Program, built: tvm.runtime.Executable, reference: Reference) -> float:
    """Return how far the farthest answer is from the source's, of those that can be asked for within a short time.

    Small questions first: code for free lengths may run for some of them alone, and then raises.
    """
    machine = VirtualMachine(built, tvm.cpu())
    inputs, names = ([str(name) for name in machine[each]()] for each in (INPUTS, OUTPUTS))
    samples = sorted(reference.usual, key=lambda each: sum(array.size for array in each.inputs[0].values()))
    farthest, started = 0.0, time.monotonic()
    for sample in samples:
        if time.monotonic() - started > SECONDS:
            break
        given = [tvm.runtime.tensor(np.array(sample.inputs[0][name], order="C")) for name in inputs]
        found = machine[MAIN](*given, *program.parameters)
        values = [found] if len(names) == 1 else list(found)
        for name, value in zip(names, values, strict=True):
            farthest = max(farthest, distance(sample.outputs[0][name], value.numpy()))
    return farthest


def _refusal(error: Exception, signature: Signature, reference: Reference) -> ModelportError:
    free = [each for each in signature.inputs if any(isinstance(length, str) for length in each.shape)]
    said = error.message if isinstance(error, ModelportError) else last_line(error)
    if not free:
        if isinstance(error, ModelportError):
            return error
        return ModelportError(Reason.CONVERSION_FAILED, f"TVM cannot compile the model: {said}")
    return need_shapes("TVM", said, signature, reference.lengths)
