"""gRPC by real clients, over both transports: tritonclient, and protoc's stub where a client would not send it."""

import queue
import time
from contextlib import contextmanager

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

from modelport import __version__
from modelport_server.grpc.messages import schema
from modelport_server.grpc.messages.contents import FIELDS
from modelport_server.protocol.datatypes import BY_DTYPE, DATATYPES
from server.grpc.grpc_places import TRANSPORTS, placed, request, slow_artifact, stub_at
from server.models import features, identity, identity_artifact, mlp_artifact, scores
from server.processes import MODEL

Code = grpc.StatusCode
TYPES = [each.dtype for each in DATATYPES if each.name in FIELDS]
CHECK = "/grpc.health.v1.Health/Check"
LONG = 10**12


@pytest.fixture(scope="module", params=TRANSPORTS)
def place(request, tmp_path_factory):
    with placed(request.param, mlp_artifact(tmp_path_factory.mktemp("mlp") / "artifact")) as running:
        yield running


@pytest.fixture(scope="module", params=TRANSPORTS)
def typed(request, tmp_path_factory):
    signature = identity(*((name, name, ["n", 2]) for name in TYPES))
    with placed(request.param, identity_artifact(tmp_path_factory.mktemp("types") / "artifact", signature)) as running:
        yield running


@pytest.fixture(params=TRANSPORTS)
def slow(request, tmp_path):
    with placed(request.param, slow_artifact(tmp_path / "artifact")) as running:
        yield running


@pytest.fixture
def client(place):
    with triton.InferenceServerClient(place.address) as connected:
        yield connected


@pytest.fixture
def stub(place):
    with stub_at(place.address) as made:
        yield made


def asked(array):
    given = triton.InferInput("features", array.shape, "FP32")
    given.set_data_from_numpy(array)
    return [given]


def check(answer, array):
    np.testing.assert_allclose(answer.as_numpy("scores"), scores(array), rtol=1e-4, atol=1e-6)


def test_tritonclient_finds_and_asks_the_model(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    assert client.is_model_ready(MODEL, "1")
    assert client.get_server_metadata(as_json=True)["version"] == __version__
    assert client.get_model_metadata(MODEL, as_json=True) == {
        "name": MODEL,
        "versions": ["1"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "features", "datatype": "FP32", "shape": ["-1", "4"]}],
        "outputs": [{"name": "scores", "datatype": "FP32", "shape": ["-1", "3"]}],
    }
    array = features(5, seed=3)
    wanted = [triton.InferRequestedOutput("scores")]
    given = {"text": "é", "n": -3, "yes": True, "half": 0.5}
    answer = client.infer(MODEL, asked(array), outputs=wanted, request_id="7", parameters=given, model_version="1")
    check(answer, array)
    told = answer.get_response()
    assert (told.model_name, told.model_version, told.id) == (MODEL, "1", "7")
    assert {name: value.WhichOneof("parameter_choice") for name, value in told.parameters.items()} == {
        "text": "string_param",
        "n": "int64_param",
        "yes": "bool_param",
        "half": "double_param",
    }
    bare = client.infer(MODEL, asked(array)).get_response()
    assert (bare.id, len(bare.parameters)) == ("", 0)


def test_metadata_tell_names_and_verified_lengths(place):
    answer = schema.message("inference.ModelMetadataResponse")
    with grpc.insecure_channel(place.address) as channel:
        told = channel.unary_unary("/inference.GRPCInferenceService/ModelMetadata", None, answer.FromString)(
            service_pb2.ModelMetadataRequest(name=MODEL).SerializeToString()
        )
    parameters = told.inputs[0].parameters
    assert set(parameters) == {"shape", "batch.min"}
    assert (parameters["shape"].string_param, parameters["batch.min"].int64_param) == ("[batch, 4]", 1)
    assert told.outputs[0].parameters["shape"].string_param == "[batch, 3]"


def test_lengths_that_were_not_verified_are_refused(client):
    with pytest.raises(InferenceServerException, match="dimension batch: expected at least 1, found 0") as caught:
        client.infer(MODEL, asked(np.zeros((0, 4), np.float32)))
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"


@pytest.mark.parametrize("ask", ["is_model_ready", "get_model_metadata"])
@pytest.mark.parametrize(("name", "version", "told"), [("other", "", "model other"), (MODEL, "2", "version 2")])
def test_other_models_and_versions_are_not_found(client, ask, name, version, told):
    with pytest.raises(InferenceServerException, match=told) as caught:
        getattr(client, ask)(name, version)
    assert caught.value.status() == "StatusCode.NOT_FOUND"


