"""Write the files that follow from the code: `make generate`; with --check, fail if one is stale: `make verify`.

The CRD comes from the types, the chart's copy from the CRD, the reference pages from the types, reasons and formats,
the images and the chart's values for them from frameworks and runtimes, the descriptors of gRPC from its messages'
definitions, Grafana's dashboards from what they show, the conversion matrix from what was measured (rows of an older
converter are told, and fail nothing).
"""

import argparse
import contextlib
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import conversion_matrix
import dashboards
import reason_pages
import yaml
from grpc_tools import protoc
from image_list import images

from modelport.api.base import API_VERSION, KIND
from modelport.conversion.base import Framework, Runtime
from modelport.conversion.left_out import LEFT_OUT
from modelport.crd import resource_definition, root_schema
from modelport.errors import ModelportError
from modelport.frameworks import CONVERTERS, FORMATS, FRAMEWORKS, framework_of
from modelport.jobs.planning import MOVER_IMAGE
from modelport.paths import find_paths
from modelport.runtimes import RUNTIMES
from modelport_operator.plan.serving.objects import OBJECTS
from modelport_operator.report.checks import TABLE
from modelport_operator.report.conditions import FACTS

ROOT = Path(__file__).resolve().parent.parent
NOTICE = "Made by `make generate`. Do not edit."


def crd() -> str:
    """Return the CRD."""
    return f"# {NOTICE}\n" + _yaml(resource_definition())


