"""The steps of the server image, and the judge behind them, as a pod runs them: processes, with files and an environment."""

import json
import os
import shutil
import subprocess
import sys
import weakref
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from modelport.api.reasons import Reason
from modelport.api.spec import Input, Verification
from modelport.api.status import Signature
from modelport.encoding import digest_of
from modelport.errors import ModelportError, lacks_memory
from modelport.jobs.environment import ExitStatus
from modelport.jobs.requests import ConvertRequest, Hop, ServeRequest
from modelport.jobs.results import StepResult
from modelport.steps.runner import Context
from modelport.storage.files import describe, list_tree
from modelport.storage.manifests import (
    MANIFEST,
    ArtifactManifest,
    Candidate,
    File,
    Lengths,
    VerificationRecord,
    artifact_folder,
)
from modelport.verification.answers import read_answers
from modelport.verification.reference import Reference, Sample, write_reference
from modelport.verification.source.model import Source, ask_source, describe_inputs, describe_outputs
from modelport.verification.verdict.golden import check_golden, read_golden
from modelport_server.backends.base import DTYPES, How, Traits
from modelport_server.execution import loading
from modelport_server.steps import trying
from server.models import MLP, features, mlp_artifact, mlp_bytes, scores

KEY = "a" * 32
MODULES = {"try": "modelport_server", "fetch": "modelport_server", "judge": "modelport_converter"}
INPUTS = [Input(name="features", dtype="float32", shape=["batch", 4])]


def run(step, request, work, **variables):
    """Run a step; return its exit status and its result, which is none for a skipped one."""
    encoded = msgspec.json.encode(request).decode()
    ended = subprocess.run(
        [sys.executable, "-m", MODULES[step], step],
        env=os.environ
        | {"MODELPORT_REQUEST": encoded, "MODELPORT_WORK": str(work), "PYTHONPATH": os.pathsep.join(sys.path)}
        | variables,
        check=False,
        timeout=120,
        capture_output=True,
        text=True,
    )
    path = work / step / "result.json"
    result = msgspec.json.decode(path.read_bytes(), type=StepResult) if path.exists() else None
    return ended.returncode, result, ended.stderr


def done(work, step):
    (work / step / "out").mkdir(parents=True, exist_ok=True)
    (work / step / "result.json").write_bytes(msgspec.json.encode(StepResult(step=step)))
    return work / step / "out"


def request_of(digest=None, **verification):
    hop = Hop(converter="onnx-onnx", source="onnx", target="onnx", image="converter-onnx")
    return ConvertRequest(
        artifact_key=KEY,
        verification_key=("c" if digest else "b") * 32,
        digests={"source": f"sha256:{'1' * 64}"},
        source_format="onnx",
        target_format="onnx",
        hops=[] if digest else [hop],
        artifact_digest=digest,
        verification=Verification(**verification),
    )


def asked(work, run_source=lambda inputs: {"scores": scores(inputs["features"])}):
    """Write what ask leaves, of a source that is numpy."""
    out = done(work, "ask")
    reference = ask_source(Source(INPUTS, run_source), request_of(), [])
    write_reference(out / "reference.npz", reference)
    signature = Signature(inputs=describe_inputs(INPUTS), outputs=describe_outputs(INPUTS, reference.samples))
    assert signature == MLP
    (out / "signature.json").write_bytes(msgspec.json.encode(signature))
    return work


def converted(work, *, wrong=0.0, caveats=None):
    """Write what ask and a hop leave."""
    asked(work)
    out = done(work, "hop-1")
    (out / "model").mkdir()
    (out / "model" / "model.onnx").write_bytes(mlp_bytes(wrong=wrong))
    if caveats is not None:
        (out / "caveats.json").write_bytes(msgspec.json.encode(caveats))
    return work


def judged(work, request=None, **conversion):
    """Run try and judge after a conversion; return what judge came to."""
    request = request or request_of()
    status, result, log = run("try", request, converted(work, **conversion))
    assert (status, result.verification) == (ExitStatus.DONE, None), log
    return run("judge", request, work)


def manifest_of(work):
    content = (work / "judge" / "out" / "artifact" / MANIFEST).read_bytes()
    return content, msgspec.json.decode(content, type=ArtifactManifest)


# --- a conversion ---------------------------------------------------------------------------------------------------


