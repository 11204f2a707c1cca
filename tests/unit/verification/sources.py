"""What tests of the source's half of the gate share."""

from typing import Any

from modelport.contract import ConvertRequest


def request(**options: Any) -> ConvertRequest:
    """Return a request that asks for nothing special but `options`."""
    return ConvertRequest(
        artifact_key="a",
        verification_key="v",
        source_digest="d",
        source_format="onnx",
        target_format="onnx",
        hops=[],
        **options,
    )
