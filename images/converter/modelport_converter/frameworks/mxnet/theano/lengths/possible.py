"""Which lengths the inputs of a program may have: a pickle says their ranks alone, but the weights say more.

What operators demand is in `Equal`. What is left, such as an image's size behind convolutions and a dense layer, is
looked for by asking Theano's own formulas of shapes, without computing anything else.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from modelport_converter.frameworks.mxnet.theano.lengths.equal import Axis, Equal
from modelport_converter.frameworks.mxnet.theano.lengths.rules import find_equal
from modelport_converter.frameworks.mxnet.theano.library import theano

TRIED = range(1, 1025)
"""Lengths that an image may have."""
SHORT = range(1, 129)
"""Of two that differ."""
USUAL = (7, 11)
BATCH = 2
Shapes = Mapping[str, Sequence[int | str]]


def find_shapes(inputs: Mapping[str, Any], outputs: Sequence[Any]) -> dict[str, list[int | str]]:
    """Return the inputs' shapes: numbers, and names of free lengths; the first axis, where it is free, is the batch."""
    equal = find_equal(list(inputs.values()), list(outputs), Equal(guesses=True))
    free: dict[Axis, str] = {}
    for name, variable in inputs.items():
        for axis in range(variable.ndim):
            root = equal.find((variable, axis))
            if equal.length((variable, axis)) is None and root not in free:
                free[root] = "batch" if axis == 0 and "batch" not in free.values() else f"{name}_{axis}"
    found = _solve(inputs, outputs, equal, free)
    return {
        name: [_length(equal, found, free, (variable, axis)) for axis in range(variable.ndim)]
        for name, variable in inputs.items()
    }


def _length(equal: Equal, found: Mapping[Axis, int], free: Mapping[Axis, str], axis: Axis) -> int | str:
    length = equal.length(axis)
    root = equal.find(axis)
    return length if length is not None else found.get(root, free[root])


def _solve(
    inputs: Mapping[str, Any], outputs: Sequence[Any], equal: Equal, free: Mapping[Axis, str]
) -> dict[Axis, int]:
    """Return the lengths that must be certain ones, by class."""
    check = _make_check(inputs, outputs, equal)
    if check is None or not free:
        return {}

    def differences(lengths: Mapping[Axis, int]) -> tuple[int, ...] | None:
        shapes = {
            name: tuple(_known(equal, lengths, (each, axis)) for axis in range(each.ndim))
            for name, each in inputs.items()
        }
        return check(shapes)

    tries = [{root: BATCH if name == "batch" else usual for root, name in free.items()} for usual in USUAL]
    told = [differences(each) for each in tries]
    if all(each is not None and not any(each) for each in told):
        return {}
    bound = [root for root in free if free[root] != "batch"]
    if not bound:
        return {}
    for lengths in _candidates(len(bound)):
        tried = tries[0] | dict(zip(bound, lengths, strict=True))
        told_one = differences(tried)
        if told_one is not None and not any(told_one):
            return _needed(differences, tried, bound)
    return {}


def _candidates(count: int) -> Iterator[tuple[int, ...]]:
    """Return lengths to try: the same for all axes, and of two axes short ones that differ."""
    yield from ((length,) * count for length in TRIED)
    if count == 2:  # noqa: PLR2004
        yield from itertools.product(SHORT, SHORT)


def _needed(
    differences: Callable[[Mapping[Axis, int]], tuple[int, ...] | None],
    found: Mapping[Axis, int],
    bound: Sequence[Axis],
) -> dict[Axis, int]:
    """Return those lengths of a solution that cannot be longer by 1 and by 8."""
    needed = {}
    for root in bound:
        longer = [differences({**found, root: found[root] + more}) for more in (1, 8)]
        if not all(each is not None and not any(each) for each in longer):
            needed[root] = found[root]
    return needed


def _known(equal: Equal, lengths: Mapping[Axis, int], axis: Axis) -> int:
    length = equal.length(axis)
    return length if length is not None else lengths[equal.find(axis)]


def _make_check(
    inputs: Mapping[str, Any], outputs: Sequence[Any], equal: Equal
) -> Callable[[Mapping[str, tuple[int, ...]]], tuple[int, ...] | None] | None:
    """Return what says how far lengths that are computed are from those that must be; None where a shape fails."""
    roots = [each for each in theano.gof.graph.inputs(list(outputs)) if hasattr(each, "get_value")]
    try:
        copies = theano.gof.graph.clone_get_equiv([*inputs.values(), *roots], list(outputs))
        graph = theano.gof.FunctionGraph(
            [copies[each] for each in (*inputs.values(), *roots)], [copies[each] for each in outputs], clone=False
        )
        feature = theano.tensor.opt.ShapeFeature()
        graph.attach_feature(feature)
        wanted, numbers = _lengths_that_must_be(copies, feature.shape_of, equal)
        # optimised, so that lengths come of lengths, and nothing else is computed
        mode = theano.Mode(theano.gof.vm.VM_Linker(use_cloop=False, c_thunks=False), "fast_run")
        run = theano.function(
            [copies[each] for each in inputs.values()],
            wanted,
            mode=mode.excluding("AbstractConvCheck", "local_conv2d_cpu"),
            on_unused_input="ignore",
        )
    except Exception:  # noqa: BLE001  # formulas of shapes that fail say nothing; the source itself will be asked
        return None

    def check(shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, ...] | None:
        arrays = [np.broadcast_to(np.zeros((), each.dtype), shapes[name]) for name, each in inputs.items()]
        try:
            return tuple(int(found) - number for found, number in zip(run(*arrays), numbers, strict=True))
        except Exception:  # noqa: BLE001  # whatever an operator raises for a shape that it cannot have
            return None

    return check


def _lengths_that_must_be(
    copies: Mapping[Any, Any], shapes: Mapping[Any, Sequence[Any] | None], equal: Equal
) -> tuple[list[Any], list[int]]:
    """Return formulas of lengths, and what they must come to."""
    wanted, numbers = [], []
    for variable, copy in copies.items():
        shape = shapes.get(copy) if isinstance(variable, theano.gof.Variable) and variable.owner else None
        for axis, formula in enumerate(shape or ()):
            number = equal.length((variable, axis))
            if number is not None and not variable.broadcastable[axis]:
                wanted.append(formula)
                numbers.append(number)
    return wanted, numbers
