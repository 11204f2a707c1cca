"""Step verify: the gate. The image that will serve the artifact loads it as it will be served, and is asked.

The model is copied into this step's own volume while it is hashed, and the copy is loaded: what is verified is what
publish uploads, whatever the step before does to its files afterwards.
"""

from pathlib import Path
from typing import NamedTuple

import msgspec

from modelport.api import Signature
from modelport.contract import (
    MANIFEST,
    ArtifactManifest,
    ConvertRequest,
    File,
    ModelportError,
    StepResult,
    VerificationFacts,
    VerificationRecord,
    VerifyRequest,
    digest_of,
)
from modelport.files import copy_beneath, describe, list_tree, read_bytes
from modelport.reasons import Reason
from modelport.runtimes import runtime_for
from modelport.steps import Context, say
from modelport.verification.golden import write_golden
from modelport.verification.judge import judge
from modelport.verification.reference import FILE_NAME, Reference, read_reference
from modelport.verification.verify import Evidence, verify
from modelport_server import backends, processors
from modelport_server.artifact import GOLDEN

MAX_SIGNATURE_BYTES = 1 << 20
EVIDENCE = f"evidence/{FILE_NAME}"


class _Candidate(NamedTuple):
    """What is to be verified, copied."""

    runtime: str
    files: list[File]
    reference: Reference


def verify_artifact(context: Context) -> StepResult:
    """Verify what the last hop left, or a stored artifact; leave the artifact complete."""
    request = context.request
    assert isinstance(request, ConvertRequest | VerifyRequest)
    artifact = context.out / "artifact"
    (context.out / EVIDENCE).parent.mkdir()
    if isinstance(request, ConvertRequest):
        candidate = _copy_conversion(context, request)
        evidence = _ask(context, candidate)
        write_golden(artifact / GOLDEN, evidence.golden)
        content = msgspec.json.encode(_manifest(context, request, candidate))
        (artifact / MANIFEST).write_bytes(content)
    else:
        content, candidate = _copy_artifact(context)
        evidence = _ask(context, candidate)
    record = VerificationRecord(
        artifact_digest=digest_of(content), verification_key=request.verification_key, verification=evidence.facts
    )
    (context.out / "record.json").write_bytes(msgspec.json.encode(record))
    return StepResult(step=context.name, verification=_judged(context, request, evidence.facts))


def last_step(request: ConvertRequest | VerifyRequest) -> str:
    """Return the step that verify waits for."""
    return f"hop-{len(request.hops)}" if isinstance(request, ConvertRequest) else "stage"


def _copy_conversion(context: Context, request: ConvertRequest) -> _Candidate:
    source = context.out_of(last_step(request)) / "model"
    files = [
        msgspec.structs.replace(copy_beneath(source, path, context.out / "artifact" / path), role="model")
        for path in list_tree(source)
    ]
    copy_beneath(context.out_of("hop-1"), FILE_NAME, context.out / EVIDENCE)
    runtime = runtime_for(request.hops[-1].target).name
    return _Candidate(runtime, files, read_reference(context.out / EVIDENCE))


def _copy_artifact(context: Context) -> tuple[bytes, _Candidate]:
    staged, artifact = context.out_of("stage"), context.out / "artifact"
    content = read_bytes(staged / "artifact", MANIFEST, MAX_SIGNATURE_BYTES)
    manifest = msgspec.json.decode(content, type=ArtifactManifest)
    for file in manifest.files:
        copy_beneath(staged / "artifact", file.path, artifact / file.path)
    (artifact / MANIFEST).write_bytes(content)
    copy_beneath(staged, EVIDENCE, context.out / EVIDENCE)
    files = [file for file in manifest.files if file.role == "model"]
    return content, _Candidate(manifest.runtime, files, read_reference(context.out / EVIDENCE))


def _ask(context: Context, candidate: _Candidate) -> Evidence:
    folder, paths = context.out / "artifact", [file.path for file in candidate.files]
    backend = backends.load(candidate.runtime, folder, paths, processors.available())
    evidence = verify(candidate.reference, backend.infer, backends.load_logits(candidate.runtime, folder, paths))
    for output in evidence.facts.outputs:
        say(
            context.name,
            f"output {output.name}: relative RMS {output.relative_rms}, largest {output.max_absolute_error}, "
            f"noise floor {output.noise_floor}, spread {output.spread}",
        )
    return evidence


def _judged(context: Context, request: ConvertRequest | VerifyRequest, facts: VerificationFacts) -> VerificationFacts:
    finding = judge(facts.outputs, request.verification)
    if finding is None:
        say(context.name, f"verified on {facts.samples} samples")
        return facts
    if request.verification.policy == "Enforce":
        raise ModelportError(finding.reason, finding.message)
    say(context.name, f"not verified, and only reported: {finding.message}")
    return facts


def _manifest(context: Context, request: ConvertRequest, candidate: _Candidate) -> ArtifactManifest:
    artifact = context.out / "artifact"
    golden = [
        msgspec.structs.replace(describe(artifact, f"{GOLDEN}/{name}"), role="golden")
        for name in list_tree(artifact / GOLDEN)
    ]
    return ArtifactManifest(
        key=request.artifact_key,
        format=request.hops[-1].target,
        runtime=candidate.runtime,
        source_digest=request.source_digest,
        source_format=request.source_format,
        path=[request.source_format, *(hop.target for hop in request.hops)],
        signature=_signature(context.out_of(last_step(request))),
        files=[*candidate.files, *golden],
    )


def _signature(folder: Path) -> Signature:
    try:
        return msgspec.json.decode(read_bytes(folder, "signature.json", MAX_SIGNATURE_BYTES), type=Signature)
    except (FileNotFoundError, msgspec.DecodeError) as error:
        message = f"signature.json: expected inputs and outputs from the conversion, found: {error!s:.200}"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error
