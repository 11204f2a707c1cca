"""What is in the code, by name. A package whose `__init__` fails is given bare, so that a module of it is found alone.

Packages import in their `__init__` all that they can do: readers of data, training, plots. A model needs little of it,
and the image has no more than models need.
"""

import functools
import importlib
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from modelport.api.reasons import Reason
from modelport.errors import ModelportError, lacks_memory
from modelport.jobs.requests import CodeRequest
from modelport.steps.runner import say
from modelport_converter.code.paths import forget_modules, is_of_code
from modelport_converter.tasks import last_line

LOGGER = "code"
MAIN = "__main__"
LAMBDA = "<lambda>"
"""What Python calls a function without a name."""
Found = TypeVar("Found")


class _Bare:
    """Finds packages that were left bare, and runs nothing of their `__init__`."""

    def __init__(self) -> None:
        self.causes: dict[str, str] = {}
        """What was left out, and why, by the package's name."""

    def find_spec(self, name: str, path: Sequence[str] | None, _target: ModuleType | None = None) -> ModuleSpec | None:
        found = PathFinder.find_spec(name, path) if name in self.causes else None
        if found:
            found.loader = self  # type: ignore[assignment]  # importlib asks for these two methods
        return found

    def create_module(self, _spec: ModuleSpec) -> None:
        return None

    def exec_module(self, _module: ModuleType) -> None:
        return None


_bare = _Bare()
sys.meta_path.insert(0, _bare)


def call_factory(code: CodeRequest) -> Any:
    """Return what the factory returns. Raises ModelportError (FactoryFailed)."""
    assert code.factory is not None  # no Job without it is planned for a format that needs it
    what = f"factory {code.factory}"
    factory = find_object(code.factory, what)
    try:
        return factory(**code.arguments)
    except (Exception, SystemExit) as error:
        raise _failed(what, error) from error


def find_objects(code: CodeRequest) -> dict[str, Any]:
    """Return what the model's file refers to, by its own name. Raises ModelportError (FactoryFailed).

    Files call every lambda alike, so that one is found by that name, and several are not.
    """
    found = {
        place.rpartition(":")[2].rpartition(".")[2]: find_object(place, f"code.objects {place}")
        for place in code.objects
    }
    lambdas = [each for each in found.values() if getattr(each, "__name__", "") == LAMBDA]
    return {**found, LAMBDA: lambdas[0]} if len(lambdas) == 1 else found


def find_object(place: str, what: str = "code") -> Any:
    """Return what is called module:name. Raises ModelportError (FactoryFailed) that says what it was to be."""
    module, _, name = place.partition(":")
    return _found(lambda: functools.reduce(getattr, name.split("."), importlib.import_module(module)), what)


def stand_in(code: CodeRequest | None) -> None:
    """Have the code's modules stand in for the script that a model was saved by. Raises ModelportError (FactoryFailed).

    It is a module of its own, empty where none stand in: names of ours are none of the script's.
    """
    main = ModuleType(MAIN)
    for name in code.modules if code else ():
        found = vars(_found(functools.partial(importlib.import_module, name), f"code.modules {name}")).items()
        vars(main).update({key: each for key, each in found if callable(each) and not key.startswith("__")})
    sys.modules[MAIN] = main


def _found(find: Callable[[], Found], what: str) -> Found:
    try:
        return without_failing_packages(find)
    except (Exception, SystemExit) as error:
        raise _failed(what, error) from error


def without_failing_packages(act: Callable[[], Found]) -> Found:
    """Return what `act` returns, which imports. It is called again where it failed inside a package's `__init__`.

    That package is bare then: its modules are there, and what its own `__init__` would have given is not. What fails
    all the same notes the first cause.
    """
    first = ""
    while True:
        try:
            return act()
        except (Exception, SystemExit) as error:
            failing = list(_failing_packages(error))
            if not failing or lacks_memory(error):
                if first:
                    error.add_note(first)
                raise
            name, _ = failing[-1]
            told = f"{name}/__init__.py is left out, because it fails: {last_line(error)}"
            say(LOGGER, told)
            first = first or told
            _bare.causes[name] = told
            for _, folder in failing:
                forget_modules(folder)  # what was imported knows packages that came to nothing


def list_left_out() -> list[str]:
    """Return which `__init__` was left out, and why: what it would have changed is in no model that was built."""
    return list(_bare.causes.values())


def tell(error: BaseException) -> str:
    """Return what an error of the code says, and which package was left bare before it: the one it names, or the first."""
    told, first = last_line(error), next(iter(getattr(error, "__notes__", ())), "")
    named = (cause for name, cause in _bare.causes.items() if re.search(rf"['\"]{re.escape(name)}['\".]", told))
    first = next(named, first)
    return f"{told:.200}; before it, {first:.250}" if first else told


def _failing_packages(error: BaseException) -> Iterator[tuple[str, Path]]:
    """Yield name and folder of the packages whose `__init__` was being run, the outermost first."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        names, path = frame.f_globals, Path(frame.f_code.co_filename)
        is_init = path.name == "__init__.py" and frame.f_code.co_name == "<module>" and is_of_code(path)
        if is_init and names["__name__"] not in _bare.causes:
            yield names["__name__"], path.parent


def _failed(what: str, error: BaseException) -> ModelportError:
    return ModelportError(Reason.FACTORY_FAILED, f"{what}: {tell(error)}")
