"""What a request can be answered with instead of a result.

RequestError
├── BadRequestError         the request does not fit the protocol or the model
├── NotFoundError           no such model, version or page
├── MethodNotAllowedError   the page is there, the method is not
├── UnknownMethodError      no such method of gRPC
├── TooLargeError           the body is larger than the server takes
├── EncodingError           the body is compressed in a way that is not known here
├── TooSlowError            the client takes too long to send its body
├── ClientLeftError         the client went away; nobody reads what it is answered with
├── NotReadyError           the model is not ready, or not any more
├── OverloadedError         more requests wait than the server lets wait
├── DeadlineError           the client's deadline passed before the answer was there
└── InferenceError          the runtime failed on a request that fits
"""

from enum import IntEnum
from http import HTTPStatus


class GrpcStatus(IntEnum):
    """Status codes of gRPC that are used here (numbers: its documentation, `statuscodes.md`)."""

    OK = 0
    CANCELLED = 1
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14


class RequestError(Exception):
    """Base: the message reaches the client, so it names the field and nothing of the server's."""

    status: int = HTTPStatus.INTERNAL_SERVER_ERROR
    grpc_status = GrpcStatus.INTERNAL
    headers: tuple[tuple[str, str], ...] = ()
    """Headers that HTTP clients get beside the message."""


class BadRequestError(RequestError):
    """The request does not fit the protocol or the model."""

    status = HTTPStatus.BAD_REQUEST
    grpc_status = GrpcStatus.INVALID_ARGUMENT


class NotFoundError(RequestError):
    """No such model, version or page."""

    status = HTTPStatus.NOT_FOUND
    grpc_status = GrpcStatus.NOT_FOUND


class MethodNotAllowedError(RequestError):
    """The page is there, the method is not."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    grpc_status = GrpcStatus.UNIMPLEMENTED

    def __init__(self, message: str, *, allowed: str) -> None:
        """Tell which method the page has."""
        super().__init__(message)
        self.headers = (("allow", allowed),)


class UnknownMethodError(RequestError):
    """There is no such method of gRPC."""

    grpc_status = GrpcStatus.UNIMPLEMENTED


class TooLargeError(RequestError):
    """The body is larger than the server takes."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    grpc_status = GrpcStatus.RESOURCE_EXHAUSTED


class EncodingError(RequestError):
    """The body is compressed in a way that is not known here."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    grpc_status = GrpcStatus.UNIMPLEMENTED


class TooSlowError(RequestError):
    """The client takes too long to send its body."""

    status = HTTPStatus.REQUEST_TIMEOUT
    grpc_status = GrpcStatus.CANCELLED


class ClientLeftError(RequestError):
    """The client went away; nobody reads what it is answered with."""

    status = 499  # what proxies write for it
    grpc_status = GrpcStatus.CANCELLED


class NotReadyError(RequestError):
    """The model is not ready, or not any more; another pod answers."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    grpc_status = GrpcStatus.UNAVAILABLE


class OverloadedError(RequestError):
    """More requests wait than the server lets wait."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    grpc_status = GrpcStatus.UNAVAILABLE
    headers = (("retry-after", "1"),)


class DeadlineError(RequestError):
    """The client's deadline passed before the answer was there."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    grpc_status = GrpcStatus.DEADLINE_EXCEEDED


class InferenceError(RequestError):
    """The runtime failed on a request that fits."""
