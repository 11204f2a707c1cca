"""How long h2corn waits for clients; how much they may send, the application bounds, with a message."""

from h2corn import RequestPolicy

from modelport_server.grpc.service import STREAM
from modelport_server.limits import STALLED_SECONDS, Limits


def request_policies(limits: Limits) -> tuple[RequestPolicy, ...]:
    """Return policies for all paths: a stream may rest as long as its client likes, any other request must go on."""
    return tuple(
        RequestPolicy(
            path=path,
            max_request_body_size=0,
            timeout_request_body_idle=idle_seconds,
            h2_timeout_response_stall=STALLED_SECONDS,
        )
        for path, idle_seconds in ((STREAM, 0.0), ("/*", limits.body_seconds))
    )
