"""Ask the source whether it accepts a question, and how much that costs."""

import time
from collections.abc import Callable
from typing import NamedTuple

from modelport.errors import ModelportError, describe_error, lacks_memory
from modelport.verification.arrays import Tensors
from modelport.verification.calls import Infer


def stopwatch() -> Callable[[], float]:
    """Return what tells the seconds spent since: the smaller of those that passed and those that processors worked.

    The first grow on a busy machine, the second with the number of threads; what is asked should depend on neither.
    """
    passed, worked = time.perf_counter(), time.process_time()
    return lambda: min(time.perf_counter() - passed, time.process_time() - worked)


class Probe(NamedTuple):
    """What the source did."""

    outputs: Tensors | None
    """None where it refused."""
    refusal: str
    seconds: float

    @property
    def is_accepted(self) -> bool:
        """Whether there is an answer."""
        return self.outputs is not None

    @property
    def is_empty(self) -> bool:
        """Whether the answer has no element: graphs crop what is too short to nothing, which tells nothing."""
        return self.outputs is not None and not self.elements

    @property
    def elements(self) -> int:
        """Number of elements of the answer."""
        return sum(array.size for array in (self.outputs or {}).values())


PATIENCE = 30.0
"""Seconds of refusals after which a source that has answered nothing is not asked with more lengths."""


class Prober:
    """Asks one call at a time, and remembers the first answer: a model that changes with use answers otherwise later."""

    def __init__(self, infer: Infer) -> None:
        self._infer = infer
        self.first: tuple[Tensors, Tensors] | None = None
        self.count = 0
        self._refused = 0.0

    @property
    def is_hopeless(self) -> bool:
        """Whether the source has refused for so long that it will go on."""
        return self.first is None and self._refused > PATIENCE

    def ask(self, tensors: Tensors) -> Probe:
        """Return what the source does with the question. Our own errors pass: they are about more than this one."""
        self.count += 1
        spent = stopwatch()
        try:
            outputs = self._infer(tensors)
        except Exception as error:  # a framework's errors have no common base; each one is the answer no
            if isinstance(error, ModelportError) or lacks_memory(error):
                raise
            seconds = spent()
            self._refused += seconds
            return Probe(None, describe_error(error), seconds)
        self.first = self.first or (tensors, outputs)
        return Probe(outputs, "", spent())
