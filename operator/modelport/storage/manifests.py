"""What the store says about what is in it: manifests and records, and the folders they lie in."""

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta

from modelport.api.spec import State
from modelport.api.status import Signature
from modelport.encoding import Message
from modelport.jobs.results import VerificationFacts


class File(Message, frozen=True, kw_only=True):
    """One stored file."""

    path: str
    size_bytes: int
    digest: str


class SourceManifest(Message, frozen=True, kw_only=True):
    """`sources/<digest>/manifest.json`, written last: what was fetched, as it was, in order of the paths.

    The digest is that of the one file, or of the list of a prefix's files (`modelport.storage.files.tree_digest`). So it proves
    the rest, and whoever knows it from elsewhere need not trust the store.
    """

    digest: str
    files: list[File]


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


def tuning_folder(name: str) -> str:
    """Return where the store keeps what converters measured, under the name that a hop has for it."""
    return f"{TUNING}/{name}"


def is_of_model(file: File) -> bool:
    """Whether an artifact's file is one of the model's."""
    return file.path.startswith(f"{MODEL}/")


def model_paths(files: Iterable[File]) -> list[str]:
    """Return the paths of the model's files, relative to its folder."""
    return [file.path.removeprefix(f"{MODEL}/") for file in files if is_of_model(file)]


MANIFEST = "manifest.json"
MODEL = "model"
"""Folder of the model's files, in an artifact and in what a hop leaves."""
GOLDEN = "golden"
"""Folder of the golden samples in an artifact."""
TUNING = "tuning"
"""Folder of a store with what converters measured."""
