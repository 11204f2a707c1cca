"""What can go wrong with a call to the API server.

KubeError
├── NotFoundError        404: gone, or never there
│   └── NotServedError   404 of the path: the API server has no such kind
├── AlreadyExistsError   409 on create
├── ConflictError        409 otherwise: the object is not the one that was meant (uid), or changed meanwhile
├── GoneError            410: list or watch anew
├── RefusedError         400, 403, 422: an admission rule, a quota, or the schema refuses the object
├── ThrottledError       429: `retry_after` says when to come again
└── UnavailableError     5xx, a reset connection, a timeout
"""

from http import HTTPStatus


class KubeError(Exception):
    """A call failed."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class NotFoundError(KubeError):
    """The object does not exist."""


class NotServedError(NotFoundError):
    """The API server has no such kind."""


class AlreadyExistsError(KubeError):
    """The name is taken."""


class ConflictError(KubeError):
    """The object is another one, or changed meanwhile."""


class GoneError(KubeError):
    """The version that was asked for is too old."""


class RefusedError(KubeError):
    """The API server does not take the object."""


class ThrottledError(KubeError):
    """Too many requests."""

    def __init__(self, message: str, *, status: int = 429, retry_after: float = 1.0) -> None:
        super().__init__(message, status=status)
        self.retry_after = retry_after


class UnavailableError(KubeError):
    """The API server does not answer, or fails."""


_BY_STATUS: dict[int, type[KubeError]] = {
    400: RefusedError,
    403: RefusedError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    422: RefusedError,
}


def error_for(status: int, message: str, *, reason: str = "", retry_after: str | None = None) -> KubeError:
    """Return the error that a response means; `reason` is the machine-readable one of its Status object."""
    if reason == "AlreadyExists":
        return AlreadyExistsError(message, status=status)
    if status == HTTPStatus.NOT_FOUND and not reason:  # no Status object: nothing serves the path
        return NotServedError(message, status=status)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        seconds = float(retry_after) if retry_after and retry_after.isdigit() else 1.0
        return ThrottledError(message, retry_after=seconds)
    return _BY_STATUS.get(status, UnavailableError)(message, status=status)
