"""Programs of Paddle 1 and 2: ProgramDesc, a message of protobuf."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf.message import DecodeError

from modelport_converter.frameworks.paddle.reading.program import Operator, Program, Value, check, corrupt
from modelport_converter.frameworks.paddle.reading.schema import ATTRIBUTES, DTYPES, SCALARS, new_program

TENSOR = 7
KINDS = {9: "feed", 10: "fetch", 8: "selected rows", 11: "scopes", 13: "a list of tensors", 17: "raw"}
"""What variables are, by VarType.Type."""
FEED, FETCH, COLUMN = "feed", "fetch", "col"
MAX_NUMBERS = 1_000_000
"""Of an attribute; Paddle keeps larger constants as weights."""


def read_program(content: bytes, name: str) -> Program:
    """Return what a program says. Raises ModelportError (SourceCorrupt)."""
    message = parse(content, name)
    main = message.blocks[0]
    values = {value.name: value for value in map(_value, main.variables)}
    operators = tuple(_operator(each, place) for place, each in enumerate(main.operators))
    inputs = _ends(operators, FEED, "outputs")
    outputs = _ends(operators, FETCH, "inputs")
    unknown = [each for each in (*inputs, *outputs) if each not in values]
    if unknown:
        raise corrupt(name, "variables for all inputs and outputs", f"none for {', '.join(unknown)}")
    weights = [_value(each) for each in main.variables if each.persistable and each.type.type == TENSOR]
    return check(
        Program(
            tuple(values[each] for each in inputs),
            tuple(values[each] for each in outputs),
            tuple(outputs),
            {each: each for each in inputs},
            values,
            tuple(sorted(weights)),
            operators,
            frozenset(_text(each.type) for block in message.blocks[1:] for each in block.operators),
            {},
        ),
        name,
    )


def parse(content: bytes, name: str) -> Any:
    """Return the message. Raises ModelportError (SourceCorrupt)."""
    message = new_program()
    try:
        message.ParseFromString(content)
    except (DecodeError, RecursionError) as error:
        raise corrupt(name, "a program of Paddle (ProgramDesc)", f"{error}; the file is damaged") from error
    if not message.blocks:
        raise corrupt(name, "a program of Paddle (ProgramDesc) with a block", "none")
    return message


def cut(content: bytes, name: str, places: Iterable[int], given: Sequence[str], wanted: Sequence[str]) -> bytes:
    """Return the program without some operators: what they make becomes inputs, what they take becomes outputs."""
    message = parse(content, name)
    main = message.blocks[0]
    gone = set(places)
    kept = [
        each
        for place, each in enumerate(main.operators)
        if place not in gone and not (each.type == FETCH and set(given) & set(each.inputs[0].arguments))
    ]
    feeds = sum(each.type == FEED for each in kept)
    fetches = sum(each.type == FETCH for each in kept)
    del main.operators[:]
    for number, each in enumerate(given, feeds):
        _add_end(main.operators.add(), FEED, ("X", FEED), ("Out", each), number)
    main.operators.extend(kept)
    ends = [each for each in main.operators if each.type == FETCH]
    for number, each in enumerate(sorted(ends, key=_column)):
        next(one for one in each.attributes if one.name == COLUMN).i = number
    for number, each in enumerate(wanted, fetches):
        _add_end(main.operators.add(), FETCH, ("X", each), ("Out", FETCH), number)
    for kind in (FEED, FETCH):
        if kind not in {each.name for each in main.variables}:
            variable = main.variables.add(name=kind, persistable=True)
            variable.type.type = 9 if kind == FEED else 10
    done: bytes = message.SerializeToString()
    return done


def _add_end(operator: Any, kind: str, taken: tuple[str, str], made: tuple[str, str], column: int) -> None:
    operator.type = kind
    operator.inputs.add(parameter=taken[0], arguments=[taken[1]])
    operator.outputs.add(parameter=made[0], arguments=[made[1]])
    operator.attributes.add(name=COLUMN, type=0, i=column)


def _column(operator: Any) -> int:
    return next((int(each.i) for each in operator.attributes if each.name == COLUMN), 0)


def _value(variable: Any) -> Value:
    kind = variable.type.type
    if kind != TENSOR:
        return Value(_text(variable.name), KINDS.get(kind) or f"type {kind}", ())
    tensor = variable.type.tensor.tensor
    return Value(_text(variable.name), DTYPES.get(tensor.data_type, f"type {tensor.data_type}"), tuple(tensor.dims))


def _operator(message: Any, place: int) -> Operator:
    return Operator(
        _text(message.type),
        {_text(each.parameter): tuple(map(_text, each.arguments)) for each in message.inputs},
        {_text(each.parameter): tuple(map(_text, each.arguments)) for each in message.outputs},
        {_text(each.name): _attribute(each) for each in message.attributes},
        place,
    )


def _text(value: str | bytes) -> str:
    """Return text as text; protobuf gives bytes where they are none."""
    return value if isinstance(value, str) else value.decode(errors="replace")


def _attribute(message: Any) -> Any:
    field = ATTRIBUTES.get(message.type)
    if field is None:
        return None
    value = getattr(message, field)
    if field == "scalar":
        return getattr(value, SCALARS.get(value.type, "r"))
    if field == "scalars":
        return [getattr(each, SCALARS.get(each.type, "r")) for each in value]
    if isinstance(value, bytes):
        return _text(value)
    return value if isinstance(value, (bool, int, float, str)) else list(value[:MAX_NUMBERS])


def _ends(operators: Iterable[Operator], kind: str, side: str) -> list[str]:
    """Return the names that operators `feed` make, or `fetch` take, in the order of their columns."""
    slot = "Out" if side == "outputs" else "X"
    found: dict[int, str] = {}
    for number, each in enumerate(each for each in operators if each.kind == kind):
        names: Mapping[str, Sequence[str]] = getattr(each, side)
        found[int(each.attributes.get(COLUMN) or 0) * 100_000 + number] = next(iter(names.get(slot, ())), "")
    return [found[column] for column in sorted(found)]
