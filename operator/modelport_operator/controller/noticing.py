"""Which changes of children are worth a reconciliation: autoscalers write what they measured every few seconds."""

from collections.abc import Mapping
from typing import Any

from modelport_operator.plan.serving.objects import OBJECTS

_WORTH_TELLING = {each.kind: each.worth_telling for each in OBJECTS if each.worth_telling}


class Noticed:
    """What was seen of the children that change all the time."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str, str], str] = {}

    def is_new(self, kind: str, change: str | None, body: Mapping[str, Any]) -> bool:
        """Whether a change of a child is one of what the operator looks at, and take note of it."""
        worth_telling = _WORTH_TELLING.get(kind)
        if worth_telling is None:
            return True
        meta = body["metadata"]
        child = (kind, meta.get("namespace", ""), meta["name"])
        if change == "DELETED":
            self._seen.pop(child, None)
            return True
        told = worth_telling(body)
        is_new = self._seen.get(child) != told
        self._seen[child] = told
        return is_new
