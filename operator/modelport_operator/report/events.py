"""Which Events tell of a change: one for each reason that a condition came to, none where nothing changed."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from modelport.api.status import Condition
from modelport_operator.report.checks import RETRYING

_SPOKEN_FOR = frozenset({"Reconciling", "Stalled"})
"""They say what Ready says."""


class Event(NamedTuple):
    """An Event about the resource."""

    type: Literal["Normal", "Warning"]
    reason: str
    note: str


def transitions(old: Sequence[Condition], new: Sequence[Condition]) -> tuple[Event, ...]:
    """Return the Events of the conditions whose status or reason changed."""
    before = {each.type: each for each in old}
    held = {each.type for each in new if each.status == "True"}
    events: dict[str, Event] = {}
    for each in new:
        was = before.get(each.type)
        same = was is not None and (was.status, was.reason) == (each.status, each.reason)
        if same or each.type in _SPOKEN_FOR or (each.type != "Ready" and each.status != "True"):
            continue
        bad = each.type == "Ready" and ("Stalled" in held or each.reason == RETRYING)
        events.setdefault(each.reason, Event("Warning" if bad else "Normal", each.reason, each.message))
    return tuple(events.values())
