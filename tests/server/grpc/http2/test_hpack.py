"""Header blocks, read as the library of that name reads them, and written so that it reads them."""

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelport_server.grpc.http2.framing import COMPRESSION_ERROR, ENHANCE_YOUR_CALM, ConnectionFailedError
from modelport_server.grpc.http2.hpack import Decoder, Field, encode

MAX_BYTES = 1 << 16
NAMES = st.one_of(st.sampled_from([b":path", b"grpc-timeout", b"te", b"cookie"]), st.binary(max_size=40))
HEADERS = st.lists(st.tuples(NAMES, st.binary(max_size=60), st.booleans()), max_size=12)
BLOCKS = st.lists(st.tuples(HEADERS, st.booleans(), st.sampled_from([None, 0, 100, 4096])), max_size=12)


def pairs(fields):
    return [(field.name, field.value) for field in fields]


@settings(max_examples=3 * settings.default.max_examples)
@given(BLOCKS)
def test_blocks_of_the_library_are_read(blocks):
    encoder, decoder = hpack.Encoder(), Decoder(MAX_BYTES)
    for headers, huffman, table_size in blocks:
        if table_size is not None:
            encoder.header_table_size = table_size
        block = encoder.encode([hpack.HeaderTuple(*each[:2]) if each[2] else each[:2] for each in headers], huffman)
        assert pairs(decoder.decode(block)) == [each[:2] for each in headers]


@settings(max_examples=10 * settings.default.max_examples)
@given(st.lists(st.binary(max_size=60), max_size=4))
def test_whatever_comes_is_read_or_refused_as_the_library_does(blocks):
    known, decoder = hpack.Decoder(MAX_BYTES), Decoder(MAX_BYTES)
    for block in blocks:
        try:
            expected = [tuple(each) for each in known.decode(block, raw=True)]
        except hpack.HPACKError:
            with pytest.raises(ConnectionFailedError) as caught:
                decoder.decode(block)
            assert caught.value.code == COMPRESSION_ERROR
            return
        assert pairs(decoder.decode(block)) == expected


@settings(max_examples=3 * settings.default.max_examples)
@given(st.lists(st.tuples(st.binary(max_size=300), st.binary(max_size=20_000)), max_size=5))
def test_what_is_written_is_read_by_the_library(headers):
    known = hpack.Decoder(10 * MAX_BYTES)
    known.decode(encode([(b"a", b"b")]))
    assert [tuple(each) for each in known.decode(encode(headers), raw=True)] == headers
    assert not known.header_table.dynamic_entries


def test_headers_are_bounded_all_together():
    decoder = Decoder(1000)
    decoder.decode(b"\x40" + b"\x01a" + b"\x7f\x81\x02" + b"b" * 384)
    with pytest.raises(ConnectionFailedError, match="at most 1000 bytes") as caught:
        decoder.decode(b"\xbe" * 3)
    assert caught.value.code == ENHANCE_YOUR_CALM


@pytest.mark.parametrize(
    ("name", "value", "is_valid"),
    [
        (b"a-1", b"", True),
        (b":path", b"/ \xff", True),
        (b"", b"", False),
        (b"A", b"", False),
        (b"a b", b"", False),
        (b"a:", b"", False),
        (b"a\n", b"", False),
        (b"a", b"\0", False),
        (b"a", b"b\r", False),
        (b"a", b" b", False),
        (b"a", b"b\t", False),
        (b"a", b"b\n", False),
    ],
)
def test_names_and_values_that_no_request_has(name, value, is_valid):
    assert Field(name, value).is_valid == is_valid
