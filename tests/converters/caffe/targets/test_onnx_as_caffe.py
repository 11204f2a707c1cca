"""ONNX as Caffe: graphs by chance in OpenCV and by Caffe's formulas, names that are no syntax, what is refused by name."""

import os
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format
from onnx import TensorProto, helper, numpy_helper

from converters.caffe.asking import difference
from converters.caffe.caffe_files import write
from converters.caffe.caffe_nets import NETS
from converters.caffe.targets.writing import to_caffe
from converters.verdicts import convert_all
from modelport.api.reasons import Reason
from modelport.asking.opencv.blobs import find_answers, to_opencv
from modelport.errors import ModelportError
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.caffe.answering.numpy_net import run_net
from modelport_converter.frameworks.caffe.layers.net import build_net
from modelport_converter.frameworks.caffe.model import open_model
from modelport_converter.frameworks.caffe.reading.architecture import read_architecture
from modelport_converter.frameworks.caffe.reading.schema import new_architecture
from modelport_converter.frameworks.caffe.reading.weights import read_weights
from modelport_converter.frameworks.caffe.targeting.dialects import restate
from modelport_converter.frameworks.caffe.targeting.operators import OPERATORS
from modelport_converter.frameworks.caffe.targeting.proving import tell_verifier

COUNT = os.environ.get("MODELPORT_CAFFE_GRAPHS", "300")
NEAR = 2e-5
RANDOM = np.random.default_rng(5)
NODE = helper.make_node


def model(nodes, inputs, outputs, opset=17, **weights):
    """Return a model; free lengths are names."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def drawn(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def asked(inputs, *lengths):
    """Return a question for each dictionary of free lengths."""
    return [
        {name: drawn(*(given.get(each, each) for each in shape)) for name, shape in inputs.items()}
        for given in lengths or ({},)
    ]


def check(made, questions, folder, dialect="opencv", near=NEAR):
    """Convert, and ask what is written by Caffe's formulas; return the text."""
    reference = to_caffe(made, questions, folder, dialect)
    architecture, weights = read_architecture(folder / "deploy.prototxt"), {}
    if (folder / "net.caffemodel").stat().st_size:
        weights = read_weights(folder / "net.caffemodel")
    for sample in reference.samples:
        given = sample.inputs[0]
        net = build_net(architecture, weights, {name: (given[name].shape,) for name in architecture.inputs})
        assert difference(run_net(net, given), sample.outputs[0]) < near
        assert set(net.outputs) == set(sample.outputs[0])
    return (folder / "deploy.prototxt").read_text()


def refusal(made, questions, folder, dialect="opencv", reason=Reason.CONVERSION_FAILED):
    with pytest.raises(ModelportError) as caught:
        to_caffe(made, questions, folder, dialect)
    assert caught.value.reason is reason
    return caught.value.message


# --- graphs by chance -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    script = Path(__file__).with_name("run_graphs.py")
    return convert_all("converter-caffe", script, tmp_path_factory.mktemp("graphs"), "0", COUNT)


@pytest.mark.converters
@pytest.mark.timeout(1800)
def test_graphs_by_chance_answer_in_opencv_as_in_onnx_runtime(outcomes):
    wrong = {seed: each for seed, each in outcomes.items() if not each.get("error", 0) < NEAR or "failed" in each}
    assert wrong == {}


@pytest.mark.converters
def test_few_of_them_are_refused_and_by_node(outcomes):
    refused = [each["refused"] for each in outcomes.values() if "refused" in each]
    assert len(refused) < len(outcomes) / 8
    assert all("node " in each or "spec.target.shapes" in each for each in refused), refused
    covered = {operator for each in outcomes.values() if "error" in each for operator in each["operators"]}
    assert set(OPERATORS) - covered <= {"Cast", "Expand", "Mish", "Squeeze", "ReduceMax", "ReduceMin", "ReduceL1"}


# --- names ----------------------------------------------------------------------------------------------------------

NASTY = ('a"b', "a\nb", "a/b:0", "ä", "a b", "\\", "'", "0", 'x" } layer { name: "y', "#c", "\t", "round_mode: FLOOR")


