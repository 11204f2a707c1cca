"""Manifests that cannot mean anything are refused at `kubectl apply`, with what to do. (The full list is in tests/api.)"""

import json
from typing import Any

import pytest

from e2e.conftest import A
from e2e.kube.cluster import Cluster
from e2e.tenants.conversions import conversion

SOURCE = {"uri": "s3://bucket/model.onnx"}
DIGEST = "sha256:" + "0" * 64
CODE = {"uri": "s3://bucket/code.zip", "factory": "net:build"}
CASES: dict[str, tuple[dict[str, Any], str]] = {
    "unknown field": ({"source": SOURCE, "sauce": 1}, "unknown field"),
    "no source": ({}, "spec.source"),
    "scheme": ({"source": {"uri": "ftp://host/model.onnx"}}, "s3://"),
    "http without digest": ({"source": {"uri": "http://host/model.onnx"}}, "digest"),
    "digest that is none": ({"source": {**SOURCE, "digest": "sha256:12"}}, "digest"),
    "code without trust": ({"source": {**SOURCE, "code": {**CODE, "digest": DIGEST}}}, "Trusted"),
    "code without digest": ({"source": {**SOURCE, "code": CODE, "trust": "Trusted"}}, "digest"),
    "served without enforcement": (
        {"source": SOURCE, "serving": {"replicas": 1}, "verification": {"policy": "Report"}},
        "Enforce",
    ),
    "negative replicas": ({"source": SOURCE, "serving": {"replicas": -1}}, "replicas"),
    "unknown format": ({"source": {**SOURCE, "format": "pickle"}}, "format"),
}


@pytest.mark.parametrize("case", CASES)
def test_invalid_manifest_is_refused_with_what_to_do(case: str, cluster: Cluster) -> None:
    spec, expected = CASES[case]
    body = conversion("refused", A, {}) | {"spec": spec}
    with pytest.raises(AssertionError) as refused:
        cluster.kubectl("apply", "--validate=strict", "-f", "-", text=json.dumps(body))
    assert expected in str(refused.value)
    assert cluster.get("ModelConversion", "refused", A) is None


@pytest.mark.parametrize("name", ["Upper", "with.dot", "a" * 53, "1st", "ends-"])
def test_name_that_no_child_could_have_is_refused(name: str, cluster: Cluster) -> None:
    with pytest.raises(AssertionError, match="nvalid"):
        cluster.kubectl("apply", "-f", "-", text=json.dumps(conversion(name, A, SOURCE)))
