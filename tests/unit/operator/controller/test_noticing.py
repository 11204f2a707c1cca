"""What an autoscaler measures is no reason to look at its resource again; what it tells is."""

import copy

import pytest

from modelport_operator.controller.noticing import Noticed

BODY = {
    "metadata": {"name": "net", "namespace": "team", "uid": "u", "resourceVersion": "1"},
    "spec": {"maxReplicas": 5},
    "status": {
        "currentReplicas": 1,
        "conditions": [{"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound", "message": "1"}],
    },
}


def changed(**parts):
    body = copy.deepcopy(BODY)
    for name, part in parts.items():
        body[name] |= part
    return body


@pytest.mark.parametrize("kind", ["HorizontalPodAutoscaler", "ScaledObject"])
@pytest.mark.parametrize(
    ("parts", "is_new"),
    [
        ({}, False),
        ({"metadata": {"resourceVersion": "2"}, "status": {"currentReplicas": 3}}, False),
        ({"status": {"conditions": [BODY["status"]["conditions"][0] | {"message": "2"}]}}, False),
        ({"status": {"conditions": [BODY["status"]["conditions"][0] | {"status": "False"}]}}, True),
        ({"status": {"conditions": [BODY["status"]["conditions"][0] | {"reason": "ScalingDisabled"}]}}, True),
        ({"status": {"conditions": None}}, True),
        ({"spec": {"maxReplicas": 6}}, True),
        ({"metadata": {"uid": "another"}}, True),
        ({"metadata": {"deletionTimestamp": "now"}}, True),
    ],
)
def test_what_is_new_of_an_autoscaler(kind, parts, is_new):
    noticed = Noticed()
    assert noticed.is_new(kind, None, BODY)
    assert noticed.is_new(kind, "MODIFIED", changed(**parts)) is is_new


def test_another_autoscaler_is_another():
    noticed = Noticed()
    assert noticed.is_new("ScaledObject", None, BODY)
    assert noticed.is_new("ScaledObject", None, changed(metadata={"name": "other"}))
    assert noticed.is_new("ScaledObject", "DELETED", BODY)
    assert noticed.is_new("ScaledObject", "ADDED", BODY)


def test_all_of_a_deployment_is_worth_telling():
    noticed = Noticed()
    assert noticed.is_new("Deployment", None, BODY)
    assert noticed.is_new("Deployment", "MODIFIED", BODY)
