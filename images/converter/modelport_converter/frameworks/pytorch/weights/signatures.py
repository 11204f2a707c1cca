"""The signature of a program of torch.export, read without PyTorch: names, types, free dimensions and their limits.

A length in the graph is a number or an expression of symbols, as text; each expression of the inputs' lengths is one free
dimension: `batch`, the first axis of the first input, or named after input and axis. Fields: torch/_export/serde/schema.py.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

from modelport.api.base import Dtype
from modelport.api.reasons import Reason
from modelport.api.spec import DimensionRange
from modelport.api.status import Tensor
from modelport.asking.pytorch.naming import name_leaves
from modelport.errors import ModelportError, describe_error
from modelport.storage.archives import DAMAGED, open_zip

_GRAPH = re.compile(r"([^/]+/)?models/[^/]+\.json|serialized_exported_program\.json")
"""Since PyTorch 2.8, and before."""
_DTYPES = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float16",
    7: "float32",
    8: "float64",
    12: "bool",
    13: "bfloat16",
    28: "uint16",
    34: "uint32",
    35: "uint64",
}
_SYMBOL = re.compile(r"Symbol\('(\w+)'(?:, \w+=\w+)*\)")
_MULTIPLE = re.compile(rf"Mul\(Integer\((\d+)\), {_SYMBOL.pattern}\)")
LARGEST = 1 << 31
EXCLUDED = 2
"""Export excludes 0 and 1 from lengths without a word from the user, and so do its limits; the graph answers them."""


class Told(NamedTuple):
    """What a program tells of itself."""

    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor] | None
    """None where only running it tells their structure."""
    limits: Mapping[str, DimensionRange]
    """By free dimension. One that has none is left out: a length that is declared is never refused."""


def read_signature(path: Path) -> Told:
    """Return the program's signature.

    Raises ModelportError: SourceCorrupt, AmbiguousFormat, and ConversionFailed for what no graph takes.
    """
    try:
        with path.open("rb") as file, open_zip(path.name, file) as archive:
            found = [each for each in archive.namelist() if _GRAPH.fullmatch(each)]
            if len(found) > 1:
                message = f"{path.name}: expected one program, found {', '.join(found):.300}; save each as a file"
                raise ModelportError(Reason.AMBIGUOUS_FORMAT, message)
            return _read(json.loads(archive.read(found[0])))
    except (*DAMAGED, TypeError, AttributeError) as error:
        message = f"{path.name}: expected a program whose graph has its signature, found: {describe_error(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error


def _read(program: Any) -> Told:
    module = program["graph_module"]
    values, signature = module["graph"]["tensor_values"], module["signature"]
    names: dict[str, str] = {}
    inputs = [_describe(name, values[name], names, is_input=True) for name in _user_inputs(signature["input_specs"])]
    limits = {name: _limits(text, program["range_constraints"]) for text, name in names.items()}
    answered = [each["user_output"]["arg"] for each in signature["output_specs"] if "user_output" in each]
    structure = json.loads(module["module_call_graph"][0]["signature"]["out_spec"])[1]
    try:
        named = name_leaves(_unflatten(structure, iter(answered)), str, [each.name for each in inputs])
        outputs = [_describe(name, values[each], names, is_input=False) for name, each in named.items()]
    except (LookupError, ModelportError):
        outputs = None
    found = {name: each for name, each in limits.items() if each != DimensionRange()}
    return Told(inputs, outputs, found)


def _user_inputs(specs: Any) -> Iterator[str]:
    for each in specs:
        ((kind, argument),) = each.get("user_input", {"arg": {"as_none": True}})["arg"].items()
        if kind == "as_tensor":
            yield argument["name"]
        elif kind not in ("as_none", "as_int", "as_float", "as_bool", "as_string"):  # constants, which the graph has
            message = f"expected tensors as inputs, found {kind.removeprefix('as_')} {argument!s:.100}; export it with a tensor in its place"
            raise ModelportError(Reason.CONVERSION_FAILED, message)


def _describe(name: str, value: Any, names: dict[str, str], *, is_input: bool) -> Tensor:
    dtype = _DTYPES.get(value["dtype"], f"element type {value['dtype']}")
    if is_input and dtype not in get_args(Dtype):
        message = f"input {name}: expected plain numbers, found {dtype} of torch.export's schema, which no client sends"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    shape: list[int | str] = []
    for axis, length in enumerate(value["sizes"]):
        if "as_int" in length:
            shape.append(int(length["as_int"]))
            continue
        text, own = length["as_expr"]["expr_str"], f"{name}_{axis}"
        if is_input:
            own = names.setdefault(text, "batch" if not names and axis == 0 else own)
        shape.append(names.get(text, own))
    return Tensor(name=name, dtype=dtype, shape=shape)


def _limits(text: str, ranges: Mapping[str, Mapping[str, int | None]]) -> DimensionRange:
    """Return the limits of a length: a symbol, or a multiple of one; others are found by asking."""
    found = _MULTIPLE.fullmatch(text)
    factor, symbol = (int(found[1]), found[2]) if found else (1, (_SYMBOL.fullmatch(text) or ["", ""])[1])
    limits = ranges.get(symbol, {})
    lowest, highest = limits.get("min_val"), limits.get("max_val")
    return DimensionRange(
        min=factor * lowest if lowest is not None and lowest > EXCLUDED else factor,
        max=factor * highest if highest is not None and factor * highest < LARGEST else None,
        multiple_of=factor,
    )


def _unflatten(structure: Any, left: Iterator[Any]) -> object:
    """Return an answer of this structure, with the names of tensors in the place of tensors."""
    kind, parts = structure["type"], structure["children_spec"]
    if kind is None:
        answer = next(left)
        return answer["as_tensor"]["name"] if "as_tensor" in answer else None if "as_none" in answer else object()
    values = [_unflatten(each, left) for each in parts]
    if kind in ("builtins.tuple", "builtins.list"):
        return values
    if kind in ("builtins.dict", "collections.OrderedDict"):
        return dict(zip(json.loads(structure["context"]), values, strict=True))
    raise LookupError(kind)
