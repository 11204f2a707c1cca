"""Step fetch: move bytes, check the digest, open nothing. The only step that holds the source's credentials."""

import msgspec

from modelport.api.reasons import Reason
from modelport.api.spec import FIELDS, Role
from modelport.errors import ModelportError
from modelport.jobs.requests import ImportRequest, LocationRequest
from modelport.jobs.results import StepResult
from modelport.steps.runner import Context, say
from modelport.storage.locations import bring
from modelport.storage.manifests import SourceManifest
from modelport.storage.store import read_credentials

FACTS = "locations.json"


Fetched = dict[Role, SourceManifest]
"""What came from the locations; its files lie in folders named after the roles."""


def fetch(context: Context) -> StepResult:
    """Bring all locations of the request into `out/<role>/`, and their facts into locations.json."""
    assert isinstance(context.request, ImportRequest)
    fetched = {role: _fetch(context, role, location) for role, location in context.request.locations.items()}
    (context.out / FACTS).write_bytes(msgspec.json.encode(fetched))
    return StepResult(step=context.name)


def _fetch(context: Context, role: Role, location: LocationRequest) -> SourceManifest:
    say(context.name, f"{role} is being fetched")
    credentials = read_credentials(context.credentials(role))
    digest, files = bring(location.uri, credentials, context.out / role)
    if location.digest is not None and digest != location.digest:
        message = f"{FIELDS[role]}.digest: expected {location.digest}, found {digest}"
        raise ModelportError(Reason.DIGEST_MISMATCH, message)
    say(context.name, f"{role}: {len(files)} files, {sum(file.size_bytes for file in files)} bytes")
    return SourceManifest(digest=digest, files=files)
