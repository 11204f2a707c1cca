"""Measure the main job on the embedded cluster: `make bench`. Prints the table of docs/performance.md, writes JSON.

Times are from `kubectl apply` to Ready as a watch sees it, interleaved with the floor: pods with as many containers that
run `true`, one pod after the other, once as init containers and once as regular ones. What each step worked for is read
from its log; loading a framework is no part of it, since a step does that while others work.
"""

import json
import os
import platform
import re
import statistics
import subprocess
import time
from collections import Counter

from embedded import NAMESPACE, PATHS, ROOT, Object, clear, get, is_ready, kubectl, push_pnet, resource, watch

from modelport.crd import resource_definition

SYSTEM = "modelport-system"
PODS = (3, 5, 2)
"""Containers of the pods of Import, Convert and Serve."""
STEPS = ("ask", "hop-1", "try", "judge")
REPEATS = 5
RESYNC_SECONDS = 2
RESYNCS = 10
RESOURCES = 10
SERVICE_ACCOUNT = f"system:serviceaccount:{SYSTEM}:modelport-operator"


def time_apply(manifest: Object) -> float:
    """Return the seconds from apply to Ready."""
    started = time.monotonic()
    kubectl("apply", "-f", "-", stdin=manifest)
    return watch(is_ready, "mconv", manifest["metadata"]["name"], "-n", NAMESPACE) - started


def step_times(name: str) -> dict[str, float]:
    """Return the seconds that steps of the resource's Jobs worked for, by their logs."""
    selector = f"modelport.dev/resource={name}"
    logs = kubectl("logs", "-n", NAMESPACE, "-l", selector, "--all-containers", "--tail=-1", "--max-log-requests=20")
    return {step: float(took) for step, took in re.findall(r"(\S+): done in ([\d.]+) s", logs)}


def time_floor(image: str, *, as_init: bool) -> float:
    """Return the seconds that pods with the same numbers of containers take, one pod after the other."""
    started = time.monotonic()
    for number, count in enumerate(PODS):
        name = f"floor-{number}"
        kubectl("create", "-f", "-", stdin=floor_pod(name, image, count, as_init=as_init))
        watch(lambda pod: pod["status"].get("phase") == "Succeeded", "pod", name, "-n", NAMESPACE)
    took = time.monotonic() - started
    kubectl("delete", "pod", "-n", NAMESPACE, "--wait", *(f"floor-{number}" for number in range(len(PODS))))
    return took


def floor_pod(name: str, image: str, count: int, *, as_init: bool) -> Object:
    """Return a pod whose containers run `true`."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    containers = [
        {"name": f"c{number}", "image": image, "command": ["/bin/true"], "securityContext": security}
        for number in range(count)
    ]
    split = count - 1 if as_init else 0
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
            "initContainers": containers[:split],
            "containers": containers[split:],
        },
    }


def times(sources: dict[str, Object]) -> dict[str, list[float]]:
    """Return the measured times, interleaved."""
    image = json.loads((PATHS.state / "images-embedded.json").read_text())["images"]["converter-onnx"]
    found: dict[str, list[float]] = {"convert": [], "reuse": [], "floor-init": [], "floor-regular": []}
    found |= {step: [] for step in STEPS}
    for repeat in range(REPEATS):
        clear()
        found["convert"].append(time_apply(resource("first", sources)))
        took = step_times("first")
        for step in STEPS:
            found[step].append(took[step])
        found["reuse"].append(time_apply(resource("second", sources)))
        clear()
        found["floor-init"].append(time_floor(image, as_init=True))
        found["floor-regular"].append(time_floor(image, as_init=False))
        print(
            f"  {repeat + 1} of {REPEATS}: "
            + ", ".join(f"{name} {values[-1]:.1f} s" for name, values in found.items()),
            flush=True,
        )
    return found


def steady_state(sources: dict[str, Object]) -> Object:
    """Return what the operator does while nothing changes: writes, calls, memory."""
    for number in range(RESOURCES):
        time_apply(resource(f"steady-{number}", sources))
    deploy("--set", f"operator.resyncSeconds={RESYNC_SECONDS}")
    try:
        time.sleep(3 * RESYNC_SECONDS)  # the first reconciliations after a start
        before, log_size = versions(), (PATHS.logs / "audit.log").stat().st_size
        time.sleep(RESYNC_SECONDS * 1.1 * RESYNCS + 1)  # the resync is jittered by a tenth
        changed = [name for name, version in versions().items() if before.get(name) != version]
        calls = audited(log_size)
        memory = operator_memory()
    finally:
        deploy()
    looks = calls["get modelconversions"]
    return {
        "resources": RESOURCES,
        "resyncs": looks / RESOURCES,
        "changed": changed,
        "calls_per_resync": sum(calls.values()) / looks,
        "calls": dict(calls),
        "operator_memory_mib": memory,
    }


def deploy(*arguments: str) -> None:
    """Install the chart with these settings."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "cluster")}
    command = ["python3", "-m", "devcluster", "deploy", *arguments]
    subprocess.run(command, env=environment, cwd=ROOT, check=True, stderr=subprocess.DEVNULL)


