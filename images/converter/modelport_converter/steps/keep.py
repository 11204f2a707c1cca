"""Step keep: put what was fetched into the store, under its digest. It parses nothing but our own facts.

Fetch has opened nothing, so bytes, roles and digests are its, and each file is checked while it is sent. An archive is
kept whole: what is below a digest is what that digest is of, whoever unpacks it, and a parser that a hostile source took
over in inspect has no say in what another resource of the namespace gets. Of inspect are format and signature alone,
which nobody but the resource itself believes.
"""

import msgspec

from modelport.api.reasons import Reason
from modelport.encoding import Value, decode
from modelport.errors import ModelportError
from modelport.frameworks import SOURCES
from modelport.jobs.requests import ImportRequest
from modelport.jobs.results import SourceFacts, StepResult
from modelport.steps.runner import Context, say
from modelport.storage.files import open_beneath, read_bytes
from modelport.storage.manifests import MANIFEST, SourceManifest, source_folder
from modelport.storage.sources import prove_manifest
from modelport.storage.store import Store, open_store, read_credentials
from modelport_converter.steps.fetch import FACTS as FETCHED
from modelport_converter.steps.fetch import Fetched
from modelport_converter.steps.inspect import FACTS as INSPECTED
from modelport_converter.steps.inspect import MAX_FACTS_BYTES, Inspected


def keep(context: Context) -> StepResult:
    """Upload files, then the manifest; what is proved to be there already is not sent again."""
    assert isinstance(context.request, ImportRequest)
    fetched = _read(context, "fetch", FETCHED, Fetched)
    inspected = _read(context, "inspect", INSPECTED, Inspected)
    if inspected.format != (context.request.format or inspected.format) or inspected.format not in SOURCES:
        message = f"{INSPECTED}: expected {context.request.format or 'a known format'}, found {inspected.format:.64}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message)
    store = open_store(read_credentials(context.credentials("store")))
    for role, manifest in fetched.items():
        _keep(context, store, role, manifest)
    return StepResult(
        step=context.name,
        source=SourceFacts(
            digests={role: manifest.digest for role, manifest in fetched.items()},
            format=inspected.format,
            size_bytes=sum(file.size_bytes for file in fetched["source"].files),
            signature=inspected.signature,
        ),
    )


def _read(context: Context, step: str, name: str, kind: type[Value]) -> Value:
    try:
        return decode(read_bytes(context.out_of(step), name, MAX_FACTS_BYTES), kind)
    except (FileNotFoundError, msgspec.DecodeError) as error:
        message = f"{name}: expected what step {step} leaves, found: {error!s:.200}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error


def _keep(context: Context, store: Store, role: str, manifest: SourceManifest) -> None:
    """Write what the digest is of, also over what is there under it and is something else.

    So a store that was changed, or that another version wrote, is mended by importing again.
    """
    folder = source_folder(manifest.digest)
    path = f"{folder}/{MANIFEST}"
    if store.exists(path) and prove_manifest(store.read(path), manifest.digest):
        say(context.name, f"{role} is in the store already")
        return
    for file in manifest.files:
        with open_beneath(context.out_of("fetch") / role, file.path) as content:
            store.upload_checked(f"{folder}/files/{file.path}", file, content)
    store.upload(path, msgspec.json.encode(manifest))
    say(context.name, f"{role} is kept in the store")
