"""Step inspect: find out what was fetched. It opens what strangers made, so it has no network and no credentials.

Archives are unpacked to be looked at: what is kept is what fetch brought. Content is read and nothing of it run, be the
source trusted or not.
"""

from pathlib import Path

import msgspec

from modelport.api.reasons import Reason
from modelport.api.status import Signature
from modelport.encoding import Message
from modelport.errors import ModelportError
from modelport.frameworks import SOURCES
from modelport.jobs.requests import ImportRequest
from modelport.jobs.results import StepResult
from modelport.steps.runner import Context, say
from modelport.storage.archives import unpack
from modelport.storage.files import list_tree, read_bytes
from modelport.storage.sources import find_archive
from modelport_converter.frameworks import inspect_model
from modelport_converter.steps.fetch import FACTS as FETCHED
from modelport_converter.steps.fetch import Fetched

FACTS = "inspected.json"
MAX_FACTS_BYTES = 8 << 20
HEAD_BYTES = 4_096


class Inspected(Message, frozen=True, kw_only=True):
    """What the source is. Whoever reads it must mind that a hostile source may have written it."""

    format: str
    signature: Signature | None


def inspect(context: Context) -> StepResult:
    """Unpack archives, detect the format, read the signature."""
    assert isinstance(context.request, ImportRequest)
    facts = read_bytes(context.out_of("fetch"), FETCHED, MAX_FACTS_BYTES)
    folders = {each.role: _open(context, each) for each in msgspec.json.decode(facts, type=list[Fetched])}
    source = folders["source"]
    paths = list_tree(source)
    name = context.request.format or _detect(source, paths)
    say(context.name, f"format {name}")
    inspected = Inspected(format=name, signature=inspect_model(name, source, paths))
    (context.out / FACTS).write_bytes(msgspec.json.encode(inspected))
    return StepResult(step=context.name)


def _open(context: Context, fetched: Fetched) -> Path:
    """Return the folder with a role's files: where fetch left them, so that large models are not copied."""
    folder = context.out_of("fetch") / fetched.role
    archive = find_archive(fetched.manifest)
    if archive is None:
        return folder
    target = context.out / fetched.role
    target.mkdir()
    unpack(folder / archive, target)
    say(context.name, f"{fetched.role} is unpacked")
    return target


def _detect(folder: Path, paths: list[str]) -> str:
    recognised = {
        each.name
        for path in paths
        for each in SOURCES.values()
        if each.recognise and each.recognise(path.rpartition("/")[2], _head(folder / path))
    }
    if len(recognised) == 1:
        return recognised.pop()
    found = f"several: {', '.join(sorted(recognised))}" if recognised else f"none in {', '.join(paths)[:200]}"
    raise ModelportError(Reason.UNKNOWN_FORMAT, f"spec.source.format: expected one known format, found {found}")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)
