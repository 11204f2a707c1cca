"""A model as MXNet loads it: the symbol, a value for each of its variables, and what MXNet infers of lengths and types."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.errors import ModelportError, describe_error, lacks_memory
from modelport.jobs.requests import ConvertRequest
from modelport.storage.trees import open_tree
from modelport.verification.arrays import Array
from modelport_converter.frameworks.mxnet.symbols.checking import check_graph, find_labels, names_of, select
from modelport_converter.frameworks.mxnet.symbols.inspect import find_files
from modelport_converter.frameworks.mxnet.symbols.reading.graphs import VARIABLE, Graph, Node, read_graph, read_symbol
from modelport_converter.frameworks.mxnet.symbols.reading.parameters import Parameters, bare_names, read_parameters

os.environ.setdefault("MXNET_ENGINE_TYPE", "NaiveEngine")  # errors where they happen, and no threads that a fork loses
os.environ.setdefault("MXNET_SUBGRAPH_BACKEND", "NONE")  # operators as they are written, none of them joined
import mxnet as mx  # reads its engine when it is loaded

HALF = re.compile(r'("(?:dtype|out_dtype)"\s*:\s*)"(?:float16|2)"')
SHAPE = "__shape__"
"""What `mx.sym.var` notes of a variable whose shape was told."""
TOLD = 8
"""How many names a message has room for."""


class Model(NamedTuple):
    """A symbol with all its variables."""

    symbol: Any
    graph: Graph
    """The symbol, with the names and attributes that MXNet 1.9 gives to those of older ones."""
    inputs: Sequence[Input]
    weights: Mapping[str, Array]
    """Values of variables by name: arguments and auxiliary states."""
    labels: frozenset[str]
    """Variables that only training reads."""
    outputs: Sequence[str]
    is_numpy: bool
    is_widened: bool
    """Whether it was stored in float16."""


def open_model(request: ConvertRequest, folder: Path) -> Model:
    """Load the model. Raises ModelportError."""
    symbol_path, parameters_path = find_files(open_tree(folder))
    text = read_symbol(symbol_path)
    key = request.checkpoint.key if request.checkpoint else None
    check_graph(select(read_graph(text, symbol_path.name), key))
    parameters = read_parameters(parameters_path) if parameters_path else Parameters({}, False, False)
    symbol = load_symbol(widen(text), symbol_path.name)
    if key:
        symbol = _select(symbol, key)
    graph = read_graph(symbol.tojson(), symbol_path.name)
    check_graph(graph)
    _choose_kernels(graph)
    is_numpy = graph.is_numpy or parameters.is_numpy or any("_np" in node.operator[:4] for node in graph.nodes)
    labels, free = _find_free(graph, bare_names(parameters))
    inputs = _find_inputs(request.inputs, graph, free, labels, has_weights=parameters_path is not None)
    given = {each.name for each in inputs}
    weights = {name: array for name, array in bare_names(parameters).items() if name not in given}
    names = {graph.nodes[node].name for node in range(len(graph.nodes)) if graph.nodes[node].operator == VARIABLE}
    weights = {name: _widened(array) for name, array in weights.items() if name in names}
    is_widened = any(array.dtype == np.float16 for array in parameters.arrays.values())
    return Model(symbol, graph, inputs, weights, labels, _name_outputs(symbol, given), is_numpy, is_widened)


def widen(text: str) -> str:
    """Return a symbol that computes in float32 what it computes in float16, for which MXNet has no layers without a GPU."""
    return HALF.sub(r'\1"float32"', text)


def _widened(array: Array) -> Array:
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _choose_kernels(graph: Graph) -> None:
    """Have MXNet take its own kernels where oneDNN's fail: they pass over `target_shape`. MXNet asks for this once."""
    if any("target_shape" in node.attributes for node in graph.nodes if "econvolution" in node.operator):
        os.environ["MXNET_MKLDNN_ENABLED"] = "0"


def load_symbol(text: str, name: str) -> Any:
    """Return the symbol of a text; `name` is for messages. Raises ModelportError (SourceCorrupt)."""
    # once more as JSON, so that MXNet's own reader sees what was checked
    text = json.dumps(json.loads(text), ensure_ascii=False)
    try:
        return mx.sym.load_json(text)
    except Exception as error:  # the reader's errors have no common base
        if lacks_memory(error):
            raise
        message = f"{name:.100}: expected a symbol that MXNet {mx.__version__} loads, found: {describe_error(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error


def _select(symbol: Any, key: str) -> Any:
    inner = symbol.get_internals()
    known = inner.list_outputs()
    unknown = [name for name in names_of(key) if name not in known]
    if unknown:
        told = ", ".join(each for each in known if each.startswith(unknown[0].rpartition("_output")[0]))
        message = f"spec.source.checkpoint.key: expected outputs such as {told:.200}, found {unknown[0]:.100}"
        raise ModelportError(Reason.INVALID_SPEC, message)
    return mx.sym.Group([inner[name] for name in names_of(key)])


