"""Theano: pickled functions and graphs, told by the classes that a pickle names first."""

import io
import pickletools
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from modelport.conversion.base import Format
from modelport.conversion.detection import Evidence, Tree, play

SUFFIXES = (".pkl", ".pickle", ".save")
SUCCESSORS = (
    "aesara.", "pytensor.", "theano.graph.", "theano.compile.function.types", "theano.scan.", "theano.link.",
    "theano.configparser", "theano.tensor.random.",
)  # fmt: skip
"""Modules of Theano-PyMC, Aesara and PyTensor, which have other classes."""
_BEGIN = re.compile(rb"\x80[\x02-\x05]|[(c\]}]")
"""A protocol, or what a pickle of protocol 0 or 1 begins with."""
_OWN = ("theano.", "lasagne.", "aesara.", "pytensor.")
_OPCODES = {each.code: each for each in pickletools.opcodes}
HEAD = 1 << 16
"""Bytes in which such a class must be named, if the file has no name that tells it."""


def detect_function(tree: Tree) -> Evidence | None:
    """Look for pickles whose first classes are Theano's or Lasagne's."""
    return play("model", [path for path in tree.paths if _names_theano(tree, path)], is_sure=True)


def _names_theano(tree: Tree, path: str) -> bool:
    head = tree.read(path)
    if not _BEGIN.match(head):
        return False
    while len(head) < HEAD and (more := tree.read(path, len(head))):
        head += more
    if not any(name.encode() in head for name in _OWN):
        return False
    return any(module.startswith(_OWN) for module in modules_of(head))


def modules_of(head: bytes) -> Iterator[str]:
    """Return the modules that the beginning of a pickle names, as far as it can be read; nothing of it is run."""
    try:
        yield from read_modules(io.BytesIO(head), len(head))
    except (ValueError, IndexError, OverflowError):
        return


def read_modules(file: BinaryIO, size: int) -> Iterator[str]:
    """Return the modules that a pickle of so many bytes names.

    Raises ValueError, IndexError, OverflowError where it is damaged: such as one that keeps an object under a number
    for which an unpickler would make room of gigabytes.
    """
    texts: list[str] = []
    for number, (name, argument) in enumerate(_operations(_Bounded(file, size))):
        if name in {"GLOBAL", "INST"}:
            yield str(argument).partition(" ")[0]
        elif name == "STACK_GLOBAL" and len(texts) > 1:
            yield texts[-2]
        elif name.endswith("PUT") and not -1 < int(argument or 0) <= number:
            raise ValueError(f"object {number} at the latest is kept under the number {argument}")
        elif isinstance(argument, str):
            texts = [*texts[-1:], argument]


def _operations(file: "_Bounded") -> Iterator[tuple[str, Any]]:
    """Return the steps of a pickle, and what each is given.

    As `pickletools.genops`, which knows no strings of Python 2 with bytes beyond ASCII, and so no arrays of protocol 0.
    """
    name = ""
    while name != "STOP":
        code = file.read(1).decode("latin-1")
        if code not in _OPCODES:
            raise ValueError(f"no step {code!r} before byte {file.tell()}")
        name, argument = _OPCODES[code].name, _OPCODES[code].arg
        if name == "STRING":
            text = file.readline()
            if not text.endswith(b"\n"):
                raise ValueError(f"a string without an end before byte {file.tell()}")
            yield name, text
        else:
            yield name, argument.reader(file) if argument else None  # type: ignore[arg-type]  # it reads, and no more


class _Bounded:
    """A file of which no more is asked than there is: a length in a damaged pickle may be of gigabytes."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size

    def read(self, count: int) -> bytes:
        return self._file.read(max(0, min(count, self._size - self._file.tell())))

    def readline(self) -> bytes:
        return self._file.readline()

    def tell(self) -> int:
        return self._file.tell()


FORMATS = (
    Format(
        "theano-function",
        "Theano function or graph, pickled (theano.function, or output variables; also of Lasagne's layers)",
        detect_function,
        suffixes=SUFFIXES,
        holds_graph=True,
        executes_code=True,
    ),
)
