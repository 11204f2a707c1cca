"""What the documentation says in a form that can be checked: links, headings, manifests and command lines."""

import re
import shlex
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[3]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))
}
_FENCE = re.compile(r"^(?P<fence> *```)(?P<language>\w*)\n(?P<text>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_PROMPT = "$ "
_BETWEEN = frozenset({"|", "&&", "||", ";"})
"""What stands between the commands of a line."""


class Block(NamedTuple):
    """A block of code of a page."""

    page: str
    language: str
    text: str


def blocks(*languages: str) -> list[Block]:
    """Return the blocks of these languages."""
    return [
        Block(page, found["language"], found["text"])
        for page, text in PAGES.items()
        for found in _FENCE.finditer(text)
        if found["language"] in languages
    ]


def links(page: str) -> list[str]:
    """Return what a page links to."""
    return [found["target"] for found in _LINK.finditer(_FENCE.sub("", PAGES[page]))]


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings of a page."""
    return {_slug(heading) for heading in _HEADING.findall(_FENCE.sub("", text))}


def _slug(heading: str) -> str:
    plain = re.sub(r"[`*]|\]\([^)]*\)|\[", "", heading).strip().lower()
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", plain))


def command_lines(block: Block) -> Iterator[list[str]]:
    """Yield the words of each command of a block: every line of `sh`, those with a prompt of `console`."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if block.language == "console" and not line.startswith(_PROMPT):
            continue
        try:
            words = shlex.split(line.removeprefix(_PROMPT), comments=True)
        except ValueError:
            continue  # a part of a quoted text over several lines
        for is_between, command in groupby(words, _BETWEEN.__contains__):
            if not is_between:
                yield list(command)
