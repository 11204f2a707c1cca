"""ONNX graphs of Gemm and Tanh are compiled: their layers as arrays, in order."""

import numpy as np
import onnx
from onnx import numpy_helper

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.frameworks.toy import CompileOptions
from modelport.storage.trees import open_tree
from modelport_converter.tasks import MODEL, HopTask, find_part


def convert(task: HopTask, options: CompileOptions) -> None:
    """Write the arrays. Raises ModelportError (ConversionFailed) for other graphs."""
    graph = onnx.load(str(find_part(open_tree(task.model), task.hop.source))).graph
    weights = {each.name: numpy_helper.to_array(each).round(options.digits) for each in graph.initializer}
    kinds = [node.op_type for node in graph.node]
    if kinds != (["Gemm", "Tanh"] * len(kinds))[: len(kinds)] or len(kinds) % 2 == 0:
        message = f"expected Gemm, Tanh, …, Gemm, found {', '.join(kinds):.200}"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    layers = [(weights[node.input[1]], weights[node.input[2]]) for node in graph.node if node.op_type == "Gemm"]
    arrays = {
        f"{part}_{number}": array for number, pair in enumerate(layers) for part, array in zip("wo", pair, strict=True)
    }
    names = {"input": np.array(graph.input[0].name), "output": np.array(graph.output[0].name)}
    (task.out / MODEL).mkdir()
    np.savez(task.out / MODEL / "compiled.npz", allow_pickle=False, **names, **arrays)
