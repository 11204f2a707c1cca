"""What operator, steps, servers and the command line say to each other.

The operator writes one request into the environment of a Job; each step writes one result into its own volume and, at
most 1 KiB of it (1.5 KiB of evidence), into its container's termination message. Artifacts carry a manifest. All of it is
JSON of the types below, so that a field is added in one place.

Layout of a step's volume, `$MODELPORT_WORK/<step>/`: `lock` is held (flock) while the step lives, `out/` has its files,
`result.json` appears last, by rename. Later steps mount it read-only; how they wait is in `modelport.steps`.
"""

import hashlib
from enum import IntEnum
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from modelport.api import Checkpoint, DimensionRange, Input, OutputStatus, Signature, State, Verification
from modelport.reasons import Reason

REQUEST_VARIABLE = "MODELPORT_REQUEST"
WORK_VARIABLE = "MODELPORT_WORK"
CREDENTIALS_VARIABLE = "MODELPORT_CREDENTIALS"
DEFAULT_WORK = "/work"
DEFAULT_CREDENTIALS = "/run/modelport/credentials"
"""Folder with one folder per role (`store`, `source`, `code`, `data`), a mounted Secret: one file per key."""
TERMINATION_LOG = "/dev/termination-log"
MAX_REQUEST_BYTES = 65_536
POD_MESSAGES_BYTES = 12_288
"""What the kubelet keeps of the termination messages of a pod: each container has the same share, the rest is cut off."""
MAX_RESULT_BYTES = 1_024
MAX_EVIDENCE_BYTES = 1_536
"""Of the result with the evidence: the share of one in eight containers, of which a cluster may have added some."""
STORE_SECRET = "modelport-store"  # noqa: S105 - the name of a Secret, not one
"""Secret of the namespace: `uri` (s3://bucket/prefix) and AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, AWS_REGION."""


class ExitStatus(IntEnum):
    """How a step ends; the pod failure policy of Jobs reads INVALID."""

    DONE = 0
    INVALID = 64  # wrong for good: the same request fails again
    SKIPPED = 69  # an earlier step ended without a result
    RETRY = 75  # try again later


