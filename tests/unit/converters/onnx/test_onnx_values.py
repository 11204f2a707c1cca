"""Which inputs and outputs can be served, and what is said about others."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.errors import ModelportError
from modelport_converter.frameworks.onnx.values import describe, read_inputs, take_probabilities
from unit.converters.onnx_models import ML, model, node, value


def identity(of: onnx.ValueInfoProto, to: onnx.ValueInfoProto) -> onnx.ModelProto:
    return model([node("Identity", [of.name], [to.name])], [of], [to], check=False)


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        (TensorProto.FLOAT, "float32"),
        (TensorProto.BFLOAT16, "bfloat16"),
        (TensorProto.STRING, "string"),
        (TensorProto.UINT8, "uint8"),
        (TensorProto.BOOL, "bool"),
    ],
)
def test_tensors_are_described(kind, dtype):
    signature = describe(identity(value("x", ["batch", 3], kind), value("y", [None, 3], kind)))
    assert [(each.name, each.dtype, each.shape) for each in signature.inputs] == [("x", dtype, ["batch", 3])]
    assert [(each.name, each.dtype, each.shape) for each in signature.outputs] == [("y", dtype, ["y_0", 3])]


TENSOR = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
MAP = helper.make_map_type_proto(TensorProto.STRING, TENSOR)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (helper.make_sequence_type_proto(MAP), "is a sequence of maps, .* export with zipmap off"),
        (helper.make_sequence_type_proto(TENSOR), "is a sequence of tensors, and only tensors"),
        (helper.make_optional_type_proto(TENSOR), "is an optional, and only tensors"),
        (MAP, "is a map, and only tensors"),
        (onnx.TypeProto(), "is a value without a type"),
        (helper.make_tensor_type_proto(TensorProto.COMPLEX64, [3]), "elements of complex64, .* real and imaginary"),
        (helper.make_tensor_type_proto(TensorProto.FLOAT8E4M3FN, [3]), "elements of float8_e4m3fn"),
        (helper.make_tensor_type_proto(TensorProto.UNDEFINED, [3]), "elements of no type"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_is_no_tensor_is_named_with_its_kind(found, told):
    odd = helper.make_value_info("odd", found)
    for made, what in ((identity(value("x"), odd), "output"), (identity(odd, value("y")), "input")):
        with pytest.raises(
            ModelportError, match=f"^{what} odd (is|has) .*".replace("(is|has) ", "") + told[3:]
        ) as caught:
            describe(made)
        assert caught.value.reason is Reason.CONVERSION_FAILED


@pytest.mark.parametrize("nothing", ["?", "-1", "None", "", None])
def test_lengths_that_nobody_named_are_not_one_length(nothing):
    made = identity(value("x", [nothing, 3, nothing, nothing]), value("y", [nothing, 3, nothing, "width"]))
    assert read_inputs(made, [])[0].shape == ["batch", 3, "x_2", "x_3"]
    assert describe(made).outputs[0].shape == ["y_0", 3, "y_2", "width"]


def test_names_that_no_status_holds_are_refused():
    assert describe(identity(value("x" * 128), value("y"))).inputs[0].name == "x" * 128
    with pytest.raises(ModelportError, match="at most 128 characters, found 129"):
        describe(identity(value("x" * 129), value("y")))


def test_weights_are_no_inputs_though_old_files_list_them():
    nodes = [node("Add", ["x", "w"], ["y"])]
    made = model(nodes, [value("w", [3]), value("x", [None, 3])], [value("y")], {"w": np.ones(3, np.float32)})
    assert [(each.name, each.shape) for each in read_inputs(made, [])] == [("x", ["batch", 3])]


def test_what_the_user_says_about_an_input_comes_first():
    made = identity(value("x", None), value("y"))
    said = Input(name="x", shape=["rows", 3])
    assert read_inputs(made, [said]) == [said]
    with pytest.raises(ModelportError, match="input x: expected a tensor with a rank") as caught:
        read_inputs(made, [])
    assert caught.value.reason is Reason.INPUTS_NEEDED
    with pytest.raises(ModelportError, match="no input rows; it has x"):
        read_inputs(made, [Input(name="rows", shape=[1])])


@pytest.mark.parametrize(
    ("labels", "shown"),
    [({"classlabels_strings": ["cat", "dog"]}, "cat, dog"), ({"classlabels_int64s": [10, 20]}, "10, 20")],
    ids=["strings", "integers"],
)
def test_probabilities_are_served_in_place_of_maps(labels, shown):
    maps = helper.make_value_info("probabilities", helper.make_sequence_type_proto(MAP))
    nodes = [node("Relu", ["x"], ["p"]), node("ZipMap", ["p"], ["probabilities"], domain=ML, **labels)]
    made = model(nodes, [value("x", ["batch", 2])], [value("p", ["batch", 2]), maps], check=False)
    assert take_probabilities(made) == [
        f"output probabilities is a tensor with a column for each class, no sequence of maps: {shown}"
    ]
    onnx.checker.check_model(made, full_check=True)
    _, output = describe(made).outputs
    assert (output.name, output.dtype, output.shape) == ("probabilities", "float32", ["probabilities_0", 2])


def test_a_map_inside_of_the_graph_is_left():
    nodes = [node("ZipMap", ["x"], ["maps"], domain=ML, classlabels_int64s=[1, 2]), node("Relu", ["x"], ["y"])]
    made = model(nodes, [value("x")], [value("y")], check=False)
    before = made.SerializeToString()
    assert take_probabilities(made) == []
    assert made.SerializeToString() == before
