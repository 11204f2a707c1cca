"""From the resource to requests, and which image does what: pure functions, the same for the operator and for `modelport run`."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from modelport.api.reasons import Reason
from modelport.api.resource import ModelConversion
from modelport.api.spec import Spec
from modelport.api.status import SourceStatus
from modelport.conversion.base import Converter
from modelport.errors import ModelportError
from modelport.frameworks import framework_of
from modelport.jobs.keys import code_request, digests, file_names, locations
from modelport.jobs.requests import ConvertRequest, Hop, ImportRequest, LocationRequest, ServeRequest
from modelport.paths import PlannedPath, plan_paths
from modelport.runtimes import runtime_for

Images = Mapping[str, str]
"""Image references by name (`converter-onnx`, `server-onnxruntime`, …), by digest on a cluster."""

HALF: Literal["float16"] = "float16"
MOVER_IMAGE = "converter-onnx"
"""The image of the steps that move bytes or look at them: the smallest that reads every signature."""


def import_request(resource: ModelConversion) -> ImportRequest:
    """Return the request of the Import Job."""
    return ImportRequest(
        locations={
            role: LocationRequest(uri=each.uri, digest=each.digest) for role, each in locations(resource).items()
        },
        format=resource.spec.source.format,
        trusted=resource.spec.source.trust == "Trusted",
    )


def paths(resource: ModelConversion, source_format: str, images: Images) -> list[list[Hop]]:
    """Return the ways to convert, the best first, of which all images are there.

    Raises ModelportError for what the schema cannot tell, and ImageNotConfigured.
    """
    planned = plan_paths(resource.spec, source_format)
    around = {framework_of(source_format).image, runtime_for(resource.spec.target.format).image}
    lacking = [sorted((around | {image_of(hop) for hop, _ in path}) - images.keys()) for path in planned]
    if all(lacking):
        named = ", ".join(lacking[0])
        message = (
            f"images.{named}: expected an image in the chart's values, because the conversion needs it; found none"
        )
        raise ModelportError(Reason.IMAGE_NOT_CONFIGURED, message)
    return [_hops(path, images) for path, names in zip(planned, lacking, strict=True) if not names]


def image_of(converter: Converter) -> str:
    """Return the name of the image that a converter is in."""
    return framework_of(converter.name).image


def _hops(path: PlannedPath, images: Images) -> list[Hop]:
    return [
        Hop(
            converter=converter.name,
            source=converter.source,
            target=converter.target,
            by=converter.by,
            image=images[image_of(converter)],
            options=msgspec.to_builtins(options),
            tuning=f"{converter.name}/{key}" if (key := options.tuning_key()) else "",
        )
        for converter, options in path
    ]


def convert_request(
    resource: ModelConversion, source: SourceStatus, *, path: list[Hop], artifact: str, verification: str
) -> ConvertRequest:
    """Return the request of the Convert Job."""
    spec = resource.spec.source
    return ConvertRequest(
        artifact_key=artifact,
        verification_key=verification,
        digests=digests(resource, source),
        names=file_names(resource),
        source_format=source.format,
        trusted=spec.trust == "Trusted",
        target_format=resource.spec.target.format,
        hops=path,
        checkpoint=spec.checkpoint,
        code=code_request(spec.code),
        inputs=spec.inputs,
        dimensions=spec.dimensions,
        states=spec.states,
        shapes=resource.spec.target.shapes,
        precision=_precision(resource.spec),
        verification=resource.spec.verification,
    )


def _precision(spec: Spec) -> Literal["float16"] | None:
    """Return the half precision that a converter's options ask for."""
    options = (spec.target.options, *spec.conversion.options.values())
    return HALF if any(each.get("precision") == HALF for each in options) else None


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
    return images[framework_of(format_name).image]
