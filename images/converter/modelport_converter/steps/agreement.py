"""Whether new evidence about a stored artifact bears out what its manifest says: it may prove more, never less."""

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.storage.manifests import ArtifactManifest, Candidate, Lengths, model_files
from modelport.verification.verdict.evidence import Evidence


def check_agreement(manifest: ArtifactManifest, candidate: Candidate, evidence: Evidence) -> None:
    """Raise ModelportError (DigestMismatch, VerificationFailed) for what the manifest says and the evidence does not."""
    expected = {file.path: (file.size_bytes, file.digest) for file in model_files(manifest.files)}
    found = {file.path: (file.size_bytes, file.digest) for file in candidate.files}
    if found != expected:
        named = sorted(path for path in expected.keys() | found.keys() if expected.get(path) != found.get(path))
        message = f"the model's files: expected those of the stored manifest, found others: {', '.join(named):.200}"
        raise ModelportError(Reason.DIGEST_MISMATCH, message)
    for contradiction in _contradictions(manifest, candidate, evidence):
        message = f"the stored artifact: {contradiction}; change a field of spec.target or spec.source to convert anew"
        raise ModelportError(Reason.VERIFICATION_FAILED, message)


def _contradictions(manifest: ArtifactManifest, candidate: Candidate, evidence: Evidence) -> list[str]:
    found = []
    if candidate.runtime != manifest.runtime or dict(candidate.load_options) != dict(manifest.load_options):
        how = f"{candidate.runtime:.64} with {candidate.load_options!s:.100}"
        found.append(f"its manifest says {manifest.runtime} with {manifest.load_options}, it was loaded by {how}")
    if manifest.has_independent_rows and not evidence.has_independent_rows:
        found.append("its manifest says that rows are independent of their company, and here they are not")
    for name, lengths in manifest.lengths.items():
        now = evidence.lengths.get(name)
        if now is None or not _covers(now, lengths):
            shown = _shown(now) if now else "none"
            found.append(f"its manifest allows lengths {_shown(lengths)} of {name}, verified here: {shown}")
    return found


def _covers(now: Lengths, stored: Lengths) -> bool:
    return now.min <= stored.min and (now.max is None or (stored.max is not None and now.max >= stored.max))


def _shown(lengths: Lengths) -> str:
    return f"{lengths.min} to {'any' if lengths.max is None else lengths.max}"
