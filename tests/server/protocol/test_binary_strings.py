"""Elements of BYTES that are no UTF-8, through both transports: answered as they are, or refused in words."""

import asyncio
from contextlib import contextmanager

import msgspec
import numpy as np
import pytest
from tritonclient.grpc import service_pb2

from modelport_server.dataplane.calls import Call, clock
from modelport_server.dataplane.plane import DataPlane
from modelport_server.errors import BadRequestError
from modelport_server.execution.running import Execution, guarded
from modelport_server.grpc.service import Service
from modelport_server.lifecycle import Lifecycle
from modelport_server.observation.metrics import Metrics
from modelport_server.observation.observers import Observation
from modelport_server.rest.application import JSON_LENGTH, Application
from modelport_server.rest.messages import Request
from modelport_server.strings import is_text, strings, to_bytes, to_string
from modelport_server.transport.limits import Limits
from server.models import identity, identity_artifact
from server.processes import INFER, MODEL, serving

ELEMENTS = [b"text", "é".encode(), b"", b"\xff\x00\xfe", b"\xed\xa0\x80", b"\xc3"]
"""The last three are no UTF-8: bytes that never are, a lone surrogate, and half of a character."""
RAW = b"".join(len(each).to_bytes(4, "little") + each for each in ELEMENTS)
SIGNATURE = identity(("x", "string", ["n"]))


@contextmanager
def plane(infer, *, takes_bytes=True):
    """Serve a model of strings in this process."""
    execution = Execution(guarded(infer), runs=1, max_queue=9)
    lifecycle = Lifecycle(MODEL)
    lifecycle.plane = DataPlane(
        name=MODEL, platform="test", signature=SIGNATURE, lengths={}, takes_bytes=takes_bytes, runner=execution
    )
    yield lifecycle, Observation(Metrics(MODEL))
    execution.close()


def echo(inputs):
    return {"x_out": inputs["x"].copy()}


def spill(_inputs):
    """Answer text with bytes that are none, as a model that holds them does."""
    return {"x_out": strings([to_string(each) for each in ELEMENTS])}


def ask_rest(served, body, headers=()):
    application = Application(*served, Limits())

    async def leaves():
        await asyncio.Event().wait()

    async def story():
        answer = application.respond([Request("POST", INFER, dict(headers), body, leaves, clock())])[0]
        answer = await answer if asyncio.iscoroutine(answer) else answer
        return answer.status, dict(answer.headers), b"".join(answer.pieces)

    return asyncio.run(story())


def binary(**parameters):
    """Return a body with raw elements, and its headers."""
    tensor = {"name": "x", "shape": [len(ELEMENTS)], "datatype": "BYTES", "parameters": {"binary_data_size": len(RAW)}}
    head = msgspec.json.encode({"inputs": [tensor], "parameters": parameters})
    return head + RAW, {JSON_LENGTH: b"%d" % len(head)}


def ask_grpc(served, request):
    service = Service(*served)
    pieces = asyncio.run(service.infer(request.SerializeToString(), Call(clock())))
    return service_pb2.ModelInferResponse.FromString(b"".join(pieces))


def grpc_request(*, typed):
    request = service_pb2.ModelInferRequest(model_name=MODEL)
    tensor = request.inputs.add(name="x", datatype="BYTES", shape=[len(ELEMENTS)])
    if typed:
        tensor.contents.bytes_contents.extend(ELEMENTS)
    else:
        request.raw_input_contents.append(RAW)
    return request


@pytest.mark.parametrize("element", ELEMENTS)
def test_every_element_is_kept_and_told_apart(element):
    kept = to_string(element)
    assert to_bytes(kept) == element
    assert is_text(kept) == (element in ELEMENTS[:3])


def test_raw_bytes_of_rest_come_back_as_they_went():
    with plane(echo) as served:
        status, headers, content = ask_rest(served, *binary(binary_data_output=True))
    assert status == 200, content
    assert content[int(headers[JSON_LENGTH]) :] == RAW


@pytest.mark.parametrize("typed", [True, False])
def test_bytes_of_grpc_come_back_as_they_went(typed):
    with plane(echo) as served:
        assert list(ask_grpc(served, grpc_request(typed=typed)).raw_output_contents) == [RAW]


@pytest.mark.parametrize("infer", [echo, spill])
def test_json_names_the_extension_for_what_it_has_no_place_for(infer):
    with plane(infer) as served:
        status, _, content = ask_rest(served, *binary())
    told = "outputs[x_out]: holds bytes that are no UTF-8, for which JSON has no place; ask for binary_data_output"
    assert (status, msgspec.json.decode(content)["error"].startswith(told)) == (400, True), content


@pytest.mark.parametrize("text", [b"\xff", b"\\udcff"], ids=["bytes", "a lone surrogate"])
def test_json_brings_nothing_but_text(text):
    body = b'{"inputs":[{"name":"x","shape":[1],"datatype":"BYTES","data":["%b"]}]}' % text
    with plane(echo) as served:
        assert ask_rest(served, body)[0] == 400


def test_runtimes_of_text_refuse_other_bytes_by_the_field_s_name():
    told = "inputs[x]: expected strings of UTF-8, which are all that the model's runtime takes, found other bytes"
    with plane(echo, takes_bytes=False) as served:
        status, _, content = ask_rest(served, *binary(binary_data_output=True))
        assert (status, msgspec.json.decode(content)["error"]) == (400, told)
        for typed in (True, False):
            with pytest.raises(BadRequestError) as caught:
                ask_grpc(served, grpc_request(typed=typed))
            assert (str(caught.value), caught.value.grpc_status.name) == (told, "INVALID_ARGUMENT")


def test_what_a_runtime_of_text_cannot_give_is_no_failure_of_the_server():
    with plane(lambda _inputs: {"x_out": b"\xff".decode()}) as served:
        status, _, content = ask_rest(served, *binary(binary_data_output=True))
    assert (status, b"found strings that are no UTF-8" in content) == (400, True), content


def test_onnx_runtime_alters_no_bytes(tmp_path):
    """It makes text of its own out of `bytes` objects; none must get there."""
    with serving(identity_artifact(tmp_path / "artifact", SIGNATURE)) as server:
        body, headers = binary(binary_data_output=True)
        length = {JSON_LENGTH.decode(): str(int(headers[JSON_LENGTH]))}
        answer = server.ask(INFER, body, **length)
        assert (answer.status, "inputs[x]: expected strings of UTF-8" in answer.json["error"]) == (400, True)
        text = np.array(["é", "", "a\0b"], object)
        data = server.ask(INFER, {"inputs": [{"name": "x", "shape": [3], "datatype": "BYTES", "data": text.tolist()}]})
        assert data.json["outputs"][0]["data"] == text.tolist()
