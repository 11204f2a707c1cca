"""From a manifest on disk to the resource: the first link of `plan` and `run`, refusing what the API server would.

YAML is read as 1.2, as ruamel.yaml does, so that 1e-4 is a number and `no` a word. Messages carry the path of the wrong
field as a manifest writes it, and the nearest known name for a mistyped one.
"""

import difflib
import re
import sys
from pathlib import Path
from typing import Any

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from modelport.api.base import API_VERSION, KIND
from modelport.api.resource import ModelConversion, parse
from modelport_cli.errors import UsageError
from modelport_cli.rules import check_rules

STDIN = Path("-")
"""Stands for the standard input."""


def load_resource(path: Path) -> ModelConversion:
    """Return the one ModelConversion in the file. Raises UsageError that names file, field and what was expected."""
    return parse_resource(_only_resource(path), str(path))


def load_body(path: Path) -> dict[str, Any]:
    """Return the one ModelConversion in the file as it stands there, once it is known to be right. Raises UsageError."""
    body = _only_resource(path)
    parse_resource(body, str(path))
    return body


def parse_resource(body: dict[str, Any], origin: str) -> ModelConversion:
    """Return the resource in a decoded manifest. Raises UsageError with the path of the wrong field."""
    try:
        resource = parse(body)
    except msgspec.ValidationError as error:
        message, hint = explain(str(error))
        raise UsageError(f"{origin}: {message}", hint) from error
    check_rules(resource, origin)
    return resource


def read_documents(path: Path) -> list[Any]:
    """Return the YAML documents of a file, or of the standard input for `-`, as JSON has them. Raises UsageError."""
    try:
        text = sys.stdin.read() if path == STDIN else path.read_text(encoding="utf-8")
        documents = list(YAML(typ="safe", pure=True).load_all(text))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", "Name a manifest: a YAML file with a ModelConversion.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: expected YAML in UTF-8, found binary data", "Name a manifest.") from error
    except YAMLError as error:
        raise UsageError(f"{path}: {_yaml_problem(error)}", "Correct the YAML.") from error
    return documents


def _only_resource(path: Path) -> dict[str, Any]:
    documents = read_documents(path)
    found = [each for each in documents if isinstance(each, dict) and each.get("kind") == KIND]
    if len(found) != 1:
        kinds = ", ".join(str(each.get("kind")) if isinstance(each, dict) else "none" for each in documents) or "none"
        raise UsageError(f"{path}: expected one document of kind {KIND}, found {len(found)} (kinds: {kinds})")
    body: dict[str, Any] = found[0]
    if body.get("apiVersion") != API_VERSION:
        raise UsageError(f"{path}: apiVersion: expected {API_VERSION}, found {body.get('apiVersion')}")
    return body


def _yaml_problem(error: YAMLError) -> str:
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return " ".join(str(error).split())[:300]


def explain(text: str) -> tuple[str, str]:
    """Return the message of a msgspec.ValidationError with the path in front, and a hint.

    >>> explain("Expected `int`, got `str` - at `$.spec.serving.replicas`")[0]
    'spec.serving.replicas: Expected `int`, got `str`'
    """
    problem, _, place = text.partition(" - at `")
    path = place.rstrip("`").removeprefix("$").removeprefix(".")
    message = f"{path}: {problem}" if path else problem
    unknown = re.search(r"unknown field `(.+?)`", problem)
    if unknown:
        known = _fields_at(path)
        nearest = difflib.get_close_matches(unknown[1], known, n=1)
        if nearest:
            return message, f"Did you mean `{nearest[0]}`?"
        return message, f"Known here: {', '.join(known)}." if known else ""
    return message, "`kubectl explain modelconversion.spec` and docs/reference describe every field."


def _fields_at(path: str) -> list[str]:
    """Return the names that the schema knows at a path such as spec.source.inputs[0]."""
    type_info = msgspec.inspect.type_info(ModelConversion)
    for part in re.findall(r"[^.\[\]]+|\[[^\]]*\]", path):
        for struct in _structs(type_info):
            field = next((field for field in struct.fields if field.encode_name == part), None)
            if field is not None:
                type_info = field.type
                break
    return [field.encode_name for struct in _structs(type_info) for field in struct.fields]


def _structs(info: msgspec.inspect.Type) -> list[msgspec.inspect.StructType]:
    """Return the objects inside optional, list, map and described types."""
    if isinstance(info, msgspec.inspect.StructType):
        return [info]
    if isinstance(info, msgspec.inspect.UnionType):
        return [struct for each in info.types for struct in _structs(each)]
    if isinstance(info, msgspec.inspect.ListType):
        return _structs(info.item_type)
    if isinstance(info, msgspec.inspect.DictType):
        return _structs(info.value_type)
    if isinstance(info, msgspec.inspect.Metadata):
        return _structs(info.type)
    return []
