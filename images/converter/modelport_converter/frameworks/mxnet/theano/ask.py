"""Theano answers for pickled functions."""

import numpy as np

from modelport.api.base import Dtype
from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.errors import ModelportError
from modelport.steps.runner import say
from modelport.verification.calls import Infer
from modelport.verification.source.model import Source
from modelport.verification.source.moving import move_weights
from modelport_converter.frameworks.mxnet.theano.answering import make_run
from modelport_converter.frameworks.mxnet.theano.hints import find_hints
from modelport_converter.frameworks.mxnet.theano.lengths.possible import find_shapes
from modelport_converter.frameworks.mxnet.theano.library import theano
from modelport_converter.frameworks.mxnet.theano.reading.programs import Program, read_program
from modelport_converter.tasks import SourceTask

LOGGER = "theano"


def open_source(task: SourceTask) -> Source:
    """Return the source model, loaded. Raises ModelportError."""
    program = read_program(task.request, task.model)
    inputs = _inputs(program, task.request.inputs)
    return Source(
        inputs,
        make_run(program),
        hints=find_hints(program),
        precision=_precision(program),
        move_weights=lambda: _move(read_program(task.request, task.model)),
    )


def _inputs(program: Program, stated: list[Input]) -> list[Input]:
    """Return the inputs as the user states them, else with the lengths that the program allows."""
    given = {each.name: each for each in stated}
    unknown = sorted(given.keys() - program.inputs.keys())
    if unknown:
        message = (
            f"spec.source.inputs {', '.join(unknown):.100}: the function has only {', '.join(program.inputs):.200}"
        )
        raise ModelportError(Reason.INVALID_SPEC, message)
    for name, each in given.items():
        variable = program.inputs[name]
        if (each.dtype, len(each.shape)) != (variable.dtype, variable.ndim):
            message = (
                f"spec.source.inputs {name}: expected {variable.dtype} of {variable.ndim} axes, "
                f"found {each.dtype}{list(each.shape)}"
            )
            raise ModelportError(Reason.INVALID_SPEC, message)
    if given.keys() == program.inputs.keys():
        return [given[name] for name in program.inputs]
    shapes = find_shapes(program.inputs, list(program.outputs.values()))
    say(LOGGER, "lengths that the graph tells: " + ", ".join(f"{name} {shape}" for name, shape in shapes.items()))
    return [
        given.get(name) or Input(name=name, dtype=variable.dtype, shape=shapes[name])
        for name, variable in program.inputs.items()
    ]


def _precision(program: Program) -> Dtype:
    """Return the coarsest type that numbers are computed in."""
    nodes = theano.gof.graph.io_toposort(list(program.inputs.values()), list(program.outputs.values()))
    kinds = {getattr(each, "dtype", "") for node in nodes for each in node.outputs}
    order: tuple[Dtype, ...] = ("float16", "float32", "float64")
    return next((each for each in order if each in kinds), "float32")


def _move(program: Program) -> Infer:
    """Return what answers with all weights moved by one unit in the last place."""
    random = np.random.default_rng(0)
    for each in theano.gof.graph.inputs(list(program.outputs.values())):
        if hasattr(each, "set_value"):
            each.set_value(move_weights(each.get_value(borrow=True), random))
    return make_run(program)
