"""Inputs and outputs of a graph: tensors of the types that can be served, and what to do about others."""

import re
from collections.abc import Iterator, Sequence
from typing import cast, get_args

import onnx

from modelport.api.base import Dimension, Dtype
from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.api.status import Signature, Tensor
from modelport.errors import ModelportError
from modelport_converter.onnx_graphs.graphs import attribute_of

DTYPES: tuple[str, ...] = get_args(Dtype)
KINDS: dict[str | None, str] = {
    "sequence_type": "a sequence",
    "map_type": "a map",
    "optional_type": "an optional",
    "sparse_tensor_type": "a sparse tensor",
}
"""What a value may be beside a tensor, by the field of `onnx.TypeProto`."""
ZIP_MAP = "ZipMap"
MAX_NAME = 128
"""What a status has room for."""


def describe(model: onnx.ModelProto) -> Signature:
    """Return inputs and outputs as the graph declares them.

    Raises ModelportError (ConversionFailed) for what cannot be served.
    """
    return Signature(
        inputs=[Tensor(name=each.name, dtype=each.dtype, shape=list(each.shape)) for each in _inputs(model)],
        outputs=[
            Tensor(name=value.name, dtype=_dtype(f"output {value.name:.100}", value), shape=_output_shape(value))
            for value in model.graph.output
        ],
    )


def read_inputs(model: onnx.ModelProto, given: Sequence[Input]) -> list[Input]:
    """Return the inputs of the graph; what the user says about one of them by name comes first.

    Raises ModelportError: InvalidSpec for a name that the graph does not have, ConversionFailed for what cannot be
    served, InputsNeeded for a tensor without a rank that the user does not describe.
    """
    said = {each.name: each for each in given}
    names = [value.name for value in _input_values(model)]
    unknown = set(said) - set(names)
    if unknown:
        message = f"spec.source.inputs: the model has no input {', '.join(sorted(unknown))[:200]}"
        raise ModelportError(Reason.INVALID_SPEC, f"{message}; it has {', '.join(names)[:200]}")
    for value in _input_values(model):
        if value.name not in said and not value.type.tensor_type.HasField("shape"):
            _dtype(f"input {value.name:.100}", value)
            message = f"input {value.name:.100}: expected a tensor with a rank, found none; state it in inputs"
            raise ModelportError(Reason.INPUTS_NEEDED, message)
    return [said.get(each.name, each) for each in _inputs(model)]


def take_probabilities(model: onnx.ModelProto) -> list[str]:
    """Let outputs that are sequences of maps be the tensors of probabilities that the maps are made of.

    Classifiers of scikit-learn and its kin end in a ZipMap, which no tensor can hold. Returns what users must know: the
    label of each column.
    """
    graph = model.graph
    outputs = {value.name: value for value in graph.output}
    caveats = []
    for node in [each for each in graph.node if each.op_type == ZIP_MAP and each.output[0] in outputs]:
        labels = _labels(node)
        output = outputs[node.output[0]]
        output.type.CopyFrom(onnx.helper.make_tensor_type_proto(onnx.TensorProto.FLOAT, [None, len(labels)]))
        node.op_type, node.domain = "Identity", ""
        del node.attribute[:]
        shown = ", ".join(labels)
        caveats.append(
            f"output {output.name:.60} is a tensor with a column for each class, no sequence of maps: {shown:.120}"
        )
    return caveats


def _labels(node: onnx.NodeProto) -> list[str]:
    strings, numbers = attribute_of(node, "classlabels_strings"), attribute_of(node, "classlabels_int64s")
    if strings is not None and strings.strings:
        return [each.decode(errors="replace") for each in strings.strings]
    return [str(each) for each in numbers.ints] if numbers is not None else []


def _input_values(model: onnx.ModelProto) -> Iterator[onnx.ValueInfoProto]:
    """Return what callers give: old files list their weights among the inputs, too."""
    weights = {tensor.name for tensor in model.graph.initializer}
    weights |= {sparse.values.name for sparse in model.graph.sparse_initializer}
    return (value for value in model.graph.input if value.name not in weights)


def _inputs(model: onnx.ModelProto) -> list[Input]:
    return [
        Input(
            name=value.name,
            dtype=cast("Dtype", _dtype(f"input {value.name:.100}", value)),
            shape=[_length(value.name, axis, length) for axis, length in enumerate(value.type.tensor_type.shape.dim)],
        )
        for value in _input_values(model)
    ]


def _dtype(what: str, value: onnx.ValueInfoProto) -> str:
    """Return the element type as signatures call it."""
    if len(value.name) > MAX_NAME:
        message = f"{what}: expected a name of at most {MAX_NAME} characters, found {len(value.name)}; rename it"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        found = KINDS.get(kind, "a value without a type")
        if kind == "sequence_type":
            inner = value.type.sequence_type.elem_type.WhichOneof("value")
            found = f"a sequence of {'maps' if inner == 'map_type' else 'tensors'}"
        way = "export with zipmap off" if found.endswith("maps") else "export a model that has tensors in its place"
        raise ModelportError(Reason.CONVERSION_FAILED, f"{what} is {found}, and only tensors can be served; {way}")
    number = value.type.tensor_type.elem_type
    name = "no type"
    if number in onnx.helper.get_all_tensor_dtypes():
        is_text = number == onnx.TensorProto.STRING
        name = "string" if is_text else str(onnx.helper.tensor_dtype_to_np_dtype(number))
    if name not in DTYPES:
        hint = "; export real and imaginary part as two outputs" if name.startswith("complex") else ""
        message = f"{what} has elements of {name}, and only {', '.join(DTYPES)} can be served{hint}"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    return name


def _length(name: str, axis: int, length: onnx.TensorShapeProto.Dimension) -> Dimension:
    if length.HasField("dim_value") and length.dim_value > 0:
        return int(length.dim_value)
    # a first axis that nobody named is a batch: the same length for all inputs
    return _name(length) or ("batch" if axis == 0 else f"{name}_{axis}")


def _name(length: onnx.TensorShapeProto.Dimension) -> str:
    """Return the name of a free dimension; some exporters write `?` or None for all that they do not know."""
    return "" if length.dim_param == "None" or not re.search("[A-Za-z]", length.dim_param) else length.dim_param


def _output_shape(value: onnx.ValueInfoProto) -> list[str | int]:
    return [
        int(length.dim_value) if length.HasField("dim_value") else _name(length) or f"{value.name}_{axis}"
        for axis, length in enumerate(value.type.tensor_type.shape.dim)
    ]
