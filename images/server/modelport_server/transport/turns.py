"""Requests that come in one turn of the event loop are answered together.

What one request needs of code and data is more than a processor's nearest caches hold, so one after the other finds them filled
by the stage before, each time. Together, they go through one stage after the other. How much that is depends on the
processor; docs/performance.md has what was seen.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

from modelport_server.dataplane.calls import clock

logger = logging.getLogger(__name__)

MAX_SECONDS: Final = 0.001
"""How long a group may take, told from the last one: as long as a run in the event loop may."""
MOST: Final = 16
"""Of a group, whose first waits for the last: most of the gain is there with a few."""
SMALL: Final = 1 << 14
"""Bytes of a body from which a request goes alone, and at once: while others are received, its bytes would leave the caches."""
Asked = TypeVar("Asked")


class Turns(Generic[Asked]):
    """Requests that are to be answered."""

    def __init__(
        self,
        answer: Callable[[list[Asked]], None],
        abort: Callable[[Asked], None],
        goes_alone: Callable[[Asked], bool],
    ) -> None:
        """Have groups answered, and if that fails aborted; who needs no company, or may take long, is a group alone."""
        self._answer, self._abort, self._goes_alone = answer, abort, goes_alone
        self._asked: list[Asked] = []
        self._count = 0
        """Of those who asked in this turn."""
        self._was_alone = True
        """Whether somebody asked alone the last time: most likely nobody else will come in this turn."""
        self._is_answering = False
        self._most = MOST
        """How many can be answered in the time that there is."""

    def ask(self, asked: Asked) -> None:
        """Have a request answered before the turn ends, or at once."""
        self._asked.append(asked)
        self._count += 1
        if self._count == 1:
            asyncio.get_running_loop().call_soon(self._end)
        is_alone = self._count == 1 and self._was_alone
        if is_alone or len(self._asked) >= self._most or self._goes_alone(asked):
            self.flush()

    def flush(self) -> None:
        """Answer all who have asked."""
        if self._is_answering:
            return  # who was answered asks again, for the next turn: one within the other would have no end
        asked, self._asked = self._asked, []
        self._is_answering = True
        try:
            for group in self._groups(asked):
                self._answer_together(group)
        finally:
            self._is_answering = False

    def _end(self) -> None:
        self._was_alone = self._count == 1
        try:
            self.flush()
        finally:
            self._count = len(self._asked)
            if self._count:
                asyncio.get_running_loop().call_soon(self._end)

    def _groups(self, asked: list[Asked]) -> Iterator[list[Asked]]:
        group: list[Asked] = []
        for each in asked:
            goes_alone = self._goes_alone(each)
            if group and (goes_alone or len(group) >= self._most):
                yield group
                group = []
            group.append(each)
            if goes_alone:
                yield group
                group = []
        if group:
            yield group

    def _answer_together(self, group: list[Asked]) -> None:
        began = clock()
        try:
            self._answer(group)
        except Exception:
            logger.exception("requests failed")
            for each in group:
                self._abort(each)
        seconds = (clock() - began) / len(group)
        self._most = MOST if seconds * MOST <= MAX_SECONDS else max(1, int(MAX_SECONDS / seconds))