def test_try_answers_and_judges_nothing(tmp_path):
    status, result, log = run("try", request_of(), converted(tmp_path, wrong=0.5))
    assert (status, result) == (ExitStatus.DONE, StepResult(step="try")), log
    out = tmp_path / "try" / "out"
    assert list_tree(out) == ["answers.npz", "artifact/model/model.onnx", "performance.json", "tried.json"]
    candidate = msgspec.json.decode((out / "tried.json").read_bytes(), type=Candidate)
    model = mlp_bytes(wrong=0.5)
    assert candidate == Candidate(
        runtime="onnxruntime", files=[File(path="model/model.onnx", size_bytes=len(model), digest=digest_of(model))]
    )
    assert read_answers(out / "answers.npz").companies


def test_judge_leaves_all_but_the_model_and_its_bytes_follow_from_the_inputs(tmp_path):
    manifests = []
    for number in (1, 2):
        work = tmp_path / str(number)
        status, result, log = judged(work, caveats=["the length 8 was baked in", "the length 8  was baked in"])
        assert status == ExitStatus.DONE, log
        assert float(result.verification.outputs[0].relative_rms) < 5e-6
        assert result.verification.caveats[0] == "the length 8 was baked in"
        manifests.append(manifest_of(work)[0])
    assert manifests[0] == manifests[1]
    out, (content, manifest) = work / "judge" / "out", manifest_of(work)
    record = msgspec.json.decode((out / "record.json").read_bytes(), type=VerificationRecord)
    assert (record.artifact_digest, record.verification) == (digest_of(content), result.verification)
    evidence = describe(out, "evidence/reference.npz")
    assert evidence.digest == describe(work / "ask" / "out", "reference.npz").digest
    assert record.reference == manifest.reference
    assert (manifest.reference.digest, result.verification.reference) == (evidence.digest, evidence.digest)
    assert manifest.reference.samples == result.verification.samples >= 8
    assert [file.path for file in manifest.files] == ["model/model.onnx", "golden/0.npz", "golden/1.npz"]
    for file, step in zip(manifest.files, ("try", "judge", "judge"), strict=True):
        assert describe(work / step / "out" / "artifact", file.path) == file
    assert (manifest.key, manifest.runtime, manifest.signature) == (KEY, "onnxruntime", MLP)
    assert (manifest.has_independent_rows, manifest.lengths) == (True, {"batch": Lengths(min=1)})
    assert (manifest.load_options, manifest.caveats) == ({}, ["the length 8 was baked in"])
    infer = loading.load("onnxruntime", work / "try" / "out" / "artifact" / "model", ["model.onnx"], How())
    check_golden(read_golden(out / "artifact" / "golden"), infer, [])


@pytest.mark.parametrize("wrong", [0.5, 0.001])
def test_judge_refuses_a_model_that_answers_otherwise(tmp_path, wrong):
    status, result, _ = judged(tmp_path, wrong=wrong)
    assert status == ExitStatus.INVALID
    assert result.failure.reason == Reason.VERIFICATION_FAILED
    assert "scores" in result.failure.message


def test_judge_only_reports_where_the_policy_says_so(tmp_path):
    status, result, log = judged(tmp_path, request_of(policy="Report"), wrong=0.5)
    assert status == ExitStatus.DONE, log
    assert float(result.verification.outputs[0].excess) > 100
    assert "only reported" in log


def test_judge_takes_no_evidence_of_fewer_samples_than_are_asked_for(tmp_path):
    status, result, _ = judged(tmp_path, request_of(samples=64))
    assert (status, result.failure.reason) == (ExitStatus.INVALID, Reason.CONVERSION_FAILED)
    assert "64 samples, found 8" in result.failure.message


def test_caveats_hold_nothing_that_a_terminal_obeys(tmp_path):
    _, result, _ = judged(tmp_path, caveats=["\x1b[2Jall is well\x00", "\x07"])
    assert result.verification.caveats[0] == manifest_of(tmp_path)[1].caveats[0] == "[2Jall is well"


def test_try_reads_nothing_through_links(tmp_path):
    work = converted(tmp_path / "work")
    secret = tmp_path / "secret"
    secret.write_text("key")
    (work / "hop-1" / "out" / "model" / "more.bin").symlink_to(secret)
    status, result, _ = run("try", request_of(), work)
    assert (status, result.failure.reason) == (ExitStatus.INVALID, Reason.UNSAFE_SOURCE)


def test_try_is_skipped_after_a_hop_that_left_no_result(tmp_path):
    work = converted(tmp_path)
    (work / "hop-1" / "result.json").unlink()
    (work / "hop-1" / "lock").touch()
    status, result, _ = run("try", request_of(), work)
    assert (status, result) == (ExitStatus.SKIPPED, None)


