"""The steps of the server image as a pod runs them: processes, with files and an environment."""

import os
import shutil
import subprocess
import sys

import msgspec
import numpy as np
import pytest

from modelport.api import Verification
from modelport.contract import (
    MANIFEST,
    ArtifactManifest,
    ConvertRequest,
    ExitStatus,
    Hop,
    ServeRequest,
    StepResult,
    VerificationRecord,
    VerifyRequest,
    artifact_folder,
    digest_of,
)
from modelport.files import describe
from modelport.reasons import Reason
from modelport.verification.golden import check_golden, read_golden
from modelport.verification.reference import Answer, Floors, Reference, Sample, write_reference
from modelport_server import backends
from server.models import MLP, features, logits, mlp_artifact, mlp_bytes, scores

KEY = "a" * 32


def run(step, request, work, **variables):
    """Run a step; return its exit status and its result, which is none for a skipped one."""
    encoded = msgspec.json.encode(request).decode()
    ended = subprocess.run(
        [sys.executable, "-m", "modelport_server", step],
        env=os.environ | {"MODELPORT_REQUEST": encoded, "MODELPORT_WORK": str(work)} | variables,
        check=False,
        timeout=120,
        capture_output=True,
        text=True,
    )
    path = work / step / "result.json"
    result = msgspec.json.decode(path.read_bytes(), type=StepResult) if path.exists() else None
    return ended.returncode, result, ended.stderr


def reference():
    asked = [features(batch, seed) for seed, batch in enumerate((1, 2, 3, 4, 1, 2, 3, 4))]
    samples = tuple(Sample({"features": x}, Answer({"scores": scores(x)}, {"scores": logits(x)})) for x in asked)
    return Reference(samples, Floors({"scores": 1e-7}, {"scores": 1e-7}))


def converted(work, *, wrong=0.0):
    """Write what a hop leaves."""
    out = work / "hop-1" / "out"
    (out / "model").mkdir(parents=True)
    (out / "model" / "model.onnx").write_bytes(mlp_bytes(wrong=wrong))
    (out / "signature.json").write_bytes(msgspec.json.encode(MLP))
    write_reference(out / "reference.npz", reference())
    (work / "hop-1" / "result.json").write_bytes(msgspec.json.encode(StepResult(step="hop-1")))
    return work


def request_of(**verification):
    return ConvertRequest(
        artifact_key=KEY,
        verification_key="b" * 32,
        source_digest=f"sha256:{'1' * 64}",
        source_format="onnx",
        hops=[Hop(converter="onnx-onnx", source="onnx", target="onnx", image="converter-onnx")],
        verification=Verification(**verification),
    )


def test_verify_leaves_a_complete_artifact_whose_bytes_follow_from_the_inputs(tmp_path):
    manifests = []
    for number in (1, 2):
        work = converted(tmp_path / str(number))
        status, result, log = run("verify", request_of(), work)
        assert status == ExitStatus.DONE, log
        assert result.verification.samples == 8
        assert float(result.verification.outputs[0].relative_rms) < 5e-6
        manifests.append((work / "verify" / "out" / "artifact" / MANIFEST).read_bytes())
    assert manifests[0] == manifests[1]
    out = work / "verify" / "out"
    record = msgspec.json.decode((out / "record.json").read_bytes(), type=VerificationRecord)
    assert (record.artifact_digest, record.verification) == (digest_of(manifests[0]), result.verification)
    manifest = msgspec.json.decode(manifests[0], type=ArtifactManifest)
    assert [file.role for file in manifest.files] == ["model", "golden", "golden"]
    for file in manifest.files:
        assert msgspec.structs.replace(describe(out / "artifact", file.path), role=file.role) == file
    assert (manifest.key, manifest.runtime, manifest.signature) == (KEY, "onnxruntime", MLP)
    golden = read_golden(out / "artifact" / "golden")
    backend = backends.load("onnxruntime", out / "artifact", ["model.onnx"], 1)
    check_golden(golden, backend.infer)
    assert (out / "evidence" / "reference.npz").exists()


@pytest.mark.parametrize("wrong", [0.5, 0.01])
def test_verify_refuses_a_model_that_answers_otherwise(tmp_path, wrong):
    status, result, _ = run("verify", request_of(), converted(tmp_path, wrong=wrong))
    assert status == ExitStatus.INVALID
    assert result.failure.reason == Reason.VERIFICATION_FAILED
    assert "scores" in result.failure.message


