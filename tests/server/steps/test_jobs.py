"""Whole Jobs as pods run them: all containers at once, from bytes to a stored artifact, and to its next verification."""

import os
import subprocess
import sys

import msgspec
import numpy as np

from modelport.api.base import API_VERSION, KIND
from modelport.api.resource import parse
from modelport.encoding import digest_of
from modelport.jobs.containers import containers_of
from modelport.jobs.environment import ExitStatus
from modelport.jobs.outcomes import source_status
from modelport.jobs.planning import convert_request, import_request, paths, verify_request
from modelport.jobs.results import StepResult
from modelport.storage.manifests import MANIFEST, ArtifactManifest, Lengths, VerificationRecord, artifact_folder
from modelport.storage.store import open_store
from modelport_server.backends.base import How
from modelport_server.execution.loading import load
from server.models import features, mlp_bytes, scores

IMAGES = {"converter-onnx": "onnx@1", "server-onnxruntime": "server@1"}
KEY = "a" * 32


class Pods:
    """Runs Jobs, each with volumes of its own, a Secret and a store."""

    def __init__(self, folder):
        self.folder = folder
        uri = f"file://{folder}/store"
        (folder / "credentials" / "store").mkdir(parents=True)
        (folder / "credentials" / "store" / "uri").write_text(uri)
        self.store = open_store({"uri": uri})

    def run(self, name, request):
        """Return what the last step of each container left; all of them must be done."""
        work = self.folder / name
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(sys.path),
            "MODELPORT_REQUEST": msgspec.json.encode(request).decode(),
            "MODELPORT_WORK": str(work),
            "MODELPORT_CREDENTIALS": str(self.folder / "credentials"),
            "MODELPORT_ALLOW_FILE": "1",
        }
        running = [
            subprocess.Popen(
                [sys.executable, "-m", each.module, *each.steps], env=environment, stderr=subprocess.PIPE, text=True
            )
            for each in containers_of(request, IMAGES)
        ]
        logs = [process.communicate(timeout=300)[1] for process in running]
        assert [process.returncode for process in running] == [ExitStatus.DONE] * len(running), logs
        return {
            each.name: msgspec.json.decode((work / each.name / "result.json").read_bytes(), type=StepResult)
            for each in containers_of(request, IMAGES)
        }


def resource(folder, **verification):
    spec = {"source": {"uri": f"file://{folder}/model.onnx"}, "verification": verification}
    return parse({"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "net"}, "spec": spec})


def test_a_model_is_imported_converted_and_verified_once_more_on_other_samples(tmp_path):
    (tmp_path / "model.onnx").write_bytes(mlp_bytes())
    pods = Pods(tmp_path)
    first = resource(tmp_path)
    source = source_status(pods.run("import", import_request(first))["keep"].source, key="k", uri="u")
    path = paths(first, source.format, IMAGES)[0]
    request = convert_request(first, source, path=path, artifact=KEY, verification="b" * 32)
    results = pods.run("convert", request)
    stored, evidence = results["publish"].artifact, results["judge"].verification
    folder = artifact_folder(KEY, stored.digest)
    content = pods.store.read(f"{folder}/{MANIFEST}")
    manifest = msgspec.json.decode(content, type=ArtifactManifest)
    assert digest_of(content) == stored.digest
    assert (manifest.has_independent_rows, manifest.lengths) == (True, {"batch": Lengths(min=1)})
    assert digest_of(pods.store.read(f"{folder}/evidence/reference.npz")) == manifest.reference.digest
    assert (evidence.samples, evidence.reference) == (manifest.reference.samples, manifest.reference.digest)

    data = tmp_path / "samples.npz"
    np.savez(data, features=features(24, seed=5))
    more = resource(tmp_path, samples=12, data={"uri": f"file://{data}"})
    source = source_status(pods.run("import again", import_request(more))["keep"].source, key="k", uri="u")
    assert source.digests["data"] == digest_of(data.read_bytes())
    again = verify_request(more, source, artifact=KEY, digest=stored.digest, verification="c" * 32)
    before = dict(pods.store.list())
    results = pods.run("verify", again)
    assert results["publish"].artifact == stored
    added = {f"{folder}/verifications/{'c' * 32}.{suffix}" for suffix in ("json", "npz")}
    assert dict(pods.store.list()).keys() - before.keys() == added
    record = msgspec.json.decode(pods.store.read(f"{folder}/verifications/{'c' * 32}.json"), type=VerificationRecord)
    assert record.artifact_digest == stored.digest
    assert record.reference.digest != manifest.reference.digest
    assert record.reference.samples == record.verification.samples > 12, "the user's own are asked beside the generated"
    assert pods.store.read(f"{folder}/{MANIFEST}") == content

    served = tmp_path / "convert" / "try" / "out" / "artifact" / "model"
    infer = load(manifest.runtime, served, ["model.onnx"], How(manifest.load_options))
    question = features(3, seed=9)
    np.testing.assert_allclose(infer({"features": question})["scores"], scores(question), rtol=1e-5, atol=1e-6)
