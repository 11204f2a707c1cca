"""Requests and statuses with no more in them than they need: a test names only the fields that it is about."""

from typing import Any

from modelport.api.status import OutputStatus
from modelport.jobs.requests import ConvertRequest


def convert_request(**fields: Any) -> ConvertRequest:
    """Return a request to judge an ONNX model as it is, which asks for nothing special."""
    given = {"source_format": "onnx", "target_format": "onnx", "hops": []} | fields
    return ConvertRequest(**{"artifact_key": "a", "verification_key": "v", "digests": {"source": "d"}} | given)


def output_status(**fields: Any) -> OutputStatus:
    """Return what was measured of an output that is right: a tenth of its limit."""
    measured = {"relative_rms": "5e-07", "max_absolute_error": "4e-07", "excess": "0.1", "limit": "5e-06"}
    return OutputStatus(**{"name": "scores", "noise_floor": "3e-07", "spread": "0.5"} | measured | fields)
