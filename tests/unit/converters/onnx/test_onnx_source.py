"""ONNX models opened, asked and converted: what is unusual and right stays right."""

import ml_dtypes
import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from builders import convert_request
from modelport.api.reasons import Reason
from modelport.asking.onnxruntime.sessions import make_run, open_session
from modelport.conversion.onnx_options import OnnxFileOptions
from modelport.errors import ModelportError
from modelport.jobs.requests import Hop
from modelport.verification.reference import FILE_NAME, Reference, Sample, write_reference
from modelport_converter.frameworks.onnx.ask import open_source
from modelport_converter.frameworks.onnx.to_onnx import convert
from modelport_converter.tasks import HopTask, SourceTask
from unit.converters.onnx_models import ML, model, node, value

X = np.array([[1, -2, 3], [0.5, 0, -1]], np.float32)
W = np.array([0.5, 2, -1], np.float32)
ADD = [node("Add", ["x", "w"], ["y"])]


class Conversion:
    """A folder for one conversion."""

    def __init__(self, folder, made, **options):
        self.folder, self.options = folder, options
        for name in ("source", "asked", "out"):
            (folder / name).mkdir()
        onnx.save(made, folder / "source" / "model.onnx")
        hops = [Hop(converter="onnx-to-onnx", source="onnx", target="onnx", image="", options=options)]
        self.request = convert_request(hops=hops)

    def open(self):
        return open_source(SourceTask(self.request, self.folder / "source", self.folder / "code"))

    def convert(self, questions=None):
        """Return the answers of the artifact to the questions, and what users are told."""
        given = {"x": X} if questions is None else questions
        sample = Sample((given,), (self.open().run(given),))
        write_reference(self.folder / "asked" / FILE_NAME, Reference((sample,)))
        source, code, asked, out = (self.folder / name for name in ("source", "code", "asked", "out"))
        task = HopTask(self.request, self.request.hops[0], True, source, code, None, asked, out)
        convert(task, OnnxFileOptions(**self.options))
        told = self.folder / "out" / "caveats.json"
        session = open_session(self.folder / "out" / "model" / "model.onnx", level="all")
        names = [each.name for each in session.get_outputs()]
        caveats = msgspec.json.decode(told.read_bytes()) if told.exists() else []
        return dict(zip(names, make_run(session)(given), strict=True)), caveats


WEIGHTS = {"w": W}
OUTPUTS = [value("y", (2, 3))]
OLD_INPUTS = [value("x", (2, 3)), value("w", [3])]


@pytest.mark.parametrize(
    ("made", "questions", "expected"),
    [
        (model(ADD, [value("x")], [value("y")], WEIGHTS), {"x": X}, {"y": X + W}),
        (model(ADD, OLD_INPUTS, OUTPUTS, WEIGHTS), {"x": X}, {"y": X + W}),
        (model([node("Neg", ["w"], ["y"])], [], [value("y", [3])], WEIGHTS), {}, {"y": -W}),
        (model([], [value("x")], [value("x")]), {"x": X}, {"x": X}),
        (model(ADD, [value("x")], [value("y"), value("w", [3])], WEIGHTS), {"x": X}, {"y": X + W, "w": W}),
        (model(ADD, [value("x")], [value("x"), value("y")], WEIGHTS), {"x": X}, {"x": X, "y": X + W}),
        (model([node("NonZero", ["x"], ["y"])], [value("x")], [value("y", (2, "n"), TensorProto.INT64)]),
         {"x": X}, {"y": np.stack(np.nonzero(X))}),
        (model(ADD, [value("x")], [value("y", None)], WEIGHTS, check=False), {"x": X}, {"y": X + W}),
    ],
    ids=["plain", "weight among inputs", "no inputs", "no nodes", "weight", "input", "by data", "no rank"],
)  # fmt: skip
@pytest.mark.parametrize("options", [{}, {"opset": 18}, {"simplify": True}], ids=str)
def test_unusual_graphs(tmp_path, made, questions, expected, options):
    conversion = Conversion(tmp_path, made, **options)
    source = conversion.open()
    assert [each.name for each in source.inputs] == list(questions)
    for answers in (source.run(questions), conversion.convert(questions)[0]):
        assert list(answers) == list(expected)
        for name, array in expected.items():
            np.testing.assert_allclose(answers[name], array, rtol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [(np.float16, TensorProto.FLOAT16), (ml_dtypes.bfloat16, TensorProto.BFLOAT16), (object, TensorProto.STRING)],
    ids=["float16", "bfloat16", "string"],
)
def test_types_are_asked_as_they_are_served(tmp_path, dtype, kind):
    made = model(
        [node("Concat", ["x", "x"], ["y"], axis=1)], [value("x", dtype=kind)], [value("y", ("batch", 6), kind)]
    )
    asked = np.array([["a", "ü", ""]], object) if dtype is object else X.astype(dtype)
    source = Conversion(tmp_path, made).open()
    answer = source.run({"x": asked})["y"]
    assert answer.dtype == dtype
    np.testing.assert_array_equal(answer, np.concatenate([asked, asked], axis=1))
    assert source.inputs[0].dtype == ("string" if dtype is object else np.dtype(dtype).name)


