"""What it means that ONNX Runtime does not load a model: the operator, node and element types that it has no kernel for.

The source (step ask) and the candidate (step try) are refused in the same words. The package onnx is imported late:
only those have it who have ONNX Runtime, and they need it only when something was refused.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from modelport.api.reasons import Reason
from modelport.errors import ModelportError

COMMON = {"float32", "int64", "int32", "bool"}
"""Element types that nearly every operator has a kernel for."""
RECURRENT = ("LSTM", "GRU", "RNN")
_NO_KERNEL = re.compile(r"Could not find an implementation for (\w+)\((\d+)\) node with name '([^']*)'")
_NO_OPERATOR = re.compile(r"Fatal error: (\S+?)\(-?\d*\) is not a registered function/op|No Op registered for (\S+)")
_IR_VERSION = re.compile(r"Unsupported model IR version: (\d+), max supported IR version: (\d+)")
_OPSET = re.compile(r"Opset (\d+) is under development.*official support for domain (\S*) is till opset (\d+)")


def explain(error: Exception, path: Path) -> ModelportError:
    """Return the failure that follows from an error of loading the model at `path`."""
    said = " ".join(str(error).split())
    return ModelportError(Reason.RUNTIME_UNSUPPORTED, _explain(said, path))


def _explain(said: str, path: Path) -> str:
    if found := _NO_KERNEL.search(said):
        operator, version, name = found.groups()
        node, types = _describe(path, lambda each: each.op_type == operator and each.name in ("", name))
        kernel = f"{operator} (version {version}) for {types}" if types else f"{operator} (version {version})"
        return f"ONNX Runtime has no kernel of {kernel}: node {node or name}{_way_out(types)}"
    if "layout == 1" in said:
        node, _ = _describe(path, _is_batch_first)
        return f"ONNX Runtime has no kernel of recurrent operators with layout 1 (batch first): node {node}"
    if found := _NO_OPERATOR.search(said):
        return f"ONNX Runtime has no operator {(found[1] or found[2]):.200}; it may come from an extension of its own"
    if found := _IR_VERSION.search(said):
        return f"ONNX Runtime reads models up to IR version {found[2]}, found {found[1]}"
    if found := _OPSET.search(said):
        domain = found[2] or "ai.onnx"
        return f"ONNX Runtime knows operator set versions of {domain} up to {found[3]}, found {found[1]}"
    return f"ONNX Runtime does not load the model: {said.replace(f'{path.parent}/', ''):.300}"


def _way_out(types: str) -> str:
    return "; options.precision: float32 computes it in float32" if "float64" in types else ""


def _is_batch_first(node: Any) -> bool:
    return node.op_type in RECURRENT and any(each.name == "layout" and each.i == 1 for each in node.attribute)


def _describe(path: Path, is_meant: Any) -> tuple[str, str]:
    """Return name, or first output, and operator of the node that is meant, and the types of its inputs."""
    import onnx

    try:
        model = onnx.load(path, load_external_data=False)
        if not any(node.op_type == "LabelEncoder" for node in model.graph.node):  # it can end onnx's inference hard
            model = onnx.shape_inference.infer_shapes(model)
    except Exception:  # noqa: BLE001  # this only adds to a message: what onnx cannot read is told without it
        return "", ""
    graphs = [model.graph, *(each for function in model.functions for each in _subgraphs(function.node))]
    found: list[tuple[str, list[str]]] = []
    while graphs:
        graph = graphs.pop(0)
        graphs.extend(_subgraphs(graph.node))
        types = dict(_types(graph))
        for node in filter(is_meant, graph.node):
            names = [onnx.TensorProto.DataType.Name(types[each]) for each in node.input if types.get(each)]
            # as signatures call them
            names = [{"float": "float32", "double": "float64"}.get(each.lower(), each.lower()) for each in names]
            found.append((f"{(node.name or node.output[0]):.100} ({node.op_type})", list(dict.fromkeys(names))))
    # nodes without names are told apart by what is rare: most have a kernel
    node, kinds = max(found, key=lambda each: not COMMON.issuperset(each[1]), default=("", []))
    return node, ", ".join(kinds)


def _types(graph: Any) -> Iterator[tuple[str, int]]:
    for value in (*graph.value_info, *graph.input, *graph.output):
        yield value.name, value.type.tensor_type.elem_type
    for tensor in graph.initializer:
        yield tensor.name, tensor.data_type


def _subgraphs(nodes: Iterable[Any]) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            yield from ([attribute.g] if attribute.HasField("g") else attribute.graphs)
