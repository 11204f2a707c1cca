"""From the resource to keys and requests: pure functions, the same for the operator and for `modelport run`.

Three keys decide what is done again. `source_key`: what the spec says about bytes to import. `artifact_key`: everything
that the converted model follows from. `verification_key`: everything that the evidence follows from, but not the
tolerance, because stored errors are judged anew for another tolerance where they are complete.
"""

from collections.abc import Mapping

import msgspec

from modelport.api import REFRESH_ANNOTATION, Location, ModelConversion, SourceStatus, Verification
from modelport.contract import (
    CodeRequest,
    ConvertRequest,
    Hop,
    ImportRequest,
    LocationRequest,
    Role,
    ServeRequest,
    key_of,
)
from modelport.formats import FORMATS
from modelport.planning import plan_path
from modelport.runtimes import runtime_for

Images = Mapping[str, str]
"""Image references by name (`converter-onnx`, `server-onnxruntime`, …), by digest on a cluster."""

MOVER_IMAGE = "converter-onnx"
"""The image of the steps that move bytes or look at them: the smallest that reads every signature."""

SAMPLES_VERSION = 3
"""Raised when the generated samples change: evidence of another version is not comparable."""


def locations(resource: ModelConversion) -> dict[Role, Location]:
    """Return what is to be imported, by role."""
    source, data = resource.spec.source, resource.spec.verification.data
    found: dict[Role, Location | None] = {"source": source, "code": source.code, "data": data}
    return {role: location for role, location in found.items() if location}


def digests(source: SourceStatus) -> dict[Role, str | None]:
    """Return the digests of what was imported, by role."""
    return {"source": source.digest, "code": source.code_digest, "data": source.data_digest}


def source_key(resource: ModelConversion) -> str:
    """Return the key of the bytes to import: URIs, digests, credentials, format, and the refresh annotation."""
    return key_of(
        {
            "locations": {role: [each.uri, each.digest, each.secret_ref] for role, each in locations(resource).items()},
            "format": resource.spec.source.format,
            "refresh": resource.metadata.annotations.get(REFRESH_ANNOTATION),
        }
    )


def import_request(resource: ModelConversion) -> ImportRequest:
    """Return the request of the Import Job."""
    return ImportRequest(
        locations=[
            LocationRequest(role=role, uri=each.uri, digest=each.digest) for role, each in locations(resource).items()
        ],
        format=resource.spec.source.format,
    )


def hops(resource: ModelConversion, source_format: str, images: Images) -> list[Hop]:
    """Return the hops of the conversion. Raises ModelportError for what the schema cannot tell."""
    return [
        Hop(
            converter=converter.name,
            source=converter.source,
            target=converter.target,
            image=images[converter.image],
            options=msgspec.to_builtins(options),
        )
        for converter, options in plan_path(resource.spec, source_format)
    ]


def inputs_key(resource: ModelConversion, source: SourceStatus, path: list[Hop], architecture: str) -> str:
    """Return the key of what the spec asks for, whatever images do it."""
    spec = resource.spec.source
    code = spec.code
    return key_of(
        {
            "source": [source.digest, source.format],
            "code": [source.code_digest, code.path, code.factory, code.arguments] if code else None,
            "checkpoint": spec.checkpoint,
            "inputs": spec.inputs,
            "dimensions": spec.dimensions,
            "states": spec.states,
            # lengths of the user's own samples are among those that the manifest lets a server take
            "data": source.data_digest if resource.spec.verification.data else None,
            "path": [[hop.converter, hop.options] for hop in path],
            # a converter keeps doubts (a branch that was baked in) where they are only reported, and refuses them else
            "doubts": resource.spec.verification.policy == "Report",
            "architecture": architecture,
        }
    )


def artifact_key(inputs: str, path: list[Hop]) -> str:
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


def convert_request(
    resource: ModelConversion, source: SourceStatus, *, path: list[Hop], artifact: str, verification: str
) -> ConvertRequest:
    """Return the request of the Convert Job."""
    spec = resource.spec.source
    code = spec.code
    return ConvertRequest(
        artifact_key=artifact,
        verification_key=verification,
        source_digest=source.digest,
        source_format=source.format,
        target_format=resource.spec.target.format,
        hops=path,
        checkpoint=spec.checkpoint,
        code=CodeRequest(
            digest=source.code_digest or "", factory=code.factory, path=code.path, arguments=code.arguments
        )
        if code
        else None,
        data_digest=source.data_digest if resource.spec.verification.data else None,
        inputs=spec.inputs,
        dimensions=spec.dimensions,
        states=spec.states,
        verification=resource.spec.verification,
    )


def verify_request(
    resource: ModelConversion, source: SourceStatus, *, artifact: str, digest: str, verification: str
) -> ConvertRequest:
    """Return the request of the Verify Job, about a stored artifact."""
    request = convert_request(resource, source, path=[], artifact=artifact, verification=verification)
    return msgspec.structs.replace(request, artifact_digest=digest)


def serve_request(*, artifact: str, digest: str) -> ServeRequest:
    """Return the request of a server's fetch."""
    return ServeRequest(artifact_key=artifact, artifact_digest=digest)


def server_image(format_name: str, images: Images) -> str:
    """Return the image that serves, and verifies, a format."""
    return images[runtime_for(format_name).image]


def ask_image(format_name: str, images: Images) -> str:
    """Return the image that answers for models of a source format."""
    return images[FORMATS[format_name].image]
