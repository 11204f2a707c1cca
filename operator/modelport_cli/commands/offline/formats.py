"""`modelport formats`: what can be converted to what, with which options, and what serves it."""

from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from modelport.conversion.base import Converter
from modelport.frameworks import CONVERTERS, FORMATS, framework_of
from modelport.runtimes import RUNTIMES
from modelport_cli.console import plain_table, print_json, print_table
from modelport_cli.views.graph import HEADERS, draw_graph


def formats(*, json: Annotated[bool, Parameter(negative="")] = False) -> None:
    """Draw formats, trust, paths and runtimes as one graph, and list what the formats and options are.

        modelport formats

    Parameters
    ----------
    json
        Print JSON instead of tables.
    """
    catalogue = describe_catalogue()
    if json:
        print_json(catalogue)
        return
    graph = plain_table(*HEADERS)
    for row in draw_graph():
        graph.add_row(*row)
    print_table(graph)
    print()
    described = plain_table("FORMAT", "WHAT IT IS")
    for each in catalogue["formats"]:
        described.add_row(each["name"], each["description"])
    print_table(described)
    print()
    # converters to one format mostly have the same options
    options = plain_table("OPTION", "TYPE", "MEANING", "OF CONVERTERS TO")
    targets: dict[tuple[str, ...], list[str]] = {}
    for each in catalogue["converters"]:
        for option in each["options"]:
            targets.setdefault(tuple(option.values()), []).append(each["target"])
    for option, names in targets.items():
        options.add_row(*option, ", ".join(dict.fromkeys(names)))
    print_table(options)


def describe_catalogue() -> dict[str, list[dict[str, Any]]]:
    """Return what this version can do, as plain data."""
    return {
        "formats": [
            {
                "name": each.name,
                "description": each.description,
                "executesCode": each.executes_code,
                "mayExecute": each.may_execute,
                "needs": list(each.needs),
            }
            for each in FORMATS.values()
        ],
        "converters": [_describe_converter(each) for each in CONVERTERS.values()],
        "runtimes": [
            {"name": each.name, "description": each.description, "formats": list(each.formats), "image": each.image}
            for each in RUNTIMES.values()
        ],
    }


def _describe_converter(converter: Converter) -> dict[str, Any]:
    properties = _schema(converter)
    return {
        "name": converter.name,
        "source": converter.source,
        "target": converter.target,
        "image": framework_of(converter.name).image,
        "options": [
            {"name": name, "type": _type_name(schema), "description": schema.get("description", "")}
            for name, schema in properties.items()
        ],
    }


def _schema(converter: Converter) -> dict[str, dict[str, Any]]:
    """Return the JSON schema of each option."""
    _, components = msgspec.json.schema_components([converter.options])
    properties: dict[str, dict[str, Any]] = components[converter.options.__name__].get("properties", {})
    return properties


def _type_name(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    choices = [_type_name(each) for each in schema.get("anyOf", []) if each.get("type") != "null"]
    return " | ".join(choices) or str(schema.get("type", "any"))
