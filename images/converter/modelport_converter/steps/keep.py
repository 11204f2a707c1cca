"""Step keep: put what was imported into the store, under its digest. It parses nothing but our own facts.

Fetch has opened nothing, so roles and digests are its; of inspect, which opened what a stranger made, it takes format
and signature, and the files of an archive.
"""

from collections.abc import Iterator

import msgspec

from modelport.contract import (
    MANIFEST,
    ImportRequest,
    ModelportError,
    SourceFacts,
    SourceManifest,
    StepResult,
    Value,
    decode,
    source_folder,
)
from modelport.files import open_beneath, read_bytes
from modelport.reasons import Reason
from modelport.steps import Context, say
from modelport.store import Store, open_store, read_credentials
from modelport_converter.steps.fetch import FACTS as FETCHED
from modelport_converter.steps.fetch import Fetched
from modelport_converter.steps.inspect import FACTS as INSPECTED
from modelport_converter.steps.inspect import MAX_FACTS_BYTES, Inspected


def keep(context: Context) -> StepResult:
    """Upload files, then the manifest; what is there already is not sent again."""
    assert isinstance(context.request, ImportRequest)
    store = open_store(read_credentials(context.credentials("store")))
    manifests = {}
    for fetched, inspected in _facts(context):
        manifests[fetched.role] = _manifest(fetched, inspected)
        _keep(context, store, inspected, manifests[fetched.role])
    source = manifests["source"]
    digests = {role: manifest.digest for role, manifest in manifests.items()}
    return StepResult(
        step=context.name,
        source=SourceFacts(
            digest=source.digest,
            format=source.format or "",
            size_bytes=sum(file.size_bytes for file in source.files),
            code_digest=digests.get("code"),
            data_digest=digests.get("data"),
            signature=source.signature,
        ),
    )


def _facts(context: Context) -> Iterator[tuple[Fetched, Inspected]]:
    """Yield what fetch and inspect found, by role."""
    found = {each.role: each for each in _read(context, "inspect", INSPECTED, list[Inspected])}
    for each in _read(context, "fetch", FETCHED, list[Fetched]):
        if each.role not in found:
            message = f"{INSPECTED}: expected what was fetched as {each.role}, found nothing about it"
            raise ModelportError(Reason.SOURCE_CORRUPT, message)
        yield each, found[each.role]


def _read(context: Context, step: str, name: str, kind: type[Value]) -> Value:
    try:
        return decode(read_bytes(context.out_of(step), name, MAX_FACTS_BYTES), kind)
    except (FileNotFoundError, msgspec.DecodeError) as error:
        message = f"{name}: expected what step {step} leaves, found: {error!s:.200}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error


def _manifest(fetched: Fetched, inspected: Inspected) -> SourceManifest:
    manifest = msgspec.structs.replace(inspected.manifest, digest=fetched.digest)
    if inspected.is_unpacked:
        return manifest
    return msgspec.structs.replace(manifest, files=[msgspec.structs.replace(f, role="source") for f in fetched.files])


def _keep(context: Context, store: Store, inspected: Inspected, manifest: SourceManifest) -> None:
    target = source_folder(manifest.digest)
    if store.exists(f"{target}/{MANIFEST}"):
        say(context.name, f"{inspected.role} is in the store already")
        return
    root = context.out_of("inspect" if inspected.is_unpacked else "fetch") / inspected.role
    for file in manifest.files:
        with open_beneath(root, file.path) as content:
            store.upload(f"{target}/files/{file.path}", content)
    store.claim(f"{target}/{MANIFEST}", msgspec.json.encode(manifest))
    say(context.name, f"{inspected.role} is kept in the store")
