"""Images made larger and smaller."""

import numpy as np

from modelport_converter.frameworks.mxnet.symbols.operators.node import Call, operator


@operator("UpSampling")
def write_upsampling(call: Call) -> str:
    """Repeat places, or spread them by weights; several inputs come to the height and width of the first one's result."""
    scale, kind = call.integer("scale"), call.text("sample_type")
    if kind == "bilinear":
        return _spread(call, scale)
    if kind != "nearest":
        raise call.refuse("expected sample_type as nearest or bilinear", kind)
    count = call.integer("num_args", 1)
    results = [_repeated(call, index, scale) for index in range(count)]
    if count > 1 and call.text("multi_input_mode", "concat") == "sum":
        return call.add("Sum", *results)
    return call.graph.concat(results, 1)


def _repeated(call: Call, index: int, scale: int) -> str:
    if index:
        scale = scale * call.fixed(2) // call.fixed(2, index)
    scales = np.array([1, 1, scale, scale], np.float32)
    ways = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor", "mode": "nearest"}
    return call.add("Resize", call.x(index), "", scales, **ways)


def _spread(call: Call, scale: int) -> str:
    """Return the transpose of a convolution of each channel alone, as whose weights a bilinear filter is learned."""
    size, pad = 2 * scale - scale % 2, -(-(scale - 1) // 2)
    return call.add(
        "ConvTranspose",
        call.x(),
        call.x(1),
        kernel_shape=[size, size],
        strides=[scale, scale],
        pads=[pad] * 4,
        group=call.fixed(1),
    )


@operator("_contrib_BilinearResize2D")
def write_bilinear(call: Call) -> str:
    """Resize so that corners meet corners, or centres of pixels are met by what lies at the same share of the way."""
    mode = call.text("mode", "size")
    rows, columns = (_resized(call, axis, is_aligned=call.flag("align_corners", True)) for axis in (2, 3))
    if mode not in {"size", "like", "odd_scale", "to_even_down", "to_even_up", "to_odd_down", "to_odd_up"}:
        raise call.refuse("expected a mode that is known", mode)
    return call.add("MatMul", call.add("MatMul", rows, call.x()), columns.T)


def _resized(call: Call, axis: int, *, is_aligned: bool) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    """Return the weights of an axis' elements in those of the result, [result, elements] (caffe_gpu_interp2)."""
    given, wanted = call.fixed(axis), call.out.shape[axis]
    if wanted is None:
        raise call.refuse("expected a fixed height and width", str(list(call.out.shape)))
    step = (given - 1) / (wanted - 1) if is_aligned and wanted > 1 else (0.0 if is_aligned else given / wanted)
    places = np.arange(wanted) * step if is_aligned else np.maximum((np.arange(wanted) + 0.5) * step - 0.5, 0)
    first = np.minimum(places.astype(int), given - 1)
    share = (places - first).astype(np.float32)
    weights = np.zeros((wanted, given), np.float32)
    weights[np.arange(wanted), first] += 1 - share
    weights[np.arange(wanted), np.minimum(first + 1, given - 1)] += share
    return weights.astype(call.dtype)
