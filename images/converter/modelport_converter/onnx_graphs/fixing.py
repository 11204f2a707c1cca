"""Free dimensions of an ONNX model made fixed, as the signature has them (`spec.target.shapes`)."""

from collections.abc import Iterable
from pathlib import Path

import onnx

from modelport.api.status import Signature, Tensor


def fix_model(folder: Path, signature: Signature) -> None:
    """Give inputs and outputs of the model in a folder the lengths that the signature has; weights stay where they are."""
    (path,) = folder.glob("*.onnx")
    model = onnx.load(str(path), load_external_data=False)
    _fix(model.graph.input, signature.inputs)
    _fix(model.graph.output, signature.outputs)
    del model.graph.value_info[:]  # what was inferred for free lengths
    onnx.save_model(model, str(path))


def _fix(values: Iterable[onnx.ValueInfoProto], tensors: Iterable[Tensor]) -> None:
    shapes = {each.name: each.shape for each in tensors}
    for value in values:
        for length, dimension in zip(shapes.get(value.name, []), value.type.tensor_type.shape.dim, strict=False):
            if isinstance(length, int):
                dimension.dim_value = length