# --- what was written by whoever is judged --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tried_once(tmp_path_factory):
    work = converted(tmp_path_factory.mktemp("tried"))
    status, _, log = run("try", request_of(), work)
    assert status == ExitStatus.DONE, log
    return work


@pytest.fixture
def tried(tried_once, tmp_path):
    """Return the folder of what try left, in a Job's folder of the test's own."""
    shutil.copytree(tried_once, tmp_path, dirs_exist_ok=True)
    return tmp_path / "try" / "out"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("manifest.json", Reason.CONVERSION_FAILED),
        ("golden/0.npz", Reason.CONVERSION_FAILED),
        ("verifications/b.json", Reason.CONVERSION_FAILED),
        ("../judge/record.json", Reason.UNSAFE_SOURCE),
    ],
)
def test_no_file_of_the_models_takes_a_name_of_ours(tmp_path, tried, path, reason):
    file = File(path=path, size_bytes=1, digest=digest_of(b"x"))
    (tried / "tried.json").write_bytes(msgspec.json.encode(Candidate(runtime="onnxruntime", files=[file])))
    status, result, _ = run("judge", request_of(), tmp_path)
    assert (status, result.failure.reason) == (ExitStatus.INVALID, reason)


def test_a_candidate_without_files_is_none(tmp_path, tried):
    (tried / "tried.json").write_bytes(msgspec.json.encode(Candidate(runtime="onnxruntime", files=[])))
    assert run("judge", request_of(), tmp_path)[1].failure.reason == Reason.CONVERSION_FAILED


def test_load_options_are_no_place_for_anything_else(tmp_path, tried):
    told = {"runtime": "onnxruntime", "files": [], "loadOptions": {"how": "x" * 300}}
    (tried / "tried.json").write_bytes(msgspec.json.encode(told))
    failure = run("judge", request_of(), tmp_path)[1].failure
    assert (failure.reason, "loadOptions" in failure.message) == (Reason.CONVERSION_FAILED, True)


@pytest.mark.parametrize(
    ("step", "name"),
    [
        ("ask", "reference.npz"),
        ("ask", "signature.json"),
        ("hop-1", "caveats.json"),
        ("try", "answers.npz"),
        ("try", "tried.json"),
    ],
)
@pytest.mark.parametrize("planted", ["link", "garbage", "large"])
@pytest.mark.usefixtures("tried")
def test_what_cannot_be_read_is_a_failure_of_its_own(tmp_path, step, name, planted):
    path = tmp_path / step / "out" / name
    path.unlink(missing_ok=True)
    if planted == "link":
        (tmp_path / "secret").write_text("[]")
        path.symlink_to(tmp_path / "secret")
    elif planted == "garbage":
        path.write_bytes(b"\x80\x04garbage")
    else:
        with path.open("wb") as file:
            file.truncate(3 << 30)  # a hole: it takes no room
    status, result, log = run("judge", request_of(), tmp_path)
    assert status == ExitStatus.INVALID, log
    assert result.failure.reason in {Reason.UNSAFE_SOURCE, Reason.CONVERSION_FAILED, Reason.VERIFICATION_FAILED}
    assert not (tmp_path / "judge" / "out" / "record.json").exists()


@pytest.mark.usefixtures("tried")
def test_a_signature_that_the_answers_contradict_is_refused(tmp_path):
    (output,) = MLP.outputs
    wrong = msgspec.structs.replace(MLP, outputs=[msgspec.structs.replace(output, shape=["batch", 5])])
    (tmp_path / "ask" / "out" / "signature.json").write_bytes(msgspec.json.encode(wrong))
    assert run("judge", request_of(), tmp_path)[1].failure.reason == Reason.CONVERSION_FAILED


# --- a stored artifact ----------------------------------------------------------------------------------------------


def staged(work, **changes):
    """Write what stage leaves of a stored artifact, and ask; return the request to verify it once more."""
    folder = mlp_artifact(done(work, "stage") / "artifact")
    manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=ArtifactManifest)
    content = msgspec.json.encode(msgspec.structs.replace(manifest, **changes))
    (folder / MANIFEST).write_bytes(content)
    asked(work)
    return request_of(digest_of(content)), content


