"""What is told of each request: metrics always, a trace and a line of the access log if they are wanted."""

import logging
import time
from collections.abc import Callable

import msgspec

from modelport_server.dataplane.calls import Call
from modelport_server.observation.metrics import Metrics

access = logging.getLogger("modelport.access")

Tell = Callable[[str, Call], None]


class Observation:
    """Everyone who wants to know how a request went."""

    def __init__(self, metrics: Metrics, *others: Tell) -> None:
        """Tell metrics, and `others` with the name of the transport."""
        self.metrics, self._others = metrics, others

    def begin(self) -> None:
        """Note that a request is here."""
        self.metrics.answering += 1

    def end(self, transport: str, call: Call) -> None:
        """Note that it was answered."""
        self.metrics.answering -= 1
        self.metrics.ended(transport, call)
        for tell in self._others:
            tell(transport, call)


def log_access(transport: str, call: Call) -> None:
    """Write one line of JSON; times are in milliseconds."""
    line = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "protocol": transport,
        "code": call.code,
        "id": call.id,
        "milliseconds": round((call.done - call.arrived) * 1e3, 3),
    }
    if call.ended:
        line["computeMilliseconds"] = round((call.ended - call.started) * 1e3, 3)
    access.info(msgspec.json.encode(line).decode())
