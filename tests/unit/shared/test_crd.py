"""The CRD as a document: small, bounded everywhere, described everywhere, and the generated files are fresh."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelport.crd import MAX_BYTES, resource_definition, root_schema

ROOT = Path(__file__).parents[3]
Node = dict[str, Any]
DEFINITION = resource_definition()
(VERSION,) = DEFINITION["spec"]["versions"]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]


def nodes(path: str, node: Node) -> Iterator[tuple[str, Node]]:
    yield path, node
    for name, inner in node.get("properties", {}).items():
        yield from nodes(f"{path}.{name}", inner)
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            yield from nodes(f"{path}[]", node[key])


NODES = dict(item for part in ("spec", "status") for item in nodes(part, SCHEMA["properties"][part]))


def test_size() -> None:
    size = len(json.dumps(DEFINITION, separators=(",", ":")).encode())
    assert size <= MAX_BYTES, f"{size} bytes of compact JSON"


@pytest.mark.parametrize("path", NODES)
def test_every_node_is_structural_and_bounded(path: str) -> None:
    node = NODES[path]
    assert not {"$ref", "anyOf", "oneOf", "allOf", "title"} & set(node)
    assert ("type" in node) != ("x-kubernetes-int-or-string" in node)
    if path.startswith("status"):
        return  # no rule looks at it, and its types have the limits
    if node.get("type") == "string":
        assert "enum" in node or "maxLength" in node
    if node.get("type") == "array":
        assert "maxItems" in node
    if "additionalProperties" in node or "x-kubernetes-preserve-unknown-fields" in node:
        assert "maxProperties" in node


def test_every_field_is_explained() -> None:
    schema = root_schema()["properties"]  # as the reference page has it: not all of the status fits into the CRD
    found = dict(item for part in ("spec", "status") for item in nodes(part, schema[part]))
    assert not [path for path, node in found.items() if not path.endswith("[]") and not node.get("description")]


def test_scale_points_at_fields_that_exist() -> None:
    scale = VERSION["subresources"]["scale"]
    assert {path.removeprefix(".") for path in scale.values()} <= set(NODES)


def test_columns() -> None:
    columns = VERSION["additionalPrinterColumns"]
    shown = [each["name"] for each in columns if not each.get("priority")]
    assert shown == ["Source", "Target", "Ready", "Reason", "Error", "URL", "Age"]
    assert [each["name"] for each in columns if each.get("priority")] == ["Message", "Artifact"]


def test_generated_files_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "tools/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
