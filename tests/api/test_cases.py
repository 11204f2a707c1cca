"""Every rule of the CRD has a manifest that it refuses, telling what to do, and its neighbour that is accepted.

Offline by the types and the command line's rules, which say the same where there is no API server; on a real API server
with a dry run.
"""

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from modelport.api.base import API_VERSION, KIND
from modelport.api.resource import parse
from modelport.crd import RULES
from modelport_cli.errors import UsageError
from modelport_cli.rules import check_rules

CASES = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(Path(__file__).parent.glob("cases/*.yaml"))}


def manifest(part: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "net"}} | copy.deepcopy(part)


def check_offline(part: dict[str, Any]) -> None:
    check_rules(parse(manifest(part)), "manifest.yaml")


def test_every_rule_has_a_case() -> None:
    told = [case["says"] for case in CASES.values()]
    lacking = [message for _, _, message in RULES if not any(says in message for says in told)]
    assert not lacking


@pytest.mark.parametrize("name", CASES)
def test_types_and_command_line_tell_the_same(name: str) -> None:
    check_offline(CASES[name]["accepted"])
    if CASES[name].get("offline", True):
        with pytest.raises((msgspec.ValidationError, UsageError)):
            check_offline(CASES[name]["refused"])


def create(kubectl: list[str], part: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    command = [*kubectl, "create", "--dry-run=server", "--validate=strict", "--output=json", "--filename=-"]
    return subprocess.run(command, input=json.dumps(manifest(part)), capture_output=True, text=True, check=False)


@pytest.mark.cluster
@pytest.mark.parametrize("name", CASES)
def test_api_server_refuses_and_says_what_to_do(name: str, kubectl: list[str]) -> None:
    refused = create(kubectl, CASES[name]["refused"])
    assert refused.returncode != 0, refused.stdout
    assert CASES[name]["says"] in refused.stderr


@pytest.mark.cluster
@pytest.mark.parametrize("name", CASES)
def test_api_server_accepts_the_neighbour(name: str, kubectl: list[str]) -> None:
    accepted = create(kubectl, CASES[name]["accepted"])
    assert accepted.returncode == 0, accepted.stderr


@pytest.mark.cluster
def test_api_server_fills_in_what_stored_resources_need(kubectl: list[str]) -> None:
    created = create(kubectl, {"spec": {"source": {"uri": "s3://models/net.onnx"}, "serving": {}}})
    body = json.loads(created.stdout)
    assert body["status"] == {"observedGeneration": -1}
    assert body["spec"]["target"] == {"format": "onnx"}
    assert body["spec"]["serving"] == {}
    assert "verification" not in body["spec"]