@pytest.mark.parametrize("name", NASTY)
def test_a_name_is_never_syntax(tmp_path, name):
    nodes = [NODE("Relu", [name], [f"{name} out"]), NODE("Neg", [f"{name} out"], [f"{name} end"])]
    inputs = {name: ["n", 3]}
    text = check(model(nodes, inputs, [f"{name} end", f"{name} out"]), asked(inputs, {"n": 2}), tmp_path / "net")
    given, answers = find_answers(to_opencv(text))
    assert (given, set(answers)) == ([name], {f"{name} end", f"{name} out"})
    assert len(text_format.Parse(text, new_architecture()).layer) == 4


def test_a_zero_byte_and_an_output_that_is_an_input_are_refused(tmp_path):
    inputs = {"a": ["n", 3]}
    told = refusal(model([NODE("Relu", ["a"], ["b"])], inputs, ["b", "a"]), asked(inputs, {"n": 2}), tmp_path / "one")
    assert told.startswith("output a: expected one that follows from the inputs, found the input itself")


def test_an_input_that_nothing_takes_is_no_answer(tmp_path):
    inputs = {"a": ["n", 3], "b": ["n", 4, 5, 6]}
    text = check(model([NODE("Relu", ["a"], ["y"])], inputs, ["y"]), asked(inputs, {"n": 2}), tmp_path / "net")
    assert 'type: "Silence"' in text


# --- lengths --------------------------------------------------------------------------------------------------------


