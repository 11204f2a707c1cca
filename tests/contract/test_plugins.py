"""What a framework and a runtime must have inside, what the images are built from, and what every reason tells."""

import ast
import importlib.util
import json
import re
import sys
import types
from itertools import chain
from pathlib import Path

import pytest

from builders import convert_request
from modelport.api.reasons import ADVICE, Reason
from modelport.conversion import discovery
from modelport.conversion.base import Framework
from modelport.errors import ModelportError
from modelport.frameworks import CONVERTERS, FORMATS, FRAMEWORKS, SOURCES, framework_of
from modelport.jobs.planning import MOVER_IMAGE
from modelport.paths import find_paths
from modelport.runtimes import RUNTIMES, TARGETS
from modelport.verification.source.model import Source
from modelport_converter import frameworks as package
from modelport_converter.tasks import SourceTask

ROOT = Path(__file__).resolve().parents[2]
IMAGES = json.loads((ROOT / "images" / "images.json").read_text())["images"]
PACKAGES = {
    "cv2": "opencv-python-headless",
    "google": "protobuf",
    "paddle": "paddlepaddle",
    "sklearn": "scikit-learn",
    "tensorflow": "tensorflow-cpu",
    "tvm": "apache-tvm",
    "xgboost": "xgboost-cpu",
}
"""Packages by what is imported of them, where it is called otherwise."""
MADE = {each.target for each in CONVERTERS.values() if each.source != each.target}
"""Formats that are made of others; the other targets are served as they come, and nothing else leads there."""
OURS = {"modelport", "modelport_converter", "modelport_server"}


def code_of(framework):
    return Path(package.__file__).parent / framework


def module_of(converter):
    own = framework_of(converter.name).name
    is_own = framework_of(converter.source).name == own
    name = f"to_{converter.target}" if is_own else f"from_{converter.source}"
    return code_of(own) / f"{name.replace('-', '_')}.py"


def test_names_are_given_once():
    assert len(FORMATS) == sum(len(framework.formats) for framework in FRAMEWORKS.values())
    assert len(CONVERTERS) == sum(len(framework.converters) for framework in FRAMEWORKS.values())
    assert not set(FORMATS) & set(CONVERTERS), "framework_of takes either"


def test_a_file_without_a_declaration_of_its_name_is_refused(monkeypatch):
    monkeypatch.setattr(
        discovery.importlib, "import_module", lambda _name: types.SimpleNamespace(FRAMEWORK=FRAMEWORKS["onnx"])
    )
    with pytest.raises(TypeError, match=r"modelport\.frameworks\.(\w+): expected FRAMEWORK, a Framework named \1"):
        discovery.find_declared(
            importlib.util.module_from_spec(importlib.util.find_spec("modelport.frameworks")), "FRAMEWORK", Framework
        )


@pytest.mark.parametrize("name", SOURCES)
def test_every_format_is_inspected_asked_and_leads_to_what_serves_it(name):
    folder = code_of(framework_of(name).name)
    # read, not imported: a framework is in its image alone
    assert "inspect" in names_of(folder / "inspect.py")
    assert "open_source" in names_of(folder / "ask.py")
    if name in TARGETS and name not in MADE:
        assert has_path(name, name)
        return
    for runtime in RUNTIMES.values():
        targets = [target for target in runtime.formats if target in MADE]
        assert not targets or any(has_path(name, target) for target in targets), runtime.name


def has_path(source, target):
    try:
        return find_paths(source, target)[0][-1].target == target
    except ModelportError:
        return False


@pytest.mark.parametrize("converter", CONVERTERS.values(), ids=CONVERTERS)
def test_every_converter_has_formats_and_a_module(converter):
    assert {converter.source, converter.target} <= set(FORMATS)
    assert "convert" in names_of(module_of(converter))


@pytest.mark.parametrize("framework", FRAMEWORKS.values(), ids=FRAMEWORKS)
def test_every_framework_needs_only_what_its_image_has(framework):
    files = [path for path in code_of(framework.name).rglob("*.py") if path.name != "inspect.py"]
    assert set().union(*map(foreign_imports, files)) <= packages(framework.image)
    if any(each.detect for each in framework.formats):
        assert foreign_imports(code_of(framework.name) / "inspect.py") <= packages(MOVER_IMAGE)


@pytest.mark.parametrize("known", [*FRAMEWORKS.values(), *RUNTIMES.values()], ids=lambda each: each.image)
def test_every_framework_and_runtime_has_an_image(known):
    assert known.image in IMAGES
    assert MOVER_IMAGE in IMAGES


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_every_runtime_has_a_backend(runtime):
    assert importlib.util.find_spec(f"modelport_server.backends.{runtime}")


@pytest.fixture
def opened(monkeypatch):
    """Open a source of a format, whose framework returns this one."""

    def open_one(format_name, source):
        module = types.SimpleNamespace(open_source=lambda _task: source)
        monkeypatch.setattr(package.importlib, "import_module", lambda _name: module)
        return package.open_source(SourceTask(convert_request(source_format=format_name), Path(), Path()))

    return open_one


