"""Options of every converter that writes ONNX."""

from typing import Annotated, Literal

from msgspec import Meta

from modelport.conversion.base import Options

OPSETS = range(9, 24)
Precision = Literal["float32"]


class OnnxOptions(Options, frozen=True, kw_only=True):
    """Options of what writes ONNX."""

    opset: Annotated[int | None, Meta(description="Operator set version, 9 to 23; kept, or 17, if not said.")] = None
    simplify: Annotated[bool, Meta(description="Fold constants and remove what has no effect.")] = False
    precision: Annotated[
        Precision | None,
        Meta(
            description="Compute in float32 what the source computes in float64; inputs and outputs keep their types."
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.opset is not None and self.opset not in OPSETS:
            raise ValueError(f"opset: expected {OPSETS[0]} to {OPSETS[-1]}, found {self.opset}")