def chart_crd() -> str:
    """Return the CRD as a template of the chart, which keeps it when the chart is uninstalled."""
    definition = resource_definition()
    definition["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    # what looks like a template's action in descriptions and rules must stay text
    text = _yaml(definition).replace("{{", "{{ `{{` }}")
    return f"# {NOTICE}\n{{{{- if .Values.crds.enabled }}}}\n{text}{{{{- end }}}}\n"


def resource_page() -> str:
    """Return the reference of the resource's fields."""
    schema = root_schema()["properties"]
    rows = [
        f"| `{path}` | {kind} | {text} |"
        for part in ("spec", "status")
        for path, kind, text in _fields(part, schema[part])
    ]
    return "\n".join(
        [
            f"<!-- {NOTICE} -->",
            f"# {KIND}",
            "",
            f"`{API_VERSION}`, short name `mconv`. `kubectl explain mconv.spec` prints the same.",
            "A field with † must be given where its parent is.",
            "",
            "| field | type | meaning |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def conditions_page() -> str:
    """Return the reference of conditions, in the order in which the operator asks."""
    whole = [
        f"| {row.when} | {'True' if row.ready else 'False'} | {', '.join(f'`{each}`' for each in row.reasons) or 'the [reason](reasons.md)'} | {row.abnormal or 'nothing'} |"
        for row in TABLE
    ]
    facts = [
        f"| {name} | {when} | {', '.join(f'`{each}`' for each in held.split(', '))} |" for name, when, held in FACTS
    ]
    return "\n".join(
        [
            f"<!-- {NOTICE} -->",
            "# Conditions",
            "",
            "Ready, Reconciling and Stalled are those of kstatus: what is abnormal is there with status True, or not at all.",
            "The first row that holds is told. Events of type Warning go with Stalled and with `ProgressingWithRetry`.",
            "",
            "| when | Ready | its reason | beside it |",
            "|---|---|---|---|",
            *whole,
            "",
            "The other conditions are facts: each says what is, whatever else is wrong. Where one is False, its reason is the",
            "[reason](reasons.md) of the failure, or that of Ready; `NotEnforced` says of Verified that errors were measured and",
            "judged by nobody (`verification.policy: Report`). Available and ReplicasAvailable are there with `spec.serving`,",
            "Autoscaled with `spec.serving.autoscaling`: Unknown (`NotReported`) until the autoscaler itself has said anything.",
            "Queued is there only while it is True ([queueing](../queueing.md)).",
            "",
            "| condition | True when | reason |",
            "|---|---|---|",
            *facts,
            "",
        ]
    )


def formats_page() -> str:
    """Return the matrix of formats, converters and runtimes."""
    formats = [f"| `{each.name}` | {each.description} |" for each in FORMATS.values()]
    converters = [
        f"| `{each.source}` | `{each.target}` | {each.by} | `{framework_of(each.name).image}` |"
        for each in sorted(CONVERTERS.values(), key=lambda each: (each.source, each.target, each.cost))
    ]
    runtimes = [
        f"| {each.description} | {', '.join(f'`{name}`' for name in each.formats)} | `{each.image}` |"
        for each in RUNTIMES.values()
    ]
    left_out = [f"| {each.name} | {each.instead} |" for each in LEFT_OUT]
    return "\n".join(
        [
            f"<!-- {NOTICE} -->",
            "# Formats, converters and runtimes",
            "",
            "| format | how the model is stored |",
            "|---|---|",
            *formats,
            "",
            "| from | to, the best first | by | image |",
            "|---|---|---|---|",
            *converters,
            "",
            "| runtime | formats | image |",
            "|---|---|---|",
            *runtimes,
            "",
            "Known and not read, which ends with reason `UnsupportedFormat`:",
            "",
            "| format | what to do instead |",
            "|---|---|",
            *left_out,
            "",
        ]
    )


def images_page() -> str:
    """Return the list of images: all that a cluster pulls, and what each is for."""
    own = {"operator": "the operator", "store": "the embedded store, with `store.enabled`"}
    works = {each.image: f"conversions of {each.description}" for each in FRAMEWORKS.values()}
    works[MOVER_IMAGE] += ", and the steps of every Job that move files"
    serves = {each.image: f"verifying and serving by {each.description}" for each in RUNTIMES.values()}
    told = own | works | serves
    rows = [f"| `{name}` | {told[name]} | {_need(name)} |" for name in images()]
    return "\n".join(
        [
            f"<!-- {NOTICE} -->",
            "# Images",
            "",
            "All that a cluster pulls, by their names in the chart's `images`. How they get to a cluster without the internet",
            "stands in [installing](../install.md#without-the-internet).",
            "",
            "| image | for | needed |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _need(name: str) -> str:
    return "always" if name in {"operator", MOVER_IMAGE} else "where it is used"


def readme() -> str:
    """Return README with the table of what leads from each framework to each runtime."""
    head = [
        f"{runtime.description}<br>{', '.join(f'`{name}`' for name in runtime.formats)}"
        for runtime in RUNTIMES.values()
    ]
    rows = [
        [framework.description, *(_leads(framework, runtime) for runtime in RUNTIMES.values())]
        for framework in FRAMEWORKS.values()
        if any(each.detect for each in framework.formats)
    ]
    table = [["from", *head], ["---"] * (len(head) + 1), *rows]
    lines = "".join(f"| {' | '.join(row)} |\n" for row in table)
    return _replaced("README.md", rf"(?<={MADE_TABLE}\n\n)(?:\|[^\n]*\n)+", lines)


def _leads(framework: Framework, runtime: Runtime) -> str:
    """Return how a framework's models get to a runtime: directly, or by which formats."""
    ways = []
    for source in (each.name for each in framework.formats if each.detect):
        for target in runtime.formats:
            with contextlib.suppress(ModelportError):  # nothing leads there
                ways.append([hop.target for hop in find_paths(source, target)[0]][:-1])
    if not ways:
        return "—"
    between = min(ways, key=len)
    return f"by {' → '.join(f'`{name}`' for name in between)}" if between else "directly"


def image_declarations() -> str:
    """Return what the images are built from."""
    return json.dumps({"images": dict(sorted(images().items()))}, indent=2) + "\n"


def chart_values() -> str:
    """Return the chart's values with a place for each image."""
    lines = "".join(f'  {name}: ""\n' for name in images())
    return _replaced(VALUES, r"^images:\n(?:  [^\n]*\n)*", f"images:\n{lines}")


def chart_schema() -> str:
    """Return the schema of the chart's values, which wants the images that nothing goes without, and knows no other."""
    kinds = {True: "#/definitions/image", False: "#/definitions/imageOrNone"}
    properties = {name: {"$ref": kinds[name in NEEDED]} for name in images()}
    lines = [f"        {json.dumps(name)}: {json.dumps(schema)}" for name, schema in properties.items()]
    required = json.dumps(NEEDED)
    schema = [
        '    "images": {',
        '      "type": "object",',
        '      "additionalProperties": false,',
        f'      "required": {required},',
        '      "properties": {',
        ",\n".join(lines),
        "      }",
        "    },",
        "",
    ]
    return _replaced(VALUES_SCHEMA, r'^    "images": \{\n.*?^    \},\n', "\n".join(schema))


def chart_rules() -> str:
    """Return the rights on what serving consists of, as a template that the operator's roles include."""
    rules = [
        f"- apiGroups: [{each.api_version.rpartition('/')[0] or json.dumps('')}]\n"
        f"  resources: [{each.plural}]\n"
        "  verbs: [get, list, watch, create, patch, delete]\n"
        for each in OBJECTS
    ]
    return f'{{{{/* {NOTICE} */}}}}\n{{{{- define "modelport.servingRules" -}}}}\n{"".join(rules)}{{{{- end }}}}\n'


def _replaced(file: str, pattern: str, text: str) -> str:
    """Return a file with the one part of it that is made here; people write the rest."""
    made, count = re.subn(pattern, lambda _: text, (ROOT / file).read_text(), flags=re.MULTILINE | re.DOTALL)
    assert count == 1, f"{file}: expected {pattern!r} once, found {count}"
    return made


def protoset() -> bytes:
    """Return the descriptors of gRPC's messages, for servers, clients and tools."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "set"
        status = protoc.main(["protoc", f"-I{ROOT / PROTOCOL}", f"--descriptor_set_out={made}", *PROTOS])
        if status:
            raise SystemExit(f"protoc ended with {status}")
        return made.read_bytes()


MADE_TABLE = "<!-- Made by `make generate`. -->"
NEEDED = ("operator", MOVER_IMAGE)
PROTOCOL = "images/server/modelport_server/protocol"
VALUES, VALUES_SCHEMA = "charts/modelport/values.yaml", "charts/modelport/values.schema.json"
PROTOS = ("health.proto", "inference.proto")
FILES: dict[str, Callable[[], str | bytes]] = {
    "crds/modelconversions.modelport.dev.yaml": crd,
    "charts/modelport/templates/crd.yaml": chart_crd,
    **{
        f"charts/modelport/monitoring/dashboards/{name}.json": partial(dashboards.dashboard_json, name)
        for name in dashboards.DASHBOARDS
    },
    "docs/reference/modelconversion.md": resource_page,
    "docs/reference/conditions.md": conditions_page,
    "docs/reference/reasons.md": lambda: reason_pages.page(NOTICE),
    "docs/reference/formats.md": formats_page,
    "docs/reference/images.md": images_page,
    "images/images.json": image_declarations,
    "charts/modelport/templates/rbac/_serving.tpl": chart_rules,
    VALUES: chart_values,
    VALUES_SCHEMA: chart_schema,
    "README.md": readme,
    conversion_matrix.PAGE: conversion_matrix.page,
    f"{PROTOCOL}/inference.protoset": protoset,
}


def main() -> int:
    """Write the files, or compare them; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a file is stale")
    options = parser.parse_args()
    made = {name: _bytes(make()) for name, make in FILES.items()}
    stale = [name for name, content in made.items() if _content(ROOT / name) != content]
    if options.check:
        conversion_matrix.tell_old()
        for name in stale:
            print(f"{name} is stale: run `make generate`", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_bytes(made[name])
        print(name)
    return 0


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _bytes(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode()


def _yaml(value: object) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, width=120, allow_unicode=True)
    return text


def _fields(path: str, schema: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, field in schema.get("properties", {}).items():
        mark = " †" if name in schema.get("required", []) else ""
        text = field.get("description", "").replace("|", "\\|").replace("\n", " ")
        yield f"{path}.{name}", f"{_kind(field)}{mark}", text
        inner = field.get("items") or field.get("additionalProperties")
        yield from _fields(
            f"{path}.{name}[]" if inner else f"{path}.{name}", inner if isinstance(inner, dict) else field
        )


def _kind(field: dict[str, Any]) -> str:
    if "enum" in field:
        return " \\| ".join(map(str, field["enum"]))
    if field.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if "items" in field:
        return f"list of {_kind(field['items'])}"
    if isinstance(field.get("additionalProperties"), dict):
        return f"map of {_kind(field['additionalProperties'])}"
    return str(field.get("type", "object"))


if __name__ == "__main__":
    sys.exit(main())