def test_a_stored_artifact_is_tried_again_and_keeps_its_manifest(tmp_path):
    request, content = staged(tmp_path, caveats=["the length 8 was baked in"])
    assert run("try", request, tmp_path)[0] == ExitStatus.DONE
    status, result, log = run("judge", request, tmp_path)
    assert status == ExitStatus.DONE, log
    assert manifest_of(tmp_path)[0] == content
    out = tmp_path / "judge" / "out"
    assert list_tree(out) == ["artifact/manifest.json", "evidence/reference.npz", "record.json"]
    record = msgspec.json.decode((out / "record.json").read_bytes(), type=VerificationRecord)
    assert (record.artifact_digest, record.verification_key) == (request.artifact_digest, "c" * 32)
    assert record.reference.digest == describe(out, "evidence/reference.npz").digest
    assert result.verification.caveats[0] == "the length 8 was baked in"


def test_evidence_that_proves_more_than_the_manifest_says_is_fine(tmp_path):
    request, _ = staged(tmp_path, has_independent_rows=False, lengths={"batch": Lengths(min=1, max=8)})
    assert run("try", request, tmp_path)[0] == ExitStatus.DONE
    status, _, log = run("judge", request, tmp_path)
    assert status == ExitStatus.DONE, log


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"lengths": {"batch": Lengths(min=0)}}, "allows lengths 0 to any of batch, verified here: 1 to any"),
        ({"lengths": {"time": Lengths(min=1, max=4)}}, "allows lengths 1 to 4 of time, verified here: none"),
        ({"runtime": "other"}, "its manifest says other"),
    ],
)
def test_a_manifest_that_says_more_than_is_proved_is_refused(tmp_path, changes, told):
    request, _ = staged(tmp_path, **changes)
    assert run("try", request, tmp_path)[0] == ExitStatus.DONE
    result = run("judge", request, tmp_path)[1]
    assert result.failure.reason == Reason.VERIFICATION_FAILED
    assert told in result.failure.message


def test_rows_that_are_independent_no_more_are_told(tmp_path):
    request, _ = staged(tmp_path)
    assert run("try", request, tmp_path)[0] == ExitStatus.DONE
    # as if this server's runtime had answered rows in company otherwise
    out = tmp_path / "try" / "out"
    found = read_answers(out / "answers.npz")
    worse = [
        each._replace(together={name: array + 1 for name, array in each.together.items()}) for each in found.companies
    ]
    trying.write_answers(out / "answers.npz", found._replace(companies=tuple(worse)))
    result = run("judge", request, tmp_path)[1]
    assert result.failure.reason == Reason.VERIFICATION_FAILED
    assert "rows are independent" in result.failure.message


def test_other_files_than_the_stored_ones_are_not_judged(tmp_path):
    request, _ = staged(tmp_path)
    assert run("try", request, tmp_path)[0] == ExitStatus.DONE
    path = tmp_path / "try" / "out" / "tried.json"
    candidate = msgspec.json.decode(path.read_bytes(), type=Candidate)
    (file,) = candidate.files
    other = [msgspec.structs.replace(file, digest=digest_of(b"other"))]
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(candidate, files=other)))
    result = run("judge", request, tmp_path)[1]
    assert (result.failure.reason, "model.onnx" in result.failure.message) == (Reason.DIGEST_MISMATCH, True)


# --- ways to load ---------------------------------------------------------------------------------------------------


class Scripted:
    """A model that answers as it is told: right, far from right, or not at all."""

    def __init__(self, how):
        self._how = how

    def __call__(self, inputs):
        if self._how == "fails" or (self._how == "fails on edges" and np.isnan(inputs["features"]).any()):
            raise RuntimeError("no kernel for this")
        return {"scores": scores(inputs["features"]) + np.float32(0.1 if self._how == "far" else 0)}


def script(monkeypatch, load, *ways):
    """Have models loaded like that, by default and in other ways."""
    backend = SimpleNamespace(TRAITS=Traits("scripted", DTYPES, DTYPES), WAYS=({}, *ways))
    monkeypatch.setattr(trying.loading, "find", lambda _runtime: backend)
    monkeypatch.setattr(trying.loading, "load", load)


@pytest.fixture
def attempt(tmp_path, monkeypatch):
    """Try a model with a backend of these ways; return what was left."""

    def try_ways(*ways):
        def load(_runtime, _folder, _files, how):
            told = how.options.get("how", ways[0])
            if told == "does not load":
                raise ModelportError(Reason.RUNTIME_UNSUPPORTED, f"no kernel, {how.options}")
            return Scripted(told)

        script(monkeypatch, load, *({"how": how} for how in ways[1:]))
        context = Context("try", request_of(), converted(tmp_path), tmp_path)
        context.out.mkdir(parents=True)
        trying.try_model(context)
        candidate = msgspec.json.decode((context.out / "tried.json").read_bytes(), type=Candidate)
        return candidate.load_options, candidate.caveats, read_answers(context.out / "answers.npz")

    return try_ways


