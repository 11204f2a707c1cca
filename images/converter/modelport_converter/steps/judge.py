"""Step judge: the gate. It measures and judges what the source and the candidate answered, and opens no model.

Whoever is judged has written everything that is read here: answers, digests, the signature. So the verdict, the manifest
and the record are written here and nowhere else, and publish takes the model's files only with the digests of them.
"""

from pathlib import Path

import msgspec

from modelport.api.reasons import Reason
from modelport.encoding import digest_of
from modelport.errors import ModelportError
from modelport.jobs.containers import TRY, hop_names
from modelport.jobs.keys import SAMPLES_VERSION
from modelport.jobs.requests import ConvertRequest
from modelport.jobs.results import StepResult, VerificationFacts
from modelport.runtimes import runtime_for
from modelport.steps.handover import (
    ARTIFACT,
    EVIDENCE,
    RECORD,
    naming_doubts,
    read_candidate,
    read_caveats,
    read_manifest,
    read_signature,
)
from modelport.steps.runner import Context, printable, say
from modelport.storage.files import copy_beneath, describe, list_tree
from modelport.storage.manifests import (
    GOLDEN,
    MANIFEST,
    ArtifactManifest,
    Candidate,
    File,
    ReferenceFacts,
    VerificationRecord,
)
from modelport.verification.answers import FILE_NAME as ANSWERS
from modelport.verification.answers import read_answers
from modelport.verification.arrays import MAX_FILE_BYTES
from modelport.verification.performance import read_performance
from modelport.verification.reference import FILE_NAME as REFERENCE
from modelport.verification.reference import read_reference
from modelport.verification.verdict.evidence import evaluate
from modelport.verification.verdict.golden import write_golden
from modelport.verification.verdict.judgement import judge as find_fault
from modelport_converter.steps.agreement import check_agreement

MAX_CAVEATS = 8
MAX_CAVEAT_CHARACTERS = 256


def judge(context: Context) -> StepResult:
    """Judge a conversion, or a stored artifact once more; leave manifest, golden samples, evidence and record."""
    assert isinstance(context.request, ConvertRequest)
    with naming_doubts([context.out_of(step) for step in (*hop_names(context.request), TRY)]):
        return _judge(context, context.request)


def _judge(context: Context, request: ConvertRequest) -> StepResult:
    asked, tried = context.out_of("ask"), context.out_of(TRY)
    digest = copy_beneath(asked, REFERENCE, context.out / EVIDENCE, MAX_FILE_BYTES).digest
    reference = read_reference(context.out / EVIDENCE)
    compared = ReferenceFacts(digest=digest, samples=len(reference.usual), version=SAMPLES_VERSION)
    if compared.samples < request.verification.samples:
        message = f"reference: expected answers to {request.verification.samples} samples, found {compared.samples}"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    candidate = read_candidate(tried)
    stored, content = read_manifest(context.out_of("stage") / ARTIFACT) if request.artifact_digest else (None, b"")
    # what a server promises is what the manifest says; a new artifact promises what the source showed
    signature = stored.signature if stored else read_signature(asked)
    evidence = evaluate(reference, read_answers(tried / ANSWERS), signature, request)
    (context.out / ARTIFACT).mkdir()
    if stored:
        check_agreement(stored, candidate, evidence)
        manifest = stored
    else:
        write_golden(context.out / ARTIFACT / GOLDEN, evidence.golden)
        caveats = [caveat for hop in hop_names(request) for caveat in read_caveats(context.out_of(hop))]
        manifest = ArtifactManifest(
            key=request.artifact_key,
            format=request.target_format,
            runtime=_runtime(request, candidate),
            source_digest=request.digests["source"],
            source_format=request.source_format,
            path=[request.source_format, *(hop.target for hop in request.hops)],
            signature=signature,
            files=[*candidate.files, *_golden_files(context.out / ARTIFACT)],
            reference=compared,
            lengths=evidence.lengths,
            has_independent_rows=evidence.has_independent_rows,
            states=request.states,
            load_options=candidate.load_options,
            caveats=_caveats([*caveats, *candidate.caveats]),
        )
        content = msgspec.json.encode(manifest)
    (context.out / ARTIFACT / MANIFEST).write_bytes(content)
    caveats = _caveats([*manifest.caveats, *evidence.facts.caveats])
    facts = msgspec.structs.replace(
        evidence.facts,
        reference=compared.digest,
        caveats=caveats,
        edges=printable(evidence.facts.edges),
        performance=read_performance(asked, tried),
    )
    record = VerificationRecord(
        artifact_digest=digest_of(content),
        verification_key=request.verification_key,
        reference=compared,
        verification=facts,
    )
    (context.out / RECORD).write_bytes(msgspec.json.encode(record))
    return StepResult(step=context.name, verification=_judged(context, request, facts))


def _judged(context: Context, request: ConvertRequest, facts: VerificationFacts) -> VerificationFacts:
    for output in facts.outputs:
        say(
            context.name,
            f"output {output.name}: {output.comparison}, relative RMS {output.relative_rms} (limit {output.limit}), "
            f"largest {output.max_absolute_error}, noise floor {output.noise_floor}, spread {output.spread}",
        )
    for told in (*facts.caveats, *filter(None, [facts.edges])):
        say(context.name, f"mind: {told}")
    finding = find_fault(facts, request.verification)
    if finding is None:
        say(context.name, f"verified on {facts.samples} samples")
    elif request.verification.policy == "Enforce":
        raise finding
    else:
        say(context.name, f"not verified, and only reported: {finding.message}")
    return facts


def _caveats(told: list[str]) -> list[str]:
    """Return what is to be told, once each, as short as a status holds it."""
    short = (printable(" ".join(caveat.split()))[:MAX_CAVEAT_CHARACTERS] for caveat in told)
    return list(dict.fromkeys(filter(None, short)))[:MAX_CAVEATS]


def _runtime(request: ConvertRequest, candidate: Candidate) -> str:
    runtime = runtime_for(request.target_format).name
    if candidate.runtime != runtime:
        message = (
            f"runtime: expected {runtime}, found that {candidate.runtime:.64} was tried; use images of one version"
        )
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    return runtime


def _golden_files(folder: Path) -> list[File]:
    return [describe(folder, f"{GOLDEN}/{name}") for name in list_tree(folder / GOLDEN)]
