"""What a plug-in must have inside, what the images are built from, and what every reason tells."""

import ast
import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

from modelport import formats, runtimes
from modelport.api import TargetFormatName
from modelport.contract import ModelportError
from modelport.formats import CONVERTERS, FORMATS
from modelport.planning import find_path
from modelport.reasons import ADVICE, Reason
from modelport.requests import MOVER_IMAGE
from modelport.runtimes import RUNTIMES
from modelport_converter import converters, inspection

ROOT = Path(__file__).resolve().parents[2]
IMAGES = json.loads((ROOT / "images" / "images.json").read_text())["images"]
TARGETS = TargetFormatName.__args__


def modules_in(package, *besides):
    return {path.stem for path in Path(package.__file__).parent.glob("*.py")} - {"__init__", *besides}


def test_every_file_of_a_framework_is_in_its_table():
    assert {module.__name__.rpartition(".")[2] for module in formats.FRAMEWORKS} == modules_in(formats, "base")
    assert len(RUNTIMES) == len(modules_in(runtimes, "base"))
    assert set(inspection.MODULES.values()) == modules_in(inspection)


def test_names_are_given_once():
    assert len(FORMATS) == sum(len(framework.FORMATS) for framework in formats.FRAMEWORKS)
    assert len(CONVERTERS) == sum(len(framework.CONVERTERS) for framework in formats.FRAMEWORKS)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_inspected_and_leads_to_every_target(name):
    module = importlib.util.find_spec(f"{inspection.__name__}.{inspection.MODULES[name]}")
    assert module is not None
    assert module.origin is not None
    assert "inspect" in names_of(Path(module.origin))
    for target in TARGETS:
        assert find_path(name, target)[-1].target == target


@pytest.mark.parametrize("converter", CONVERTERS.values(), ids=CONVERTERS)
def test_every_converter_has_formats_an_image_and_a_module(converter):
    assert {converter.source, converter.target} <= set(FORMATS)
    assert converter.image in IMAGES
    spec = importlib.util.find_spec(f"{converters.__name__}.{converters.MODULES[converter.name]}")
    assert spec is not None
    assert spec.origin is not None
    # read, not imported: the framework is in the image alone
    assert {"warm_up", "convert", "OPTIONS"} <= names_of(Path(spec.origin))


@pytest.mark.parametrize("format_", FORMATS.values(), ids=FORMATS)
def test_every_format_is_asked_in_an_image_that_has_its_framework(format_):
    assert format_.image in IMAGES
    path = Path(importlib.util.find_spec(f"{converters.__name__}.{converters.SOURCES[format_.name]}").origin)
    assert {"warm_up", "open_source"} <= names_of(path)
    assert foreign_imports(path) <= packages(format_.image)


def test_every_weight_of_a_file_without_a_graph_is_accounted_for():
    """No comparison finds a misload that source and conversion share, so each way to lose a weight is tried.

    A later framework adds its kinds to the tests of its converter, with the reason that each must end in.
    """
    for name, module in converters.SOURCES.items():
        if FORMATS[name].holds_graph:
            continue
        folder = ROOT / "tests" / "converters"
        framework = module.removeprefix("py")
        ended = "".join(path.read_text() for path in folder.glob(f"test_*{framework}*.py"))
        refused = set(re.findall(r'\("(\w+)", "WeightsMismatch"', ended))
        # "list": layers outside the module tree, which nothing ever loads
        assert refused >= {"missing", "unexpected", "reshaped", "list"}, name


def test_the_mover_image_reads_every_format():
    assert MOVER_IMAGE in IMAGES
    for module in inspection.MODULES.values():
        spec = importlib.util.find_spec(f"{inspection.__name__}.{module}")
        assert foreign_imports(Path(spec.origin)) <= packages(MOVER_IMAGE)


def foreign_imports(path):
    """Return the packages that a file imports from elsewhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.partition(".")[0])
    ours = {"modelport", "modelport_converter", "modelport_server"}
    return {{"google": "protobuf"}.get(name, name) for name in found - ours - set(sys.stdlib_module_names)}


def names_of(path):
    """Return the names that a file defines or imports."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
    return found


# --- images ---------------------------------------------------------------------------------------------------------


def locks(image):
    folder = ROOT / Path(IMAGES[image]["dockerfile"]).parent / "locks"
    name = next(iter(IMAGES[image].get("args", {}).values()), None)
    return sorted(folder.glob(f"{name}*.txt" if name else "*.txt"))


def pins(text):
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", text, re.MULTILINE | re.IGNORECASE))


def packages(image):
    return {name for lock in locks(image) for name in pins(lock.read_text())}


@pytest.mark.parametrize("image", IMAGES)
def test_every_image_is_locked_with_hashes(image):
    assert locks(image)
    for lock in locks(image):
        entries = re.findall(r"^\S+==\S+.*(?:\n .*)*", lock.read_text(), re.MULTILINE)
        assert entries
        assert all("--hash=sha256:" in entry for entry in entries), lock
        assert "://" not in lock.read_text(), "a lock holds for any index"


@pytest.mark.parametrize("wanted", sorted(ROOT.glob("images/*/locks/*.in")), ids=lambda path: path.stem)
def test_locks_hold_what_is_asked_for(wanted):
    locked = pins(wanted.with_suffix(".txt").read_text())
    asked = pins(wanted.read_text())
    assert asked
    assert {name: locked.get(name) for name in asked} == asked


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_is_built_from_what_it_declares(image):
    declared = IMAGES[image]
    dockerfile = (ROOT / declared["dockerfile"]).read_text()
    stages = {"dependencies"}
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) <= {declared["base"], *stages}
    for pattern in declared["inputs"]:
        assert list(ROOT.glob(pattern)), pattern
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
    for source in " ".join(copied).split():
        folder = source.rstrip("/")
        assert any(pattern.startswith(folder) for pattern in declared["inputs"]), f"{source} is no input of {image}"


@pytest.mark.parametrize("image", IMAGES)
def test_no_image_runs_as_root(image):
    users = re.findall(r"^USER (\d+)", (ROOT / IMAGES[image]["dockerfile"]).read_text(), re.MULTILINE)
    assert users
    assert users[-1] != "0"


# --- reasons --------------------------------------------------------------------------------------------------------


def test_every_reason_has_advice():
    assert set(ADVICE) == set(Reason)
    assert all(advice.hint.endswith((".", "again.")) for advice in ADVICE.values())


def test_a_format_that_is_not_there_is_told():
    with pytest.raises(ModelportError, match="modelport formats"):
        find_path("caffe", "onnx")
