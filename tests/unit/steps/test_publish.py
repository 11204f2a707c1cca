"""Step publish, as a pod runs it: everything or nothing, and nothing but what verify left."""

import msgspec
import pytest

from modelport.api import Signature
from modelport.contract import (
    MANIFEST,
    ArtifactManifest,
    ConvertRequest,
    ExitStatus,
    File,
    Hop,
    StepResult,
    VerifyRequest,
    artifact_folder,
    digest_of,
)
from modelport.reasons import Reason
from unit.steps.jobs import KEY, Pod, model_bytes


@pytest.fixture
def pod(tmp_path):
    return Pod(tmp_path)


def verified(pod, files=None):
    """Write what verify leaves; return the manifest's bytes."""
    files = files or {"model.onnx": model_bytes(), "golden/0.npz": b"sample"}
    out = pod.work / "verify" / "out"
    for path, content in files.items():
        target = out / "artifact" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    (out / "evidence").mkdir()
    (out / "evidence" / "reference.npz").write_bytes(b"evidence")
    (out / "record.json").write_bytes(b"{}")
    manifest = msgspec.json.encode(
        ArtifactManifest(
            key=KEY,
            format="onnx",
            runtime="onnxruntime",
            source_digest=digest_of(b"source"),
            source_format="onnx",
            path=["onnx", "onnx"],
            signature=Signature(),
            files=[File(path=path, size_bytes=len(data), digest=digest_of(data)) for path, data in files.items()],
        )
    )
    (out / "artifact" / MANIFEST).write_bytes(manifest)
    (pod.work / "verify" / "result.json").write_bytes(msgspec.json.encode(StepResult(step="verify")))
    return manifest


def convert_request():
    hop = Hop(converter="onnx-to-onnx", source="onnx", target="onnx", image="converter-onnx")
    return ConvertRequest(
        artifact_key=KEY, verification_key="b" * 32, source_digest="", source_format="onnx", hops=[hop]
    )


def verify_request(digest):
    return VerifyRequest(artifact_key=KEY, artifact_digest=digest, verification_key="c" * 32)


def test_publish_puts_everything_under_the_manifests_digest(pod):
    manifest = verified(pod)
    statuses, result, logs = pod.run("publish", request=convert_request())
    assert statuses == [ExitStatus.DONE], logs
    folder = artifact_folder(KEY, digest_of(manifest))
    assert (result.artifact.digest, result.artifact.uri) == (digest_of(manifest), f"{pod.store_uri}/{folder}/")
    assert [path.removeprefix(f"{folder}/") for path, _ in pod.store.list()] == [
        "evidence/reference.npz",
        "golden/0.npz",
        "manifest.json",
        "model.onnx",
        f"verifications/{'b' * 32}.json",
    ]


def test_publishing_again_agrees_and_another_verification_adds_its_record(pod, tmp_path):
    manifest = verified(pod)
    first = pod.run("publish", request=convert_request())[1]
    count = len(pod.store.list())
    statuses, second, logs = pod.run("publish", request=verify_request(digest_of(manifest)))
    assert (statuses, second) == ([ExitStatus.DONE], first), logs
    assert len(pod.store.list()) == count + 1


def test_publish_takes_no_artifact_but_the_one_that_was_to_be_verified(pod):
    verified(pod)
    statuses, result, _ = pod.run("publish", request=verify_request(digest_of(b"another")))
    assert (statuses, result.failure.reason) == ([ExitStatus.INVALID], Reason.DIGEST_MISMATCH)
    assert pod.store.list() == []


def test_publish_follows_no_link(pod):
    verified(pod)
    planted = pod.work / "verify" / "out" / "artifact" / "model.onnx"
    planted.unlink()
    planted.symlink_to(pod.credentials / "store" / "uri")
    statuses, result, _ = pod.run("publish", request=convert_request())
    assert (statuses, result.failure.reason) == ([ExitStatus.INVALID], Reason.UNSAFE_SOURCE)
    assert not [path for path, _ in pod.store.list() if path.endswith(("model.onnx", MANIFEST))]


def test_what_is_published_halfway_is_no_artifact(pod):
    manifest = verified(pod)
    (pod.work / "verify" / "out" / "evidence" / "reference.npz").unlink()
    assert pod.run("publish", request=convert_request())[0] == [ExitStatus.RETRY]
    assert not pod.store.exists(f"{artifact_folder(KEY, digest_of(manifest))}/{MANIFEST}")
