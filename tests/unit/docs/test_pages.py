"""What the documentation names is there: pages, headings, files, fields of manifests, commands and their options."""

import posixpath
import re
from functools import cache

import pytest
import yaml
from reason_pages import CAUSES, proofs_of
from site_pages import FOREIGN, beside_docs

from modelport.api.base import KIND
from modelport.api.reasons import ADVICE
from modelport_cli.application import COMMANDS, make_app
from modelport_cli.manifest import parse_resource
from unit.docs.pages import PAGES, ROOT, Block, anchors, blocks, command_lines, links

TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
FOLDERS = ("bench/", "charts/", "cluster/", "crds/", "docs/", "examples/", "images/", "operator/", "tests/", "tools/")
COMMAND_LINES = [words for block in blocks("sh", "console") for words in command_lines(block)]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        where = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
        assert (ROOT / where).exists(), target
        if anchor:
            assert anchor in anchors((ROOT / where).read_text()), target


def manifests() -> list[tuple[str, dict[str, object]]]:
    found = []
    for block in blocks("yaml"):
        bodies = [body for body in yaml.safe_load_all(block.text) if isinstance(body, dict)]
        found += [(block.page, body) for body in bodies if body.get("kind") == KIND]
    return found


@pytest.mark.parametrize(("page", "body"), manifests(), ids=[page for page, _ in manifests()])
def test_manifests_keep_the_rules(page: str, body: dict[str, object]) -> None:
    parse_resource(body, page)


@cache
def options_of(command: str) -> set[str]:
    arguments = make_app(command)[command].assemble_argument_collection()
    return {name for argument in arguments for name in argument.names} | {"--help", "-h"}


@pytest.mark.parametrize("words", [each for each in COMMAND_LINES if each[0] == "modelport"], ids=" ".join)
def test_commands_and_options_of_modelport_are_there(words: list[str]) -> None:
    command = words[1]
    if command.startswith("-"):
        return
    assert command in COMMANDS["offline"] | COMMANDS["cluster"]
    given = {word.partition("=")[0] for word in words[2:] if word.startswith("-") and word != "--"}
    assert given <= options_of(command)


@pytest.mark.parametrize("words", [each for each in COMMAND_LINES if each[0] == "make"], ids=" ".join)
def test_targets_of_make_are_there(words: list[str]) -> None:
    assert {word for word in words[1:] if "=" not in word and not word.startswith("-")} <= TARGETS


@pytest.mark.parametrize("page", PAGES)
def test_targets_of_make_that_are_named_in_text_are_there(page: str) -> None:
    named = re.findall(r"`make ([a-z0-9-]+)", PAGES[page])
    assert set(named) <= TARGETS


def test_files_of_the_repository_that_commands_name_are_there() -> None:
    named = {word for words in COMMAND_LINES for word in words if word.startswith(FOLDERS)}
    assert named
    assert not [path for path in named if not (ROOT / path).exists()]


def test_every_reason_has_a_cause_and_a_test() -> None:
    assert CAUSES.keys() == ADVICE.keys()
    assert not [reason for reason in ADVICE if not proofs_of(reason)]


def test_what_is_checked_is_found() -> None:
    block = Block("page", "sh", "modelport push a \\\n  --json # why\n")
    assert list(command_lines(block)) == [["modelport", "push", "a", "--json"]]
    assert list(command_lines(Block("page", "console", "$ make docs\nmade\n"))) == [["make", "docs"]]
    assert anchors("# A `b` and [c](d)\n```sh\n# no\n```\n## Run, then\n") == {"a-b-and-c", "run-then"}
    assert {"sh", "console", "yaml"} <= {block.language for block in blocks("sh", "console", "yaml")}


@pytest.mark.parametrize(
    ("html", "is_foreign"),
    [
        ('<script src="https://host/a.js"></script>', True),
        ('<link rel="stylesheet" href="//host/a.css">', True),
        ('<img alt="x" src="http://host/a.png">', True),
        ('<script src="../assets/a.js"></script>', False),
        ('<a href="https://host/">host</a>', False),
    ],
)
def test_what_a_browser_would_load_from_elsewhere_is_found(html: str, is_foreign: bool) -> None:
    assert bool(FOREIGN.search(html)) is is_foreign


@pytest.mark.parametrize(
    ("page", "target", "path"),
    [
        ("h2o.md", "../examples/h2o.yaml", "examples/h2o.yaml"),
        ("reference/reasons.md", "../../Makefile", "Makefile"),
        ("h2o.md", "../examples/none.yaml", ""),
        ("reference/reasons.md", "../h2o.md", ""),
        ("h2o.md", "../../elsewhere", ""),
    ],
)
def test_files_beside_the_documentation_are_found(page: str, target: str, path: str) -> None:
    assert beside_docs(page, target) == path
