"""Convert, verify and serve the real PNet of facenet-pytorch, and ask it: `make demo`.

PNet finds faces; weights (29 kB) and code come from the package facenet-pytorch on PyPI, MIT licence. What the Service
answers to tritonclient is shown beside PyTorch's own answer, which a pod with the converter's image computes.
"""

import argparse
import base64
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tritonclient.http
from prepare_pnet import prepare

HERE = Path(__file__).resolve().parent
NAMESPACE = "modelport-demo"
NAME = "pnet"
PYTORCH = f"{NAME}-in-pytorch"
"""Name of the pod in which PyTorch answers."""
MODELPORT = str(Path(sys.executable).parent / "modelport")
LARGEST_DIFFERENCE = 1e-4
Answer = list[np.ndarray[Any, np.dtype[np.float32]]]


class Access(NamedTuple):
    """How to reach the cluster: the command line and the environment for it."""

    kubectl: list[str]
    environment: dict[str, str]

    def run(self, *command: str, text: str | None = None) -> str:
        """Run a program with this cluster and return what it prints. Its errors go to the terminal."""
        return subprocess.run(
            command, input=text, env=self.environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def show(self, *command: str) -> None:
        """Run a program with this cluster, its output on the terminal."""
        print(_spelled(command), flush=True)
        subprocess.run(command, env=self.environment, check=True)

    def show_together(self, *commands: Sequence[str]) -> None:
        """Run programs side by side, their output on the terminal one after the other."""
        with ThreadPoolExecutor() as threads:
            for command, output in zip(commands, threads.map(lambda each: self.run(*each), commands), strict=True):
                print(f"{_spelled(command)}\n{output}", end="", flush=True)


def _spelled(command: Sequence[str]) -> str:
    return f"$ {' '.join([Path(command[0]).name, *command[1:]])}"


def main() -> int:
    """Run the demo; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubectl", default="kubectl", help="kubectl, with its options for the cluster")
    parser.add_argument("--kubeconfig", help="kubeconfig of the cluster (default: the current one)")
    arguments = parser.parse_args()
    access = _access(arguments.kubectl, arguments.kubeconfig)

    say("Get PNet's weights and code from PyPI, and push them into the namespace's store")
    weights, code = prepare(_cache() / "pnet")
    access.show_together(*((MODELPORT, "push", str(path), "--namespace", NAMESPACE) for path in (weights, code)))

    say("Apply examples/pnet.yaml, and watch")
    started = time.monotonic()
    access.show(*access.kubectl, "apply", "--namespace", NAMESPACE, "--filename", str(HERE / "pnet.yaml"))
    access.show(MODELPORT, "get", NAME, "--watch", "--namespace", NAMESPACE)
    print(f"Ready {time.monotonic() - started:.1f} s after apply")
    image = np.random.default_rng(0).uniform(-1, 1, (2, 3, 24, 36)).astype(np.float32)
    start_pytorch(access, image, weights, code)  # which takes seconds, and is asked below
    access.show(*access.kubectl, "get", "mconv", "--namespace", NAMESPACE)
    access.show(MODELPORT, "get", NAME, "--namespace", NAMESPACE)

    say("Ask the Service with tritonclient, and PyTorch itself")
    served = ask_service(access, image)
    original = ask_pytorch(access)
    difference = compare(served, original)
    if difference > LARGEST_DIFFERENCE:
        print(f"\nThe answers differ by {difference:.2g}; at most {LARGEST_DIFFERENCE:g} was expected.")
        return 1
    print(f"\nThe same answers: the largest difference is {difference:.2g}.\n")
    print(NEXT)
    return 0


NEXT = f"""What to try next:
  export KUBECONFIG=$(make -s kubeconfig)
  kubectl explain mconv.spec                                        the resource, field by field
  kubectl get mconv {NAME} -n {NAMESPACE} -o yaml                 digests, measured errors, conditions
  .venv/bin/modelport get {NAME} -n {NAMESPACE}                   the same for people
  .venv/bin/modelport pull {NAME} ./artifact -n {NAMESPACE}       the checked artifact
  kubectl scale mconv {NAME} -n {NAMESPACE} --replicas 2          more pods
  .venv/bin/modelport formats                                       what else can be converted
  make cluster-down                                                 stop the cluster"""


def say(text: str) -> None:
    """Tell what happens now."""
    print(f"\n\033[1m==> {text}\033[0m" if sys.stdout.isatty() else f"\n==> {text}", flush=True)


def ask_service(access: Access, image: np.ndarray[Any, np.dtype[np.float32]]) -> Answer:
    """Return what the Service answers to tritonclient."""
    request = tritonclient.http.InferInput("image", list(image.shape), "FP32")
    request.set_data_from_numpy(image, binary_data=False)
    with forwarded(access, f"service/{NAME}", 80) as address:
        client = tritonclient.http.InferenceServerClient(address)
        outputs = [output["name"] for output in client.get_model_metadata(NAME)["outputs"]]
        wanted = [tritonclient.http.InferRequestedOutput(output, binary_data=False) for output in outputs]
        result = client.infer(NAME, [request], outputs=wanted)
        client.close()
    return [result.as_numpy(output) for output in outputs]


def start_pytorch(access: Access, image: np.ndarray[Any, np.dtype[np.float32]], weights: Path, code: Path) -> None:
    """Start a pod with the image that converted the model, in which PyTorch answers."""
    selector = f"modelport.dev/resource={NAME}"
    jobs = json.loads(access.run(*access.kubectl, "get", "jobs", "-n", NAMESPACE, "-l", selector, "-o", "json"))
    hop = next(
        container
        for item in jobs["items"]
        for container in item["spec"]["template"]["spec"]["containers"]
        if container["name"] == "hop-1"
    )
    access.run(*access.kubectl, "delete", "pod,configmap", PYTORCH, "-n", NAMESPACE, "--ignore-not-found", "--wait")
    objects = {"apiVersion": "v1", "kind": "List", "items": _pytorch_objects(hop["image"], image, weights, code)}
    access.run(*access.kubectl, "create", "-n", NAMESPACE, "-f", "-", text=json.dumps(objects))


def ask_pytorch(access: Access) -> Answer:
    """Return what PyTorch answers in its pod, and delete that."""
    ended = ("--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    access.run(*access.kubectl, "wait", f"pod/{PYTORCH}", "-n", NAMESPACE, *ended)
    answer = json.loads(access.run(*access.kubectl, "logs", PYTORCH, "-n", NAMESPACE).splitlines()[-1])
    access.run(*access.kubectl, "delete", "pod,configmap", PYTORCH, "-n", NAMESPACE, "--wait=false")
    return [np.asarray(output, dtype=np.float32) for output in answer]


def _pytorch_objects(
    container_image: str, image: np.ndarray[Any, np.dtype[np.float32]], weights: Path, code: Path
) -> list[dict[str, Any]]:
    files = {
        "answer.py": (HERE / "pnet_in_pytorch.py").read_bytes(),
        "image.json": json.dumps(image.tolist()).encode(),
        "weights.pt": weights.read_bytes(),
        "code.zip": _zipped(code),
    }
    container = {
        "name": "pytorch",
        "image": container_image,
        "command": ["python", "/example/answer.py"],
        "env": [{"name": "TMPDIR", "value": "/scratch"}],
        "volumeMounts": [{"name": "example", "mountPath": "/example"}, {"name": "scratch", "mountPath": "/scratch"}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "example", "configMap": {"name": PYTORCH}}, {"name": "scratch", "emptyDir": {}}],
    }
    binary = {key: base64.b64encode(content).decode() for key, content in files.items()}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": PYTORCH}, "binaryData": binary},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": PYTORCH}, "spec": spec},
    ]


def compare(served: Answer, original: Answer) -> float:
    """Print both answers side by side; return their largest difference."""
    print(f"{'output':<8} {'shape':<18} {'Service, first values':<34} {'PyTorch, first values':<34} difference")
    largest = 0.0
    for number, (ours, theirs) in enumerate(zip(served, original, strict=True)):
        difference = float(np.max(np.abs(ours - theirs)))
        largest = max(largest, difference)
        print(f"{number:<8} {ours.shape!s:<18} {_first(ours):<34} {_first(theirs):<34} {difference:.2g}")
    return largest


def _first(values: np.ndarray[Any, np.dtype[np.float32]]) -> str:
    return " ".join(f"{value:+.6f}" for value in values.ravel()[:3])


def _zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for file in sorted(folder.rglob("*.py")):
            archive.write(file, file.relative_to(folder))
    return buffer.getvalue()


@contextmanager
def forwarded(access: Access, target: str, port: int) -> Iterator[str]:
    """Forward a local port to `target` and yield its address."""
    command = [*access.kubectl, "port-forward", "-n", NAMESPACE, target, f":{port}", "--address=127.0.0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=access.environment) as process:
        try:
            assert process.stdout
            line = process.stdout.readline()  # Forwarding from 127.0.0.1:34567 -> 8080
            if " -> " not in line:
                raise RuntimeError(f"kubectl port-forward {target}: expected 'Forwarding from …', found {line!r}")
            yield line.split(" -> ")[0].removeprefix("Forwarding from ")
        finally:
            process.terminate()


def _access(kubectl: str, kubeconfig: str | None) -> Access:
    environment = dict(os.environ, KUBECTL=kubectl)
    if kubeconfig:
        environment["KUBECONFIG"] = kubeconfig
    return Access(kubectl.split(), environment)


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "modelport" / "examples"


if __name__ == "__main__":
    sys.exit(main())
