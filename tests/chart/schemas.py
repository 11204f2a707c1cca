"""What the API servers of Kubernetes' versions take, as strict JSON schemas: fields that they do not know are refused.

Rules that are no part of their schemas (CEL, what a controller checks) are not: those are for clusters to tell.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from modelport.crd import root_schema

Body = dict[str, Any]
_FOLDER = files("kubernetes_validate") / "kubernetes-json-schema"


@cache
def versions() -> tuple[str, ...]:
    """Return the versions that there are schemas of, such as 1.31, from the oldest on."""
    names = [each.name for each in _FOLDER.iterdir()]
    found = {tuple(map(int, name[1:].split("-")[0].split(".")[:2])) for name in names if name.endswith("-local-strict")}
    return tuple(f"{major}.{minor}" for major, minor in sorted(found))


def faults(body: Body, version: str) -> list[str]:
    """Return what a version refuses in an object, each with its place. Raises LookupError for a kind that it has not."""
    validator = _validator(version, body["kind"], body["apiVersion"])
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]


def resource_faults(body: Body) -> list[str]:
    """Return what the CRD refuses in a ModelConversion, its rules in CEL left out."""
    schema = _strict(root_schema())
    schema["properties"] |= {name: {} for name in ("apiVersion", "kind", "metadata")}
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(body)]


def _strict(schema: Any) -> Any:
    """Return a schema of the API server's that knows no fields but those that it states."""
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _strict(each) for name, each in schema.items()}
    is_open = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    states = schema.get("type") == "object" and "properties" in schema
    return found | {"additionalProperties": False} if states and not is_open else found


@cache
def _validator(version: str, kind: str, api_version: str) -> Draft202012Validator:
    group, _, number = api_version.rpartition("/")
    name = "-".join(part for part in (kind.lower(), group.split(".")[0], number) if part)
    file = _FOLDER / f"v{version}.0-local-strict" / f"{name}.json"
    if not file.is_file():
        raise LookupError(f"Kubernetes {version} has no {kind} of {api_version}")
    return Draft202012Validator(json.loads(file.read_text()), registry=_definitions(version))


@cache
def _definitions(version: str) -> Registry[Any]:
    text = (_FOLDER / f"v{version}.0-local-strict" / "_definitions.json").read_text()
    return Resource.from_contents(json.loads(text)) @ Registry()
