"""A client inside the cluster: a pod that asks Services by their DNS names, once or in a loop without a pause in between.

Requests never leave the cluster, so that they take the way that users' requests take: DNS, Service, kube-proxy.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from e2e.cluster import Body, Cluster
from e2e.models import Array, Model

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
        break
    except urllib.error.URLError as error:
        # a node learns of a new endpoint up to some seconds after the API server says that it is ready
        if attempt == 49 or not isinstance(error.reason, ConnectionRefusedError):
            raise
        time.sleep(0.1)
print(json.dumps({"status": status, "text": text}))
"""
LOOP = """
import json, pathlib, sys, threading, time, urllib.request
folder = pathlib.Path(sys.argv[1])
jobs = json.loads((folder / "jobs").read_text())
seen = {name: {"requests": 0, "failures": [], "answers": []} for name in jobs}
def ask(name, job):
    data = json.dumps(job["body"]).encode()
    mine = seen[name]
    while not (folder / "stop").exists():
        time.sleep(0.05)
        mine["requests"] += 1
        started = time.time()
        try:
            request = urllib.request.Request(job["url"], data, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=10) as response:
                answer = [output["data"] for output in json.load(response)["outputs"]]
            if not mine["answers"] or mine["answers"][-1] != answer:
                mine["answers"].append(answer)
        except Exception as error:
            mine["failures"].append(f"{started:.3f} +{time.time() - started:.3f}: {error!r}")
threads = [threading.Thread(target=ask, args=item) for item in jobs.items()]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
(folder / "seen.new").write_text(json.dumps(seen))
(folder / "seen.new").rename(folder / "seen")
"""
START = f"""
import pathlib, subprocess, sys, tempfile
folder = pathlib.Path(tempfile.mkdtemp(dir="/scratch"))
(folder / "jobs").write_text(sys.stdin.read())
log = (folder / "log").open("w")
command = ["python3", "-c", {LOOP!r}, str(folder)]
subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
print(folder)
"""
STOP = """
import pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
(folder / "stop").touch()
for attempt in range(300):
    if (folder / "seen").exists():
        print((folder / "seen").read_text())
        break
    time.sleep(0.05)
else:
    sys.exit("the loop left no result: " + (folder / "log").read_text())
"""


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    text: str


class Seen:
    """What a loop of requests to one Service saw; filled when the loop has ended."""

    def __init__(self) -> None:
        self.requests = 0
        self.failures: list[str] = []
        self.answers: list[list[Any]] = []
        """Distinct answers, in the order in which they came."""


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

    @contextmanager
    def asking(self, models: dict[str, Model]) -> Iterator[dict[str, Seen]]:
        """Ask the Services of resources without end while the block runs; what was seen is filled in afterwards.

        The loop runs by itself in the client's pod, because kubectl does not hold a silent connection for long.
        """
        jobs = {
            name: {"url": _url(name, self.namespace, f"v2/models/{name}/infer"), "body": _body(model)}
            for name, model in models.items()
        }
        seen = {name: Seen() for name in models}
        folder = self._run(START, text=json.dumps(jobs)).strip()
        try:
            yield seen
        finally:
            for name, found in json.loads(self._run(STOP, folder)).items():
                vars(seen[name]).update(found)

    def _run(self, program: str, *arguments: str, text: str = "") -> str:
        """Run a Python program in the client's pod and return what it prints."""
        command = ("exec", "-i", "-n", self.namespace, POD, "--", "python3", "-c", program, *arguments)
        return self.cluster.kubectl(*command, text=text, seconds=45)

    def _ask(self, url: str, body: Body | None) -> Answer:
        return Answer(**json.loads(self._run(ASK, text=json.dumps({"url": url, "body": body}))))


def check_answers(found: list[Array], model: Model) -> None:
    """Assert that answers are the model's."""
    assert len(found) == len(model.answers)
    for mine, expected in zip(found, model.answers, strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-5)


def is_answer_of(answer: list[Any], model: Model) -> bool:
    """Whether what a loop saw is the model's answer."""
    return all(
        np.allclose(np.asarray(mine, np.float32).ravel(), expected.ravel(), rtol=1e-4, atol=1e-5)
        for mine, expected in zip(answer, model.answers, strict=True)
    )


def check_unbroken(seen: Seen, *models: Model) -> None:
    """Assert that a loop had no failed request, and saw exactly the answers of the models, in this order."""
    assert not seen.failures, f"{len(seen.failures)} of {seen.requests} requests failed: {seen.failures[:5]}"
    assert seen.requests > 0
    numbers = [
        next((number for number, model in enumerate(models) if is_answer_of(answer, model)), -1)
        for answer in seen.answers
    ]
    assert -1 not in numbers, f"an answer is none of the models': {seen.answers}"
    assert set(numbers) == set(range(len(models))), f"expected the answers of all {len(models)} models, found {numbers}"
    assert numbers[0] == 0
    assert numbers[-1] == len(models) - 1


def client_pod(namespace: str, image: str) -> Body:
    """Return the pod that the requests come from."""
    return pod(
        POD,
        namespace,
        image,
        ["sleep", "infinity"],
        volumeMounts=[{"name": "scratch", "mountPath": "/scratch"}],
        volumes=[{"name": "scratch", "emptyDir": {"sizeLimit": "64Mi"}}],
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
