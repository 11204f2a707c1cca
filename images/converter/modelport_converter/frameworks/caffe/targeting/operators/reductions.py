"""What is left of axes: by global pooling where these are an image's, else by a matrix for each of them."""

from collections.abc import Callable

import numpy as np

from modelport_converter.frameworks.caffe.targeting import composing
from modelport_converter.frameworks.caffe.targeting.building import Building, Node, Write
from modelport_converter.frameworks.caffe.targeting.operators.pooling import pool_all


def _axes(to: Building, node: Node) -> list[int]:
    rank = len(to.shape(to.blob(node)))
    told = node.get("axes")
    if told is None and node.input(1):
        found = to.constant(node.input(1))
        if found is None:
            raise node.refuse("expected axes that are constants, found some that are computed")
        told = found.ravel().tolist()
    if not told and node.get("noop_with_empty_axes", 0):
        return []
    axes = sorted(each % rank for each in told) if told else list(range(rank))
    if 0 in axes:
        raise node.refuse("expected axes behind the first one, which counts rows of a batch, found axis 0")
    return axes


def _mean_of(to: Building, blob: str, axes: list[int]) -> str:
    """Return the mean over axes, which then are 1 long."""
    if axes == [2, 3] and len(to.shape(blob)) == composing.IMAGE:
        return pool_all(to, blob, "AVE")
    for axis in axes:
        length = to.shape(blob)[axis]
        blob = composing.along(to, blob, axis, np.full((1, length), 1 / length))
    return blob


def _sum_of(to: Building, blob: str, axes: list[int]) -> str:
    for axis in axes:
        blob = composing.along(to, blob, axis, np.ones((1, to.shape(blob)[axis])))
    return blob


def _largest(sign: int) -> Write:
    def write(to: Building, node: Node) -> str:
        blob, axes = to.blob(node), _axes(to, node)
        shape = to.shape(blob)
        if not axes:
            return blob
        if axes != list(range(axes[0], axes[-1] + 1)):
            raise node.refuse(f"expected axes side by side, found {axes}")
        middle = int(np.prod(shape[axes[0] : axes[-1] + 1]))
        after = int(np.prod(shape[axes[-1] + 1 :]))
        # a window over the rows of an image [n, 1, middle, after]
        image = composing.reshape(
            to, composing.affine(to, blob, sign), (int(np.prod(shape[: axes[0]])), 1, middle, after)
        )
        window: dict[str, object] = {"pool": "MAX", "kernel_h": middle, "kernel_w": 1}
        pooled = to.add("Pooling", image, (*to.shape(image)[:2], 1, after), pooling=window)
        return composing.reshape(to, composing.affine(to, pooled, sign), to.wanted(node))

    return write


def _reduced(
    reduce: Callable[[Building, str, list[int]], str],
    *,
    before: Callable[[Building, str], str] | None = None,
    after: Callable[[Building, str], str] | None = None,
) -> Write:
    def write(to: Building, node: Node) -> str:
        blob, axes = to.blob(node), _axes(to, node)
        blob = before(to, blob) if before else blob
        blob = reduce(to, blob, axes)
        blob = after(to, blob) if after else blob
        return composing.reshape(to, blob, to.wanted(node))

    return write


def _square(to: Building, blob: str) -> str:
    return composing.affine(to, blob, power=2)


def _root(to: Building, blob: str) -> str:
    return composing.affine(to, blob, power=0.5)


def _absolute(to: Building, blob: str) -> str:
    return composing.unary(to, "AbsVal", blob)


OPERATORS: dict[str, Write] = {
    "ReduceL1": _reduced(_sum_of, before=_absolute),
    "ReduceL2": _reduced(_sum_of, before=_square, after=_root),
    "ReduceMax": _largest(1),
    "ReduceMean": _reduced(_mean_of),
    "ReduceMin": _largest(-1),
    "ReduceSum": _reduced(_sum_of),
    "ReduceSumSquare": _reduced(_sum_of, before=_square),
}