def versions() -> dict[str, str]:
    """Return the resource versions of all resources and their children."""
    found = get("mconv,jobs,deployments,services,pods", "-n", NAMESPACE)["items"]
    return {f"{each['kind']}/{each['metadata']['name']}": each["metadata"]["resourceVersion"] for each in found}


def audited(offset: int) -> Counter[str]:
    """Return the operator's calls since an offset of the audit log, without its watches, their renewals, and those of its Lease."""
    calls: Counter[str] = Counter()
    with (PATHS.logs / "audit.log").open() as log:
        log.seek(offset)
        for line in log:
            event = json.loads(line)
            if event["user"]["username"] == SERVICE_ACCOUNT and event["verb"] != "watch":
                if event["objectRef"]["resource"] == "leases":
                    continue
                calls[f"{event['verb']} {event['objectRef']['resource']}"] += 1
    return calls


def operator_memory() -> float:
    """Return the working set of the operator's largest pod, which works, in MiB, as the kubelet measures it."""
    stats = json.loads(kubectl("get", "--raw", "/api/v1/nodes/modelport/proxy/stats/summary"))
    pods = [each for each in stats["pods"] if each["podRef"]["namespace"] == SYSTEM]
    operators = [each for each in pods if each["podRef"]["name"].startswith("modelport-operator")]
    return max(float(each["memory"]["workingSetBytes"]) for each in operators) / (1 << 20)


def main() -> None:
    """Measure everything, print the table, write the JSON."""
    sources = push_pnet()
    try:
        print("apply → Ready of PNet, and the floor:", flush=True)
        measured = times(sources)
        print("steady state:", flush=True)
        steady = steady_state(sources)
    finally:
        clear()
    result = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}",
        "seconds": measured,
        "median_seconds": {name: statistics.median(values) for name, values in measured.items()},
        "crd_bytes": len(json.dumps(resource_definition(), separators=(",", ":"))),
        "steady_state": steady,
    }
    (ROOT / "bench" / "results" / "main-job.json").write_text(json.dumps(result, indent=2) + "\n")
    median = result["median_seconds"]
    assert isinstance(median, dict)
    print("\n| what | measured | beside the floor |\n|---|---|---|")
    floor = f"init containers running true: {median['floor-init']:.1f} s; regular ones: {median['floor-regular']:.1f} s"
    print(f"| apply → Ready of PNet | {median['convert']:.1f} s | {floor} |")
    print(f"| of which steps work | {', '.join(f'{step} {median[step]:.2f} s' for step in STEPS)} | |")
    print(f"| the same, artifact reused | {median['reuse']:.1f} s | |")
    print(f"| CRD, compact JSON | {result['crd_bytes']} bytes | |")
    print(
        f"| objects changed over {steady['resyncs']:.0f} resyncs of {RESOURCES} resources | {len(steady['changed'])} | |"
    )
    print(f"| calls per resource and resync | {steady['calls_per_resync']:.1f} | |")
    print(f"| operator's memory, {RESOURCES} resources | {steady['operator_memory_mib']:.0f} MiB | |")


if __name__ == "__main__":
    main()
