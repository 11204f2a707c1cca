"""What a graph tells of the values of an input: how many rows a table has that it chooses from, and whether it is a mask."""

from collections.abc import Iterator
from typing import Any

from modelport.verification.hints import Hint, MaskUse, hint_of_mask
from modelport_converter.frameworks.mxnet.theano.library import theano
from modelport_converter.frameworks.mxnet.theano.reading.programs import Program

PASSING = {
    "AdvancedSubtensor1", "DimShuffle", "Flatten", "InplaceDimShuffle", "Join", "MakeVector", "Rebroadcast", "Reshape",
    "ScalarFromTensor", "Subtensor",
}  # fmt: skip
"""Operators that hand values on as they are."""
TABLES = {"AdvancedSubtensor", "AdvancedSubtensor1"}
SILENT = {"Shape", "Shape_i"}


def find_hints(program: Program) -> dict[str, Hint]:
    """Return hints by input."""
    origins = {variable: name for name, variable in program.inputs.items()}
    rows: dict[str, int] = {}
    uses: dict[str, set[MaskUse]] = {}
    _follow(list(program.inputs.values()), list(program.outputs.values()), origins, (rows, uses))
    found = {}
    for name, variable in program.inputs.items():
        if variable.dtype.startswith("float"):
            hint = hint_of_mask(uses.get(name, set()))
            found.update({name: hint} if hint else {})
        elif name in rows:
            found[name] = Hint(lowest=0, highest=rows[name] - 1)
    return found


def _follow(
    inputs: list[Any],
    outputs: list[Any],
    origins: dict[Any, str],
    found: tuple[dict[str, int], dict[str, set[MaskUse]]],
) -> None:
    """Note what is done with inputs, by the variables that hold their values, in steps of loops, too."""
    rows, uses = found
    for node in theano.gof.graph.io_toposort(inputs, outputs):
        kind = type(node.op).__name__
        scalar = type(getattr(node.op, "scalar_op", None)).__name__
        if kind == "Scan":
            inner = {one: origins[other] for one, other in _shared(node) if other in origins}
            _follow(node.op.inputs, node.op.outputs, inner, found)
            continue
        for place, variable in enumerate(node.inputs):
            name = origins.get(variable)
            if name is None or kind in SILENT:
                continue
            table = node.inputs[0]
            if kind in TABLES and place and hasattr(table, "get_value"):
                count = int(table.get_value(borrow=True).shape[0])
                rows[name] = min(count, rows.get(name, count))
            elif kind in PASSING or (kind == "Elemwise" and scalar in {"Cast", "Identity"}):
                origins[node.outputs[0]] = name
            else:
                is_condition = kind == "Elemwise" and scalar == "Switch" and place == 0
                uses.setdefault(name, set()).add("mask" if is_condition else "number")


def _shared(node: Any) -> Iterator[tuple[Any, Any]]:
    """Return inner variables of a loop, and the outer ones whose values they have."""
    op = node.op
    yield from zip(op.inner_seqs(op.inputs), op.outer_seqs(node.inputs), strict=True)
    yield from zip(op.inner_non_seqs(op.inputs), op.outer_non_seqs(node.inputs), strict=True)
