"""A format, converter or runtime is one file and one line: these find the forgotten line."""

import json
from pathlib import Path

import pytest
import yaml

from modelport import formats, runtimes
from modelport.api import FormatName, TargetFormatName
from modelport.requests import MOVER_IMAGE
from modelport_converter.converters import MODULES as CONVERTER_MODULES
from modelport_converter.converters import SOURCES
from modelport_converter.inspection import MODULES as INSPECTION_MODULES
from modelport_server.backends import MODULES as BACKEND_MODULES

ROOT = Path(__file__).resolve().parents[2]
IMAGES = json.loads((ROOT / "images/images.json").read_text())["images"]
IMAGE_CODE = ROOT / "images/converter/modelport_converter"


def test_every_format_can_be_named_in_the_resource() -> None:
    assert set(formats.FORMATS) == set(FormatName.__args__)


def test_every_format_is_inspected() -> None:
    assert set(INSPECTION_MODULES) == set(formats.FORMATS)
    assert all((IMAGE_CODE / f"inspection/{module}.py").exists() for module in INSPECTION_MODULES.values())


def test_every_converter_has_code_and_an_image() -> None:
    assert set(CONVERTER_MODULES) == set(formats.CONVERTERS)
    assert all((IMAGE_CODE / f"converters/{module}.py").exists() for module in CONVERTER_MODULES.values())
    assert {each.image for each in formats.CONVERTERS.values()} <= set(IMAGES)
    assert MOVER_IMAGE in IMAGES


def test_every_format_is_asked_by_code_in_an_image() -> None:
    assert set(SOURCES) == set(formats.FORMATS)
    assert all((IMAGE_CODE / f"converters/{module}.py").exists() for module in SOURCES.values())
    assert {each.image for each in formats.FORMATS.values()} <= set(IMAGES)


def test_every_target_is_served() -> None:
    assert all(runtimes.runtime_for(name).image in IMAGES for name in TargetFormatName.__args__)


def test_every_runtime_has_a_backend() -> None:
    assert set(BACKEND_MODULES) == {each.name for each in runtimes.RUNTIMES}


def test_the_chart_knows_every_image() -> None:
    assert set(yaml.safe_load((ROOT / "charts/modelport/values.yaml").read_text())["images"]) == set(IMAGES)


@pytest.mark.parametrize("name", sorted(IMAGES))
def test_every_image_has_a_dockerfile_and_a_lock(name: str) -> None:
    image = IMAGES[name]
    assert (ROOT / image["dockerfile"]).exists()
    assert any("locks/" in pattern for pattern in image["inputs"])
