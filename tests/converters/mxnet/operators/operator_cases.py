"""What a case of one operator is: a symbol, what it is asked, and how MXNet's answer and the ONNX graph are left for the test."""

import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import mxnet as mx
import numpy as np
import onnx

from builders import convert_request
from modelport.api.spec import DimensionRange, Input
from modelport.errors import ModelportError
from modelport_converter.frameworks.mxnet.symbols.answering import make_run
from modelport_converter.frameworks.mxnet.symbols.building import build
from modelport_converter.frameworks.mxnet.symbols.settling import open_settled

BATCHES = (2, 5)
LENGTHS = (7, 13)


class Given(NamedTuple):
    """An input: its shape, in which `n` is the batch and other names are lengths, and what is asked."""

    shape: tuple[int | str, ...]
    low: float = -2.0
    high: float = 2.0
    dtype: str = "float32"
    is_whole: bool = False


class Case(NamedTuple):
    name: str
    make: Callable[..., Any]
    """Makes the symbol of variables that are called x, y, z."""
    inputs: Sequence[Given]
    weights: dict[str, tuple[float, float]] = {}  # noqa: RUF012  # a tuple's default
    """Ranges of single weights."""
    dimensions: dict[str, DimensionRange] = {}  # noqa: RUF012  # a tuple's default
    kind: str = "float32"
    """Element type of the weights."""


def case(name: str, make: Callable[..., Any], *inputs: Given | tuple[int | str, ...], **more: Any) -> Case:
    return Case(name, make, [each if isinstance(each, Given) else Given(each) for each in inputs], **more)


def leave(each: Case, folder: Path) -> dict[str, str]:
    """Save the model, ask it, convert it; return why not, if it was refused."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(zlib.crc32(each.name.encode()))
    variables = [mx.sym.Variable(name) for name in "xyz"[: len(each.inputs)]]
    symbol = each.make(*variables)
    inputs = [
        Input(name=name, shape=list(given.shape), dtype=given.dtype)
        for name, given in zip("xyz", each.inputs, strict=False)
    ]
    (folder / "source").mkdir()
    os.environ.pop("MXNET_MKLDNN_ENABLED", None)
    (folder / "source" / "net-symbol.json").write_text(symbol.tojson())
    write_parameters(each, symbol, folder / "source" / "net-0000.params", random)
    request = convert_request(source_format="mxnet", inputs=inputs, dimensions=each.dimensions)
    try:
        model, inferred, _ = open_settled(request, folder / "source")
        onnx.save(build(model, inferred), str(folder / "model.onnx"))
    except ModelportError as error:
        return {"reason": str(error.reason), "message": error.message}
    run, asked = make_run(model), {}
    for number, (batch, length) in enumerate(zip(BATCHES, LENGTHS, strict=True)):
        question = {name: draw(given, batch, length, random) for name, given in zip("xyz", each.inputs, strict=False)}
        asked |= {f"{number}.in.{name}": array for name, array in question.items()}
        asked |= {f"{number}.out.{name}": array for name, array in run(question).items()}
    np.savez(folder / "answers.npz", **asked)
    return {"reason": "", "message": ""}


def write_parameters(each: Case, symbol: Any, path: Path, random: np.random.Generator) -> None:
    shapes = {
        name: tuple(lengths(length, 2, 7) for length in given.shape)
        for name, given in zip("xyz", each.inputs, strict=False)
    }
    arguments, _, states = symbol.infer_shape(**shapes)
    arrays: dict[str, Any] = {}
    for prefix, names, found in (
        ("arg", symbol.list_arguments(), arguments),
        ("aux", symbol.list_auxiliary_states(), states),
    ):
        for name, shape in zip(names, found, strict=True):
            if name not in shapes and "label" not in name:
                low, high = each.weights.get(name, (0.3, 1.5) if "var" in name else (-0.8, 0.8))
                kind = np.float32 if prefix == "aux" or "gamma" in name or "beta" in name else each.kind
                arrays[f"{prefix}:{name}"] = mx.nd.array(random.uniform(low, high, shape), dtype=kind)
    mx.nd.save(str(path), arrays)


def lengths(length: int | str, batch: int, other: int) -> int:
    return length if isinstance(length, int) else batch if length == "n" else other


def draw(given: Given, batch: int, length: int, random: np.random.Generator) -> Any:
    shape = [lengths(each, batch, length) for each in given.shape]
    if given.is_whole or np.dtype(given.dtype).kind in "iu":
        return random.integers(int(given.low), int(given.high) + 1, shape).astype(given.dtype)
    return random.uniform(given.low, given.high, shape).astype(given.dtype)
