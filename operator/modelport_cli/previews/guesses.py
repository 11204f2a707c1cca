"""What stands in for what nobody knows before the work is done: a format by its name, images by theirs."""

import re

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.frameworks import FRAMEWORKS, SOURCES
from modelport.runtimes import RUNTIMES

UNKNOWN_DIGEST = "sha256:" + "0" * 64
"""The digest of what is not there yet."""


def guess_format(uri: str) -> str:
    """Return the format that a file of this name most likely has. Raises ModelportError (UnknownFormat)."""
    name = re.split(r"[?#]", uri)[0].rstrip("/").rpartition("/")[2]
    for candidate in SOURCES.values():
        if name.endswith(candidate.suffixes):
            return candidate.name
    raise ModelportError(
        Reason.UNKNOWN_FORMAT,
        f"spec.source.format: the name {name or uri!r} does not tell; expected {' or '.join(SOURCES)}",
    )


def image_names() -> dict[str, str]:
    """Return the names of all images, as references to themselves: a plan is made without a registry."""
    images = [each.image for known in (FRAMEWORKS, RUNTIMES) for each in known.values()]
    return {name: name for name in images}
