"""No folder holds more than one can overlook, and nothing imports, over whatever way, what imports it."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("bench", "cluster", "examples", "images", "operator", "tests", "tools")
MOST_MODULES = 10
PRODUCT = ("operator", "images/converter", "images/server", "cluster")
TRANSPORTS = {"modelport_server.grpc.http2", "modelport_server.rest"}
"""Inside these, a connection and its server hold each other."""


def name_of(path, root):
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path, ROOT / part): path for part in PRODUCT for path in (ROOT / part).glob("*/**/*.py")}
PACKAGES = sorted(name for name, path in FILES.items() if path.name == "__init__.py")


def imports_of(path):
    """Yield the modules of ours that a file imports: at its top, in a function or for types alone."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names = (f"{node.module}.{each.name}" for each in node.names)
            yield from (name if name in FILES else node.module for name in names)
        elif isinstance(node, ast.Import):
            yield from (each.name for each in node.names)


@pytest.fixture(scope="module")
def imports():
    return {name: set(imports_of(path)) & set(FILES) for name, path in FILES.items()}


def part_of(name, package):
    """Return what lies in a package and is, or holds, a module of that name; the package itself is its `__init__`."""
    return ".".join(name.split(".")[: package.count(".") + 2])


def test_no_folder_has_more_modules_than_one_can_overlook():
    folders = {path.parent for part in FOLDERS for path in (ROOT / part).rglob("*.py")}
    counts = {
        folder.relative_to(ROOT): len([each for each in folder.glob("*.py") if not each.stem.startswith("__")])
        for folder in folders
    }
    assert {folder: count for folder, count in counts.items() if count > MOST_MODULES} == {}


@pytest.mark.parametrize("package", [name for name in PACKAGES if name not in TRANSPORTS])
def test_the_modules_and_folders_of_a_package_import_each_other_in_no_circle(package, imports):
    inside = [name for name in FILES if f"{name}.".startswith(f"{package}.")]
    graph = {}
    for name in inside:
        part = part_of(name, package)
        graph.setdefault(part, set()).update({part_of(each, package) for each in imports[name] & set(inside)} - {part})
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = " → ".join(reversed(error.args[1]))
        pytest.fail(f"expected imports in one direction, found {circle}")
