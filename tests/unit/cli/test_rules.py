"""Every rule of the CRD that the command line repeats: one accepted and one refused example."""

import pytest

from modelport_cli.errors import UsageError
from modelport_cli.manifest import parse_resource

from .manifests import DIGEST, pnet

REFUSED = [
    ({"metadata.name": "9net"}, "metadata.name"),
    ({"metadata.name": "n" * 53}, "metadata.name"),
    ({"spec.source.uri": "ftp://models.example/a.pt"}, "spec.source.uri: expected s3://"),
    ({"spec.source.uri": "http://models.example/a.pt"}, "spec.source.digest: expected"),
    ({"spec.source.uri": "https://user:hidden@models.example/a.pt"}, "spec.source.uri: expected no user"),
    ({"spec.source.inputs": [{"name": "x", "shape": [1]}] * 2}, "spec.source.inputs[1].name: expected each name once"),
    (
        {"spec.source.dimensions": {"h": {"min": 33, "max": 63, "multipleOf": 32}}},
        "spec.source.dimensions.h: expected a",
    ),
    ({"spec.verification": {"data": {"uri": "ftp://host/a.npz"}}}, "spec.verification.data.uri: expected s3://"),
    ({"spec.verification": {"data": {"uri": "http://host/a.npz"}}}, "spec.verification.data.digest: expected"),
    (
        {"spec.source.states": [{"input": "image", "output": "a"}, {"input": "image", "output": "b"}]},
        "spec.source.states[1].input: expected each input once",
    ),
    (
        {"spec.source.inputs": [{"name": "x", "shape": [1]}], "spec.source.states": [{"input": "h", "output": "a"}]},
        "spec.source.states[0].input: expected a name of spec.source.inputs",
    ),
    ({"spec.verification": {"tolerance": {}}}, "spec.verification.tolerance: expected at least one of relative"),
    ({"spec.verification": {"outputs": {"y": {}}}}, "spec.verification.outputs.y: expected at least one of relative"),
    ({"spec.source.trust": "Untrusted"}, "spec.source.trust: expected Trusted"),
    ({"spec.source.code.digest": None}, "spec.source.code.digest: expected"),
    (
        {"spec.source.code.factory": None, "spec.source.code.arguments": {"size": 3}},
        "spec.source.code.factory: expected, because it takes the arguments",
    ),
    (
        {"spec.source.code.requirements": {"uri": "s3://models/wheels/"}},
        "spec.source.code.requirements.digest: expected",
    ),
    ({"spec.serving": {}, "spec.verification": {"policy": "Report"}}, "spec.verification.policy: expected Enforce"),
    (
        {"spec.source.dimensions": {"height": {"min": 8, "max": 4}}},
        "spec.source.dimensions.height: expected min <= max",
    ),
    (
        {"spec.source.inputs": [{"name": "x", "shape": [1], "values": {"range": [1, 0]}}]},
        "spec.source.inputs[0].values.range",
    ),
    (
        {"spec.source.inputs": [{"name": "x", "shape": [1], "values": {"columns": [{"range": [1, 0]}]}}]},
        "spec.source.inputs[0].values.columns[0].range: expected lowest first",
    ),
    (
        {"spec.source.inputs": [{"name": "x", "shape": [1], "values": {"range": [0, 1], "categories": [1]}}]},
        "spec.source.inputs[0].values: expected range or categories",
    ),
    (
        {"spec.source.inputs": [{"name": "x", "shape": [1], "values": {"categories": []}}]},
        "spec.source.inputs[0].values.categories: Expected `array` of length >= 1",
    ),
    (
        {"spec.source.inputs": [{"name": "x", "shape": [1], "values": {"columns": [{"range": [0, float("nan")]}]}}]},
        "spec.source.inputs[0].values.columns[0].range[1]: expected a number that JSON has",
    ),
    (
        {"spec.verification": {"outputs": {"y": {"absolute": float("inf")}}}},
        "spec.verification.outputs.y.absolute: expected a number that JSON has",
    ),
]
ACCEPTED = [
    {},
    {"spec.verification": {"data": {"uri": "file:samples"}}},
    {"spec.source.inputs": [{"name": "h", "shape": [1]}], "spec.source.states": [{"input": "h", "output": "a"}]},
    {"metadata.name": "n" * 52},
    {"spec.source.uri": "http://models.example/a.pt", "spec.source.digest": DIGEST},
    {"spec.source.uri": "s3://models/a.pt"},
    {"spec.source.code.uri": "file:code", "spec.source.code.digest": None},
    {"spec.source.code.requirements": {"uri": "file:wheels"}},
    {"spec.source.code.factory": None, "spec.source.code.objects": ["net:Layer"]},
    {"spec.serving": {}},
    {"spec.source.inputs": [{"name": "x", "shape": ["n", 3], "values": {"columns": [{}, {"count": 2}]}}]},
    {"spec.source.dimensions": {"height": {"min": 4, "max": 4}}},
    {"spec.source.dimensions": {"height": {"min": 33, "max": 64, "multipleOf": 32}}},
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_refused(changes, message):
    with pytest.raises(UsageError) as caught:
        parse_resource(pnet(**changes), "pnet.yaml")
    assert caught.value.message.startswith(f"pnet.yaml: {message}")


@pytest.mark.parametrize("changes", ACCEPTED)
def test_accepted(changes):
    parse_resource(pnet(**changes), "pnet.yaml")
