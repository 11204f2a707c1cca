"""Pickles read as data: nothing is imported and nothing is called, whatever the file asks for.

What a pickle would import becomes a `Name`, what it would call an `Object` that remembers what for; lists, dicts and
numbers are themselves. So a checkpoint tells what is in it without the classes that it was saved with.
"""

import pickletools
from collections.abc import Callable, Iterable
from typing import IO, Any, NamedTuple, cast

MAX_STEPS = 16_000_000
"""Of one pickle: 30 make a tensor, and one byte can make an object of 200."""


class Name(NamedTuple):
    """A class or function that the pickle would import."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


class Object:
    """What the pickle would make by a call."""

    def __init__(self, made_by: object, arguments: object) -> None:
        self.made_by = made_by
        self.arguments: tuple[Any, ...] = arguments if isinstance(arguments, tuple) else (arguments,)


class OrderedMapping(dict[Any, Any]):
    """A collections.OrderedDict, and the attributes that were set on it."""

    attributes: object = None


ORDERED = Name("collections", "OrderedDict")


def read_pickle(file: IO[bytes], refer: Callable[[Any], object]) -> object:
    """Return what the pickle holds; `refer` is given each persistent id, and its answer stands for it.

    The file is left behind the pickle. Raises ValueError for what is no whole pickle.
    """
    return _run(_Machine(refer), file)


def _run(machine: "_Machine", file: IO[bytes]) -> object:
    try:
        for number, (opcode, argument, _) in enumerate(pickletools.genops(file)):
            if number == MAX_STEPS:
                raise ValueError(f"a pickle of more than {MAX_STEPS} steps")
            if opcode.name == "STOP":
                return machine.stack.pop()
            machine.step(opcode.name, argument)
    except (AttributeError, IndexError, KeyError, TypeError, RecursionError, MemoryError, OverflowError) as error:
        raise ValueError(f"a damaged pickle ({type(error).__name__})") from None  # its lengths are no lack of memory
    raise ValueError("a pickle without an end")


def find_names(file: IO[bytes]) -> list[Name]:
    """Return all that a pickle would import. The file is left behind it. Raises ValueError for what is no whole pickle."""
    machine = _Machine(lambda identity: identity)
    _run(machine, file)
    return machine.names


class _Machine:
    """The pickle machine: a stack, marks in it, and a memo."""

    def __init__(self, refer: Callable[[Any], object]) -> None:
        self.stack: list[Any] = []
        self.refer = refer
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}
        self.names: list[Name] = []

    def step(self, opcode: str, argument: Any) -> None:
        if opcode in _VALUES:
            self.stack.append(argument)
        else:
            _STEPS[opcode](self, argument)

    def take(self) -> Any:
        if self.marks and self.marks[-1] >= len(self.stack):
            raise IndexError(len(self.stack))
        return self.stack.pop()

    def take_marked(self) -> list[Any]:
        start = self.marks.pop()
        taken = self.stack[start:]
        del self.stack[start:]
        return taken

    def take_last(self, count: int) -> list[Any]:
        return [self.take() for _ in range(count)][::-1]

    def pop(self) -> None:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.take()

    def make(self, made_by: object, arguments: object) -> None:
        is_ordered = made_by == ORDERED and isinstance(arguments, tuple)
        self.stack.append(OrderedMapping(*cast("tuple[Any]", arguments)) if is_ordered else Object(made_by, arguments))

    def make_marked(self, taken: list[Any]) -> None:
        self.make(taken[0], tuple(taken[1:]))

    def make_dict(self, items: list[Any]) -> None:
        self.stack.append({})
        self.set_items(items)

    def name(self, module: str, name: str) -> None:
        self.names.append(Name(str(module), str(name)))
        self.stack.append(self.names[-1])

    def set_items(self, items: list[Any]) -> None:
        if isinstance(self.stack[-1], dict):
            self.stack[-1].update(zip(map(_as_key, items[::2]), items[1::2], strict=True))
        elif not isinstance(self.stack[-1], Object):  # which stays empty
            raise TypeError(type(self.stack[-1]))

    def extend(self, items: Iterable[Any]) -> None:
        if isinstance(self.stack[-1], list):
            self.stack[-1].extend(items)
        elif isinstance(self.stack[-1], set):
            self.stack[-1].update(map(_as_key, items))
        elif not isinstance(self.stack[-1], Object):
            raise TypeError(type(self.stack[-1]))

    def build(self) -> None:
        attributes = self.take()
        if isinstance(self.stack[-1], OrderedMapping):
            self.stack[-1].attributes = attributes


def _as_key(value: object) -> object:
    """Return what is hashed for a key: hashing a tuple of tuples of tuples … would need a stack of any depth."""
    is_deep = isinstance(value, _NESTING) and any(isinstance(part, _NESTING) for part in value)
    return Object(Name("builtins", "tuple"), value) if is_deep else value


_NESTING = (tuple, frozenset)


def _nothing(_machine: _Machine, _argument: object) -> None:
    """Frames and versions change nothing."""


_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
_STEPS: dict[str, Callable[[_Machine, Any], object]] = {
    "PROTO": _nothing,
    "FRAME": _nothing,
    "NONE": lambda m, _: m.stack.append(None),
    "NEWTRUE": lambda m, _: m.stack.append(True),
    "NEWFALSE": lambda m, _: m.stack.append(False),
    "EMPTY_DICT": lambda m, _: m.stack.append({}),
    "EMPTY_LIST": lambda m, _: m.stack.append([]),
    "EMPTY_SET": lambda m, _: m.stack.append(set()),
    "EMPTY_TUPLE": lambda m, _: m.stack.append(()),
    "MARK": lambda m, _: m.marks.append(len(m.stack)),
    "POP": lambda m, _: m.pop(),
    "POP_MARK": lambda m, _: m.take_marked(),
    "DUP": lambda m, _: m.stack.append(m.stack[-1]),
    "TUPLE": lambda m, _: m.stack.append(tuple(m.take_marked())),
    "TUPLE1": lambda m, _: m.stack.append(tuple(m.take_last(1))),
    "TUPLE2": lambda m, _: m.stack.append(tuple(m.take_last(2))),
    "TUPLE3": lambda m, _: m.stack.append(tuple(m.take_last(3))),
    "LIST": lambda m, _: m.stack.append(m.take_marked()),
    "FROZENSET": lambda m, _: m.stack.append(frozenset(map(_as_key, m.take_marked()))),
    "DICT": lambda m, _: m.make_dict(m.take_marked()),
    "SETITEM": lambda m, _: m.set_items(m.take_last(2)),
    "SETITEMS": lambda m, _: m.set_items(m.take_marked()),
    "APPEND": lambda m, _: m.extend(m.take_last(1)),
    "APPENDS": lambda m, _: m.extend(m.take_marked()),
    "ADDITEMS": lambda m, _: m.extend(m.take_marked()),
    "PUT": lambda m, index: m.memo.__setitem__(index, m.stack[-1]),
    "BINPUT": lambda m, index: m.memo.__setitem__(index, m.stack[-1]),
    "LONG_BINPUT": lambda m, index: m.memo.__setitem__(index, m.stack[-1]),
    "MEMOIZE": lambda m, _: m.memo.__setitem__(len(m.memo), m.stack[-1]),
    "GET": lambda m, index: m.stack.append(m.memo[index]),
    "BINGET": lambda m, index: m.stack.append(m.memo[index]),
    "LONG_BINGET": lambda m, index: m.stack.append(m.memo[index]),
    "GLOBAL": lambda m, text: m.name(*text.split(" ", 1)),
    "STACK_GLOBAL": lambda m, _: m.name(*m.take_last(2)),
    "EXT1": lambda m, code: m.name("copyreg", f"extension {code}"),
    "EXT2": lambda m, code: m.name("copyreg", f"extension {code}"),
    "EXT4": lambda m, code: m.name("copyreg", f"extension {code}"),
    "INST": lambda m, text: m.make(Name(*text.split(" ", 1)), tuple(m.take_marked())),
    "OBJ": lambda m, _: m.make_marked(m.take_marked()),
    "NEWOBJ": lambda m, _: m.make(*m.take_last(2)),
    "NEWOBJ_EX": lambda m, _: m.make(*m.take_last(3)[:2]),
    "REDUCE": lambda m, _: m.make(*m.take_last(2)),
    "BUILD": lambda m, _: m.build(),
    "PERSID": lambda m, text: m.stack.append(m.refer(text)),
    "BINPERSID": lambda m, _: m.stack.append(m.refer(m.take())),
}
