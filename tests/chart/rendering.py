"""Where the chart is, values that it takes, and how to find one of the objects that it renders."""

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

Body = dict[str, Any]
ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "modelport"
NAMESPACE = "modelport-system"
DECLARED = tuple(json.loads((ROOT / "images/images.json").read_text())["images"])
IMAGES = {name: f"registry.test/{name}@sha256:{'0' * 64}" for name in DECLARED}
STORE = {"enabled": True, "namespaces": ["team-a", "team-b"]}


def chart_of_version(version: str, folder: Path) -> Path:
    """Return a copy of the chart, in a folder of the test's own, that says that it is of another version."""
    chart = shutil.copytree(CHART, folder / "chart")
    about = yaml.safe_load((chart / "Chart.yaml").read_text())
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about | {"version": version, "appVersion": version}))
    return chart


def only(bodies: list[Body], kind: str, name: str | None = None) -> Body:
    """Return the one object of a kind, and a name."""
    found = [each for each in bodies if each["kind"] == kind and name in (None, each["metadata"]["name"])]
    assert len(found) == 1, f"expected one {kind} {name or ''}, found {len(found)}"
    return found[0]


def pods(bodies: list[Body]) -> dict[str, Body]:
    """Return the pod templates by the name of what makes the pods."""
    return {each["metadata"]["name"]: each["spec"]["template"] for each in bodies if "template" in each.get("spec", {})}
