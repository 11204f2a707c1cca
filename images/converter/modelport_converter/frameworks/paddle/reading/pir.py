"""Programs of Paddle 3: PIR as JSON (paddle/fluid/pir/serialize_deserialize).

Names there are short: `#` kind, `%` number of a value, `TT` its type, `I` what an operator takes, `O` what it makes, `A` its
attributes, `D` content; kinds begin with the number of a dialect: 0 for what is built in, 1 for Paddle's operators.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from modelport_converter.frameworks.paddle.reading.program import Operator, Program, Value, check, corrupt

DTYPES = {
    "t_bool": "bool", "t_i8": "int8", "t_ui8": "uint8", "t_i16": "int16", "t_i32": "int32", "t_i64": "int64",
    "t_f16": "float16", "t_f32": "float32", "t_f64": "float64", "t_bf16": "bfloat16",
}  # fmt: skip
PARAMETER, COMBINE, SPLIT = "p", "combine", "split"
"""Weights, lists made of values, and values made of lists."""
COLUMN = "col"
UNIQUE = "unique"
"""What it makes has, in the file, other element types than it has."""
VALUE = "VD"
"""Key of a number that is infinite or none, as text."""
MISSING = "0"
"""The number that stands for a value that is not given."""
INPUTS, OUTPUTS = frozenset({"data", "feed"}), frozenset({"fetch", "shadow_output"})
SLOTS = {
    "rnn": (("Input", "PreState", "WeightList", "SequenceLength"), ("Out", "DropoutState", "State")),
    "pool2d": (("X", "ksize"), ("Out",)),
    "max_pool2d_with_index": (("X", "ksize"), ("Out", "Mask")),
    "pad3d": (("X", "Paddings"), ("Out",)),
    "layer_norm": (("X", "Scale", "Bias"), ("Y", "Mean", "Variance")),
    "lookup_table_v2": (("Ids", "W"), ("Out",)),
    "strided_slice": (("Input", "StartsTensor", "EndsTensor", "StridesTensor"), ("Out",)),
    "roi_align": (("X", "ROIs", "RoisNum"), ("Out",)),
    "expand_as_v2": (("X", "Y"), ("Out",)),
    "set_value": (("Input", "Starts", "Ends", "Steps"), ("Out",)),
    "set_value_with_tensor": (("Input", "ValueTensor", "Starts", "Ends", "Steps"), ("Out",)),
    "masked_fill": (("X", "Mask", "Value"), ("Out",)),
    UNIQUE: (("X",), ("Out", "Indices", "Index", "Counts")),
    **dict.fromkeys(("elementwise_fmax", "elementwise_fmin", "dot", "matmul"), (("X", "Y"), ("Out",))),
    **{f"{name}_interp_v2": (("X", "OutSize", "SizeTensor", "Scale"), ("Out",)) for name in ("nearest", "bilinear")},
}
"""Slots of operators by position, where they are not X and Out: (inputs, outputs)."""
NAMES = {
    "embedding": "lookup_table_v2", "expand_as": "expand_as_v2", "fmax": "elementwise_fmax", "fmin": "elementwise_fmin",
    "nearest_interp": "nearest_interp_v2", "bilinear_interp": "bilinear_interp_v2", "amax": "reduce_amax",
    "amin": "reduce_amin", "sum": "reduce_sum",
}  # fmt: skip
"""What Paddle 2 calls operators that have another name in Paddle 3."""
WRONG_SHAPE = (TypeError, KeyError, IndexError, ValueError, AttributeError, RecursionError)
"""What access to values of another kind than expected ends with."""


def read_program(content: bytes, name: str) -> Program:
    """Return what a program says. Raises ModelportError (SourceCorrupt)."""
    message = parse(content, name)
    try:
        return check(_read(message["program"]["regions"][0]["blocks"][0]["ops"]), name)
    except WRONG_SHAPE as error:
        raise _damaged(name, error) from error


def parse(content: bytes, name: str) -> Any:
    """Return the message. Raises ModelportError (SourceCorrupt)."""
    try:
        message = msgspec.json.decode(content)
        if message["base_code"]["magic"] != "pir":
            raise ValueError("base_code.magic is not pir")
    except (msgspec.DecodeError, *WRONG_SHAPE) as error:
        raise _damaged(name, error) from error
    return message


def cut(content: bytes, name: str, places: Iterable[int], given: Sequence[str], wanted: Sequence[str]) -> bytes:
    """Return the program without some operators: what they make becomes inputs, what they take becomes outputs."""
    message = parse(content, name)
    block = message["program"]["regions"][0]["blocks"][0]
    gone, operators = set(places), block["ops"]
    lists = {each["%"] for place in gone for each in operators[place]["O"]}
    types = {each["%"]: each["TT"] for operator in operators for each in _results(operator)}
    made = {int(each) for each in given}
    kept = [
        each
        for place, each in enumerate(operators)
        if place not in gone
        and not (_kind(each) == SPLIT and each["I"][0]["%"] in lists)
        and not (_kind(each) in OUTPUTS and each["I"][0]["%"] in made)
    ]
    used = {reference["%"] for each in kept for reference in each.get("I", ())}
    kept = [each for each in kept if _kind(each) != COMBINE or each["O"][0]["%"] in used]
    ends = sorted((each for each in kept if _kind(each) in OUTPUTS), key=_column)
    for number, each in enumerate(ends):
        for one in each["A"]:
            if one["N"] == COLUMN:
                one["AT"]["D"] = number
    fetches = len(ends)
    new = max(types) + 1
    first = [_data(each, int(each), types[int(each)]) for each in given]
    last = [
        _fetch(each, int(each), new + number, fetches + number, types[int(each)]) for number, each in enumerate(wanted)
    ]
    block["ops"] = [*first, *kept, *last]
    return msgspec.json.encode(message)


def narrowed(content: bytes, name: str) -> bytes:
    """Return the program with numbers in double precision that paddle2onnx takes in single precision alone."""
    message = parse(content, name)
    for operator in _all(message["program"]["regions"][0]["blocks"][0]["ops"]):
        if _kind(operator) not in {"full", PARAMETER}:
            for each in operator["A"]:
                _narrow(each["AT"])
    return msgspec.json.encode(message)


def _narrow(value: Any) -> None:
    if value["#"] == "0.a_f64":
        value["#"] = "0.a_f32"
    elif value["#"] == "0.a_array":
        for each in value["D"]:
            _narrow(each)


def _read(operators: Any) -> Program:
    values: dict[str, Value] = {}
    lists: dict[str, list[str]] = {}
    weights: list[Value] = []
    constants: dict[str, list[int | float]] = {}
    inputs: list[Value] = []
    fed: dict[str, str] = {}
    outputs: dict[int, tuple[str, Value]] = {}
    found: list[Operator] = []
    for place, each in enumerate(operators):
        kind = _kind(each)
        taken = [str(reference["%"]) for reference in each.get("I", ())]
        made = [_value(result) for result in _results(each)]
        values |= {value.name: value for value in made}
        if kind == PARAMETER:
            if each["OA"][0]:  # what is not persistent has no numbers in the file
                weights.append(made[0]._replace(name=each["A"][3]))
            values[made[0].name] = made[0]._replace(name=each["A"][3])
            continue
        attributes = {one["N"]: _attribute(one["AT"]) for one in each["A"]}
        if kind == UNIQUE:
            made[:1] = [made[0]._replace(dtype=values[taken[0]].dtype)]
            made[1:] = [value._replace(dtype=attributes["dtype"], shape=(-1,)) for value in made[1:]]
            values |= {value.name: value for value in made}
        if kind in INPUTS:
            inputs.append(made[0]._replace(name=attributes["name"]))
            fed[made[0].name] = attributes["name"]
        elif kind in OUTPUTS:
            column = attributes.get(COLUMN, len(outputs))
            own = attributes.get("name") or attributes["output_name"]
            outputs[column] = taken[0], values[taken[0]]._replace(name=own)
        elif kind == COMBINE:
            lists[made[0].name] = taken
        elif kind == SPLIT:
            lists[taken[0]] = [value.name for value in made]
        if kind in {"full", "full_int_array"}:
            value = attributes["value"]
            constants[made[0].name] = value if isinstance(value, list) else [value]
        found.append(_operator(kind, taken, [value.name for value in made], attributes, place))
    named = tuple(
        each._replace(inputs=_spread(each.inputs, lists), outputs=_spread(each.outputs, lists)) for each in found
    )
    inner = frozenset(NAMES.get(_kind(each), _kind(each)) for each in _inner(operators))
    ordered = [outputs[column] for column in sorted(outputs)]
    return Program(
        tuple(inputs),
        tuple(value for _, value in ordered),
        tuple(name for name, _ in ordered),
        fed,
        values,
        tuple(sorted(weights)),
        named,
        inner,
        constants,
    )


def _column(operator: Any) -> int:
    return next((int(each["AT"]["D"]) for each in operator["A"] if each["N"] == COLUMN), 0)


def _operator(kind: str, taken: list[str], made: list[str], attributes: dict[str, Any], place: int) -> Operator:
    kind = NAMES.get(kind, kind)
    ins, outs = SLOTS.get(kind, (("X",), ("Out",)))
    taken = taken[: len(ins)] if kind in SLOTS else taken  # the rest is for training
    return Operator(
        kind,
        {_slot(ins, number): (name,) for number, name in enumerate(taken) if name != MISSING},
        {_slot(outs, number): (name,) for number, name in enumerate(made)},
        attributes,
        place,
    )


def _slot(names: Sequence[str], number: int) -> str:
    return names[number] if number < len(names) else str(number)


def _spread(slots: Any, lists: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    """Return slots with lists of values in place of the value that is a list."""
    return {slot: tuple(lists.get(names[0], names)) for slot, names in slots.items()}


def _results(operator: Any) -> list[Any]:
    results = operator.get("O", [])
    return [results] if isinstance(results, dict) else list(results)


def _kind(operator: Any) -> str:
    """Return the kind without its dialect, and without the mark of what is done in place."""
    kind = str(operator["#"])
    return kind.partition(".")[2].removesuffix("_") or kind


def _all(operators: Any) -> Iterator[Any]:
    for each in operators:
        yield each
        yield from _inner([each])


def _inner(operators: Any) -> Iterator[Any]:
    for each in operators:
        for region in each.get("regions", ()):
            for block in region["blocks"]:
                yield from _all(block["ops"])


def _value(result: Any) -> Value:
    described = result.get("TT") or {}
    kind = str(described.get("#", "")).partition(".")[2]
    if kind != "t_dtensor":
        return Value(str(result["%"]), "a list" if kind == "t_vec" else kind or "nothing", ())
    dtype = str(described["D"][0]["#"]).partition(".")[2]
    return Value(str(result["%"]), DTYPES.get(dtype, dtype), tuple(map(int, described["D"][1])))


def _attribute(value: Any) -> Any:
    if VALUE in value:  # what JSON has no number for
        return float(str(value[VALUE]).replace("NINF", "-INF"))
    content = value.get("D")
    return [_attribute(each) for each in content] if value["#"] == "0.a_array" else content


def _data(name: str, number: int, kind: Any) -> Any:
    dtype = DTYPES[kind["D"][0]["#"].partition(".")[2]]
    told = {"name": ("0.a_str", name), "shape": ("1.a_intarray", kind["D"][1]), "dtype": ("1.a_dtype", dtype)}
    return _new("1.data", told | {"place": ("1.a_place", [0, 0, ""])}, [], number, kind)


def _fetch(name: str, taken: int, made: int, column: int, kind: Any) -> Any:
    return _new("1.fetch", {"name": ("0.a_str", name), COLUMN: ("0.a_i32", column)}, [{"%": taken}], made, kind)


def _new(kind: str, attributes: dict[str, tuple[str, Any]], taken: list[Any], made: int, made_kind: Any) -> Any:
    told = [{"AT": {"#": named, "D": content}, "N": name} for name, (named, content) in attributes.items()]
    stops = {"AT": {"#": "0.a_array", "D": [{"#": "0.a_bool", "D": True}]}, "N": "stop_gradient"}
    lasts = {"AT": {"#": "0.a_array", "D": [{"#": "0.a_bool", "D": True}]}, "N": "persistable"}
    return {
        "#": kind,
        "A": told,
        "I": taken,
        "O": [{"%": made, "TT": made_kind}],
        "OA": [lasts, stops] if taken else [stops],
    }


def _damaged(name: str, error: Exception) -> Exception:
    return corrupt(name, "a program of Paddle 3 (PIR as JSON)", f"{type(error).__name__}: {error}; the file is damaged")
