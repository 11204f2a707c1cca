"""Step inspect: find out what was fetched. It opens what strangers made, so it has no network and no credentials.

Archives are unpacked into `out/<role>/`; what is no archive stays where fetch left it, so that large models are not
copied. inspected.json says which of the two holds for each role.
"""

from pathlib import Path

import msgspec

from modelport.archives import is_archive, unpack
from modelport.contract import ImportRequest, Message, ModelportError, SourceManifest, StepResult
from modelport.files import describe_tree, read_bytes
from modelport.formats import FORMATS
from modelport.reasons import Reason
from modelport.steps import Context, say
from modelport_converter.inspection import inspect_model
from modelport_converter.steps.fetch import FACTS as FETCHED
from modelport_converter.steps.fetch import Fetched

FACTS = "inspected.json"
MAX_FACTS_BYTES = 8 << 20
HEAD_BYTES = 4_096


class Inspected(Message, frozen=True, kw_only=True):
    """What one role holds."""

    role: str
    is_unpacked: bool
    manifest: SourceManifest


def inspect(context: Context) -> StepResult:
    """Unpack archives, detect the format, read the signature."""
    assert isinstance(context.request, ImportRequest)
    facts = read_bytes(context.out_of("fetch"), FETCHED, MAX_FACTS_BYTES)
    inspected = [_inspect(context, fetched) for fetched in msgspec.json.decode(facts, type=list[Fetched])]
    (context.out / FACTS).write_bytes(msgspec.json.encode(inspected))
    return StepResult(step=context.name)


def _inspect(context: Context, fetched: Fetched) -> Inspected:
    assert isinstance(context.request, ImportRequest)
    folder = context.out_of("fetch") / fetched.role
    files = fetched.files
    is_unpacked = not fetched.is_prefix and is_archive(files[0].path)
    if is_unpacked:
        archive, folder = folder / files[0].path, context.out / fetched.role
        folder.mkdir()
        unpack(archive, folder)
        files = describe_tree(folder)
        say(context.name, f"{fetched.role}: {len(files)} files unpacked")
    manifest = SourceManifest(digest=fetched.digest, files=[msgspec.structs.replace(f, role="source") for f in files])
    if fetched.role == "source":
        name = context.request.format or _detect(folder, manifest)
        signature = inspect_model(name, folder, [file.path for file in files])
        manifest = msgspec.structs.replace(manifest, format=name, signature=signature)
        say(context.name, f"format {name}")
    return Inspected(role=fetched.role, is_unpacked=is_unpacked, manifest=manifest)


def _detect(folder: Path, manifest: SourceManifest) -> str:
    recognised = {
        each.name
        for file in manifest.files
        for each in FORMATS.values()
        if each.recognise(file.path.rpartition("/")[2], _head(folder / file.path))
    }
    if len(recognised) == 1:
        return recognised.pop()
    names = ", ".join(file.path for file in manifest.files)[:200]
    found = f"several: {', '.join(sorted(recognised))}" if recognised else f"none in {names}"
    raise ModelportError(Reason.UNKNOWN_FORMAT, f"spec.source.format: expected one known format, found {found}")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)
