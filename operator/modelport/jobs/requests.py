"""What the operator asks of a Job: one JSON in the environment of its containers."""

from typing import Any, Literal

import msgspec

from modelport.api.spec import Checkpoint, DimensionRange, Input, Role, State, Verification
from modelport.encoding import Message


class LocationRequest(Message, frozen=True, kw_only=True):
    """One thing to import."""

    uri: str
    digest: str | None = None


class ImportRequest(Message, frozen=True, kw_only=True, tag="import", tag_field="job"):
    """Bring sources into the store: fetch → inspect → keep."""

    locations: dict[Role, LocationRequest]
    format: str | None = None
    trusted: bool = False
    """Whether code that comes with the model may run: else a model that would run some is refused."""


class Hop(Message, frozen=True, kw_only=True):
    """One conversion from a format to another."""

    converter: str
    source: str
    target: str
    by: str = ""
    image: str
    options: dict[str, Any] = {}
    tuning: str = ""
    """Where the store keeps what was measured, to go on with; empty: nothing is measured."""


class CodeRequest(Message, frozen=True, kw_only=True):
    """What of the code is used, and how: see `modelport.api.spec.Code`."""

    factory: str | None = None
    path: str | None = None
    arguments: dict[str, Any] = {}
    objects: list[str] = []
    modules: list[str] = []


class ConvertRequest(Message, frozen=True, kw_only=True, tag="convert", tag_field="job"):
    """Convert and verify what Import kept: stage → ask → hop-1 … hop-n → try → judge → publish.

    With `artifact_digest` a stored artifact is verified once more, by another server image or on other samples: the
    same steps without the hops. The source is asked anew, so that evidence is never of other samples than asked for.
    """

    artifact_key: str
    verification_key: str
    digests: dict[Role, str]
    """What to stage; it was imported."""
    names: dict[Role, str] = {}
    """What the file of a role is called, where it is one file."""
    source_format: str
    trusted: bool = False
    """As of Import, whose key it is a part of."""
    target_format: str
    hops: list[Hop]
    artifact_digest: str | None = None
    checkpoint: Checkpoint | None = None
    code: CodeRequest | None = None
    inputs: list[Input] = []
    dimensions: dict[str, DimensionRange] = {}
    states: list[State] = []
    shapes: dict[str, list[int]] = {}
    """Fixed shapes of inputs: `spec.target.shapes`."""
    precision: Literal["float16"] | None = None
    """What the options ask to compute in, where errors are judged in its units."""
    verification: Verification = Verification()


def without_images(request: ConvertRequest) -> ConvertRequest:
    """Return the request as another operator with other images would make it of the same resource."""
    hops = [msgspec.structs.replace(hop, image="") for hop in request.hops]
    return msgspec.structs.replace(request, artifact_key="", verification_key="", hops=hops)


class ServeRequest(Message, frozen=True, kw_only=True, tag="serve", tag_field="job"):
    """Fetch an artifact for a server, trusting the digest here and nothing in the store."""

    artifact_key: str
    artifact_digest: str


JobRequest = ImportRequest | ConvertRequest | ServeRequest


def decode_request(text: str) -> JobRequest:
    """Return the request in `text`. Raises msgspec.ValidationError with the path of the wrong field."""
    request: JobRequest = msgspec.json.decode(text, type=JobRequest)
    return request
