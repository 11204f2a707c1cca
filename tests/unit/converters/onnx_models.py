"""Small ONNX models, written out node by node."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

node = helper.make_node
ML = "ai.onnx.ml"


def value(name: str, shape: Sequence[str | int | None] | None = ("batch", 3), dtype: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, dtype, shape)


def tensor(name: str, array: Any) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(array), name)


def graph(nodes: Any, inputs: Any = (), outputs: Any = (), weights: Mapping[str, Any] | None = None) -> onnx.GraphProto:
    tensors = [tensor(name, array) for name, array in (weights or {}).items()]
    return helper.make_graph(list(nodes), "g", list(inputs), list(outputs), tensors)


def model(
    nodes: Any,
    inputs: Any,
    outputs: Any,
    weights: Mapping[str, Any] | None = None,
    *,
    opset: int = 17,
    functions: Any = (),
    check: bool = True,
) -> onnx.ModelProto:
    """Return a model that onnx's checker accepts, with the domains that its nodes are of."""
    versions = {"": opset, ML: 3} | {function.domain: 1 for function in functions}
    made = helper.make_model(
        graph(nodes, inputs, outputs, weights),
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in versions.items()],
        ir_version=8,
        functions=list(functions),
    )
    if check:
        onnx.checker.check_model(made)
    return made


def constant(name: str, array: Any) -> onnx.NodeProto:
    return node("Constant", [], [name], value=tensor(name, array))