def arrays():
    """Return two rows of each type that typed contents hold, with the outermost elements."""
    found = {"bool": np.array([[True, False], [False, True]])}
    for name in TYPES:
        if name[:3] in {"int", "uin"}:
            limits = np.iinfo(name)
            found[name] = np.array([[limits.min, limits.max], [1, 0]], name)
    found["float32"] = np.array([[np.nan, -np.inf], [1.5, 3e38]], np.float32)
    found["float64"] = np.array([[np.nan, 1e308], [0, -1]])
    found["string"] = np.array([[b"", "é".encode()], [b"a" * 300, b"\0"]], object)
    assert sorted(found) == sorted(TYPES)
    return found


@pytest.mark.parametrize("algorithm", [None, "gzip", "deflate"])
def test_all_types_raw(typed, algorithm):
    inputs = []
    given = {name: np.repeat(array, 200, 0) for name, array in arrays().items()}  # compression is worth while
    for name, array in given.items():
        inputs.append(triton.InferInput(name, array.shape, BY_DTYPE[name].name))
        inputs[-1].set_data_from_numpy(array)
    with triton.InferenceServerClient(typed.address) as client:
        answer = client.infer(MODEL, inputs, compression_algorithm=algorithm)
    for name, array in given.items():
        np.testing.assert_array_equal(answer.as_numpy(f"{name}_out"), array, err_msg=name)


def test_all_types_in_typed_contents_are_answered_raw(typed):
    asked = service_pb2.ModelInferRequest(model_name=MODEL)
    for name, array in arrays().items():
        tensor = asked.inputs.add(name=name, datatype=BY_DTYPE[name].name, shape=[2, 2])
        getattr(tensor.contents, FIELDS[tensor.datatype]).extend(array.ravel().tolist())
    with stub_at(typed.address) as stub:
        answer = stub.ModelInfer(asked)
    assert len(answer.raw_output_contents) == len(TYPES)
    for name, array in arrays().items():
        np.testing.assert_array_equal(triton.InferResult(answer).as_numpy(f"{name}_out"), array, err_msg=name)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_halves_are_raw_alone(tmp_path, transport, name):
    array = np.array([1.5, -2, np.nan], BY_DTYPE[name].numpy)
    artifact = identity_artifact(tmp_path / "artifact", identity(("x", name, ["n"])))
    with placed(transport, artifact) as place, stub_at(place.address) as stub:
        answer = stub.ModelInfer(request(x=array))
        np.testing.assert_array_equal(
            np.frombuffer(answer.raw_output_contents[0], array.dtype).astype(float), array.astype(float)
        )
        asked = request(x=array)
        del asked.raw_input_contents[:]
        asked.inputs[0].contents.fp32_contents.extend([1, 2, 3])
        refused(stub.ModelInfer, asked, Code.INVALID_ARGUMENT, "inputs[x].contents: expected raw_input_contents")


def refused(method, asked, code, told, **options):
    with pytest.raises(grpc.RpcError) as caught:
        method(asked, **options)
    assert caught.value.code() == code, caught.value
    assert told in caught.value.details()
    return caught.value


def good():
    return request(features=features(1))


def _typed(**contents):
    asked = good()
    del asked.raw_input_contents[:]
    for name, values in contents.items():
        getattr(asked.inputs[0].contents, name).extend(values)
    return asked


def _changed(**fields):
    asked = good()
    for name, value in fields.items():
        if name in {"datatype", "name"}:
            setattr(asked.inputs[0], name, value)
        elif name == "shape":
            asked.inputs[0].shape[:] = value
        elif name == "raw":
            asked.raw_input_contents[:] = value
        else:
            setattr(asked, name, value)
    return asked


def _with_output(name):
    asked = good()
    asked.outputs.add(name=name)
    return asked


def _with_timeout(**value):
    asked = good()
    asked.parameters["timeout"].CopyFrom(service_pb2.InferParameter(**value))
    return asked


def _with_both():
    asked = good()
    asked.inputs[0].contents.fp32_contents.append(1)
    return asked


