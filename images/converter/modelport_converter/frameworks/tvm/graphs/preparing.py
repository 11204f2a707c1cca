"""An ONNX model as TVM's frontend takes it: whole, with the signature's lengths, constants folded, nothing it misreads."""

from collections.abc import Callable, Iterable
from pathlib import Path

import onnx
import onnx.inliner

from modelport.api.status import Signature, Tensor
from modelport_converter.frameworks.tvm.graphs.branches import settle_branches
from modelport_converter.frameworks.tvm.graphs.lengths import settle_lengths
from modelport_converter.frameworks.tvm.graphs.mending import mend
from modelport_converter.frameworks.tvm.graphs.recurrent import unroll
from modelport_converter.frameworks.tvm.graphs.refusals import refuse_unsupported
from modelport_converter.onnx_graphs.files import load_whole
from modelport_converter.onnx_graphs.settling import drop_listed_weights, fold, raise_operators

Rewrite = Callable[[onnx.ModelProto], bool]
"""Changes a model in place; tells whether it did."""


def prepare(path: Path, signature: Signature) -> onnx.ModelProto:
    """Return the model of a file. Raises ModelportError (ConversionFailed) for what TVM cannot do."""
    model = load_whole(path)
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    drop_listed_weights(model)
    name_lengths(model.graph.input, signature.inputs)
    del model.graph.value_info[:]  # what was inferred for other lengths
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    model = fold(model)
    if settle_branches(model):
        model = fold(model)
    model = raise_operators(model, "TVM")
    for rewrite in (unroll, settle_lengths, mend):
        if rewrite(model):
            model = fold(model)
    refuse_unsupported(model)
    return model


def name_lengths(values: Iterable[onnx.ValueInfoProto], tensors: Iterable[Tensor]) -> None:
    """Give inputs the lengths that the signature has.

    A free one is called `n` and a number, since the frontend computes with names: it reads `batch-size` as a difference.
    """
    names: dict[str, str] = {}
    shapes = {each.name: each.shape for each in tensors}
    for value in values:
        if value.name not in shapes:
            continue
        shape = value.type.tensor_type.shape
        del shape.dim[:]
        for length in shapes[value.name]:
            if isinstance(length, int):
                shape.dim.add().dim_value = length
            else:
                shape.dim.add().dim_param = names.setdefault(length, f"n{len(names)}")
