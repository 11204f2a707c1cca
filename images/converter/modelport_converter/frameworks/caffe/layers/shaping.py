"""Layers that move numbers without changing them, and those that look along axes."""

from itertools import pairwise
from typing import NamedTuple

from modelport_converter.frameworks.caffe.layers.base import (
    Given,
    Parsed,
    Parser,
    Shape,
    count,
    divided,
    is_same,
    number,
    numbers,
)
from modelport_converter.frameworks.caffe.layers.convolving import PLANE


class Concat(NamedTuple):
    """All bottoms behind one another."""

    axis: int


class Slice(NamedTuple):
    """Pieces, one for each top."""

    axis: int
    bounds: tuple[int, ...]
    """Where they begin, and where the last one ends."""


class Reshape(NamedTuple):
    """The same numbers in another shape."""

    shape: Shape


class Permute(NamedTuple):
    """Axes in another order."""

    order: tuple[int, ...]


class Crop(NamedTuple):
    """A part, by axis where it is one: the first index, and how many."""

    spans: dict[int, tuple[int, int]]


class Tile(NamedTuple):
    """Its input several times behind itself."""

    axis: int
    times: int


class Shuffle(NamedTuple):
    """Channels dealt out to groups."""

    groups: int


class Resize(NamedTuple):
    """Bilinear, corners on corners, after crops at both ends."""

    begin: int
    end: int
    lengths: tuple[int, int]


class Repeat(NamedTuple):
    """Each number of an image several times, in both directions."""

    times: int


class Softmax(NamedTuple):
    """Exponentials over an axis, which sum up to 1."""

    axis: int


class ArgMax(NamedTuple):
    """The largest numbers: their index, the last one among equals, their value, or both."""

    axis: int | None
    """None: all but the first."""
    top: int
    has_values: bool
    has_indices: bool


class Reduction(NamedTuple):
    """One number for all axes from one on."""

    operation: str
    axis: int
    factor: float


def parse_concat(given: Given) -> Parsed:
    """Parse Concat (concat_layer.cpp); concat_dim is the old word."""
    given.need(len(given.shapes))
    given.take()
    axis = given.axis("concat", "concat_dim" if given.has("concat", "concat_dim") else "axis")
    first = given.shape
    for each in given.shapes:
        if len(each) != len(first) or not is_same(
            (*first[:axis], *first[axis + 1 :]), (*each[:axis], *each[axis + 1 :])
        ):
            raise given.refuse("bottom", f"shapes that differ on axis {axis} alone", [list(s) for s in given.shapes])
    length = sum(number(each[axis]) for each in given.shapes)
    return Parsed(Concat(axis), ((*first[:axis], length, *first[axis + 1 :]),))