def test_verify_only_reports_where_the_policy_says_so(tmp_path):
    status, result, log = run("verify", request_of(policy="Report"), converted(tmp_path, wrong=0.5))
    assert status == ExitStatus.DONE, log
    assert float(result.verification.outputs[0].relative_rms) > 1e-3


def test_verify_reads_nothing_through_links(tmp_path):
    work = converted(tmp_path / "work")
    secret = tmp_path / "secret"
    secret.write_text("key")
    (work / "hop-1" / "out" / "model" / "more.bin").symlink_to(secret)
    status, result, _ = run("verify", request_of(), work)
    assert (status, result.failure.reason) == (ExitStatus.INVALID, Reason.UNSAFE_SOURCE)


def test_verify_is_skipped_after_a_hop_that_left_no_result(tmp_path):
    work = converted(tmp_path)
    (work / "hop-1" / "result.json").unlink()
    (work / "hop-1" / "lock").touch()
    status, result, _ = run("verify", request_of(), work)
    assert (status, result) == (ExitStatus.SKIPPED, None)


def test_verify_asks_a_stored_artifact_again(tmp_path):
    staged = tmp_path / "stage" / "out"
    folder = mlp_artifact(staged / "artifact")
    (staged / "evidence").mkdir()
    write_reference(staged / "evidence" / "reference.npz", reference())
    (tmp_path / "stage" / "result.json").write_bytes(msgspec.json.encode(StepResult(step="stage")))
    digest = digest_of((folder / MANIFEST).read_bytes())
    request = VerifyRequest(artifact_key=KEY, artifact_digest=digest, verification_key="c" * 32)
    status, result, log = run("verify", request, tmp_path)
    assert status == ExitStatus.DONE, log
    assert result.verification.samples == 8
    record = msgspec.json.decode((tmp_path / "verify/out/record.json").read_bytes(), type=VerificationRecord)
    assert record.artifact_digest == digest


@pytest.fixture
def stored(tmp_path):
    """Return a store with an artifact, its folder there, and the environment and request of fetch."""
    folder = mlp_artifact(tmp_path / "made")
    digest = digest_of((folder / MANIFEST).read_bytes())
    place = tmp_path / "bucket" / artifact_folder(KEY, digest)
    shutil.copytree(folder, place)
    credentials = tmp_path / "credentials" / "store"
    credentials.mkdir(parents=True)
    (credentials / "uri").write_text(f"file://{tmp_path / 'bucket'}")
    variables = {"MODELPORT_CREDENTIALS": str(credentials.parent)}
    return place, ServeRequest(artifact_key=KEY, artifact_digest=digest), variables


def test_fetch_brings_what_the_digest_names_twice_as_well(tmp_path, stored):
    place, request, variables = stored
    for _ in range(2):  # an init container runs again when the pod's sandbox is lost
        status, _, log = run("fetch", request, tmp_path / "work", **variables)
        assert status == ExitStatus.DONE, log
    got = tmp_path / "work" / "fetch" / "out" / "artifact"
    for path in ("model.onnx", "golden/0.npz", MANIFEST):
        assert (got / path).read_bytes() == (place / path).read_bytes()


@pytest.mark.parametrize("name", ["model.onnx", "golden/0.npz", MANIFEST])
def test_fetch_trusts_nothing_in_the_store(tmp_path, stored, name):
    place, request, variables = stored
    content = np.frombuffer((place / name).read_bytes(), np.uint8).copy()
    content[len(content) // 2] ^= 1
    (place / name).write_bytes(content.tobytes())
    status, result, _ = run("fetch", request, tmp_path / "work", **variables)
    assert status == ExitStatus.INVALID
    assert result.failure.reason == Reason.DIGEST_MISMATCH


def test_fetch_tells_of_a_missing_artifact(tmp_path, stored):
    place, request, variables = stored
    shutil.rmtree(place)
    status, result, _ = run("fetch", request, tmp_path / "work", **variables)
    assert (status, result.failure.reason) == (ExitStatus.RETRY, Reason.STORE_UNAVAILABLE)
