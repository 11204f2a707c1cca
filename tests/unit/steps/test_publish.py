"""Step publish, as a pod runs it: everything or nothing, and nothing but what judge wrote and try's model."""

import msgspec
import pytest

from modelport.api.reasons import Reason
from modelport.api.status import Signature
from modelport.encoding import digest_of
from modelport.jobs.environment import ExitStatus
from modelport.jobs.requests import ConvertRequest, Hop
from modelport.jobs.results import StepResult
from modelport.storage.manifests import MANIFEST, ArtifactManifest, File, ReferenceFacts, artifact_folder
from unit.steps.jobs import KEY, Pod, model_bytes

MODEL, GOLDEN = model_bytes(), b"sample"


@pytest.fixture
def pod(tmp_path):
    return Pod(tmp_path)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def judged(pod):
    """Write what try and judge leave; return the manifest's bytes."""
    tried, judge = pod.work / "try", pod.work / "judge"
    files = [
        File(path="model/model.onnx", size_bytes=len(MODEL), digest=digest_of(MODEL)),
        File(path="golden/0.npz", size_bytes=len(GOLDEN), digest=digest_of(GOLDEN)),
    ]
    manifest = msgspec.json.encode(
        ArtifactManifest(
            key=KEY,
            format="onnx",
            runtime="onnxruntime",
            source_digest=digest_of(b"source"),
            source_format="onnx",
            path=["onnx", "onnx"],
            signature=Signature(),
            files=files,
            reference=ReferenceFacts(digest=digest_of(b"evidence"), samples=8, version=2),
        )
    )
    write(tried / "out/artifact/model/model.onnx", MODEL)
    write(judge / "out/artifact/golden/0.npz", GOLDEN)
    write(judge / "out/artifact" / MANIFEST, manifest)
    write(judge / "out/evidence/reference.npz", b"evidence")
    write(judge / "out/record.json", b"{}")
    write(judge / "result.json", msgspec.json.encode(StepResult(step="judge")))
    return manifest


def request(digest=None):
    hop = Hop(converter="onnx-to-onnx", source="onnx", target="onnx", image="converter-onnx")
    return ConvertRequest(
        artifact_key=KEY,
        verification_key=("c" if digest else "b") * 32,
        digests={},
        source_format="onnx",
        target_format="onnx",
        hops=[] if digest else [hop],
        artifact_digest=digest,
    )


def stored(pod):
    return [path.partition("/")[2].partition("/")[2] for path, _ in pod.store.list()]


def test_publish_puts_everything_under_the_manifests_digest(pod):
    manifest = judged(pod)
    statuses, result, logs = pod.run("publish", request=request())
    assert statuses == [ExitStatus.DONE], logs
    folder = artifact_folder(KEY, digest_of(manifest))
    assert (result.artifact.digest, result.artifact.uri) == (digest_of(manifest), f"{pod.store_uri}/{folder}/")
    assert result.artifact.size_bytes == len(MODEL) + len(GOLDEN)
    assert [path.removeprefix(f"{folder}/") for path, _ in pod.store.list()] == [
        "evidence/reference.npz",
        "golden/0.npz",
        "manifest.json",
        "model/model.onnx",
        f"verifications/{'b' * 32}.json",
    ]


def test_another_verification_adds_its_record_and_its_evidence_and_nothing_else(pod):
    manifest = judged(pod)
    first = pod.run("publish", request=request())[1]
    before = stored(pod)
    write(pod.work / "judge/out/evidence/reference.npz", b"other evidence")
    statuses, second, logs = pod.run("publish", request=request(digest_of(manifest)))
    assert (statuses, second) == ([ExitStatus.DONE], first), logs
    added = {f"verifications/{'c' * 32}.json", f"verifications/{'c' * 32}.npz"}
    folder = artifact_folder(KEY, digest_of(manifest))
    assert {path.removeprefix(f"{folder}/") for path, _ in pod.store.list()} - added == {
        path.partition("/")[2] for path in before
    }
    assert pod.store.read(f"{folder}/evidence/reference.npz") == b"evidence"


def test_publish_takes_no_artifact_but_the_one_that_was_to_be_verified(pod):
    judged(pod)
    statuses, result, _ = pod.run("publish", request=request(digest_of(b"another")))
    assert (statuses, result.failure.reason) == ([ExitStatus.INVALID], Reason.DIGEST_MISMATCH)
    assert pod.store.list() == []


@pytest.mark.parametrize("place", ["try/out/artifact/model/model.onnx", "judge/out/artifact/golden/0.npz"])
def test_publish_takes_no_file_but_those_that_were_judged(pod, place):
    manifest = judged(pod)
    (pod.work / place).write_bytes(b"another")
    statuses, result, _ = pod.run("publish", request=request())
    assert (statuses, result.failure.reason) == ([ExitStatus.INVALID], Reason.DIGEST_MISMATCH)
    folder = artifact_folder(KEY, digest_of(manifest))
    assert not pod.store.exists(f"{folder}/{MANIFEST}")
    assert not pod.store.exists(f"{folder}/{place.partition('artifact/')[2]}")


def test_publish_follows_no_link(pod):
    judged(pod)
    planted = pod.work / "try/out/artifact/model/model.onnx"
    planted.unlink()
    planted.symlink_to(pod.credentials / "store" / "uri")
    statuses, result, _ = pod.run("publish", request=request())
    assert (statuses, result.failure.reason) == ([ExitStatus.INVALID], Reason.UNSAFE_SOURCE)
    assert not [path for path, _ in pod.store.list() if path.endswith(("model.onnx", MANIFEST))]


@pytest.mark.parametrize("place", ["try/out", "try/out/artifact"])
def test_publish_follows_no_link_in_place_of_a_folder(pod, place):
    judged(pod)
    (pod.work / place).rename(pod.work / "elsewhere")
    (pod.work / place).symlink_to(pod.work / "elsewhere")
    assert pod.run("publish", request=request())[1].failure.reason == Reason.UNSAFE_SOURCE


def test_what_is_published_halfway_is_no_artifact(pod):
    manifest = judged(pod)
    (pod.work / "judge/out/evidence/reference.npz").unlink()
    assert pod.run("publish", request=request())[0] == [ExitStatus.RETRY]
    assert not pod.store.exists(f"{artifact_folder(KEY, digest_of(manifest))}/{MANIFEST}")
