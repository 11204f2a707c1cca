"""Mutated files of every format end in success or a refusal with a reason; the long run is `make fuzz`."""

import io
import json
import zipfile
from random import Random

import pytest

from fuzz.cases import make_case
from fuzz.running import run_cases
from fuzz.seeds import SEEDS
from fuzz.structured import DEEP, _fields, member, message, tree
from modelport.frameworks import SOURCES

CASES, WHOLE = 25, 2
"""Of each format, by one seed, in the tests."""
SEED = 13
WHOLLY = ("onnx", "pytorch-state-dict", "keras-h5")
"""Through the whole conversion, one for each framework."""


def test_every_format_has_seeds():
    assert set(SEEDS) == set(SOURCES)


def test_a_number_says_the_same_case_again():
    seeds = [{"a.bin": bytes(range(256)) * 4, "b.json": b'{"a": [1, 2]}'}]
    cases = [make_case("onnx", 1, number, seeds) for number in range(50)]
    assert cases == [make_case("onnx", 1, number, seeds) for number in range(50)]
    assert len({str(each) for each in cases}) > 40


def test_members_are_changed_behind_their_checksums():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a", b"content" * 9)
    changed = [member(Random(number), file.getvalue()) for number in range(20)]
    for each in changed:
        with zipfile.ZipFile(io.BytesIO(each)) as archive:
            assert archive.testzip() is None
    assert len(set(changed)) > 10


def test_fields_are_changed_within_their_lengths():
    inner = b"\x0a\x03abc\x10\x07"
    content = b"\x08\x01\x12" + bytes([len(inner)]) + inner
    assert len(_fields(content)) == 2
    changed = [message(Random(number), content) for number in range(50)]
    assert sum(bool(_fields(each)) for each in changed) > 40
    assert len(set(changed)) > 20


def test_json_stays_json():
    changed = [tree(Random(number), b'{"a": [1, {"b": "c"}]}') for number in range(50)]
    for each in changed:
        if len(each) < DEEP:  # what is as deep as this, Python's own reader refuses
            json.loads(each)
    assert len(set(changed)) > 20


def faults_of(stage, name, count):
    found = list(run_cases(stage, name, seed=SEED, count=count))
    assert len(found) >= count
    return [each for each in found if each["fault"]]


@pytest.mark.converters
@pytest.mark.parametrize("name", SEEDS)
def test_looking_at_mutated_files_ends_with_a_reason(name):
    assert faults_of("inspect", name, CASES) == []


@pytest.mark.converters
@pytest.mark.parametrize("name", WHOLLY)
def test_converting_mutated_files_ends_with_a_reason(name):
    assert faults_of("whole", name, WHOLE) == []
