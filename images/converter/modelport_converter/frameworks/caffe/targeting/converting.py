"""A whole model as a net: lengths that are free stay free where the same layers hold for all that was tried."""

from collections.abc import Mapping, Sequence
from itertools import islice

import onnx
import onnx.inliner

from modelport.api.reasons import Reason
from modelport.api.status import Signature, Tensor
from modelport.conversion.shapes import need_shapes
from modelport.errors import ModelportError
from modelport.verification.reference import Reference
from modelport_converter.frameworks.caffe.targeting.building import Building, Dialect, Node
from modelport_converter.frameworks.caffe.targeting.composing import check_axes
from modelport_converter.frameworks.caffe.targeting.layers import Net
from modelport_converter.frameworks.caffe.targeting.operators import OPERATORS
from modelport_converter.onnx_graphs.settling import drop_listed_weights, fold, raise_operators

BATCHES = (2, 3, 5)
"""Lengths of a batch that are tried: of 1, much would look alike."""
MOST_TRIED = 4
Lengths = Mapping[str, int]


def convert_model(model: onnx.ModelProto, signature: Signature, reference: Reference, dialect: Dialect) -> Net:
    """Return the net. Raises ModelportError: ConversionFailed by node, ShapesNeeded for lengths that cannot stay free."""
    _refuse_types(signature)
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    drop_listed_weights(model)
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    tries = _find_lengths(signature, reference)
    nets, error = list[Net](), None
    for lengths in tries:
        try:
            nets.append(_build(model, signature.inputs, lengths, dialect))
        except ModelportError as found:
            error = found
    first = nets[0] if nets else None
    if error and (first is None or error.reason is not Reason.CONVERSION_FAILED):
        raise error
    assert first is not None
    differing = next((told for net in nets[1:] if (told := _difference(first, net))), "")
    if error or differing:
        told = error.message if error else differing
        raise need_shapes("Caffe's layers", told, signature, reference.lengths)
    return first._replace(inputs={each.name: _declared(each, tries[0]) for each in signature.inputs})


def _refuse_types(signature: Signature) -> None:
    for what, tensors in (("input", signature.inputs), ("output", signature.outputs)):
        for each in tensors:
            if each.dtype != "float32":
                message = (
                    f"{what} {each.name:.80}: expected float32, which all of Caffe's blobs are, found {each.dtype}"
                )
                raise ModelportError(Reason.CONVERSION_FAILED, message)
            if "\0" in each.name:
                message = f"{what} {each.name!r:.80}: expected a name without zero bytes; rename it"
                raise ModelportError(Reason.CONVERSION_FAILED, message)


def _find_lengths(signature: Signature, reference: Reference) -> list[Lengths]:
    """Return the lengths to try: all that the source was asked with, under batches of more than one row."""
    shapes = [each.shape for each in signature.inputs]
    batches = {shape[0] for shape in shapes if shape and isinstance(shape[0], str)}
    free = {each for shape in shapes for each in shape if isinstance(each, str)} - batches
    asked: list[dict[str, int]] = []
    for sample in reference.usual:
        found: dict[str, int] = {}
        for each in signature.inputs:
            array = sample.inputs[0].get(each.name)
            found |= {
                n: m for n, m in zip(each.shape, array.shape if array is not None else (), strict=False) if n in free
            }
        if len(found) == len(free) and found not in asked:
            asked.append(found)
    asked.sort(key=lambda each: -sum(each.values()))
    if not batches:
        return list(islice(asked, MOST_TRIED)) or [{}]
    count = max(2, min(MOST_TRIED, len(asked)))
    return [
        {**asked[number % len(asked)], **dict.fromkeys(batches, BATCHES[number % len(BATCHES)])}
        for number in range(count)
    ]


def _build(model: onnx.ModelProto, inputs: Sequence[Tensor], lengths: Lengths, dialect: Dialect) -> Net:
    """Return the net for inputs of these lengths."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    shapes = {each.name: [lengths[n] if isinstance(n, str) else n for n in each.shape] for each in inputs}
    for value in fixed.graph.input:
        dims = value.type.tensor_type.shape
        del dims.dim[:]
        for length in shapes[value.name]:
            dims.dim.add().dim_value = length
    settled = fold(raise_operators(fold(fixed), "Modelport's writer for Caffe"))
    _refuse_unknown(settled)
    to = Building(settled, shapes, dialect)
    for each in inputs:
        if not len(each.shape) > 1:
            found = f"{each.name:.80} {list(each.shape)}"
            message = f"expected inputs of two axes or more, because OpenCV takes one for two, found {found}"
            raise ModelportError(Reason.CONVERSION_FAILED, message)
    for proto in settled.graph.node:
        if proto.op_type != "Constant":
            _write(to, Node(proto))
    to.answer([value.name for value in settled.graph.output])
    return Net(settled.graph.name or "net", {each.name: shapes[each.name] for each in inputs}, tuple(to.layers))


def _write(to: Building, node: Node) -> None:
    since = len(to.layers)
    for blob in [to.blob(node, index) for index, name in enumerate(node.inputs) if to.is_blob(name)]:
        check_axes(node, to.shape(blob))
    made = OPERATORS[node.kind](to, node)
    for index, blob in enumerate([made] if isinstance(made, str) else made):
        to.finish(node, index, blob, since)


def _refuse_unknown(model: onnx.ModelProto) -> None:
    """Raise ModelportError for all operators that are not written, with a node of each."""
    found: dict[str, str] = {}
    for proto in model.graph.node:
        if proto.op_type not in {*OPERATORS, "Constant"} or proto.domain not in {"", "ai.onnx"}:
            found.setdefault(f"{proto.domain}:{proto.op_type}".removeprefix(":"), Node(proto).name)
    if found:
        told = ", ".join(f"{kind} (node {name:.60})" for kind, name in sorted(found.items()))
        message = f"expected operators that Caffe has layers for, found {told:.400}; see docs/caffe-target.md for all"
        raise ModelportError(Reason.CONVERSION_FAILED, message)


def _difference(one: Net, other: Net) -> str:
    """Return which layer is another one for other lengths; empty: none."""
    if len(one.layers) != len(other.layers):
        return f"{len(one.layers)} layers for some, {len(other.layers)} for others"
    pairs = zip(one.layers, other.layers, strict=True)
    # places of rows: of shorter batches there are none
    told = (f"layer {a.name:.60} ({a.kind}) depends on them" for a, b in pairs if not a.is_same(b) or a.cuts_rows)
    return next(told, "")


def _declared(tensor: Tensor, lengths: Lengths) -> list[int]:
    """Return the shape that the file tells: of a free batch, one row."""
    return [n if isinstance(n, int) else 1 if axis == 0 else lengths[n] for axis, n in enumerate(tensor.shape)]
