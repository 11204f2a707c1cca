"""A client inside the cluster: a pod that asks Services by their DNS names, once or in loops without a pause in between.

Requests never leave the cluster, so that they take the way that users' requests take: DNS, Service, kube-proxy.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from e2e.kube.cluster import Body, Cluster
from e2e.pods.loops import GRPC_PORT, PROTOCOLS, START, STOP, Loop, Seen
from e2e.sources.models import Array, Model

POD = "e2e-client"
ASK = """
import json, sys, time, urllib.error, urllib.request
job = json.load(sys.stdin)
data = json.dumps(job["body"]).encode() if job["body"] is not None else None
request = urllib.request.Request(job["url"], data, {"Content-Type": "application/json"})
for attempt in range(50):
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            status, text = response.status, response.read().decode()
        break
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode()
        # a server says what is wrong; until a node knows a new Service its address leads out, where a proxy may answer
        if text or attempt == 49:
            break
        time.sleep(0.1)
    except urllib.error.URLError as error:
        # a node learns of a new endpoint up to some seconds after the API server says that it is ready
        if attempt == 49 or not isinstance(error.reason, ConnectionRefusedError):
            raise
        time.sleep(0.1)
print(json.dumps({"status": status, "text": text}))
"""
WAIT = """
import json, sys, time, urllib.request
job = json.load(sys.stdin)
started = time.monotonic()
request = urllib.request.Request(job["url"], json.dumps(job["body"]).encode(), {"Content-Type": "application/json"})
while True:
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            response.read()
        break
    except OSError as error:  # nobody is there to answer yet
        if time.monotonic() - started > job["seconds"]:
            sys.exit(f"no answer within {job['seconds']} s: {error}")
        time.sleep(0.05)
"""


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    text: str


class Client:
    """Asks from inside a namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    def get(self, name: str, path: str) -> Answer:
        """Return the answer to GET."""
        return self._ask(_url(name, self.namespace, path), None)

    def infer(self, name: str, model: Model, *, namespace: str | None = None) -> list[Array]:
        """Return the answer of the Service of resource `name` to the model's request."""
        answer = self._ask(_url(name, namespace or self.namespace, f"v2/models/{name}/infer"), _body(model))
        assert answer.status == 200, f"{name}: expected 200, found {answer.status}: {answer.text}"
        outputs = json.loads(answer.text)["outputs"]
        return [np.asarray(output["data"], np.float32).reshape(output["shape"]) for output in outputs]

    def check(self, name: str, model: Model, *, namespace: str | None = None) -> None:
        """Assert that resource `name` answers as the model does."""
        check_answers(self.infer(name, model, namespace=namespace), model)

    def wait_answer(self, name: str, model: Model, *, seconds: int) -> None:
        """Ask the Service of a resource until it answers for the first time."""
        job = {"url": _url(name, self.namespace, f"v2/models/{name}/infer"), "body": _body(model), "seconds": seconds}
        self._run(WAIT, text=json.dumps(job), seconds=seconds + 30)

    @contextmanager
    def asking(self, models: dict[str, Model], *, together: int = 1) -> Iterator[dict[str, Seen]]:
        """Ask the Services of resources without end while the block runs; what was seen is filled in afterwards.

        Each is asked over REST and over gRPC, by so many loops at the same time. They run by themselves in the client's
        pod, because kubectl does not hold a silent connection for long. They begin when each Service has answered once:
        a node may learn of a new one later than its pods are ready.
        """
        for name, model in models.items():
            self.check(name, model)
        jobs = [
            self._job(protocol, name, model)
            for name, model in models.items()
            for protocol in PROTOCOLS
            for _ in range(together)
        ]
        seen: dict[str, Seen] = {name: [] for name in models}
        folder = self._run(START, text=json.dumps(jobs)).strip()
        try:
            yield seen
        finally:
            for job, found in zip(jobs, json.loads(self._run(STOP, folder)), strict=True):
                seen[job["model"]].append(Loop(job["protocol"], **found))

    def _run(self, program: str, *arguments: str, text: str = "", seconds: float = 45) -> str:
        """Run a Python program in the client's pod and return what it prints."""
        command = ("exec", "-i", "-n", self.namespace, POD, "--", "python3", "-c", program, *arguments)
        return self.cluster.kubectl(*command, text=text, seconds=seconds)

    def _job(self, protocol: str, name: str, model: Model) -> Body:
        rest = _url(name, self.namespace, f"v2/models/{name}/infer")
        url = rest if protocol == "rest" else f"{name}.{self.namespace}.svc:{GRPC_PORT}"
        return {"protocol": protocol, "model": name, "url": url, "body": _body(model)}

    def _ask(self, url: str, body: Body | None) -> Answer:
        return Answer(**json.loads(self._run(ASK, text=json.dumps({"url": url, "body": body}))))


def check_answers(found: list[Array], model: Model) -> None:
    """Assert that answers are the model's."""
    assert len(found) == len(model.answers)
    for mine, expected in zip(found, model.answers, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-5)


def client_pod(namespace: str, image: str) -> Body:
    """Return the pod that the requests come from."""
    return pod(
        POD,
        namespace,
        image,
        ["sleep", "infinity"],
        # many loops ask from here at once: with the share of an idle pod, the Jobs beside it would keep it waiting
        resources={"requests": {"cpu": "200m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        volumeMounts=[{"name": "scratch", "mountPath": "/scratch"}],
        volumes=[{"name": "scratch", "emptyDir": {"sizeLimit": "256Mi"}}],
    )


def pod(name: str, namespace: str, image: str, command: list[str], **container: Any) -> Body:
    """Return a pod that Pod Security `restricted` admits."""
    security = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    resources = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}}
    volumes = container.pop("volumes", [])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "main",
                    "image": image,
                    "command": command,
                    "securityContext": security,
                    "resources": resources,
                    **container,
                }
            ],
            "volumes": volumes,
        },
    }


def _url(name: str, namespace: str, path: str) -> str:
    return f"http://{name}.{namespace}.svc/{path}"


def _body(model: Model) -> Body:
    request = model.request
    tensor = {"name": model.input, "shape": list(request.shape), "datatype": "FP32", "data": request.ravel().tolist()}
    return {"inputs": [tensor]}
