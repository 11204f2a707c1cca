"""What a framework's error says, in one line: its type, and the sentence in it that tells something."""

import re

MAX_CHARACTERS = 160
_MIN_WORDS = 3
_WORD = re.compile(r"[A-Za-z]{2,}")
_PLACE = re.compile(r"^/\S+:\d+ .* was false\. ")
"""ONNX Runtime's own source line."""
_ANNOUNCES = re.compile(
    r"Exception encountered when calling |Error when deserializing class |Detected at node |File \""
)
"""What Keras and TensorFlow write in front of the error of a layer or a node."""
_TOLD = "Exception encountered: "
_COLOURS = re.compile(r"\x1b\[\d*m")
_PREFIX = "Status Message: "
"""ONNX Runtime says which node of which type failed in front of it, and nothing else."""


def _tells(line: str) -> bool:
    announces = line.endswith(":") or _ANNOUNCES.match(line)  # what tells
    return len(_WORD.findall(line)) >= _MIN_WORDS and not announces


def describe_error(error: BaseException) -> str:
    """Return type and first sentence of an error, at most about 180 characters."""
    text = _PLACE.sub("", _COLOURS.sub("", str(error)).rpartition(_PREFIX)[2])
    lines = [line.strip().removeprefix("- ").removeprefix(_TOLD) for line in text.splitlines() if line.strip()]
    telling = next((line for line in lines if _tells(line)), " ".join(lines))
    return f"{type(error).__name__}: {telling:.{MAX_CHARACTERS}}" if telling else type(error).__name__
