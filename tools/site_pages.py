"""What MkDocs does not know of these pages: those that its navigation does not name, and files of the repository.

A page links to a file beside docs/, such as an example, where it lies in the repository. The site has copies of these.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
FOUND = "Guides"
"""Section of the pages that the navigation does not name."""
FOREIGN = re.compile(
    r"<(?:script|img|iframe|source|link(?![^>]*rel=\"?canonical))\b[^>]*(?:src|href)=\"?(?:https?:)?//[^>]*>"
)
"""What a browser loads from elsewhere by itself."""
LINK = re.compile(r"(?<=\]\()(?P<path>(?:\.\./)+[^)#\s]+)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the pages that the navigation does not name, by their titles."""
    docs = Path(config.docs_dir)
    pages = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    others = sorted(pages - set(_named(config.nav)), key=lambda page: _title(docs / page).lower())
    config.nav = [*(config.nav or []), {FOUND: others}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files of the repository that pages link to."""
    for page in files.documentation_pages():
        for target in LINK.findall(page.content_string):
            path = beside_docs(page.src_uri, target)
            if path and files.get_file_from_path(_in_site(path)) is None:
                files.append(File.generated(config, _in_site(path), abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Lead links to files of the repository to their copies."""

    def lead(link: re.Match[str]) -> str:
        path = beside_docs(page.file.src_uri, link["path"])
        return posixpath.relpath(_in_site(path), posixpath.dirname(page.file.src_uri) or ".") if path else link["path"]

    return LINK.sub(lead, markdown)


def on_post_page(output: str, page: Page, **_: Any) -> str:
    """Refuse a page that would tell foreign hosts who reads it."""
    if found := FOREIGN.search(output):
        raise PluginError(f"{page.file.src_uri}: expected nothing to be loaded from foreign hosts, found {found[0]}")
    return output


def beside_docs(page: str, target: str) -> str:
    """Return the path in the repository of a file beside docs/ that a page links to, or nothing."""
    path = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), target))
    return path if not path.startswith(("docs/", "../")) and (ROOT / path).is_file() else ""


def _in_site(path: str) -> str:
    """Return where the site has the file: not as a page of its own."""
    return f"files/{path}.txt" if PurePosixPath(path).suffix == ".md" else f"files/{path}"


def _named(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    elif nav:
        for each in nav.values() if isinstance(nav, dict) else nav:
            yield from _named(each)


def _title(page: Path) -> str:
    found = re.search(r"^# (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else page.stem
