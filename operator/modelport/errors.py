"""The error that users see."""

from modelport.api.reasons import Reason


class ModelportError(Exception):
    """A failure that a user can act on: reason, and a message that says what was expected and what was found."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
