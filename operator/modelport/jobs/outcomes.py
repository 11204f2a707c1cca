"""From the facts that steps report to the parts of the status: the same for the operator and for `modelport run`."""

from modelport.api.spec import Verification
from modelport.api.status import ArtifactStatus, SourceStatus, VerificationStatus
from modelport.jobs.keys import SAMPLES_VERSION, judgement_key
from modelport.jobs.results import ArtifactFacts, SourceFacts, VerificationFacts

NOT_ENFORCED = "NotEnforced"
"""Reason of the condition Verified where errors were measured and nobody judged them."""


def source_status(facts: SourceFacts, *, key: str, uri: str) -> SourceStatus:
    """Return what the status says about an imported source."""
    return SourceStatus(
        key=key,
        uri=uri,
        digests=facts.digests,
        format=facts.format,
        size_bytes=facts.size_bytes,
        signature=facts.signature,
    )


def artifact_status(facts: ArtifactFacts, *, key: str, inputs_key: str, format_name: str) -> ArtifactStatus:
    """Return what the status says about a converted model."""
    return ArtifactStatus(
        key=key,
        inputs_key=inputs_key,
        digest=facts.digest,
        format=format_name,
        size_bytes=facts.size_bytes,
        uri=facts.uri,
    )


def verification_status(
    facts: VerificationFacts, *, key: str, judged_by: Verification, image: str = ""
) -> VerificationStatus:
    """Return what the status says about the evidence, which step judge let pass."""
    return VerificationStatus(
        key=key,
        samples=facts.samples,
        samples_version=SAMPLES_VERSION,
        judged=judgement_key(judged_by),
        reference=facts.reference,
        max_absolute_error=facts.max_absolute_error,
        outputs=facts.outputs,
        edges=facts.edges,
        caveats=facts.caveats,
        performance=facts.performance,
        truncated=facts.truncated,
        image=image,
    )


def told_of(evidence: VerificationStatus) -> tuple[str, str]:
    """Return reason and message of the condition Verified, which holds if somebody judged the evidence."""
    counted = f"{evidence.samples} samples, largest absolute error {evidence.max_absolute_error}"
    if evidence.judged:
        return "Verified", counted
    return NOT_ENFORCED, f"{counted}; judged by nobody, because of verification.policy: Report"