class Message(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Base of what is sent: immutable, unknown fields are passed over."""


class ModelportError(Exception):
    """A failure that a user can act on: reason, and a message that says what was expected and what was found."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


# --- requests -------------------------------------------------------------------------------------------------------


Role = Literal["source", "code", "data"]
"""What a location is: the model, the code that builds it, samples of the user's own (`verification.data`)."""


class LocationRequest(Message, frozen=True, kw_only=True):
    """One thing to import."""

    role: Role
    uri: str
    digest: str | None = None


class ImportRequest(Message, frozen=True, kw_only=True, tag="import", tag_field="job"):
    """Bring sources into the store: fetch → inspect → keep."""

    locations: list[LocationRequest]
    format: str | None = None


class Hop(Message, frozen=True, kw_only=True):
    """One conversion from a format to another."""

    converter: str
    source: str
    target: str
    image: str
    options: dict[str, Any] = {}


class CodeRequest(Message, frozen=True, kw_only=True):
    """Code that builds the model."""

    digest: str
    factory: str
    path: str | None = None
    arguments: dict[str, Any] = {}


class ConvertRequest(Message, frozen=True, kw_only=True, tag="convert", tag_field="job"):
    """Convert and verify what Import kept: stage → ask → hop-1 … hop-n → try → judge → publish.

    With `artifact_digest` a stored artifact is verified once more, by another server image or on other samples: the
    same steps without the hops. The source is asked anew, so that evidence is never of other samples than asked for.
    """

    artifact_key: str
    verification_key: str
    source_digest: str
    source_format: str
    target_format: str
    hops: list[Hop]
    artifact_digest: str | None = None
    checkpoint: Checkpoint | None = None
    code: CodeRequest | None = None
    data_digest: str | None = None
    inputs: list[Input] = []
    dimensions: dict[str, DimensionRange] = {}
    states: list[State] = []
    verification: Verification = Verification()


class ServeRequest(Message, frozen=True, kw_only=True, tag="serve", tag_field="job"):
    """Fetch an artifact for a server, trusting the digest here and nothing in the store."""

    artifact_key: str
    artifact_digest: str


JobRequest = ImportRequest | ConvertRequest | ServeRequest

# --- results --------------------------------------------------------------------------------------------------------


class StepFailure(Message, frozen=True, kw_only=True):
    """Why a step failed."""

    reason: Reason
    message: Annotated[str, Meta(max_length=600)]


class SourceFacts(Message, frozen=True, kw_only=True):
    """What Import kept, from step keep."""

    digest: str
    format: str
    size_bytes: int
    code_digest: str | None = None
    data_digest: str | None = None
    signature: Signature | None = None  # left out where it does not fit into the message


class ArtifactFacts(Message, frozen=True, kw_only=True):
    """What is stored, from step publish."""

    digest: str
    size_bytes: int
    uri: str


class VerificationFacts(Message, frozen=True, kw_only=True):
    """Measured errors, from step judge; the worst outputs first, and those alone that fit into the message."""

    samples: int
    outputs: list[OutputStatus]
    max_absolute_error: str
    reference: str = ""
    edges: str = ""
    caveats: list[str] = []
    truncated: bool = False


class StepResult(Message, frozen=True, kw_only=True):
    """How a step ended. Exactly one of the facts, and only of the step that they belong to; none when it failed."""

    step: str
    failure: StepFailure | None = None
    source: SourceFacts | None = None
    artifact: ArtifactFacts | None = None
    verification: VerificationFacts | None = None


# --- what is stored -------------------------------------------------------------------------------------------------


class File(Message, frozen=True, kw_only=True):
    """One stored file."""

    path: str
    size_bytes: int
    digest: str
    role: Literal["model", "golden", "source"] = "model"


class SourceManifest(Message, frozen=True, kw_only=True):
    """`sources/<digest>/manifest.json`, written last: the files of a source or of code, in order of their paths."""

    digest: str
    files: list[File]
    format: str | None = None  # of the source alone
    signature: Signature | None = None


class ReferenceFacts(Message, frozen=True, kw_only=True):
    """Which answers of the source model the evidence compares with."""

    digest: str
    samples: int
    version: int
    """Version of the generated samples: `modelport.requests.SAMPLES_VERSION`."""


class Lengths(Message, frozen=True, kw_only=True):
    """Lengths of a free dimension that were verified; a server refuses others."""

    min: int
    max: int | None = None
    """None: any, because rows of the batch were proved to be independent of their company."""


class ArtifactManifest(Message, frozen=True, kw_only=True):
    """`artifacts/<key>/<digest>/manifest.json`, written last; its own SHA-256 is the artifact's digest.

    So it holds nothing but what follows from the inputs: no time, no host, no measured error.
    """

    key: str
    format: str
    runtime: str
    source_digest: str
    source_format: str
    path: list[str]
    signature: Signature
    files: list[File]
    reference: ReferenceFacts
    """The answers that the artifact was first verified with."""
    lengths: dict[str, Lengths] = {}
    """By name of the free dimension."""
    has_independent_rows: bool = False
    """Whether rows were proved to answer alike alone and in company, so that a server may join requests."""
    states: list[State] = []
    load_options: dict[str, str] = {}
    """How the runtime loads the model, where its own default way was found to fail."""
    caveats: list[str] = []
    """What a user must know about the conversion."""


Short = Annotated[str, Meta(max_length=256)]


class Candidate(Message, frozen=True, kw_only=True):
    """`tried.json` of step try, for step judge: what it loaded, and how."""

    runtime: str
    files: list[File]
    load_options: Annotated[dict[Short, Short], Meta(max_length=16)] = {}
    caveats: list[str] = []


class VerificationRecord(Message, frozen=True, kw_only=True):
    """`artifacts/<key>/<digest>/verifications/<key>.json`: the full evidence of one verification."""

    artifact_digest: str
    verification_key: str
    reference: ReferenceFacts
    verification: VerificationFacts


def source_folder(digest: str) -> str:
    """Return where the store keeps the source or code with this digest."""
    return f"sources/{digest.removeprefix('sha256:')}"


def artifact_folder(key: str, digest: str) -> str:
    """Return where the store keeps an artifact."""
    return f"artifacts/{key}/{digest.removeprefix('sha256:')}"


MANIFEST = "manifest.json"

Value = TypeVar("Value")

# --- canonical bytes, digests and keys ------------------------------------------------------------------------------


def canonical(value: object) -> bytes:
    """Return the one JSON form of `value` (sorted keys) that keys and digests are computed from."""
    return msgspec.json.encode(value, order="sorted")


def digest_of(data: bytes) -> str:
    """Return the digest of `data` as it is written everywhere: sha256:<hex>."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def key_of(value: object) -> str:
    """Return the key (32 hex digits) of a value: equal values, equal keys."""
    return hashlib.sha256(canonical(value)).hexdigest()[:32]


def decode(content: bytes | str, kind: type[Value]) -> Value:
    """Return the value of a type in JSON that may be hostile. Raises msgspec.DecodeError, whatever is wrong with it."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (RecursionError, UnicodeError) as error:  # nested deeper than anything of ours; no text
        raise msgspec.DecodeError(str(error)) from error


def decode_request(text: str) -> JobRequest:
    """Return the request in `text`. Raises msgspec.ValidationError with the path of the wrong field."""
    request: JobRequest = msgspec.json.decode(text, type=JobRequest)
    return request