@pytest.mark.parametrize(
    ("first", "told"),
    [
        ("does not load", "does not load or run this model"),
        ("fails", "does not load or run this model"),
        ("far", "changes the answers of this model"),
    ],
)
def test_the_first_way_that_answers_nearly_as_the_source_is_taken_and_told(attempt, first, told):
    options, (caveat,), _ = attempt(first, "far", "right", "right")
    assert options == {"how": "right"}
    assert caveat == f"ONNX Runtime {told} in its default way; it is loaded with how=right"


def test_the_default_way_is_taken_where_it_is_as_good_as_any(attempt):
    assert attempt("right", "right")[:2] == ({}, [])


def test_a_model_that_is_wrong_in_every_way_is_left_to_the_judge(attempt):
    assert attempt("far", "far")[:2] == ({}, [])


def test_a_way_that_answers_at_all_is_better_than_none_and_doubted(attempt, tmp_path):
    options, caveats, _ = attempt("does not load", "far")
    assert options == {"how": "far"}
    assert "does not load or run this model" in caveats[0]
    assert json.loads((tmp_path / "try" / "out" / "doubts.json").read_bytes()) == caveats


def test_models_that_are_not_chosen_are_let_go(attempt, monkeypatch):
    alive, most = weakref.WeakSet(), []

    def count(self, how):
        alive.add(self)
        most.append(len(alive))
        self._how = how

    monkeypatch.setattr(Scripted, "__init__", count)
    assert attempt(*["far"] * 5, "right")[0] == {"how": "right"}
    assert most == [1, 2, 2, 2, 2, 2]


@pytest.mark.parametrize(
    ("ways", "reason", "told"),
    [
        (("does not load", "fails"), Reason.RUNTIME_UNSUPPORTED, "no kernel, {}"),
        (
            ("fails", "does not load"),
            Reason.RUNTIME_UNSUPPORTED,
            "sample 0 .*the converted model fails: no kernel for this",
        ),
    ],
)
def test_where_none_answers_the_default_ways_failure_is_told(attempt, ways, reason, told):
    with pytest.raises(ModelportError, match=told) as caught:
        attempt(*ways)
    assert caught.value.reason == reason


@pytest.mark.parametrize("kind", ["link", "dangling link", "file", "empty folder"])
def test_what_is_no_folder_of_files_is_unsafe(tmp_path, monkeypatch, kind):
    source = converted(tmp_path) / "hop-1" / "out" / "model"
    shutil.rmtree(source, ignore_errors=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model.onnx").write_text("right")
    if kind == "file":
        source.write_text("right")
    elif kind == "empty folder":
        source.mkdir()
    else:
        source.symlink_to(tmp_path / ("other" if kind == "link" else "none"))
    script(monkeypatch, lambda *_: Scripted("far"))
    context = Context("try", request_of(), tmp_path, tmp_path)
    context.out.mkdir(parents=True)
    with pytest.raises(ModelportError, match="model: expected a folder with files") as caught:
        trying.try_model(context)
    assert caught.value.reason == Reason.UNSAFE_SOURCE


@pytest.fixture
def edged(monkeypatch):
    """Have the source asked at an edge, too."""
    samples = tuple(
        Sample(({"features": x},), ({"scores": scores(x)},), is_edge=bool(np.isnan(x).any()))
        for x in (features(1), np.full((1, 4), np.nan, np.float32))
    )
    monkeypatch.setattr(trying, "read_reference", lambda _path: Reference(samples))


def test_no_answer_on_edges_is_an_answer(attempt, edged):
    options, caveats, answers = attempt("fails on edges")
    assert (options, caveats) == ({}, [])
    assert [list(call) for sample in answers.samples for call in sample] == [["scores"], []]


def test_a_lack_of_memory_on_edges_is_none(attempt, edged, monkeypatch):
    def answer(_self, inputs):
        if np.isnan(inputs["features"]).any():
            raise MemoryError
        return {"scores": scores(inputs["features"])}

    monkeypatch.setattr(Scripted, "__call__", answer)
    with pytest.raises(ModelportError) as caught:
        attempt("right")
    assert lacks_memory(caught.value)


# --- fetch ----------------------------------------------------------------------------------------------------------


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
    for path in ("model/model.onnx", "golden/0.npz", MANIFEST):
        assert (got / path).read_bytes() == (place / path).read_bytes()


@pytest.mark.parametrize("name", ["model/model.onnx", "golden/0.npz", MANIFEST])
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
