"""Which nodes code may run on that was compiled for more than every node has."""

from typing import Any

from modelport.conversion.cpu import CpuLevel

FEATURES: dict[CpuLevel, tuple[str, ...]] = {
    "x86-64-v2": (),  # of every node that Kubernetes runs on
    "x86-64-v3": ("AVX2", "FMA3"),
    "x86-64-v4": ("AVX2", "FMA3", "AVX512F", "AVX512BW", "AVX512CD", "AVX512DQ", "AVX512VL"),
}
"""Names of the instructions in the labels of Node Feature Discovery: those of a level that it tells of."""
LABEL = "feature.node.kubernetes.io/cpu-cpuid."


def affinity(level: CpuLevel | None) -> dict[str, Any]:
    """Return the part of a pod's spec that asks for nodes with a level; nothing where all have it."""
    features = FEATURES[level] if level else ()
    if not features:
        return {}
    expressions = [{"key": f"{LABEL}{name}", "operator": "In", "values": ["true"]} for name in features]
    terms = {"nodeSelectorTerms": [{"matchExpressions": expressions}]}
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}}
