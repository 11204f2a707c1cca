"""Code that was compiled for more than every CPU has runs, and is verified, where the node tells of it."""

import pytest

from modelport.api.status import SourceStatus
from modelport.conversion.cpu import level_of
from modelport.jobs.planning import import_request, verify_request
from modelport_operator.plan.bodies.nodes import LABEL, affinity
from modelport_operator.plan.bodies.pods import job_pod
from modelport_operator.plan.progress import Stage, Work
from modelport_operator.plan.rollout import Rollout
from modelport_operator.plan.serving.pods import server_pod
from modelport_operator.plan.serving.served import Served
from unit.operator.scenes import DIGEST, PLATFORM, SERVED, resource

SOURCE = SourceStatus(key="k", uri="s3://models/net.onnx", digests={"source": DIGEST}, format="onnx", size_bytes=1)
FAST = resource(SERVED | {"target": {"format": "onnx", "options": {"cpu": "x86-64-v3"}}})


def labels_asked(spec):
    node = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    (term,) = node["nodeSelectorTerms"]
    return [each["key"] for each in term["matchExpressions"]]


@pytest.mark.parametrize("level", [None, "x86-64-v2", "sparc", 4, ["x86-64-v3"]])
def test_what_every_node_has_is_not_asked_for(level):
    assert affinity(level_of({"cpu": level})) == {}


def test_each_level_asks_for_its_instructions():
    assert labels_asked(affinity(level_of({"cpu": "x86-64-v3"}))) == [f"{LABEL}AVX2", f"{LABEL}FMA3"]
    assert f"{LABEL}AVX512VL" in labels_asked(affinity(level_of({"cpu": "x86-64-v4"})))


def test_jobs_that_try_and_servers_ask_and_imports_do_not():
    def pod_of(stage, request):
        return job_pod(Work(stage=stage, key="k", name="n", request=request, image=""), FAST, PLATFORM)["spec"]

    request = verify_request(FAST, SOURCE, artifact="a", digest=DIGEST, verification="v")
    rollout = Rollout(key="k", digest=DIGEST, artifact_key="a", image="i", storage="1Gi")
    server = server_pod(Served(FAST, FAST.spec.serving, PLATFORM, rollout, None), rollout)
    assert labels_asked(pod_of(Stage.VERIFY, request)) == labels_asked(server) == [f"{LABEL}AVX2", f"{LABEL}FMA3"]
    assert "affinity" not in pod_of(Stage.IMPORT, import_request(FAST))
