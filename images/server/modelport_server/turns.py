"""Requests that come in one turn of the event loop are answered together.

What one request needs of code and data is more than a processor's nearest caches hold, so one after the other finds them filled
by the stage before, each time. Together, they go through one stage after the other. How much that is depends on the
processor; docs/performance.md has what was seen.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from modelport_server.calls import clock

MAX_SECONDS: Final = 0.001
"""How long the first of a group waits for the others at most: as long as a run in the event loop may take."""
MOST: Final = 16
"""More gain nothing."""
SMALL: Final = 1 << 14
"""Bytes of a body from which a request goes alone, and at once: while others are received, its bytes would leave the caches."""
Asked = TypeVar("Asked")


class Turns(Generic[Asked]):
    """Requests that are to be answered."""

    def __init__(self, answer: Callable[[list[Asked]], None], goes_alone: Callable[[Asked], bool]) -> None:
        """Have groups answered, which raises nothing; those that need no company, or may take long, are their own."""
        self._answer, self._goes_alone = answer, goes_alone
        self._asked: list[Asked] = []
        self._count = 0
        """Of those who asked in this turn."""
        self._was_alone = True
        """Whether somebody asked alone in the last turn: most likely nobody else will come in this one."""
        self._is_answering = False
        self._most = MOST
        """How many can be answered in the time that there is."""

    def ask(self, asked: Asked) -> None:
        """Have a request answered before the turn ends, or at once."""
        self._asked.append(asked)
        self._count += 1
        if self._count == 1:
            asyncio.get_running_loop().call_soon(self._end)
        # who was answered may ask again: one within the other would have no end
        if not self._is_answering and ((self._count == 1 and self._was_alone) or self._goes_alone(asked)):
            self._answer_all()

    def _end(self) -> None:
        self._was_alone = self._count == 1
        self._answer_all()
        self._count = len(self._asked)
        if self._count:
            asyncio.get_running_loop().call_soon(self._end)

    def _answer_all(self) -> None:
        asked, self._asked = self._asked, []
        self._is_answering = True
        group: list[Asked] = []
        for each in asked:
            goes_alone = self._goes_alone(each)
            if group and (goes_alone or len(group) >= self._most):
                self._answer_together(group)
                group = []
            group.append(each)
            if goes_alone:
                self._answer_together(group)
                group = []
        if group:
            self._answer_together(group)
        self._is_answering = False

    def _answer_together(self, group: list[Asked]) -> None:
        began = clock()
        self._answer(group)
        seconds = (clock() - began) / len(group)
        self._most = MOST if seconds * MOST <= MAX_SECONDS else max(1, int(MAX_SECONDS / seconds))
