"""How many artifacts are verified by a newer server image at once: an upgrade of many must not fill the cluster."""

from modelport_operator.controller.controller import Key


class Reverifications:
    """The resources that have such a Job; known to one process, and found again by their Jobs after a restart.

    Until each was looked at once after it, as many more may begin.
    """

    def __init__(self, at_once: int) -> None:
        """Take the largest number."""
        self._at_once = at_once
        self._running: set[Key] = set()

    def may_begin(self, key: Key) -> bool:
        """Whether a resource may have such a Job now."""
        return key in self._running or len(self._running) < self._at_once

    def note(self, key: Key, *, runs: bool) -> None:
        """Note whether a resource has one."""
        if runs:
            self._running.add(key)
        else:
            self._running.discard(key)
