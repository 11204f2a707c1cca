"""Images on a kind cluster: its nodes are told the digest that they gave an image, so that the chart can name it."""

import pytest

from devcluster import deployment
from devcluster.errors import MissingPrerequisiteError
from devcluster.images.declarations import Image

DIGEST = f"sha256:{'d' * 64}"
IMAGE = Image(name="operator", dockerfile="images/operator/Dockerfile", base="", args=(), inputs=("LICENSE",))
LISTED = """REF                              TYPE                                       DIGEST     SIZE      PLATFORMS   LABELS
{tag} application/vnd.oci.image.manifest.v1+json {digest} 100.0 MiB linux/amd64 io.cri-containerd.image=managed
"""


def test_an_image_that_a_node_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "run", lambda command: "one\n" if "nodes" in command else "REF TYPE DIGEST\n")
    with pytest.raises(MissingPrerequisiteError, match="node one to have localhost/modelport/operator:1"):
        deployment._name_by_digest("localhost/modelport/operator:1")


def test_every_node_knows_an_image_by_its_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(command: list[str]) -> str:
        asked.append(command)
        if command[:3] == ["kind", "get", "nodes"]:
            return "modelport-control-plane\nmodelport-worker\n"
        return LISTED.format(tag=command[-1], digest=DIGEST) if "list" in command else ""

    monkeypatch.setattr(deployment, "run", run)
    monkeypatch.setattr(deployment, "stage_context", lambda *_: None)
    reference = deployment._docker_build(IMAGE, "kind")
    assert reference == f"localhost/modelport/operator@{DIGEST}"
    tagged = [command for command in asked if "tag" in command]
    assert [command[2] for command in tagged] == ["modelport-control-plane", "modelport-worker"]
    assert all(command[-1] == reference for command in tagged)