def test_a_classifier_serves_its_probabilities(tmp_path):
    labels = {"classlabels_strings": ["cat", "dog"]}
    options = {"coefficients": [1.0, 0, 0, 0, 1, 0], "intercepts": [0.0, 0], "post_transform": "SOFTMAX", **labels}
    maps = helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    made = model(
        [
            node("LinearClassifier", ["x"], ["label", "p"], domain=ML, **options),
            node("ZipMap", ["p"], ["probabilities"], domain=ML, **labels),
        ],
        [value("x")],
        [
            value("label", ["batch"], TensorProto.STRING),
            helper.make_value_info("probabilities", helper.make_sequence_type_proto(maps)),
        ],
        check=False,
    )
    answers, (caveat,) = Conversion(tmp_path, made).convert()
    assert list(answers["label"]) == ["cat", "cat"]  # 1 before -2, and 0.5 before 0
    scores = np.exp(X[:, :2].astype(np.float64))
    np.testing.assert_allclose(answers["probabilities"], scores / scores.sum(1, keepdims=True), rtol=1e-5)
    assert caveat.endswith("cat, dog")


def convolution(dtype=TensorProto.DOUBLE):
    shape = ["batch", 3, 1, 1]
    kernel = np.arange(6).reshape(2, 3, 1, 1) / 7
    outputs = [value("y", ["batch", 2, 1, 1], dtype)]
    return model([node("Conv", ["x", "k"], ["y"], "stem")], [value("x", shape, dtype)], outputs, {"k": kernel})


def test_what_the_runtime_lacks_is_refused_before_it_is_asked(tmp_path):
    with pytest.raises(ModelportError, match=r"Conv \(version 11\) for float64: node stem") as caught:
        Conversion(tmp_path, convolution()).open()
    assert caught.value.reason is Reason.RUNTIME_UNSUPPORTED


def test_float64_is_asked_exactly_and_computed_in_float32(tmp_path):
    conversion = Conversion(tmp_path, convolution(), precision="float32")
    asked = {"x": X.astype(np.float64).reshape(2, 3, 1, 1)}
    expected = np.einsum("oc,bc->bo", np.arange(6).reshape(2, 3) / 7, asked["x"][:, :, 0, 0])
    source = conversion.open()
    assert source.precision == "float64"
    np.testing.assert_allclose(source.run(asked)["y"][:, :, 0, 0], expected, rtol=1e-14)
    answers, _ = conversion.convert(asked)
    assert answers["y"].dtype == np.float64
    np.testing.assert_allclose(answers["y"][:, :, 0, 0], expected, rtol=1e-5, atol=1e-6)
    assert np.abs(answers["y"][:, :, 0, 0] - expected).max() > 1e-12


def test_batch_first_layout_is_asked_and_served(tmp_path):
    weights = {"w": np.ones((1, 4, 3), np.float32), "r": np.zeros((1, 4, 1), np.float32)}
    nodes = [node("LSTM", ["x", "w", "r"], ["", "h"], "cell", hidden_size=1, layout=1)]
    made = model(nodes, [value("x", ["batch", "time", 3])], [value("h", ["batch", 1, 1])], weights)
    total = X.sum(axis=1)  # of each step; all gates see it
    gate = 1 / (1 + np.exp(-total))
    cell = 0.0
    for step in range(2):
        cell = gate[step] * cell + gate[step] * np.tanh(total[step])
    answers, (caveat,) = Conversion(tmp_path, made).convert({"x": X[None]})
    np.testing.assert_allclose(answers["h"][0, 0, 0], gate[1] * np.tanh(cell), rtol=1e-5)
    assert "cell (LSTM)" in caveat


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda made: setattr(made, "ir_version", 99), "ir_version 99 is higher"),
        (lambda made: setattr(made.opset_import[0], "version", 99), "versions of ai.onnx up to [0-9]+, found 99"),
        (lambda made: setattr(made.opset_import[1], "version", 99), "versions of ai.onnx.ml up to [0-9]+, found 99"),
    ],
    ids=["file", "operators", "domain"],
)
def test_versions_that_are_too_new_are_told(tmp_path, change, told):
    made = model(ADD, [value("x")], [value("y")], WEIGHTS)
    change(made)
    with pytest.raises(ModelportError, match=told) as caught:
        Conversion(tmp_path, made).open()
    assert caught.value.reason is Reason.RUNTIME_UNSUPPORTED


def test_an_invalid_graph_is_corrupt(tmp_path):
    made = model(ADD, [value("x")], [value("y")], WEIGHTS)
    made.graph.node[0].op_type = "Whatever"
    with pytest.raises(ModelportError, match="No Op registered for Whatever") as caught:
        Conversion(tmp_path, made).open()
    assert caught.value.reason is Reason.SOURCE_CORRUPT


def test_weights_move_wherever_they_stand(tmp_path):
    table = np.arange(1, 7, dtype=np.float32).reshape(2, 3)
    constant = node("Constant", [], ["c"], value=numpy_helper.from_array(table))
    nodes = [constant, node("Gather", ["t", "x"], ["a"]), node("Gather", ["c", "x"], ["b"])]
    outputs = [value("a", ("n", 3)), value("b", ("n", 3)), value("w", [3])]
    made = model(nodes, [value("x", ["n"], TensorProto.INT64)], outputs, {"t": table, **WEIGHTS})
    conversion = Conversion(tmp_path, made)
    file = tmp_path / "source" / "model.onnx"
    onnx.save(made, file, save_as_external_data=True, location="beside.data", size_threshold=0)
    source = conversion.open()
    moved = source.move_weights()({"x": np.arange(2)})
    units = {name: np.abs(each.view(np.int32) - table.view(np.int32)) for name, each in moved.items() if name != "w"}
    assert all((each == 1).all() for each in units.values())
    assert np.array_equal(moved["w"], W), "a vector may be the scales of a resize"
    assert np.array_equal(source.run({"x": np.arange(2)})["a"], table)
