"""How a step ended: JSON in its volume and, cut to what fits, in its container's termination message."""

from typing import Annotated

from msgspec import Meta

from modelport.api.reasons import Reason
from modelport.api.spec import Role
from modelport.api.status import OutputStatus, Performance, Signature
from modelport.encoding import Message


class StepFailure(Message, frozen=True, kw_only=True):
    """Why a step failed."""

    reason: Reason
    message: Annotated[str, Meta(max_length=600)]


class SourceFacts(Message, frozen=True, kw_only=True):
    """What Import kept, from step keep."""

    digests: dict[Role, str]
    format: str
    size_bytes: int
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
    performance: Performance | None = None
    truncated: bool = False


class StepResult(Message, frozen=True, kw_only=True):
    """How a step ended. Exactly one of the facts, and only of the step that they belong to; none when it failed."""

    step: str
    failure: StepFailure | None = None
    source: SourceFacts | None = None
    artifact: ArtifactFacts | None = None
    verification: VerificationFacts | None = None
