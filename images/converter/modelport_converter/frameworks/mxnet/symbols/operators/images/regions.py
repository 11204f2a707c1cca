"""Regions of interest, whose first column is the number of their image."""

import numpy as np

from modelport_converter.frameworks.mxnet.symbols.operators.node import Call, operator


@operator("ROIPooling", "_npx_roi_pooling", least=2)
def write_pooling(call: Call) -> str:
    """Write the largest numbers within rounded bins."""
    scale, shape = call.number("spatial_scale"), call.whole("pooled_size")
    return call.add("MaxRoiPool", call.x(), call.x(1), pooled_shape=shape, spatial_scale=scale)


@operator("_contrib_ROIAlign", least=2)
def write_align(call: Call) -> str:
    """Means of numbers between pixels."""
    if call.flag("position_sensitive"):
        raise call.refuse("expected position_sensitive=False", "True")
    shape, regions = call.whole("pooled_size"), call.x(1)
    height, width = shape if len(shape) > 1 else shape * 2
    images = call.graph.cast(call.add("Squeeze", call.graph.slice(regions, 1, 0, 1), call.graph.lengths(1)), np.int64)
    return call.add(
        "RoiAlign",
        call.x(),
        call.graph.slice(regions, 1, 1),
        images,
        output_height=height,
        output_width=width,
        spatial_scale=call.number("spatial_scale"),
        sampling_ratio=max(0, call.integer("sample_ratio", -1)),
        coordinate_transformation_mode="half_pixel" if call.flag("aligned") else "output_half_pixel",
    )
