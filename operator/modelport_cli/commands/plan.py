"""`modelport plan`: what a manifest would do, without doing it."""

import re
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from cyclopts import Parameter

from modelport.api.reasons import Reason
from modelport.api.resource import ModelConversion
from modelport.errors import ModelportError
from modelport.frameworks import FRAMEWORKS, SOURCES
from modelport.jobs.containers import containers_of
from modelport.jobs.keys import source_key
from modelport.jobs.planning import import_request, paths
from modelport.jobs.requests import ConvertRequest, Hop
from modelport.runtimes import RUNTIMES, runtime_for
from modelport_cli.console import plain_table, print_table, stdout
from modelport_cli.manifest import load_resource

_DOES = {
    "fetch": "gets the bytes, checks digests",
    "inspect": "detects format and signature, sandboxed",
    "keep": "puts the source into the store",
    "stage": "gets the source from the store",
    "ask": "asks the source model for its answers, sandboxed",
    "try": "asks the converted model the same, sandboxed",
    "judge": "compares the answers, opens no model",
    "publish": "puts the verified artifact into the store",
}


class PlannedStep(NamedTuple):
    """One step."""

    job: str
    name: str
    image: str
    does: str


def plan(manifest: Path, /, *, json: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Check a manifest offline and print the path, the steps and the runtime it leads to.

    Parameters
    ----------
    manifest
        YAML file with one ModelConversion.
    json
        Print JSON instead of tables.
    """
    description = describe_plan(load_resource(manifest))
    if json:
        stdout.out(msgspec.json.format(msgspec.json.encode(description), indent=2).decode())
    else:
        _print_plan(description)


def describe_plan(resource: ModelConversion) -> dict[str, Any]:
    """Return what the resource leads to, as plain data. Raises ModelportError for what the schema cannot tell."""
    source_format = resource.spec.source.format or guess_format(resource.spec.source.uri)
    hops, *others = paths(resource, source_format, _image_names())
    formats = [source_format, *(hop.target for hop in hops)]
    runtime = runtime_for(formats[-1])
    return {
        "name": resource.metadata.name,
        "format": "stated" if resource.spec.source.format else "guessed from the URI; Import detects it from the files",
        "path": formats,
        "otherPaths": [[hop.converter for hop in path] for path in others],
        "hops": [{"converter": hop.converter, "image": hop.image, "options": hop.options} for hop in hops],
        "steps": [step._asdict() for step in list_steps(resource, hops, source_format)],
        "runtime": {"name": runtime.name, "image": runtime.image},
        "serving": resource.spec.serving is not None,
        "keys": {"source": source_key(resource)},
    }


def guess_format(uri: str) -> str:
    """Return the format that a file of this name most likely has. Raises ModelportError (UnknownFormat)."""
    name = re.split(r"[?#]", uri)[0].rstrip("/").rpartition("/")[2]
    for candidate in SOURCES.values():
        if name.endswith(candidate.suffixes):
            return candidate.name
    raise ModelportError(
        Reason.UNKNOWN_FORMAT,
        f"spec.source.format: the name {name or uri!r} does not tell; expected {' or '.join(SOURCES)}",
    )


def list_steps(resource: ModelConversion, hops: list[Hop], source_format: str) -> list[PlannedStep]:
    """Return the steps of Import and Convert, in order."""
    names = _image_names()
    convert = ConvertRequest(
        artifact_key="",
        verification_key="",
        digests={},
        source_format=source_format,
        target_format=resource.spec.target.format,
        hops=hops,
    )
    return [
        PlannedStep(job, step, container.image, _DOES.get(step) or f"{_hop(hops, step).converter}, sandboxed")
        for job, request in (("Import", import_request(resource)), ("Convert", convert))
        for container in containers_of(request, names)
        for step in container.steps
    ]


def _hop(hops: list[Hop], step: str) -> Hop:
    return hops[int(step.removeprefix("hop-")) - 1]


def _image_names() -> dict[str, str]:
    """Return the names of all images, as references to themselves: a plan is made without a registry."""
    images = [each.image for known in (FRAMEWORKS, RUNTIMES) for each in known.values()]
    return {name: name for name in images}


def _print_plan(description: dict[str, Any]) -> None:
    facts = plain_table("", "")
    facts.show_header = False
    facts.add_row("Path", " → ".join(description["path"]))
    facts.add_row("Source format", description["format"])
    for number, hop in enumerate(description["hops"], start=1):
        options = ", ".join(f"{name}: {value}" for name, value in hop["options"].items() if value is not None)
        facts.add_row(f"Hop {number}", f"{hop['converter']} ({options or 'no options'})")
    for path in description["otherPaths"]:
        facts.add_row("If that fails", ", ".join(path))
    runtime = description["runtime"]
    facts.add_row(
        "Runtime", f"{runtime['name']} ({'served' if description['serving'] else 'verified only, not served'})"
    )
    facts.add_row("Source key", description["keys"]["source"])
    print_table(facts)
    print()
    table = plain_table("JOB", "STEP", "IMAGE", "WHAT")
    for step in description["steps"]:
        table.add_row(*step.values())
    print_table(table)