INVALID = Code.INVALID_ARGUMENT
REFUSALS = [
    (_changed(model_name=""), Code.NOT_FOUND, "model : expected net"),
    (_changed(model_name="other"), Code.NOT_FOUND, "model other: expected net"),
    (_changed(model_version="2"), Code.NOT_FOUND, "version 2: expected 1"),
    (_changed(name="x"), INVALID, "inputs[x]: expected one of features"),
    (_changed(datatype="FP64"), INVALID, "inputs[features].datatype: expected FP32, found FP64"),
    (_changed(shape=[1, 5]), INVALID, "inputs[features].shape: expected [batch, 4], found [1, 5]"),
    (_changed(shape=[-1, 4]), INVALID, "inputs[features].shape"),
    (_changed(shape=[1 << 62, 4]), INVALID, "inputs[features]"),
    (_changed(raw=[b""]), INVALID, "inputs[features]: expected 16 bytes"),
    (_changed(raw=[b"a" * 17]), INVALID, "inputs[features]: expected 16 bytes"),
    (_changed(raw=[b"a" * 16] * 2), INVALID, "raw_input_contents: expected one for each of 1 inputs, found 2"),
    (_typed(), INVALID, "inputs[features].contents.fp32_contents: expected 4 elements"),
    (_typed(fp32_contents=[1] * 3), INVALID, "inputs[features].contents.fp32_contents: expected 4 elements"),
    (
        _typed(fp64_contents=[1] * 4),
        INVALID,
        "inputs[features].contents: expected fp32_contents for FP32, found fp64_con",
    ),
    (_typed(fp32_contents=[1] * 4, int_contents=[1]), INVALID, "found int_contents"),
    (_with_both(), INVALID, "inputs[features]: expected contents or raw_input_contents, found both"),
    (_with_output("x"), INVALID, "outputs[x]: expected one of scores"),
    (_with_timeout(string_param="1"), INVALID, "parameters.timeout: expected microseconds, found 1"),
    (_with_timeout(int64_param=-1), INVALID, "parameters.timeout: expected microseconds, found -1"),
    (service_pb2.ModelInferRequest(model_name=MODEL), INVALID, "inputs: expected features, found no features"),
]


@pytest.mark.parametrize(("asked", "code", "told"), REFUSALS, ids=[told for _, _, told in REFUSALS])
def test_refusals_name_the_field(stub, asked, code, told):
    refused(stub.ModelInfer, asked, code, told)
    stub.ModelInfer(good())


@pytest.mark.parametrize(
    ("field", "name", "value", "told"),
    [
        ("int_contents", "int8", 128, "expected numbers of INT8, from -128 to 127"),
        ("int_contents", "int16", -32769, "expected numbers of INT16"),
        ("uint_contents", "uint8", 256, "expected numbers of UINT8, from 0 to 255"),
        ("uint_contents", "uint16", 1 << 31, "expected numbers of UINT16"),
    ],
)
def test_elements_beyond_their_type_are_refused(typed, field, name, value, told):
    asked = request(**{each: array for each, array in arrays().items() if each != "string"})
    raw = dict(zip([each.name for each in asked.inputs], asked.raw_input_contents, strict=True))
    del asked.raw_input_contents[:]
    for tensor in asked.inputs:
        kind = BY_DTYPE[tensor.name].numpy
        getattr(tensor.contents, FIELDS[tensor.datatype]).extend(np.frombuffer(raw[tensor.name], kind).tolist())
    asked.inputs.add(name="string", datatype="BYTES", shape=[2, 2]).contents.bytes_contents.extend([b"a"] * 4)
    getattr(next(each for each in asked.inputs if each.name == name).contents, field)[3] = value
    with stub_at(typed.address) as stub:
        refused(stub.ModelInfer, asked, INVALID, f"inputs[{name}].contents.{field}: {told}")


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (b"\xff", "message: "),
        (b"\x0a\x05ab", "message: expected fields in 4 bytes"),
        (b"\x3a\xff\xff\xff\xff\x0f", "message: expected fields in 6 bytes"),
        (b"\x3a\xff\xff\xff\xff\xff\xff\x01", "message: expected a number of at most 5 bytes"),
        (b"\x3b\x3c", "message: expected no groups"),
        (b"\x0a\x01\xff", "message: expected inference.ModelInferRequest"),
        (b"\x3a\x00" * 5000, "message: expected fields in 10000 bytes, found more than 4096"),
    ],
)
def test_what_is_no_message_is_refused(place, message, told):
    with grpc.insecure_channel(place.address) as channel:
        refused(channel.unary_unary("/inference.GRPCInferenceService/ModelInfer"), message, INVALID, told)
        refused(channel.unary_unary("/inference.GRPCInferenceService/ModelReady"), b"\x0a\x05ab", INVALID, "message: ")


