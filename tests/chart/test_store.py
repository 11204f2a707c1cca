"""The embedded store: one identity per namespace, for its bucket alone, and no other port than S3."""

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.rendering import CHART, IMAGES, NAMESPACE, STORE, Body, chart_of_version, only, pods

Render = Callable[..., list[Body]]
Kubectl = Callable[..., str]


def identities(bodies: list[Body]) -> dict[str, Body]:
    secret = only(bodies, "Secret", "modelport-store-identities")
    found = json.loads(secret["stringData"]["identities.json"])["identities"]
    return {each["name"]: each for each in found}


def namespace_secrets(bodies: list[Body]) -> dict[str, dict[str, str]]:
    return {
        each["metadata"]["namespace"]: each["stringData"]
        for each in bodies
        if each["kind"] == "Secret" and each["metadata"]["name"] == "modelport-store"
    }


def test_no_store_unless_asked_for(render: Render) -> None:
    assert not [each for each in render() if each["kind"] in {"Secret", "StatefulSet"}]


def test_each_namespace_has_keys_for_its_bucket_alone(render: Render) -> None:
    bodies = render(store=STORE)
    secrets, known = namespace_secrets(bodies), identities(bodies)
    assert set(secrets) == set(known) == {"team-a", "team-b"}
    for name, identity in known.items():
        assert identity["actions"] == [f"{verb}:{name}" for verb in ("Read", "Write", "List", "Tagging")]
        (key,) = identity["credentials"]
        assert secrets[name] == {
            "uri": f"s3://{name}",
            "AWS_ACCESS_KEY_ID": key["accessKey"],
            "AWS_SECRET_ACCESS_KEY": key["secretKey"],
            "AWS_ENDPOINT_URL": f"http://modelport-store.{NAMESPACE}.svc.cluster.local:8333",
            "AWS_REGION": "us-east-1",
        }
        assert (len(key["accessKey"]), len(key["secretKey"])) == (20, 40)
    assert len({each["credentials"][0]["secretKey"] for each in known.values()}) == 2


