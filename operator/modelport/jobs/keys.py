"""Three keys decide what is done again: pure functions, the same for the operator and for `modelport run`.

`source_key`: what the spec says about bytes to import. `artifact_key`: everything that the converted model follows
from. `verification_key`: everything that the evidence follows from, but not the tolerance, because stored errors are
judged anew for another tolerance where they are complete.
"""

from collections.abc import Sequence
from urllib.parse import unquote

from modelport.api.base import REFRESH_ANNOTATION
from modelport.api.resource import ModelConversion
from modelport.api.spec import Code, Location, Role, Verification
from modelport.api.status import SourceStatus
from modelport.encoding import key_of
from modelport.jobs.requests import CodeRequest, Hop

SAMPLES_VERSION = 3
"""Raised when the generated samples change: evidence of another version is not comparable."""


def locations(resource: ModelConversion) -> dict[Role, Location]:
    """Return what is to be imported, by role."""
    source, data = resource.spec.source, resource.spec.verification.data
    code = source.code
    found: dict[Role, Location | None] = {
        "source": source,
        "code": code,
        "requirements": code.requirements if code else None,
        "calibration": resource.spec.target.calibration,
        "data": data,
    }
    return {role: location for role, location in found.items() if location}


def digests(resource: ModelConversion, source: SourceStatus) -> dict[Role, str]:
    """Return the digests of what the spec asks for, of all that was imported."""
    return {role: source.digests[role] for role in locations(resource)}


def file_names(resource: ModelConversion) -> dict[Role, str]:
    """Return what the files are called that the spec asks for; what lies below a prefix has names of its own.

    A store has one file once, under the name that it first came by.
    """
    last = {role: unquote(each.uri.rpartition("/")[2]) for role, each in locations(resource).items()}
    return {role: name for role, name in last.items() if name}


def code_request(code: Code | None) -> CodeRequest | None:
    """Return what is said about the code beside where it is."""
    if code is None:
        return None
    return CodeRequest(
        factory=code.factory, path=code.path, arguments=code.arguments, objects=code.objects, modules=code.modules
    )


def source_key(resource: ModelConversion) -> str:
    """Return the key of what to import: URIs, digests, credentials, format, trust, and the refresh annotation."""
    return key_of(
        {
            "locations": {role: [each.uri, each.digest, each.secret_ref] for role, each in locations(resource).items()},
            "format": resource.spec.source.format,
            "trust": resource.spec.source.trust,  # inspect refuses what would run code without it
            "refresh": resource.metadata.annotations.get(REFRESH_ANNOTATION),
        }
    )


def inputs_key(resource: ModelConversion, source: SourceStatus, path: Sequence[Hop], architecture: str) -> str:
    """Return the key of what the spec asks for, whatever images do it."""
    spec = resource.spec.source
    return key_of(
        {
            # lengths of the user's own samples are among those that the manifest lets a server take
            "digests": digests(resource, source),
            # a module's name, and whether it is an archive; of the source, inspect has told already
            "names": {role: name for role, name in file_names(resource).items() if role != "source"},
            "format": source.format,
            "code": code_request(spec.code),
            "checkpoint": spec.checkpoint,
            "inputs": spec.inputs,
            "dimensions": spec.dimensions,
            "states": spec.states,
            "shapes": resource.spec.target.shapes,
            "path": [[hop.converter, hop.options] for hop in path],
            # a converter keeps doubts (a branch that was baked in) where they are only reported, and refuses them else
            "doubts": resource.spec.verification.policy == "Report",
            "architecture": architecture,
        }
    )


def artifact_key(inputs: str, path: Sequence[Hop]) -> str:
    """Return the key of the artifact: the inputs, and the images that convert them."""
    return key_of({"inputs": inputs, "images": [hop.image for hop in path]})


def verification_key(
    resource: ModelConversion,
    *,
    artifact: str,
    server_image: str,
    cpu_level: str,
    samples_version: int | None = None,
) -> str:
    """Return the key of the evidence about the artifact with key `artifact`; the tolerance is no part of it.

    The key of the artifact stands for its digest, which is not known before the Job that verifies it ends. Image and
    version of the samples (today's if not said) are those that the evidence is of, so that an upgrade of the operator
    alone makes it no other.
    """
    version = SAMPLES_VERSION if samples_version is None else samples_version
    return key_of(
        {
            "artifact": artifact,
            "server": server_image,
            "samples": [version, resource.spec.verification.samples],
            "cpu": cpu_level,
        }
    )


def judgement_key(verification: Verification) -> str:
    """Return the key of a verdict about evidence: tolerances, and what is enforced; none where nothing is judged."""
    if verification.policy == "Report":
        return ""
    return key_of([verification.edges, verification.tolerance, verification.outputs])
