"""Manifests: YAML 1.2, one line per error, with file, path and what was meant."""

import pytest

from modelport_cli.errors import UsageError
from modelport_cli.manifest import load_resource

GOOD = """\
apiVersion: v1
kind: Namespace
metadata: {name: vision}
---
apiVersion: modelport.dev/v1alpha1
kind: ModelConversion
metadata: {name: net}
spec:
  source: {uri: file:net.onnx}
  verification: {tolerance: {relative: 1e-4}}
  conversion: {timeoutSeconds: 60}
"""


def write(tmp_path, text):
    path = tmp_path / "manifest.yaml"
    path.write_text(text)
    return path


def test_the_one_resource_among_other_documents_is_read_as_yaml_1_2(tmp_path):
    resource = load_resource(write(tmp_path, GOOD))
    assert resource.metadata.name == "net"
    assert resource.spec.verification.tolerance.relative == 1e-4  # YAML 1.1 reads a word
    assert resource.spec.conversion.timeout_seconds == 60


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        ("timeoutSeconds", "timeoutSecond", "spec.conversion: Object contains unknown field", "`timeoutSeconds`"),
        ("relative: 1e-4", "relatve: 1e-4", "spec.verification.tolerance: ", "`relative`"),
        ("60", "soon", "spec.conversion.timeoutSeconds: Expected `int`, got `str`", "docs/reference"),
        ("1e-4", "2", "spec.verification.tolerance.relative: Expected `float` <= 1", "docs/reference"),
        ("{uri: file:net.onnx}", "{}", "spec.source: Object missing required field `uri`", ""),
        ("v1alpha1", "v2", "apiVersion: expected modelport.dev/v1alpha1, found modelport.dev/v2", ""),
        ("kind: ModelConversion", "kind: Model", "found 0 (kinds: Namespace, Model)", ""),
        ("name: net}", "name: Net}", "metadata.name: expected at most 52 lower-case", "API server"),
        ("{uri: file:net.onnx}", "{uri: [", "line 11, column 3", "YAML"),
    ],
)
def test_errors_name_file_and_field(tmp_path, old, new, message, hint):
    path = write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(UsageError) as caught:
        load_resource(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in caught.value.message


def test_a_missing_or_binary_file_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        load_resource(tmp_path / "none.yaml")
    binary = tmp_path / "model.onnx"
    binary.write_bytes(b"\x08\xff\xfe")
    with pytest.raises(UsageError, match="UTF-8"):
        load_resource(binary)
