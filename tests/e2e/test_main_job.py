"""The main job: apply → Ready → the right answer, for each way in which a source can be given."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
import tritonclient.grpc  # type: ignore[import-untyped]  # ships no types
import tritonclient.http  # type: ignore[import-untyped]

from e2e import webserver
from e2e.pods.client import check_answers
from e2e.pods.loops import GRPC_PORT, check_unbroken
from e2e.sources.models import FEATURES, Model, answered, external_onnx, onnx_mlp, torch_mlp
from e2e.tenants.conversions import check_conditions, condition
from e2e.tenants.tenant import ONE, Tenant

ONNX, TORCH, EXTERNAL, OVER_HTTP = onnx_mlp(1), torch_mlp(2), onnx_mlp(3), onnx_mlp(4)


@pytest.fixture(scope="module")
def names(module_a: Tenant, run_id: str) -> Iterator[dict[str, str]]:
    """Apply one resource for each kind of source, all at once; return their names by kind."""
    a = module_a
    onnx = a.store.upload("small.onnx", ONNX.content)
    web = a.store.upload("web.onnx", OVER_HTTP.content)
    image = a.images["server-onnxruntime"]
    url = webserver.start(a.cluster, a.namespace, image, {"web.onnx": OVER_HTTP.content})
    sources = {
        "onnx": onnx.location(),
        "undigested": onnx.location(digest=None),
        "torch": a.store.upload("small.pt", TORCH.content).location(
            trust="Trusted", inputs=FEATURES, code=a.factories.location(factory="mlp:build")
        ),
        "folder": a.store.upload_folder("external", external_onnx(EXTERNAL.content)).location(digest=None),
        "http": {"uri": f"{url}/web.onnx", "digest": web.digest},
    }
    names = {kind: f"main-{kind}-{run_id}" for kind in sources}
    for kind, source in sources.items():
        a.apply(names[kind], source, serving=ONE)
    yield names
    webserver.stop(a.cluster, a.namespace)


@pytest.mark.parametrize(
    ("kind", "model"),
    [("onnx", ONNX), ("undigested", ONNX), ("torch", TORCH), ("folder", EXTERNAL), ("http", OVER_HTTP)],
    ids=["onnx", "undigested", "torch", "folder", "http"],
)
def test_applied_resource_answers_like_its_source(kind: str, model: Model, names: dict[str, str], a: Tenant) -> None:
    body = a.ready(names[kind])
    a.check(names[kind], model)
    status = body["status"]
    check_conditions(body)
    assert {item["type"] for item in status["conditions"]} == {
        "Ready",
        "Imported",
        "Converted",
        "Verified",
        "Available",
        "ReplicasAvailable",
    }
    assert status["serving"]["artifactDigest"] == status["artifact"]["digest"]
    assert status["verification"]["samples"] == 8
    assert float(status["verification"]["maxAbsoluteError"]) < 1e-4
    assert "failure" not in status


def test_status_tells_source_path_and_signature(names: dict[str, str], a: Tenant) -> None:
    status = a.ready(names["torch"])["status"]
    assert status["path"] == ["pytorch-state-dict", "onnx"]
    assert status["source"]["format"] == "pytorch-state-dict"
    assert status["source"]["digests"]["source"] == a.store.upload("small.pt", TORCH.content).digest
    signature = a.ready(names["onnx"])["status"]["source"]["signature"]
    assert signature["inputs"] == [{"name": "features", "dtype": "float32", "shape": ["batch", 4]}]


def test_tritonclient_gets_the_answer_in_json(names: dict[str, str], a: Tenant) -> None:
    name = names["onnx"]
    a.ready(name)
    request = tritonclient.http.InferInput("features", list(ONNX.request.shape), "FP32")
    request.set_data_from_numpy(ONNX.request, binary_data=False)
    wanted = [tritonclient.http.InferRequestedOutput("scores", binary_data=False)]
    with a.cluster.forwarded(f"service/{name}", a.namespace, 80) as port:
        client = tritonclient.http.InferenceServerClient(f"127.0.0.1:{port}")
        assert client.is_server_ready()
        assert client.is_model_ready(name)
        result = client.infer(name, [request], outputs=wanted)
        client.close()
    check_answers([result.as_numpy("scores")], ONNX)


def test_tritonclient_gets_the_answer_over_grpc(names: dict[str, str], a: Tenant) -> None:
    name = names["onnx"]
    a.ready(name)
    request = tritonclient.grpc.InferInput("features", list(ONNX.request.shape), "FP32")
    request.set_data_from_numpy(ONNX.request)
    with a.cluster.forwarded(f"service/{name}", a.namespace, GRPC_PORT) as port:
        client = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{port}")
        assert client.is_server_ready()
        assert client.is_model_ready(name)
        metadata = client.get_model_metadata(name)
        result = client.infer(name, [request])
        client.close()
    assert [(each.name, each.datatype, list(each.shape)) for each in metadata.inputs] == [("features", "FP32", [-1, 4])]
    check_answers([result.as_numpy("scores")], ONNX)


def test_server_tells_metadata_and_metrics(names: dict[str, str], a: Tenant) -> None:
    name = names["onnx"]
    a.ready(name)
    metadata = json.loads(a.client.get(name, f"v2/models/{name}").text)
    assert metadata["name"] == name
    inputs = [(each["name"], each["datatype"], each["shape"]) for each in metadata["inputs"]]
    assert inputs == [("features", "FP32", [-1, 4])]
    assert a.client.get(name, "v2/health/ready").status == 200
    assert a.client.get(name, "metrics").text.count("# HELP") > 3


def test_wrong_request_is_refused_with_what_was_expected(names: dict[str, str], a: Tenant) -> None:
    name = names["onnx"]
    a.ready(name)
    wide = Model(b"", np.zeros((1, 5), np.float32), [])
    with pytest.raises(AssertionError, match=r"found 400.*features"):
        a.client.infer(name, wide)


def test_printer_columns_tell_the_story(names: dict[str, str], a: Tenant) -> None:
    a.ready(names["onnx"])
    header, row = a.cluster.kubectl("get", "mconv", names["onnx"], "-n", a.namespace).splitlines()
    assert header.split() == ["NAME", "SOURCE", "TARGET", "READY", "REASON", "ERROR", "URL", "AGE"]
    assert row.split()[1:5] == ["onnx", "onnx", "True", "Serving"]


def test_events_say_what_the_conditions_say(names: dict[str, str], a: Tenant) -> None:
    body = a.ready(names["onnx"])
    uid = body["metadata"]["uid"]
    ready = condition(body, "Ready")["reason"]
    selector = f"involvedObject.uid={uid}"
    # Events are posted after the status, so this one may still be on its way
    posted = next(
        event
        for _, event in a.cluster.watch("Event", a.namespace, seconds=20, field_selector=selector)
        if event["reason"] == ready
    )
    assert posted["type"] == "Normal"


def test_jobs_are_one_import_and_one_convert(names: dict[str, str], a: Tenant) -> None:
    a.ready(names["torch"])
    assert a.jobs(names["torch"]) == ["convert", "import"]


def test_spec_change_converts_anew_while_the_old_artifact_answers(name: str, a: Tenant) -> None:
    before = onnx_mlp(10)
    after = answered(onnx_mlp(11).content, "features", before.request)
    a.apply(name, a.source(before), serving=ONE)
    old = a.ready(name)
    servers = a.servers(name)
    with a.client.asking({name: before}) as seen:
        a.apply(name, a.source(after), serving=ONE)
        new = a.ready(name)
        a.check(name, after)
        for pod in servers:  # a channel of gRPC stays with its pod until that goes
            a.cluster.wait_gone("Pod", pod, a.namespace)
    assert new["status"]["artifact"]["digest"] != old["status"]["artifact"]["digest"]
    check_unbroken(seen[name], before, after)


def test_convert_only_publishes_and_serves_nothing(name: str, a: Tenant) -> None:
    a.apply(name, a.source(onnx_mlp(20)))
    status = a.ready(name)["status"]
    assert "serving" not in status
    assert a.cluster.get("Deployment", name, a.namespace) is None
    assert a.cluster.get("Service", name, a.namespace) is None
    folder = f"artifacts/{status['artifact']['key']}/{status['artifact']['digest'].removeprefix('sha256:')}"
    paths = a.store.objects(folder)
    assert any(path.endswith("manifest.json") for path in paths)
    assert any(path.endswith(".onnx") for path in paths)


def test_name_at_the_length_limit(run_id: str, a: Tenant) -> None:
    name = f"longest-{run_id}-".ljust(51, "x") + "9"
    assert len(name) == 52
    a.apply(name, a.source(ONNX), opset=16, serving=ONE)
    a.ready(name)
    a.check(name, ONNX)


def test_deleted_resource_leaves_nothing_but_the_artifact(name: str, a: Tenant) -> None:
    a.apply(name, a.source(ONNX), opset=15, serving=ONE)
    artifact = a.ready(name)["status"]["artifact"]
    a.delete(name)
    assert a.store.objects(f"artifacts/{artifact['key']}")
