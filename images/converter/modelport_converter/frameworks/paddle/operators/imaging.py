"""Operators on images: nearest neighbours by a factor (paddle/phi/kernels/cpu/interpolate_kernel.cc), and regions of features."""

import numpy as np

from modelport_converter.frameworks.paddle.operators.base import Context, Writer, attribute
from modelport_converter.frameworks.paddle.reading.program import Operator, Program

SIDES = 2


def write_nearest(context: Context) -> None:
    """Write pixel floor(i * (1 / factor)) at i, in single precision: another way to compute it is another pixel where it is whole."""
    if context.attribute("data_layout", "data_format", default="NCHW") != "NCHW":
        raise context.refuse("data_layout NHWC", "NCHW")
    factors = [float(each) for each in context.attribute("scale")]
    factors = factors * 2 if len(factors) == 1 else factors
    writer, value = context.writer, context.writer.weight(context.operand("X"))
    for axis, factor in enumerate(factors, 2):
        length = writer.cast(writer.length(value, axis), np.float32)
        larger = writer.add("Mul", writer.cast(length, np.float64), np.array(factor))
        count = writer.cast(writer.add("Floor", larger), np.int64)
        places = writer.add("Range", np.array(0), writer.add("Squeeze", count), np.array(1))
        # Paddle 2 stores the factor in single precision, Paddle 3 in double; its inverse is rounded either way
        inverse = np.array(1.0 / factor, np.float32)
        chosen = writer.add("Floor", writer.add("Mul", writer.cast(places, np.float32), inverse))
        chosen = writer.cast(writer.add("Min", chosen, writer.add("Sub", length, np.array(1, np.float32))), np.int64)
        value = writer.add("Gather", value, chosen, axis=axis, out=context.out() if axis > SIDES else "")


def write_regions(context: Context) -> None:
    """Write averages of regions (paddle/phi/kernels/cpu/roi_align_kernel.cc), whose number in each image is told."""
    if not context.has("RoisNum"):
        raise context.refuse("regions without their numbers (boxes_num)", "RoisNum")
    writer = context.writer
    regions = writer.weight(context.operand("ROIs"))
    ends = writer.add("CumSum", writer.cast(context.operand("RoisNum"), np.int64), np.array(0))
    places = writer.add("Range", np.array(0), writer.add("Squeeze", writer.length(regions, 0)), np.array(1))
    behind = writer.add("GreaterOrEqual", writer.add("Unsqueeze", places, writer.lengths(1)), ends)
    images = writer.sum_of(writer.cast(behind, np.int64), 1)
    writer.add(
        "RoiAlign", context.operand("X"), regions, images, out=context.out(), mode="avg",
        coordinate_transformation_mode="half_pixel" if context.attribute("aligned", default=False) else "output_half_pixel",
        output_height=int(context.attribute("pooled_height", default=1)),
        output_width=int(context.attribute("pooled_width", default=1)),
        sampling_ratio=max(int(context.attribute("sampling_ratio", default=-1)), 0),
        spatial_scale=float(context.attribute("spatial_scale", default=1.0)),
    )  # fmt: skip


def _is_uneven(operator: Operator, _program: Program) -> bool:
    scales = attribute(operator, "scale", default=[])
    factors = scales if isinstance(scales, list) else [scales]
    # which lengths are told as inputs, these are
    is_told = any(operator.inputs.get(slot) for slot in ("OutSize", "SizeTensor", "Scale"))
    return not is_told and any(each != round(each) for each in factors)


WRITERS = {
    "nearest_interp_v2": Writer(write_nearest, _is_uneven),
    "roi_align": Writer(write_regions),
}