def parse_slice(given: Given) -> Parsed:
    """Parse Slice (slice_layer.cpp); slice_dim is the old word."""
    tops = len(given.layer.tops)
    given.need(1, tops)
    axis = given.axis("slice", "slice_dim" if given.has("slice", "slice_dim") else "axis")
    length, points = number(given.shape[axis]), given.all("slice", "slice_point")
    if not points and length % tops == 0:
        points = [length // tops * each for each in range(1, tops)]
    bounds = (0, *points, length)
    if len(points) != tops - 1 or any(end <= start for start, end in pairwise(bounds)):
        raise given.refuse("slice_param.slice_point", f"{tops - 1} rising numbers below {length}", points)
    shapes = tuple((*given.shape[:axis], end - start, *given.shape[axis + 1 :]) for start, end in pairwise(bounds))
    return Parsed(Slice(axis, bounds), shapes)


def parse_reshape(given: Given) -> Parsed:
    """Parse Reshape (reshape_layer.cpp): 0 copies a length, -1 is what remains, for some of the axes or all."""
    given.need(1)
    shape, rank = given.shape, len(given.shape)
    start, axes = given.get("reshape", "axis", 0), given.get("reshape", "num_axes", -1)
    start = start if start >= 0 else rank + start + 1
    end = rank if axes == -1 else start + axes
    if not 0 <= start <= rank or not start <= end <= rank:
        raise given.refuse("reshape_param", f"axes of {rank}", f"{axes} from {start}")
    dims = list(given.layer.message.reshape_param.shape.dim)
    if any(each < -1 for each in dims) or dims.count(-1) > 1:
        raise given.refuse("reshape_param.shape", "lengths, 0, and -1 once at most", dims)
    if any(each == 0 and start + at >= rank for at, each in enumerate(dims)):
        raise given.refuse("reshape_param.shape", f"0 on one of {rank} axes", dims)
    wanted = [shape[start + at] if each == 0 else each for at, each in enumerate(dims)]
    rest = divided(shape[start:end], [each for each in wanted if each != -1])
    if rest is None or (-1 not in dims and rest != 1):
        raise given.refuse("reshape_param.shape", f"as many numbers as in {list(shape)}", dims)
    target = (*shape[:start], *(rest if each == -1 else each for each in wanted), *shape[end:])
    return Parsed(Reshape(target), (target,))


def parse_flatten(given: Given) -> Parsed:
    """Parse Flatten (flatten_layer.cpp)."""
    given.need(1)
    start, end = given.axis("flatten"), given.axis("flatten", "end_axis", -1)
    if end < start:
        raise given.refuse("flatten_param.end_axis", f"an axis from {start} on", end)
    target = (*given.shape[:start], _product(given.shape[start : end + 1]), *given.shape[end + 1 :])
    return Parsed(Reshape(target), (target,))


def _product(lengths: Shape) -> int | str:
    return lengths[0] if len(lengths) == 1 else count(lengths)


def parse_permute(given: Given) -> Parsed:
    """Parse Permute, of SSD's dialect; axes that are not named follow."""
    given.need(1)
    rank, order = len(given.shape), [int(each) for each in given.all("permute", "order")]
    if len(set(order)) != len(order) or any(each >= rank for each in order):
        raise given.refuse("permute_param.order", f"each axis of {rank} once", order)
    order += [axis for axis in range(rank) if axis not in order]
    return Parsed(Permute(tuple(order)), (tuple(given.shape[axis] for axis in order),))


def parse_crop(given: Given) -> Parsed:
    """Parse Crop (crop_layer.cpp): to the lengths of the second bottom."""
    given.need(2)
    axis, offsets = given.axis("crop", default=2), [int(each) for each in given.all("crop", "offset")]
    shape, wanted, axes = given.shape, given.shapes[1], len(given.shape) - axis
    if len(offsets) not in {0, 1, axes} or len(wanted) != len(shape):
        raise given.refuse("crop_param.offset", f"none, one or {axes}, and blobs of as many axes", offsets)
    offsets = offsets * axes if len(offsets) == 1 else offsets or [0] * axes
    spans = {}
    for at, offset in enumerate(offsets, axis):
        if shape[at] == wanted[at] and not offset:
            continue
        length = number(wanted[at])
        if offset + length > number(shape[at]):
            raise given.refuse("crop_param.offset", f"a part of {list(shape)}", f"{length} from {offset} on axis {at}")
        spans[at] = (offset, length)
    target = tuple(spans[at][1] if at in spans else each for at, each in enumerate(shape))
    return Parsed(Crop(spans), (target,))


def parse_tile(given: Given) -> Parsed:
    """Parse Tile (tile_layer.cpp)."""
    given.need(1)
    axis, times, shape = given.axis("tile"), given.get("tile", "tiles", 0), given.shape
    if times < 1:
        raise given.refuse("tile_param.tiles", "at least 1", times)
    return Parsed(Tile(axis, times), ((*shape[:axis], number(shape[axis]) * times, *shape[axis + 1 :]),))


def parse_shuffle(given: Given) -> Parsed:
    """Parse ShuffleChannel, of ShuffleNet's dialect."""
    given.need(1, rank=PLANE)
    groups = given.get("shuffle_channel", "group", 1)
    if groups < 1 or number(given.shape[1]) % groups:
        raise given.refuse("shuffle_channel_param.group", f"a divisor of {given.shape[1]}", groups)
    return Parsed(Shuffle(groups), (given.shape,))


def parse_interp(given: Given) -> Parsed:
    """Parse Interp, of DeepLab's dialect (interp_layer.cpp)."""
    given.need(1, rank=PLANE)
    begin, end = given.get("interp", "pad_beg", 0), given.get("interp", "pad_end", 0)
    size = [each + begin + end for each in numbers(given.shape[2:])]
    shrink, zoom = given.get("interp", "shrink_factor", 0), given.get("interp", "zoom_factor", 0)
    if max(begin, end) > 0 or min(size) < 1:
        raise given.refuse("interp_param.pad_beg, pad_end", "crops of at most the image", (begin, end))
    if shrink > 0 or zoom > 0:
        size = [(each - 1) // max(1, shrink) + 1 for each in size]
        size = [(each - 1) * max(1, zoom) + 1 for each in size]
    else:
        size = [given.get("interp", "height", 0), given.get("interp", "width", 0)]
    if min(size) < 1:
        raise given.refuse("interp_param", "height and width, or factors", size)
    height, width = size
    return Parsed(Resize(-begin, -end, (height, width)), ((*given.shape[:2], height, width),))


def parse_upsample(given: Given) -> Parsed:
    """Parse Upsample, of YOLO's dialect; SegNet's has a second bottom."""
    given.need(1, rank=PLANE)
    times = given.get("upsample", "scale", 0)
    if times < 1:
        raise given.refuse("upsample_param.scale", "at least 1", times)
    height, width = numbers(given.shape[2:])
    return Parsed(Repeat(times), ((*given.shape[:2], height * times, width * times),))


def parse_softmax(given: Given) -> Parsed:
    """Parse Softmax (softmax_layer.cpp)."""
    given.need(1)
    return Parsed(Softmax(given.axis("softmax")), (given.shape,))


def parse_argmax(given: Given) -> Parsed:
    """Parse ArgMax (argmax_layer.cpp)."""
    given.need(1)
    top, is_valued = given.get("argmax", "top_k", 1), given.get("argmax", "out_max_val", False)
    axis = given.axis("argmax") if given.has("argmax", "axis") else None
    shape = given.shape
    if not shape:
        raise given.refuse("bottom", "one axis or more", list(shape))
    length = number(shape[axis]) if axis is not None else count(shape[1:])
    if not 1 <= top <= length:
        raise given.refuse("argmax_param.top_k", f"1 to {length}", top)
    if axis is not None:
        return Parsed(ArgMax(axis, top, is_valued, not is_valued), ((*shape[:axis], top, *shape[axis + 1 :]),))
    target: Shape = (shape[0], 1 + is_valued, top, *[1] * (len(shape) - 3))
    return Parsed(ArgMax(None, top, is_valued, has_indices=True), (target,))


def parse_reduction(given: Given) -> Parsed:
    """Parse Reduction (reduction_layer.cpp)."""
    given.need(1)
    axis, operation = given.axis("reduction", default=0), given.get("reduction", "operation", 1)
    operator = Reduction(("SUM", "ASUM", "SUMSQ", "MEAN")[operation - 1], axis, given.get("reduction", "coeff", 1.0))
    return Parsed(operator, (given.shape[:axis],))


PARSERS: dict[str, Parser] = {
    "Concat": parse_concat,
    "Slice": parse_slice,
    "Reshape": parse_reshape,
    "Flatten": parse_flatten,
    "Permute": parse_permute,
    "Crop": parse_crop,
    "Tile": parse_tile,
    "ShuffleChannel": parse_shuffle,
    "Interp": parse_interp,
    "Upsample": parse_upsample,
    "Softmax": parse_softmax,
    "ArgMax": parse_argmax,
    "Reduction": parse_reduction,
}
