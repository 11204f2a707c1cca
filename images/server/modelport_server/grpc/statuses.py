"""How an RPC ends: a code and a message."""

import logging
from typing import NamedTuple

from modelport_server.errors import GrpcStatus, RequestError

logger = logging.getLogger(__name__)


class Status(NamedTuple):
    """The end of an RPC."""

    code: GrpcStatus
    message: str = ""


OK = Status(GrpcStatus.OK)


def status_of(error: Exception) -> Status:
    """Return how an RPC ends that failed; log what is not the client's doing."""
    if isinstance(error, RequestError):
        return Status(error.grpc_status, str(error))
    logger.error("request failed", exc_info=error)
    return Status(GrpcStatus.INTERNAL, "internal error")
