"""Images sampled at places that are computed: corners are at -1 and 1, and zeros beyond them."""

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.mxnet.symbols.operators.node import Call, operator


@operator("BilinearSampler", least=2)
def write_sampler(call: Call) -> str:
    """Sample at a grid of x and y, [batch, 2, height, width]."""
    return _sample(call, call.x(1))


@operator("GridGenerator")
def write_grid(call: Call) -> str:
    """Write a grid: turned, scaled and moved as a whole, or moved pixel by pixel."""
    if call.text("transform_type") == "affine":
        return _affine(call, call.x())
    height, width = call.fixed(2), call.fixed(3)
    scales = np.array([(width - 1) / 2, (height - 1) / 2], call.dtype).reshape(2, 1, 1)
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height))).astype(call.dtype)
    moved = call.add("Div", call.add("Add", call.x(), pixels), scales)
    return call.add("Sub", moved, call.constant(1))


@operator("SpatialTransformer", least=2)
def write_transformer(call: Call) -> str:
    """Sample at a grid that is turned, scaled and moved as a whole."""
    return _sample(call, _affine(call, call.x(1)))


def _affine(call: Call, factors: str) -> str:
    """Return the grid of [batch, 6] factors: two rows for x, y and 1."""
    height, width = call.whole("target_shape")
    grid = call.add("MatMul", call.graph.reshape(factors, -1, 2, 3), _places(height, width, call.dtype))
    return call.graph.reshape(grid, 0, 2, height, width)


def _places(height: int, width: int, dtype: "np.dtype[np.generic]") -> Array:
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    return np.stack([x.ravel(), y.ravel(), np.ones(x.size)]).astype(dtype)


def _sample(call: Call, grid: str) -> str:
    places = call.graph.transpose(grid, 0, 2, 3, 1)
    return call.add("GridSample", call.x(), places, align_corners=1, mode="bilinear", padding_mode="zeros")