def _find_free(graph: Graph, weights: Mapping[str, Array]) -> tuple[frozenset[str], list[Node]]:
    """Return the labels, and the variables that no file holds a value for."""
    labels = find_labels(graph)
    variables = [graph.nodes[node] for node in sorted(graph.needed()) if graph.nodes[node].operator == VARIABLE]
    return labels, [node for node in variables if node.name not in weights and node.name not in labels]


def _find_inputs(
    given: Sequence[Input], graph: Graph, free: Sequence[Node], labels: frozenset[str], *, has_weights: bool
) -> list[Input]:
    """Return the inputs. Raises ModelportError: InputsNeeded, WeightsMismatch for variables without values."""
    names = {node.name for node in graph.nodes if node.operator == VARIABLE}
    told = ", ".join(node.name for node in free[:TOLD]) + (" …" if len(free) > TOLD else "")
    if not given:
        shapes = [_stored_shape(node) for node in free]
        if free and all(shapes):
            return [Input(name=node.name, shape=list(shape)) for node, shape in zip(free, shapes, strict=True) if shape]
        message = f"spec.source.inputs: expected the shapes of {told or 'the inputs'}, which the symbol does not tell"
        raise ModelportError(Reason.INPUTS_NEEDED, message)
    unknown = [each.name for each in given if each.name not in names or each.name in labels]
    if unknown:
        message = (
            f"spec.source.inputs: expected names of variables without values: {told}, found {', '.join(unknown):.100}"
        )
        raise ModelportError(Reason.INPUTS_NEEDED, message)
    missing = [node.name for node in free if node.name not in {each.name for each in given}]
    if missing:
        where = "in the parameters" if has_weights else "in a file of parameters (.params) beside the symbol"
        told = ", ".join(missing[:TOLD]) + (" …" if len(missing) > TOLD else "")
        message = f"expected a value {where} for each variable, or its name under spec.source.inputs; found none for {told:.300}"
        raise ModelportError(Reason.WEIGHTS_MISMATCH, message)
    return list(given)


def _stored_shape(node: Node) -> tuple[int | str, ...] | None:
    """Return the shape that a variable was made with, whose first length is the batch where it is not told."""
    text = node.attributes.get(SHAPE, "").strip("()[] ")
    try:
        lengths = [int(each) for each in text.split(",") if each.strip()]
    except ValueError:
        return None
    if not lengths or any(length <= 0 for length in lengths[1:]):
        return None
    return ("batch" if lengths[0] <= 0 else lengths[0], *lengths[1:])


def _name_outputs(symbol: Any, inputs: set[str]) -> list[str]:
    """Return a name of its own for each output."""
    names: list[str] = []
    for name in symbol.list_outputs():
        own = f"{name}_output" if name in inputs else name
        same = sum(each == own or each.startswith(f"{own}#") for each in names)
        names.append(f"{own}#{same}" if same else own)
    return names


def computed_type(each: Input) -> np.dtype[Any]:
    """Return the element type that an input is computed with."""
    return np.dtype(np.float32 if each.dtype == "float16" else each.dtype)


class Inferred(NamedTuple):
    """What MXNet infers for one choice of the inputs' lengths."""

    shapes: dict[str, tuple[int, ...]]
    """Of variables."""
    entries: dict[tuple[int, int], tuple[int, ...]]
    """Of the outputs of each node of the graph."""
    types: dict[tuple[int, int], np.dtype[Any]]


def infer(model: Model, lengths: Mapping[str, Sequence[int]]) -> Inferred:
    """Return what MXNet infers of inputs of these lengths. Raises what MXNet raises, ValueError for what stays unknown."""
    inner = model.symbol.get_internals()
    arguments, states = inner.list_arguments(), inner.list_auxiliary_states()
    known = {name: array.shape for name, array in model.weights.items()} | {n: tuple(s) for n, s in lengths.items()}
    types = {name: array.dtype for name, array in model.weights.items() if name in arguments}
    types |= {each.name: computed_type(each) for each in model.inputs}
    with mx.util.np_shape(model.is_numpy):
        found = inner.infer_shape(**{name: shape for name, shape in known.items() if name in {*arguments, *states}})
        typed = inner.infer_type(**{name: dtype for name, dtype in types.items() if name in arguments})
    if found[0] is None or typed[0] is None:
        raise ValueError("lengths or types that do not follow from the inputs")
    shapes = dict(zip((*arguments, *states), (*found[0], *found[2]), strict=True))
    heads = read_graph(inner.tojson(), "internals").heads
    return Inferred(
        shapes,
        dict(zip(heads, map(tuple, found[1]), strict=True)),
        {head: np.dtype(each) for head, each in zip(heads, typed[1], strict=True)},
    )
