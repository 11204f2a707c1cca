"""`modelport plan`: what a manifest would do, without doing it."""

from pathlib import Path
from typing import Annotated, Any, NamedTuple

from cyclopts import Parameter

from modelport.api.resource import ModelConversion
from modelport.jobs.containers import containers_of
from modelport.jobs.keys import source_key
from modelport.jobs.planning import import_request, paths
from modelport.jobs.requests import ConvertRequest, Hop
from modelport.runtimes import runtime_for
from modelport_cli.console import plain_table, print_json, print_table
from modelport_cli.manifest import load_resource
from modelport_cli.previews.guesses import guess_format, image_names

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

        modelport plan pnet.yaml

    Parameters
    ----------
    manifest
        YAML file with one ModelConversion.
    json
        Print JSON instead of tables.
    """
    description = describe_plan(load_resource(manifest))
    if json:
        print_json(description)
    else:
        _print_plan(description)


def describe_plan(resource: ModelConversion) -> dict[str, Any]:
    """Return what the resource leads to, as plain data. Raises ModelportError for what the schema cannot tell."""
    source_format = resource.spec.source.format or guess_format(resource.spec.source.uri)
    hops, *others = paths(resource, source_format, image_names())
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


def list_steps(resource: ModelConversion, hops: list[Hop], source_format: str) -> list[PlannedStep]:
    """Return the steps of Import and Convert, in order."""
    names = image_names()
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
