"""Step fetch: move bytes, check the digest, open nothing. The only step that holds the source's credentials."""

import msgspec

from modelport.api.reasons import Reason
from modelport.encoding import Message
from modelport.errors import ModelportError
from modelport.jobs.requests import ImportRequest, LocationRequest, Role
from modelport.jobs.results import StepResult
from modelport.steps.runner import Context, say
from modelport.storage.locations import bring
from modelport.storage.manifests import SourceManifest
from modelport.storage.store import read_credentials

FACTS = "locations.json"


class Fetched(Message, frozen=True, kw_only=True):
    """What came from one location; its files lie in the folder named after the role."""

    role: Role
    manifest: SourceManifest


def fetch(context: Context) -> StepResult:
    """Bring all locations of the request into `out/<role>/`, and their facts into locations.json."""
    assert isinstance(context.request, ImportRequest)
    fetched = [_fetch(context, location) for location in context.request.locations]
    (context.out / FACTS).write_bytes(msgspec.json.encode(fetched))
    return StepResult(step=context.name)


def _fetch(context: Context, location: LocationRequest) -> Fetched:
    say(context.name, f"{location.role} is being fetched")
    credentials = read_credentials(context.credentials(location.role))
    digest, files = bring(location.uri, credentials, context.out / location.role)
    if location.digest is not None and digest != location.digest:
        message = f"spec.{_FIELDS[location.role]}.digest: expected {location.digest}, found {digest}"
        raise ModelportError(Reason.DIGEST_MISMATCH, message)
    say(context.name, f"{location.role}: {len(files)} files, {sum(file.size_bytes for file in files)} bytes")
    return Fetched(role=location.role, manifest=SourceManifest(digest=digest, files=files))


_FIELDS = {"source": "source", "code": "source.code", "data": "verification.data"}
