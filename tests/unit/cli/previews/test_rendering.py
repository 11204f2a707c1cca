"""`modelport render`: the very objects that the operator makes, and the settings that the chart gives it."""

import asyncio
import io
import json
import re

import pytest
import yaml

from modelport.api.base import API_VERSION, KIND
from modelport_cli.__main__ import call
from modelport_cli.errors import UsageError
from modelport_cli.previews.settings import platform_of
from modelport_operator.plan.serving.objects import OBJECTS
from unit.operator.operating import Scene
from unit.operator.scenes import ARTIFACT_DIGEST, DIGEST, IMAGES, ISOLATING, ONNX, SERVED

ZEROS = "sha256:" + "0" * 64


@pytest.fixture
def values(tmp_path):
    path = tmp_path / "images.yaml"
    path.write_text(yaml.safe_dump({"images": IMAGES | {"operator": "registry.example/operator@sha256:1"}}))
    return path


def manifest(spec, name="net"):
    return yaml.safe_dump({"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec})


@pytest.fixture
def render(tmp_path, values, capsys):
    def run(spec, *options):
        path = tmp_path / "net.yaml"
        path.write_text(manifest(spec))
        status = call(["render", str(path), "-n", "team", "--values", str(values), *map(str, options)])
        return status, *capsys.readouterr()

    return run


def comparable(bodies):
    """Return the objects of the operator without what only a cluster adds, or what only the work finds out."""
    text = json.dumps(
        {
            f"{body['kind']} {body['metadata']['labels']['modelport.dev/stage']}": {
                "labels": body["metadata"]["labels"],
                "spec": body["spec"],
                "annotations": sorted(body["metadata"].get("annotations", {})),
            }
            for body in bodies
        },
        sort_keys=True,
    )
    text = text.replace(ARTIFACT_DIGEST, ZEROS)
    return re.sub(r'serving-key": "[0-9a-f]+"', "", text)  # which follows from that digest


KAFKA = {"type": "kafka", "metadata": {"topic": "asked", "lagThreshold": "5"}}


@pytest.mark.parametrize(
    ("serving", "kinds"),
    [
        ({}, []),
        ({"replicas": 2}, ["PodDisruptionBudget"]),
        (
            {
                "autoscaling": {"minReplicas": 2, "maxReplicas": 4, "cpuUtilization": 70},
                "resources": {"requests": {"cpu": "1"}},
            },
            ["PodDisruptionBudget", "HorizontalPodAutoscaler"],
        ),
        ({"autoscaling": {"minReplicas": 0, "maxReplicas": 1, "triggers": [KAFKA]}}, ["ScaledObject"]),
    ],
    ids=str,
)
def test_it_is_what_the_operator_makes(render, serving, kinds):
    spec = SERVED | {"source": ONNX["source"] | {"digest": DIGEST}, "serving": serving}
    status, out, _ = render(spec)
    assert status == 0
    rendered = list(yaml.safe_load_all(out))
    jobs = ["NetworkPolicy", "Job"] * 2
    assert [body["kind"] for body in rendered] == [*jobs, "NetworkPolicy", "Deployment", "Service", *kinds]
    scene = Scene(ISOLATING)
    asyncio.run(scene.serve(spec=spec))
    made = [body for kind in ("Job", *(each.kind for each in OBJECTS)) for body in scene.kube.named(kind)]
    assert comparable(rendered) == comparable(made)
    assert {body["metadata"]["namespace"] for body in rendered} == {"team"}


def test_json_and_the_standard_input(values, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO(manifest(ONNX)))
    assert call(["render", "-", "--values", str(values), "--output", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [body["kind"] for body in found["items"]] == ["NetworkPolicy", "Job"] * 2


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (ONNX | {"target": {"options": {"opsett": 1}}}, "opsett: unknown option"),
        (ONNX | {"suspend": True}, "spec.suspend"),
        (ONNX | {"serving": {"autoscaling": {"maxReplicas": 2, "requestsInFlight": 8}}}, "PrometheusNotConfigured"),
        ({"source": {"uri": "s3://models/folder/"}}, "spec.source.format"),
        ({"source": {"uri": "s3://models/net.h5", "format": "keras-h5"}}, "images.converter-tensorflow"),
    ],
)
def test_what_cannot_be_made_is_told(render, spec, told):
    status, out, err = render(spec)
    assert (status, out) != (0, "")
    assert out == ""
    assert told in err


def test_values_are_what_helm_merges(tmp_path, values):
    more = tmp_path / "more.yaml"
    more.write_text(
        yaml.safe_dump(
            {
                "images": {"server-onnxruntime": "other@sha256:2", "server-tvm": ""},
                "imagePullSecrets": [{"name": "registry"}, {"name": "mirror"}],
                "operator": {"cpuLevel": "x86-64-v3", "jobTTLSeconds": 60},
                "serving": {
                    "telemetry": {"otlpEndpoint": "http://collector:4317"},
                    "autoscaling": {"prometheusAddress": "http://prometheus:9090"},
                },
            }
        )
    )
    platform = platform_of([values, more])
    assert platform.images == IMAGES | {"server-onnxruntime": "other@sha256:2"}
    assert platform.pull_secrets == ("registry", "mirror")
    assert (platform.cpu_level, platform.job_ttl) == ("x86-64-v3", 60)
    assert platform.otlp_endpoint == "http://collector:4317"
    assert platform.prometheus_address == "http://prometheus:9090"


@pytest.mark.parametrize(
    "text", ["images: {}", "a: 1\n---\nb: 2", "[1]", "images: {converter-onnx: a}\noperator: {jobTTLSeconds: soon}"]
)
def test_values_that_are_none_are_refused(tmp_path, text):
    path = tmp_path / "values.yaml"
    path.write_text(text)
    with pytest.raises(UsageError):
        platform_of([path])
