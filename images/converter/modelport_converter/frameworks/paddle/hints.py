"""What a program tells about the values of its inputs: rows of tables that whole numbers choose, and lengths of sequences."""

from collections.abc import Mapping

from modelport.api.spec import DimensionRange
from modelport.verification.hints import Hint
from modelport_converter.frameworks.paddle.lengths import name_lengths
from modelport_converter.frameworks.paddle.reading.program import Program

SHORTEST = 4
"""Of sequences whose lengths are an input."""
TABLES = frozenset({"lookup_table", "lookup_table_v2"})
CARRIERS = frozenset(
    {"cast", "reshape", "reshape2", "squeeze", "squeeze2", "unsqueeze", "unsqueeze2", "assign", "flatten"}
)
"""Operators that hand whole numbers on as they are."""


def find_hints(program: Program) -> Mapping[str, Hint]:
    """Return hints by input."""
    sizes = {each.name: each.shape for each in program.weights} | {
        name: value.shape for name, value in program.values.items()
    }
    origins: dict[str, str] = {}
    inputs = {each.name for each in program.inputs}
    found: dict[str, Hint] = {}
    for operator in program.operators:
        taken = [origins.get(name, name) for name in operator.inputs.get("X", ())]
        if operator.kind in {"feed", "data"}:
            for name in operator.outputs.get("Out", ()):
                origins[name] = str(operator.attributes.get("name", name))
        elif operator.kind in CARRIERS and taken:
            origins |= dict.fromkeys(operator.outputs.get("Out", ()), taken[0])
        elif operator.kind in TABLES and operator.inputs.get("Ids") and operator.inputs.get("W"):
            name = operator.inputs["Ids"][0]
            name, rows = origins.get(name, name), sizes.get(operator.inputs["W"][0], ())[:1]
            if name in inputs and rows and rows[0] > 0:
                highest = rows[0] - 1
                earlier = found.get(name)
                known = earlier.highest if earlier and earlier.highest is not None else highest
                found[name] = Hint(lowest=0, highest=min(highest, known))
        for name in operator.inputs.get("SequenceLength", ()):
            if origins.get(name, name) in inputs:
                found[origins.get(name, name)] = Hint(lowest=1, highest=SHORTEST)
    return found


def find_lengths(program: Program) -> Mapping[str, DimensionRange]:
    """Return limits of free lengths: Paddle reads beyond the end where a sequence is said to be longer than it is."""
    if not any(each.inputs.get("SequenceLength") for each in program.operators):
        return {}
    names = (length for each in program.inputs if len(each.shape) > 1 for length in name_lengths(each)[1:])
    return {name: DimensionRange(min=SHORTEST) for name in names if isinstance(name, str)}
