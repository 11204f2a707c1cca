"""How long the pod that serves takes from its creation to Ready, for each runtime: `make bench-starting`.

The real PNet is converted to a format of each runtime on the embedded cluster. Then its pod is deleted, again and again, and
a watch sees the next one come and be Ready: scheduling, the model fetched from the store and proved, the runtime loaded, the
model warmed, the probe. Images are on the node.
"""

import argparse
import statistics
import time

from embedded import NAMESPACE, Object, clear, get, is_ready, kubectl, push_pnet, resource, watch

REPEATS = 5
FORMATS = {
    "ONNX Runtime": "onnx",
    "TVM": "tvm",
    "LiteRT": "tflite",
    "TensorFlow": "tensorflow-saved-model",
    "PyTorch": "torchscript",
}


def main() -> None:
    """Measure each runtime, and print its row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=REPEATS, help="how often each pod is started")
    repeats = parser.parse_args().repeats
    sources = push_pnet()
    print("| runtime | pod created → Ready | least and most |\n|---|---|---|")
    for runtime, wanted in FORMATS.items():
        clear()
        manifest = resource(wanted, sources)
        manifest["spec"]["target"] = {"format": wanted}
        kubectl("apply", "-f", "-", stdin=manifest)
        watch(is_ready, "mconv", wanted, "-n", NAMESPACE)
        found = sorted(time_start(wanted) for _ in range(repeats))
        print(f"| {runtime} | {statistics.median(found):.1f} s | {found[0]:.1f} to {found[-1]:.1f} s |", flush=True)
    clear()


def time_start(name: str) -> float:
    """Delete the pod that serves a resource, and return the seconds from the next one's creation to Ready."""
    pods = ["pods", "-n", NAMESPACE, "-l", f"modelport.dev/resource={name},modelport.dev/stage=serve"]
    (old,) = (each["metadata"]["name"] for each in get(*pods)["items"])
    kubectl("delete", "pod", old, "-n", NAMESPACE, "--wait=false")
    created: list[float] = []

    def is_new_and_ready(pod: Object) -> bool:
        if pod["metadata"]["name"] == old:
            return False
        if not created:
            created.append(time.monotonic())
        conditions = {each["type"]: each["status"] for each in pod["status"].get("conditions", [])}
        return conditions.get("Ready") == "True"

    ready = watch(is_new_and_ready, *pods)
    kubectl("wait", "pod", old, "-n", NAMESPACE, "--for=delete", "--timeout=90s")
    return ready - created[0]


if __name__ == "__main__":
    main()