def test_unknown_methods_are_told(place, stub):
    with grpc.insecure_channel(place.address) as channel:
        for path in (
            "/inference.GRPCInferenceService/Nothing",
            "/inference.Other/ModelInfer",
            "/grpc.health.v1.Health/Watch",
        ):
            refused(channel.unary_unary(path), b"", Code.UNIMPLEMENTED, path)
    refused(stub.RepositoryIndex, service_pb2.RepositoryIndexRequest(), Code.UNIMPLEMENTED, "RepositoryIndex")


def test_health_of_server_and_model(place):
    with grpc.insecure_channel(place.address) as channel:
        check = channel.unary_unary(CHECK)
        assert check(b"") == b"\x08\x01"
        assert check(b"\x0a\x03net") == b"\x08\x01"
        refused(check, b"\x0a\x01x", Code.NOT_FOUND, "service x: expected none, or net")


@contextmanager
def streaming(client):
    """Return a queue of what a stream answers."""
    answers = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    yield answers
    client.stop_stream()


def test_a_stream_answers_in_order_and_goes_on_after_a_failure(client):
    arrays = [features(1 + number % 5, seed=number) for number in range(100)]
    with streaming(client) as answers:
        for number, array in enumerate(arrays):
            client.async_stream_infer("other" if number == 50 else MODEL, asked(array), request_id=str(number))
        for number, array in enumerate(arrays):
            result, error = answers.get(timeout=30)
            if number == 50:
                assert "model other" in error.message()
            else:
                assert error is None
                assert result.get_response().id == str(number)
                check(result, array)


def test_a_stream_tells_which_request_failed_and_ends_well(stub):
    bad = _changed(datatype="FP64", id="bad")
    answers = list(stub.ModelStreamInfer(iter([good(), bad, good()])))
    assert [each.error_message == "" for each in answers] == [True, False, True]
    assert answers[1].infer_response.id == "bad"
    assert "inputs[features].datatype" in answers[1].error_message
    assert list(stub.ModelStreamInfer(iter([]))) == []


def test_deadlines_pass_where_the_model_waits(slow):
    with triton.InferenceServerClient(slow.address) as client, stub_at(slow.address) as stub:
        busy = stub.ModelInfer.future(request(rounds=np.array(10_000_000)))
        _wait_for(slow, "modelport_requests_in_flight", 1)
        given = triton.InferInput("rounds", [], "INT64")
        given.set_data_from_numpy(np.array(1))
        with pytest.raises(InferenceServerException, match=r"(?i)deadline"):
            client.infer(MODEL, [given], client_timeout=0.05)
        asked = request(rounds=np.array(1))
        asked.parameters["timeout"].int64_param = 1000
        refused(stub.ModelInfer, asked, Code.DEADLINE_EXCEEDED, "the deadline passed")
        assert not busy.done()
        busy.cancel()
        stub.ModelInfer(request(rounds=np.array(1)))
    counted = slow.metrics()
    assert 'code="DEADLINE_EXCEEDED"' in counted or 'code="CANCELLED"' in counted


def test_who_goes_away_is_not_waited_for(slow):
    with stub_at(slow.address) as stub:
        busy = stub.ModelInfer.future(request(rounds=np.array(2_000_000)))
        waiting = stub.ModelInfer.future(request(rounds=np.array(2_000_000)))
        stream = stub.ModelStreamInfer(iter([request(rounds=np.array(2_000_000))] * 3))
        _wait_for(slow, "modelport_requests_in_flight", 5)
        waiting.cancel()
        stream.cancel()
        _wait_for(slow, "modelport_requests_in_flight", 1)
        assert not busy.done()
        busy.cancel()
        _wait_for(slow, "modelport_requests_in_flight", 0)
        assert 'modelport_requests_total{code="CANCELLED"' in slow.metrics()


def _wait_for(place, name, expected):
    end = time.monotonic() + 20
    while f'{name}{{model="{MODEL}"}} {expected}.0' not in place.metrics():
        assert time.monotonic() < end, place.metrics()


def test_requests_are_counted_by_status(place, stub):
    stub.ModelInfer(good())
    refused(stub.ModelInfer, _changed(model_name="x"), Code.NOT_FOUND, "model x")
    counted = place.metrics()
    for code in ("OK", "NOT_FOUND"):
        assert f'modelport_requests_total{{code="{code}",model="{MODEL}",protocol="grpc"}}' in counted
