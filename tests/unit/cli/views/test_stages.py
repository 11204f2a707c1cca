"""Stages as people see them, from statuses as the operator writes them."""

from datetime import UTC, datetime, timedelta

import pytest

from modelport.api.resource import parse
from modelport_cli.commands.cluster.get import columns
from modelport_cli.views.stages import State, age, is_ready, is_stalled, list_stages, short, size
from unit.cli.manifests import pnet


def condition(kind, status="True", reason="", message="", generation=3):
    return {
        "type": kind,
        "status": status,
        "reason": reason or kind,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }


def resource(*conditions, generation=3, serving=True, **status):
    body = pnet(**({"spec.serving": {}} if serving else {}))
    return parse(body | {"status": {"observedGeneration": generation, "conditions": list(conditions), **status}})


def states(given):
    return [stage.state for stage in list_stages(given)]


W, R, D, F = State.WAITING, State.RUNNING, State.DONE, State.FAILED
IMPORTED, CONVERTED, VERIFIED = condition("Imported"), condition("Converted"), condition("Verified")
ONLY_REPORTED = condition("Verified", reason="NotEnforced") | {"status": "False"}
FAILURE = {"key": "k", "stage": "Convert", "reason": "OutOfMemory", "message": "killed"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (resource(generation=-1), [W, W, W, W]),
        (resource(condition("Reconciling", reason="Importing")), [R, W, W, W]),
        (resource(IMPORTED, condition("Reconciling", reason="Converting")), [D, R, W, W]),
        (resource(IMPORTED, CONVERTED, condition("Reconciling", reason="Verifying")), [D, D, R, W]),
        (resource(IMPORTED, CONVERTED, VERIFIED, condition("Reconciling", reason="Deploying")), [D, D, D, R]),
        (resource(IMPORTED, CONVERTED, VERIFIED, condition("Available"), condition("Ready")), [D, D, D, D]),
        (resource(IMPORTED, condition("Stalled", reason="OutOfMemory"), failure=FAILURE), [D, F, W, W]),
        (resource(IMPORTED, CONVERTED, VERIFIED, condition("Ready"), serving=False), [D, D, D]),
        (resource(IMPORTED, CONVERTED, ONLY_REPORTED, condition("Ready"), serving=False), [D, D, D]),
        (resource(IMPORTED, CONVERTED, generation=2), [W, W, W, W]),
    ],
)
def test_states(given, expected):
    assert states(given) == expected


def test_an_older_generation_is_neither_ready_nor_stalled():
    assert is_ready(resource(condition("Ready")))
    assert not is_ready(resource(condition("Ready"), generation=2))
    assert is_stalled(resource(condition("Stalled")))
    assert not is_stalled(resource(condition("Stalled"), generation=2))


def test_columns_are_those_of_kubectl():
    now = datetime(2026, 1, 1, 1, tzinfo=UTC)
    body = pnet(**{"metadata.creationTimestamp": "2026-01-01T00:00:00Z"})
    assert columns(body, now=now) == ("pnet", "", "onnx", "Unknown", "", "", "", "60m")
    body["status"] = {
        "conditions": [condition("Ready", reason="Serving")],
        "source": {"format": "pytorch-state-dict"},
        "verification": {"maxAbsoluteError": "3.1e-07"},
        "serving": {"url": "http://pnet.vision"},
    }
    assert columns(body, now=now)[1:7] == (
        *("pytorch-state-dict", "onnx", "True", "Serving", "3.1e-07", "http://pnet.vision"),
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (119, "119s"), (120, "2m"), (7_199, "119m"), (7_200, "2h"), (200_000, "2d")]
)
def test_age(seconds, text):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert age(now - timedelta(seconds=seconds), now) == text


def test_sizes_and_digests_are_short():
    assert [size(each) for each in (0, 999, 1_500, 28_800_000)] == ["0 B", "999 B", "1.5 kB", "28.8 MB"]
    assert short("sha256:" + "0123456789abcdef" * 4) == "sha256:0123456789ab"