@pytest.mark.parametrize("name", [name for name, each in SOURCES.items() if not each.holds_graph])
def test_a_file_of_weights_alone_is_built_twice_or_not_at_all(opened, name):
    with pytest.raises(ModelportError, match="built twice") as caught:
        opened(name, Source([], lambda inputs: inputs))
    assert caught.value.reason is Reason.CONVERTER_CRASHED
    twice = Source([], lambda inputs: inputs, rebuild=lambda: lambda inputs: inputs)
    assert opened(name, twice) == twice


@pytest.mark.parametrize("name", [name for name, each in SOURCES.items() if each.holds_graph])
def test_a_file_that_holds_the_graph_is_complete_by_itself(opened, name):
    source = Source([], lambda inputs: inputs)
    assert opened(name, source) == source


def test_a_format_that_the_image_does_not_have_is_told():
    with pytest.raises(ModelportError, match=r"darknet: this image does not have it, only "):
        package.prepare_source("darknet")


def test_every_weight_of_a_file_without_a_graph_is_accounted_for():
    """No comparison finds a misload that source and conversion share, so each way to lose a weight is tried.

    A later framework adds its kinds to the tests of its converter, with the reason that each must end in.
    """
    for name, framework in ((name, framework_of(name).name) for name, each in SOURCES.items() if not each.holds_graph):
        folder = ROOT / "tests" / "converters"
        ended = "".join(path.read_text() for path in folder.rglob(f"test_*{framework.removeprefix('py')}*.py"))
        refused = set(re.findall(r'\("(\w+)", "WeightsMismatch"', ended))
        # "list": layers outside the module tree, which nothing ever loads
        assert refused >= {"missing", "unexpected", "reshaped", "list"}, name


def imports(path):
    """Return the modules that a file imports, and what it takes from them, which may be modules."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def own_imports(path):
    return {module for module in imports(path) if module.partition(".")[0] in OURS}


def foreign_imports(path):
    """Return the packages that a file imports from elsewhere."""
    found = {module.partition(".")[0] for module in imports(path)}
    return {PACKAGES.get(name, name.replace("_", "-")) for name in found - OURS - set(sys.stdlib_module_names)}


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
    args = IMAGES[image].get("args", {})
    name = args.get("FRAMEWORK") or args.get("RUNTIME")
    patterns = (f"{name}.txt", f"{name}-*.txt", f"{name}.*.txt") if name else ("*.txt",)
    return sorted(path for pattern in patterns for path in folder.glob(pattern))


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
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) == {declared["base"]}
    files = {pattern: list(ROOT.glob(pattern)) for pattern in declared["inputs"]}
    assert all(files.values()), files
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
    sources, found = " ".join(copied).split(), [path for path in chain(*files.values()) if path.is_file()]
    for source in sources:
        assert any(path.is_relative_to(ROOT / source) for path in found), f"{source} is no input"
    left = [path for path in found if not any(path.is_relative_to(ROOT / source) for source in sources)]
    assert not [path for path in left if "__pycache__" not in path.parts and path.suffix != ".so"], "not copied"


def inputs(image):
    return {path for pattern in IMAGES[image]["inputs"] for path in ROOT.glob(pattern) if path.suffix == ".py"}


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_all_of_our_modules_that_it_imports(image):
    files = inputs(image)
    roots = [ROOT / each for each in ("operator", "images/converter", "images/server")]
    lacking = set()
    for module in set().union(*map(own_imports, files)):
        paths = {root / f"{module.replace('.', '/')}{end}" for root in roots for end in (".py", "/__init__.py")}
        lacking |= {path for path in paths if path.exists()} - files
    assert not lacking


def test_an_image_is_made_of_no_other_frameworks_or_runtimes_code():
    """Else each new one would have all others built anew."""
    plugins = {"converter": FRAMEWORKS, "server": RUNTIMES}
    for image in set(IMAGES) - {MOVER_IMAGE}:
        role, _, own = image.partition("-")
        code = [path for path in inputs(image) if f"modelport_{role}" in path.parts]
        for other in set(plugins.get(role, ())) - {own}:
            assert not [path for path in code if other in {path.stem, *path.relative_to(ROOT).parts}]


@pytest.mark.parametrize("known", [*FRAMEWORKS.values(), *RUNTIMES.values()], ids=lambda each: each.image)
def test_an_image_installs_the_packages_that_are_declared(known):
    assert IMAGES[known.image]["args"].get("PACKAGES", "").split() == list(known.packages)
    dockerfile = (ROOT / IMAGES[known.image]["dockerfile"]).read_text()
    assert re.search(r"^ARG PACKAGES=.*\nRUN apt-get update .*\n.* install .* \$PACKAGES", dockerfile, re.MULTILINE)


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
        find_paths("darknet", "onnx")
