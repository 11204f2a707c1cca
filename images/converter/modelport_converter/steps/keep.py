"""Step keep: put what was imported into the store, under its digest. It parses nothing but our own facts."""

import msgspec

from modelport.contract import MANIFEST, ImportRequest, SourceFacts, StepResult, source_folder
from modelport.files import open_beneath, read_bytes
from modelport.steps import Context, say
from modelport.store import Store, open_store, read_credentials
from modelport_converter.steps.inspect import FACTS as INSPECTED
from modelport_converter.steps.inspect import MAX_FACTS_BYTES, Inspected


def keep(context: Context) -> StepResult:
    """Upload files, then the manifest; what is there already is not sent again."""
    assert isinstance(context.request, ImportRequest)
    store = open_store(read_credentials(context.credentials("store")))
    facts = read_bytes(context.out_of("inspect"), INSPECTED, MAX_FACTS_BYTES)
    inspected = {each.role: each for each in msgspec.json.decode(facts, type=list[Inspected])}
    for each in inspected.values():
        _keep(context, store, each)
    source = inspected["source"].manifest
    digests = {role: each.manifest.digest for role, each in inspected.items()}
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


def _keep(context: Context, store: Store, inspected: Inspected) -> None:
    target = source_folder(inspected.manifest.digest)
    if store.exists(f"{target}/{MANIFEST}"):
        say(context.name, f"{inspected.role} is in the store already")
        return
    root = context.out_of("inspect" if inspected.is_unpacked else "fetch") / inspected.role
    for file in inspected.manifest.files:
        with open_beneath(root, file.path) as content:
            store.upload(f"{target}/files/{file.path}", content)
    store.claim(f"{target}/{MANIFEST}", msgspec.json.encode(inspected.manifest))
    say(context.name, f"{inspected.role} is kept in the store")
