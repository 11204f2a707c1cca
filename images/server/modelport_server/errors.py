"""What a request can be answered with instead of a result.

RequestError
├── BadRequestError         the request does not fit the protocol or the model
├── NotFoundError           no such model, version or page
├── MethodNotAllowedError   the page is there, the method is not
├── TooLargeError           the body is larger than the server takes
├── NotReadyError           the model is not ready, or not any more
└── InferenceError          the runtime failed on a request that fits
"""

from http import HTTPStatus


class RequestError(Exception):
    """Base: the message reaches the client, so it names the field and nothing of the server's."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR


class BadRequestError(RequestError):
    """The request does not fit the protocol or the model."""

    status = HTTPStatus.BAD_REQUEST


class NotFoundError(RequestError):
    """No such model, version or page."""

    status = HTTPStatus.NOT_FOUND


class MethodNotAllowedError(RequestError):
    """The page is there, the method is not."""

    status = HTTPStatus.METHOD_NOT_ALLOWED


class TooLargeError(RequestError):
    """The body is larger than the server takes."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class NotReadyError(RequestError):
    """The model is not ready, or not any more; another pod answers."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


class InferenceError(RequestError):
    """The runtime failed on a request that fits."""
