"""Ask the source whether it accepts a question, and how much that costs."""

import time
from typing import NamedTuple

from modelport.contract import ModelportError
from modelport.verification.arrays import Tensors
from modelport.verification.calls import Infer
from modelport.verification.errors import describe_error


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
    def elements(self) -> int:
        """Number of elements of the answer."""
        return sum(array.size for array in (self.outputs or {}).values())


class Prober:
    """Asks one call at a time, and remembers the first answer: a model that changes with use answers otherwise later."""

    def __init__(self, infer: Infer) -> None:
        self._infer = infer
        self.first: tuple[Tensors, Tensors] | None = None
        self.count = 0

    def ask(self, tensors: Tensors) -> Probe:
        """Return what the source does with the question. Our own errors pass: they are about more than this one."""
        self.count += 1
        start = time.perf_counter()
        try:
            outputs = self._infer(tensors)
        except ModelportError:
            raise
        except Exception as error:  # noqa: BLE001  # a framework's errors have no common base; each one is the answer no
            return Probe(None, describe_error(error), time.perf_counter() - start)
        self.first = self.first or (tensors, outputs)
        return Probe(outputs, "", time.perf_counter() - start)
