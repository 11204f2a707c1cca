"""Options of the converters that write ONNX."""

from typing import Annotated, Literal

from msgspec import Meta

from modelport.conversion.base import Options

OPSETS = range(9, 24)
PROFILE_OPSETS = {"matlab": 14}
"""The newest operator set that all releases of a reader take."""
Precision = Literal["float32"]
"""What exporters leave."""


class _OnnxOptions(Options, frozen=True, kw_only=True):
    """Options of whatever writes ONNX."""

    opset: Annotated[int | None, Meta(description="Operator set version, 9 to 23; kept, or 17, if not said.")] = None
    simplify: Annotated[bool, Meta(description="Fold constants and remove what has no effect.")] = False

    def __post_init__(self) -> None:
        if self.opset is not None and self.opset not in OPSETS:
            raise ValueError(f"opset: expected {OPSETS[0]} to {OPSETS[-1]}, found {self.opset}")


class OnnxOptions(_OnnxOptions, frozen=True, kw_only=True):
    """Options of what writes ONNX from another format."""

    precision: Annotated[
        Precision | None,
        Meta(
            description="Compute in float32 what the source computes in float64; inputs and outputs keep their types."
        ),
    ] = None


class OnnxFileOptions(_OnnxOptions, frozen=True, kw_only=True):
    """Options of what writes ONNX from ONNX: one hop more where another format is the source."""

    precision: Annotated[
        Literal["float32", "float16", "int8"] | None,
        Meta(
            description="float32: in place of float64. float16: weights and numbers in half precision. int8: weights in 8 bits, numbers too where spec.target.calibration gives samples. Inputs and outputs keep their types."
        ),
    ] = None
    profile: Annotated[
        Literal["matlab"] | None,
        Meta(
            description="matlab: operator set and version that MATLAB reads; caveats name operators that it does not document."
        ),
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        newest = PROFILE_OPSETS.get(self.profile or "")
        if newest and self.opset and self.opset > newest:
            raise ValueError(f"opset: expected at most {newest} for profile {self.profile}, found {self.opset}")
