"""Raw tensors cut out of messages: whatever comes, the two parts say what the whole does, or it is refused."""

import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2

from modelport_server.errors import BadRequestError
from modelport_server.grpc.messages import codec, schema, wire

Request = schema.message("inference.ModelInferRequest")
Response = schema.message("inference.ModelInferResponse")
BYTES = st.binary(max_size=20)
NUMBERS = st.one_of(st.integers(0, 300), st.integers(0, (1 << 64) - 1))


def number(value, padding=0):
    """Return a number as it travels, with more bytes than it needs if there is `padding`."""
    content = bytearray()
    while value > 0x7F or padding:
        content.append(value & 0x7F | 0x80)
        padding -= value <= 0x7F
        value >>= 7
    return bytes(content) + bytes((value,))


@st.composite
def fields(draw):
    """Return one field: of any number and kind, with lengths and numbers that are not always right."""
    kind = draw(st.sampled_from((2, 2, 2, 2, 0, 1, 5, 3, 4, 6)))
    tag = number(draw(st.integers(0, 9)) << 3 | kind, draw(st.sampled_from((0, 0, 0, 1, 3, 4, 5))))
    if kind == 2:
        content = draw(BYTES)
        length = len(content) + draw(st.sampled_from((0, 0, 0, 0, 1, -1, 1 << 31, 1 << 34)))
        return tag + number(max(0, length), draw(st.sampled_from((0, 0, 0, 1, 3, 4)))) + content
    return tag + {0: number(draw(NUMBERS)), 1: b"12345678", 5: b"1234"}.get(kind, b"")


MESSAGES = st.one_of(st.lists(fields(), max_size=8).map(b"".join), st.binary(max_size=60))


def facts(message):
    """Return numbers and types of all fields, also of the messages within."""
    found = {each.full_name: (each.number, each.type, each.is_repeated) for each in message.fields}
    for nested in message.nested_types:
        found |= facts(nested)
    return found


PARAMETERS = "inference.ModelMetadataResponse.TensorMetadata.Parameters".lower()
"""Of metadata: a field that Triton does not know, with entries of a name and a value."""


def test_numbers_are_those_of_triton_s_client():
    service = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    for name in (
        "ServerLive",
        "ServerReady",
        "ModelReady",
        "ServerMetadata",
        "ModelMetadata",
        "ModelInfer",
        "ModelStreamInfer",
    ):
        method = service.methods_by_name[name]
        for theirs in (method.input_type, method.output_type):
            ours = facts(schema.message(theirs.full_name).DESCRIPTOR)
            assert {key: fact for key, fact in ours.items() if not key.lower().startswith(PARAMETERS)} == facts(theirs)
    for name in ("InferParameter", "InferTensorContents"):
        theirs = service_pb2.DESCRIPTOR.message_types_by_name[name]
        assert facts(schema.message(theirs.full_name).DESCRIPTOR) == facts(theirs)


@given(MESSAGES)
@example(b"\x3a\x01a\x0a\x03net\x3a\x00\x12\x011\x3a\x02bc")
def test_two_parts_say_what_the_whole_does(message):
    try:
        head, raw = wire.cut(message)
        parsed = codec.parse(Request, head)
    except BadRequestError:
        return
    whole = Request.FromString(message)
    assert list(whole.raw_input_contents) == [bytes(each) for each in raw]
    del whole.raw_input_contents[:]
    assert parsed.SerializeToString(deterministic=True) == whole.SerializeToString(deterministic=True)


@given(st.binary(max_size=9), st.lists(BYTES, max_size=3), st.integers(0, 4))
def test_good_messages_are_never_refused(content, raw, place):
    pieces = [b"\x3a" + number(len(each)) + each for each in raw]
    pieces.insert(
        min(place, len(pieces)), Request(model_name="net", id="é", inputs=[{"name": content.hex()}]).SerializeToString()
    )
    cut = wire.cut(b"".join(pieces))
    assert [bytes(each) for each in cut.raw] == raw
    assert Request.FromString(cut.head).inputs[0].name == content.hex()


def test_nothing_is_copied():
    message = Request(model_name="net", raw_input_contents=[bytes(1000)]).SerializeToString()
    assert wire.cut(message).raw[0].obj is message


@given(st.lists(st.binary(max_size=300), max_size=4))
def test_raw_outputs_are_those_of_the_library(contents):
    written = Response(raw_output_contents=contents).SerializeToString()
    assert b"".join(wire.raw_fields(contents)) == written


@pytest.mark.parametrize("length", [0, 127, 128, 16383, 16384, (1 << 31) - 1])
def test_heads_of_fields(length):
    assert wire.head(6, length) == b"\x32" + number(length)


def test_a_long_message_of_tiny_fields_is_refused_soon():
    with pytest.raises(BadRequestError, match="more than 4096 fields"):
        wire.cut(b"\x3a\x00" * 10_000_000)


def test_what_the_library_refuses_is_refused():
    for message in (b"\x0a", b"\x3a\x05abc", b"\x3a" + b"\x80" * 9, b"\x0d123", b"\x3c"):
        with pytest.raises(DecodeError):
            Request.FromString(message)
        with pytest.raises(BadRequestError):
            codec.decode(message)
