"""Step inspect: find out what was fetched. It opens what strangers made, so it has no network and no credentials.

Archives that are no models are unpacked to be looked at: what is kept is what fetch brought. Content is read and
nothing of it run, be the source trusted or not: what would run in later steps needs `trust: Trusted`.
"""

from pathlib import Path

import msgspec

from modelport.api.reasons import Reason
from modelport.api.status import Signature
from modelport.conversion.detection import detect
from modelport.conversion.left_out import refuse_left_out
from modelport.encoding import Message
from modelport.errors import ModelportError
from modelport.frameworks import SOURCES
from modelport.jobs.requests import ImportRequest
from modelport.jobs.results import StepResult
from modelport.steps.runner import Context, say
from modelport.storage.archives import unpack
from modelport.storage.files import list_tree, read_bytes
from modelport.storage.sources import find_archive
from modelport.storage.trees import FolderTree
from modelport_converter.frameworks import inspect_model, is_packed
from modelport_converter.steps.fetch import FACTS as FETCHED
from modelport_converter.steps.fetch import Fetched

FACTS = "inspected.json"
MAX_FACTS_BYTES = 8 << 20


class Inspected(Message, frozen=True, kw_only=True):
    """What the source is. Whoever reads it must mind that a hostile source may have written it."""

    format: str
    signature: Signature | None


def inspect(context: Context) -> StepResult:
    """Unpack archives, detect the format, read the signature."""
    request = context.request
    assert isinstance(request, ImportRequest)
    facts = read_bytes(context.out_of("fetch"), FETCHED, MAX_FACTS_BYTES)
    for role, manifest in msgspec.json.decode(facts, type=Fetched).items():
        name = find_archive(manifest)
        if role == "requirements":
            from modelport_converter.code.wheels import check_wheels  # only here, because few models need any

            check_wheels(context.out_of("fetch") / role)
        elif name and is_packed(role, archive := context.out_of("fetch") / role / name, request.format):
            target = context.out / role
            target.mkdir()
            unpack(archive, target)
            say(context.name, f"{role} is unpacked")
    # where fetch left it if it was not unpacked, so that large models are not copied
    folder = next(each / "source" for each in (context.out, context.out_of("fetch")) if (each / "source").exists())
    paths = list_tree(folder)
    name = request.format or _detect(FolderTree(folder, tuple(paths)))
    say(context.name, f"format {name}")
    inspected = Inspected(format=name, signature=_inspect_model(request, name, folder, paths))
    (context.out / FACTS).write_bytes(msgspec.json.encode(inspected))
    return StepResult(step=context.name)


def _inspect_model(request: ImportRequest, name: str, folder: Path, paths: list[str]) -> Signature | None:
    try:
        return inspect_model(name, folder, paths)
    except ModelportError as error:
        if error.reason != Reason.UNTRUSTED_SOURCE or not request.trusted:
            raise
        return None


def _detect(tree: FolderTree) -> str:
    found = detect(tree, SOURCES.values())
    if found is None or not found[1].is_sure:
        refuse_left_out(tree, found[1].parts.values() if found else tree.paths)
    if found is None:
        message = (
            f"spec.source.format: expected one known format, found none in {', '.join(tree.paths)[:200] or 'no file'}"
        )
        raise ModelportError(Reason.UNKNOWN_FORMAT, message)
    return found[0].name