def test_batch_height_and_width_stay_free_where_layers_hold_for_all(tmp_path):
    inputs = {"x": ["n", 3, "h", "w"]}
    nodes = [
        NODE("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        NODE("MaxPool", ["c"], ["p"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        NODE("Resize", ["p", "", "s"], ["u"], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
        NODE("GlobalAveragePool", ["u"], ["g"]),
        NODE("Mul", ["u", "g"], ["y"]),
    ]  # fmt: skip
    made = model(nodes, inputs, ["y"], w=drawn(4, 3, 3, 3), s=np.array([1, 1, 2, 2], np.float32))
    lengths = [{"n": 1, "h": 9, "w": 12}, {"n": 3, "h": 8, "w": 7}, {"n": 2, "h": 5, "w": 5}]
    text = check(made, asked(inputs, *lengths), tmp_path / "net")
    assert "dim: 1\n" in text


def test_a_length_that_a_layer_counts_with_asks_for_shapes(tmp_path):
    inputs = {"x": ["n", 3, "h", 8]}
    nodes = [NODE("Conv", ["x", "w"], ["y"], auto_pad="SAME_UPPER", strides=[2, 2])]
    lengths = [{"n": 1, "h": 9}, {"n": 3, "h": 8}]
    made = model(nodes, inputs, ["y"], w=drawn(4, 3, 3, 3))
    told = refusal(made, asked(inputs, *lengths), tmp_path / "net", reason=Reason.SHAPES_NEEDED)
    assert "layer y (Convolution) depends on them" in told
    assert "state for example shapes: {x: [1, 3, 9, 8]}" in told


@pytest.mark.parametrize(
    "node", [NODE("Gather", ["x", "at"], ["y"], axis=0), NODE("Slice", ["x", "at", "end", "at"], ["y"])]
)
def test_some_rows_of_a_batch_ask_for_shapes(tmp_path, node):
    made = model([node], {"x": ["n", 2, 3]}, ["y"], at=np.array([0]), end=np.array([1]))
    told = refusal(made, asked({"x": ["n", 2, 3]}, {"n": 1}, {"n": 3}), tmp_path / "net", reason=Reason.SHAPES_NEEDED)
    assert "(Slice) depends on them" in told


def test_the_last_of_parts_is_shorter_where_their_number_is_told_alone(tmp_path):
    node = NODE("Split", ["x"], ["y", "z", "w"], axis=1, num_outputs=3)
    made = model([node], {"x": [1, 5]}, ["y", "z", "w"], opset=18)
    told = check(made, asked({"x": [1, 5]}), tmp_path / "net")
    assert "slice_point: 2" in told
    assert "slice_point: 4" in told


def test_rows_of_a_batch_that_are_mixed_ask_for_shapes(tmp_path):
    inputs = {"x": ["n", 4]}
    nodes = [NODE("Reshape", ["x", "shape"], ["r"]), NODE("Transpose", ["r"], ["y"], perm=[1, 0])]
    made = model(nodes, inputs, ["y"], shape=np.array([4, -1]))
    refusal(made, asked(inputs, {"n": 1}, {"n": 3}), tmp_path / "net", reason=Reason.SHAPES_NEEDED)


# --- layers that differ ---------------------------------------------------------------------------------------------

IMAGE = {"x": ["n", 4, 9, 7]}


@pytest.mark.parametrize("dialect", ["opencv", "bvlc"])
@pytest.mark.parametrize("pads", [[0, 0, 1, 1], [1, 0, 0, 2], [2, 1, 0, 0]])
@pytest.mark.parametrize("dilation", [1, 2])
def test_pads_that_differ_are_zeros_in_the_kernel(tmp_path, dialect, pads, dilation):
    nodes = [NODE("Conv", ["x", "w"], ["y"], pads=pads, strides=[2, 1], dilations=[dilation, dilation], group=2)]
    made = model(nodes, IMAGE, ["y"], w=drawn(6, 2, 3, 2))
    check(made, asked(IMAGE, {"n": 1}, {"n": 2}), tmp_path / "net", dialect)


@pytest.mark.parametrize("count", [0, 1])
@pytest.mark.parametrize("pads", [[1, 1, 1, 1], [0, 1, 1, 0]])
@pytest.mark.parametrize("ceil", [0, 1])
def test_means_are_of_as_many_numbers_as_the_model_says(tmp_path, count, pads, ceil):
    told = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": pads, "ceil_mode": ceil, "count_include_pad": count}
    made = model([NODE("AveragePool", ["x"], ["y"], **told)], IMAGE, ["y"])
    check(made, asked(IMAGE, {"n": 1}, {"n": 2}), tmp_path / "net")


@pytest.mark.parametrize("dialect", ["opencv", "bvlc"])
@pytest.mark.parametrize(("low", "high"), [(-1e4, 1e4), (-1.0, 6.0), (0.0, 6.0), (0.0, 1e12)])
@pytest.mark.parametrize("axes", [4, 6])
def test_bounds_do_not_round_what_is_within_them(tmp_path, dialect, low, high, axes):
    shape = {"x": ["n", 3, 2, *[2] * (axes - 3)]}
    made = model([NODE("Clip", ["x", "low", "high"], ["y"])], shape, ["y"], low=np.float32(low), high=np.float32(high))
    questions = [{"x": drawn(rows, *shape["x"][1:]) * np.float32(factor)} for rows, factor in ((2, 1e-4), (3, 1e5))]
    check(made, questions, tmp_path / "net", dialect, near=1e-9)


def test_each_dialect_has_its_word_for_rounding_down(tmp_path):
    made = model([NODE("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2])], IMAGE, ["y"])
    words = {
        dialect: check(made, asked(IMAGE, {"n": 2}), tmp_path / dialect, dialect) for dialect in ("opencv", "bvlc")
    }
    assert ("ceil_mode: false" in words["opencv"], "round_mode: FLOOR" in words["bvlc"]) == (True, True)
    assert to_opencv(words["bvlc"]) == words["opencv"]


def test_windows_that_only_caffe_has_are_cut_off(tmp_path):
    told = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 0]}
    made = model([NODE("MaxPool", ["x"], ["y"], **told)], {"x": ["n", 2, 8, 8]}, ["y"])
    assert "Slice" in check(made, asked({"x": ["n", 2, 8, 8]}, {"n": 2}), tmp_path / "net")


def test_axes_move_in_opencv_s_dialect_alone(tmp_path):
    made = model([NODE("Transpose", ["x"], ["y"], perm=[0, 2, 3, 1])], IMAGE, ["y"])
    assert "Permute" in check(made, asked(IMAGE, {"n": 2}), tmp_path / "one")
    assert "node y (Transpose)" in refusal(made, asked(IMAGE, {"n": 2}), tmp_path / "two", "bvlc")


def test_measured_means_are_composed_for_bvlc_which_adds_epsilon_elsewhere(tmp_path):
    made = model(
        [NODE("InstanceNormalization", ["x", "a", "b"], ["y"], epsilon=0.1)], IMAGE, ["y"], a=drawn(4), b=drawn(4)
    )
    assert "MVN" not in check(made, asked(IMAGE, {"n": 2}), tmp_path / "net", "bvlc")
    to_caffe(made, asked(IMAGE, {"n": 2}), tmp_path / "other")
    assert "MVN" in (tmp_path / "other" / "deploy.prototxt").read_text()


# --- what is refused ------------------------------------------------------------------------------------------------

ROWS = {"x": ["n", 4]}


@pytest.mark.parametrize(
    ("node", "inputs", "told"),
    [
        (NODE("Erf", ["x"], ["y"], name="gauss"), ROWS, "found Erf (node gauss)"),
        (NODE("LogSoftmax", ["x"], ["y"]), ROWS, "found LogSoftmax (node y)"),
        (NODE("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], dilations=[2, 2]), IMAGE, "node y (MaxPool): expected windows without gaps"),
        (NODE("ReduceMean", ["x"], ["y"], axes=[0]), ROWS, "node y (ReduceMean): expected axes behind the first one"),
        (NODE("ReduceMean", ["x"], ["y"], axes=[1], keepdims=0), ROWS, "node y (ReduceMean): expected outputs of 2 to 6 axes"),
        (NODE("Softmax", ["x"], ["y"], axis=0), {"x": [3]}, "expected inputs of two axes or more"),
        (NODE("MatMul", ["x", "x"], ["y"]), {"x": [3, 3]}, "node y (MatMul): input 1: expected a matrix that is a constant"),
    ],
)  # fmt: skip
def test_what_caffe_has_not_is_named(tmp_path, node, inputs, told):
    assert told in refusal(model([node], inputs, ["y"]), asked(inputs, {"n": 2}), tmp_path / "net")


def test_other_types_than_float32_are_refused_by_input(tmp_path):
    graph = helper.make_graph(
        [NODE("Cast", ["ids"], ["y"], to=TensorProto.FLOAT)],
        "net",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    told = refusal(made, [{"ids": np.ones((2, 3), np.int64)}], tmp_path / "net")
    assert told == "input ids: expected float32, which all of Caffe's blobs are, found int64"


# --- Caffe to Caffe, and who verified -------------------------------------------------------------------------------


def test_a_net_is_told_in_the_words_of_the_dialect_without_layers_for_training(tmp_path):
    text = """input: "x" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }
    layer { name: "p" type: "Pooling" bottom: "x" top: "p" pooling_param { kernel_size: 2 stride: 2 round_mode: FLOOR } }
    layer { name: "d" type: "Dropout" bottom: "p" top: "p" include { phase: TRAIN } }"""
    (tmp_path / "net.prototxt").write_text(text)
    architecture = read_architecture(tmp_path / "net.prototxt")
    opencv, bvlc = (restate(architecture, dialect) for dialect in ("opencv", "bvlc"))
    assert ("ceil_mode: false" in opencv, "round_mode: FLOOR" in bvlc) == (True, True)
    assert "Dropout" not in opencv + bvlc
    assert find_answers(bvlc)[1]["p"].layer == "p"
    (tmp_path / "net.prototxt").write_text('input: "x" layer { name: "n" type: "LRN" bottom: "x" top: "y" }')
    assert "alpha: 1" in restate(read_architecture(tmp_path / "net.prototxt"), "opencv")  # OpenCV takes another one


def test_layers_of_ssd_are_refused_for_bvlc(tmp_path):
    found = open_model(open_tree(write(tmp_path, *NETS["detector"]())), [])
    with pytest.raises(ModelportError, match=r"expected layers of BVLC's Caffe, found Normalize \(layer norm\)"):
        restate(read_architecture(found.architecture), "bvlc")
    told = 'layer { name: "d" type: "Dropout" bottom: "x" top: "y" dropout_param { scale_train: false } }'
    (tmp_path / "net.prototxt").write_text(f'input: "x" {told}')
    with pytest.raises(ModelportError, match=r"found dropout_param.scale_train \(layer d\)"):
        restate(read_architecture(tmp_path / "net.prototxt"), "bvlc")


def test_the_verifier_of_bvlc_s_dialect_is_told(tmp_path):
    made = model([NODE("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2])], IMAGE, ["y"])
    reference = to_caffe(made, asked(IMAGE, {"n": 2}), tmp_path / "net", "bvlc")
    assert tell_verifier(tmp_path / "net", "opencv", reference) == []
    (told,) = tell_verifier(tmp_path / "net", "bvlc", reference)
    assert told.startswith("dialect bvlc: verified by OpenCV, which serves it, and by BVLC's formulas in numpy")
    assert len(told) <= 256
    text = (tmp_path / "net" / "deploy.prototxt").read_text()
    (tmp_path / "net" / "deploy.prototxt").write_text(text.replace("pool: MAX", "pool: AVE"))
    with pytest.raises(ModelportError, match=r"expected the source's answers by BVLC's formulas"):
        tell_verifier(tmp_path / "net", "bvlc", reference)
