"""`modelport plan`: what a manifest would do, without doing it."""

import re
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from cyclopts import Parameter

from modelport.api import ModelConversion
from modelport.contract import ModelportError
from modelport.formats import CONVERTERS, FORMATS
from modelport.planning import plan_path
from modelport.reasons import Reason
from modelport.requests import MOVER_IMAGE, source_key
from modelport.runtimes import runtime_for
from modelport_cli.console import plain_table, print_table, stdout
from modelport_cli.manifest import load_resource


class Step(NamedTuple):
    """One container."""

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
    hops = [
        {"converter": converter.name, "image": converter.image, "options": msgspec.to_builtins(options)}
        for converter, options in plan_path(resource.spec, source_format)
    ]
    formats = [source_format, *(CONVERTERS[str(hop["converter"])].target for hop in hops)]
    runtime = runtime_for(formats[-1])
    return {
        "name": resource.metadata.name,
        "format": "stated" if resource.spec.source.format else "guessed from the URI; Import detects it from the files",
        "path": formats,
        "hops": hops,
        "steps": [step._asdict() for step in list_steps(hops, runtime.image)],
        "runtime": {"name": runtime.name, "image": runtime.image},
        "serving": resource.spec.serving is not None,
        "keys": {"source": source_key(resource)},
    }


def guess_format(uri: str) -> str:
    """Return the format that a file of this name most likely has. Raises ModelportError (UnknownFormat)."""
    name = re.split(r"[?#]", uri)[0].rstrip("/").rpartition("/")[2]
    for head in (b"\x08\x00", b"PK\x03\x04", b""):  # how files of the known formats begin
        for candidate in FORMATS.values():
            if candidate.recognise(name, head):
                return candidate.name
    raise ModelportError(
        Reason.UNKNOWN_FORMAT,
        f"spec.source.format: the name {name or uri!r} does not tell; expected {' or '.join(FORMATS)}",
    )


def list_steps(hops: list[dict[str, Any]], server_image: str) -> list[Step]:
    """Return the containers of Import and Convert, in order."""
    return [
        Step("Import", "fetch", MOVER_IMAGE, "gets the bytes, checks digests"),
        Step("Import", "inspect", MOVER_IMAGE, "detects format and signature, sandboxed"),
        Step("Import", "keep", MOVER_IMAGE, "puts the source into the store"),
        Step("Convert", "stage", MOVER_IMAGE, "gets the source from the store"),
        *(
            Step("Convert", f"hop-{number}", hop["image"], f"{hop['converter']}, sandboxed")
            for number, hop in enumerate(hops, start=1)
        ),
        Step("Convert", "verify", server_image, "compares with the source model, sandboxed"),
        Step("Convert", "publish", MOVER_IMAGE, "puts the verified artifact into the store"),
    ]


def _print_plan(description: dict[str, Any]) -> None:
    facts = plain_table("", "")
    facts.show_header = False
    facts.add_row("Path", " → ".join(description["path"]))
    facts.add_row("Source format", description["format"])
    for number, hop in enumerate(description["hops"], start=1):
        options = ", ".join(f"{name}: {value}" for name, value in hop["options"].items() if value is not None)
        facts.add_row(f"Hop {number}", f"{hop['converter']} ({options or 'no options'})")
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