def test_keys_and_objects_outlive_the_chart(render: Render) -> None:
    bodies = render(store=STORE)
    kept = [
        (each["metadata"]["name"], each["metadata"]["namespace"])
        for each in bodies
        if each["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep" and each["kind"] == "Secret"
    ]
    assert sorted(kept) == [
        ("modelport-store", "team-a"),
        ("modelport-store", "team-b"),
        ("modelport-store-identities", NAMESPACE),
    ]
    (claim,) = only(bodies, "StatefulSet")["spec"]["volumeClaimTemplates"]  # Kubernetes keeps what these make
    assert claim["metadata"]["name"] == "data"


def test_only_s3_is_offered(render: Render) -> None:
    bodies = render(store=STORE)
    (container,) = pods(bodies)["modelport-store"]["spec"]["containers"]
    assert [each["containerPort"] for each in container["ports"]] == [8333]
    assert [each["port"] for each in only(bodies, "Service", "modelport-store")["spec"]["ports"]] == [8333]


def test_another_namespace_restarts_the_store(render: Render) -> None:
    def annotations(*namespaces: str) -> Any:
        bodies = render(store={"enabled": True, "namespaces": list(namespaces)})
        return pods(bodies)["modelport-store"]["metadata"]["annotations"]

    assert annotations("a") == annotations("a")
    assert annotations("a") != annotations("a", "b")


def test_an_upgrade_that_changes_nothing_of_the_store_does_not_restart_it(render: Render, tmp_path: Path) -> None:
    def template(chart: Path) -> Body:
        return pods(render(store=STORE, chart=chart))["modelport-store"]

    newer = chart_of_version("9.9.9", tmp_path)
    assert template(newer) == template(CHART)
    assert pods(render(chart=newer))["modelport-operator"] != pods(render())["modelport-operator"]


def test_a_broken_store_pod_is_replaced_by_an_upgrade(render: Render) -> None:
    assert only(render(store=STORE), "StatefulSet")["spec"]["podManagementPolicy"] == "Parallel"


@pytest.mark.cluster
def test_store_of_an_earlier_chart_can_be_upgraded(
    namespace: str, kubectl: Kubectl, cluster_options: list[str], helm: Callable[..., Any], render: Render
) -> None:
    """Its pod management cannot be changed, so an upgrade must leave it."""
    earlier = only(render(store=STORE), "StatefulSet")
    earlier["metadata"]["namespace"] = namespace
    earlier["spec"] |= {"podManagementPolicy": "OrderedReady", "replicas": 0}
    kubectl("create", "-f", "-", body=earlier)
    options = [each.replace("--context", "--kube-context") for each in cluster_options]
    done = helm(
        *("template", "modelport", str(CHART), "--dry-run=server", "--kube-version=1.34.0", *options),
        f"--namespace={namespace}",
        values={"images": IMAGES, "store": STORE},
    )
    assert done.returncode == 0, done.stderr
    upgraded = only([body for body in yaml.safe_load_all(done.stdout) if body], "StatefulSet")
    kubectl("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", body=upgraded)


def encoded(values: dict[str, str]) -> dict[str, str]:
    return {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}


@pytest.mark.cluster
def test_keys_are_kept_and_tenants_cannot_choose_them(
    namespace: str, kubectl: Kubectl, cluster_options: list[str], helm: Callable[..., Any]
) -> None:
    """A tenant may edit its own Secret; what it writes there must not reach what an administrator installs."""
    first = {"accessKey": "1234567890", "secretKey": "12e456"}  # text, though it looks like numbers
    stored = {"identities": [{"name": namespace, "credentials": [first], "actions": []}]}
    theirs = "x\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: injected, namespace: kube-system}"
    for name, values in (
        ("modelport-store-identities", {"identities.json": json.dumps(stored)}),
        ("modelport-store", {"AWS_ACCESS_KEY_ID": theirs, "AWS_SECRET_ACCESS_KEY": theirs}),
    ):
        metadata = {"name": name, "namespace": namespace}
        kubectl(
            "create",
            "-f",
            "-",
            body={"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded(values)},
        )
    options = [each.replace("--context", "--kube-context") for each in cluster_options]
    done = helm(
        *("template", "modelport", str(CHART), "--dry-run=server", "--kube-version=1.34.0", *options),
        f"--namespace={namespace}",
        values={"images": IMAGES, "store": {"enabled": True, "namespaces": [namespace, "another"]}},
    )
    assert done.returncode == 0, done.stderr
    assert "injected" not in done.stdout
    bodies = [body for body in yaml.safe_load_all(done.stdout) if body]
    assert namespace_secrets(bodies)[namespace]["AWS_ACCESS_KEY_ID"] == first["accessKey"]
    assert namespace_secrets(bodies)[namespace]["AWS_SECRET_ACCESS_KEY"] == first["secretKey"]
    assert identities(bodies)[namespace]["credentials"] == [first]
    assert identities(bodies)["another"]["credentials"] != [first]


@pytest.mark.cluster
@pytest.mark.parametrize("name", ["modelport-operator", "modelport-store"])
def test_pod_security_admits_the_pods(name: str, render: Render, namespace: str, kubectl: Kubectl) -> None:
    template = pods(render(store=STORE))[name]
    spec = {key: value for key, value in template["spec"].items() if key != "serviceAccountName"}  # not in there
    if name == "modelport-store":
        spec["volumes"] = [*spec["volumes"], {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace}, "spec": spec}
    kubectl("create", "--dry-run=server", "-f", "-", body=body)


PROBE = """
import json, os, socket
from urllib.parse import urlsplit
import obstore
from obstore.store import S3Store

def told(act):
    try:
        act()
    except (OSError, obstore.exceptions.BaseError) as error:
        return "AccessDenied" if "403" in str(error) else type(error).__name__  # a list has no error of its own for it
    return "done"

def store(bucket, **changed):
    keys = {key.lower(): value for key, value in os.environ.items() if key.startswith("AWS_")}
    return S3Store(bucket, client_options={"allow_http": True}, retry_config={"max_retries": 0}, **{**keys, **changed})

own, foreign = urlsplit(os.environ["uri"]).netloc, os.environ["FOREIGN"]
key = "tests/" + os.environ["HOSTNAME"]
obstore.put(store(own), key, b"1")
print(json.dumps({
    "own": bytes(obstore.get(store(own), key).bytes()).decode(),
    "create twice": told(lambda: obstore.put(store(own), key, b"2", mode="create")),
    "write to the other": told(lambda: obstore.put(store(foreign), key, b"1")),
    "read from the other": told(lambda: obstore.get(store(foreign), key)),
    "list the other": told(lambda: obstore.list(store(foreign)).collect()),
    "wrong secret": told(lambda: obstore.get(store(own, aws_secret_access_key="wrong"), key)),
    "nobody": told(lambda: obstore.get(store(own, aws_skip_signature=True), key)),
    "ports": [port for port in range(1, 65536) if socket.socket().connect_ex((os.environ["STORE"], port)) == 0],
}))
obstore.delete(store(own), key)
"""


@pytest.mark.cluster
def test_store_keeps_namespaces_apart_and_hides_its_other_ports(kubectl: Kubectl) -> None:
    config = json.loads(
        kubectl("get", "configmap", "-n", NAMESPACE, "modelport-images", "-o", "jsonpath={.data.images\\.json}")
    )
    address = kubectl("get", "pod", "-n", NAMESPACE, "modelport-store-0", "-o", "jsonpath={.status.podIP}")
    name = f"store-probe-{os.urandom(3).hex()}"
    container = {
        "name": "probe",
        "image": config["converter-onnx"],
        "command": ["python", "-c", PROBE],
        "envFrom": [{"secretRef": {"name": "modelport-store"}}],
        "env": [{"name": "FOREIGN", "value": "e2e-b"}, {"name": "STORE", "value": address}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    labels = {"app.kubernetes.io/managed-by": "modelport-operator"}  # by which the store's network policy lets it in
    metadata = {"name": name, "namespace": "e2e-a", "labels": labels}
    kubectl("create", "-f", "-", body={"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    try:
        kubectl(
            "wait",
            "-n",
            "e2e-a",
            f"pod/{name}",
            "--for=jsonpath={.status.containerStatuses[0].state.terminated}",
            "--timeout=120s",
        )
        found = json.loads(kubectl("logs", "-n", "e2e-a", name))
    finally:
        kubectl("delete", "pod", "-n", "e2e-a", name, "--wait=false")
    assert found == {
        "own": "1",
        "create twice": "AlreadyExistsError",
        "write to the other": "AccessDenied",
        "read from the other": "AccessDenied",
        "list the other": "AccessDenied",
        "wrong secret": "AccessDenied",
        "nobody": "AccessDenied",
        "ports": [8333],
    }
