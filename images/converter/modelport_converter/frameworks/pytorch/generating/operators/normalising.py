"""Normalisation: layers of PyTorch where their weights are constant."""

from collections.abc import Callable

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.pytorch.generating.nodes import Node, UnsupportedError
from modelport_converter.frameworks.pytorch.generating.operators.layers import layer_name
from modelport_converter.frameworks.pytorch.generating.support.normalising import layer_norm


def _batch(node: Node) -> str:
    if node.get("training_mode", 0) or any(node.wants(index) for index in range(1, 5)):
        raise UnsupportedError("in training mode")
    if node.get("spatial", 1) != 1:
        raise UnsupportedError("that is not spatial")
    weights, epsilon = [node.constant(index) for index in range(1, 5)], node.get("epsilon", 1e-5)
    rank = node.rank(0)
    if rank in (2, 3, 4, 5) and all(each is not None for each in weights):
        scale, bias, mean, variance = (np.asarray(each) for each in weights)
        made = f"nn.BatchNorm{max(rank - 2, 1)}d({scale.size}, eps={epsilon})"
        parts = {"weight": scale, "bias": bias, "running_mean": mean, "running_var": variance}
        parts["num_batches_tracked"] = np.array(0)
        key = (made, *(each.tobytes() for each in parts.values()))
        return f"{node.code.module.layer(layer_name(node, 1), made, parts, key)}({node.tensor(0)})"
    given = [node.tensor(index) for index in (0, 3, 4, 1, 2)]
    return f"F.batch_norm({', '.join(given)}, eps={epsilon})"


def _instance(node: Node) -> str:
    given, epsilon = node.tensor(0), node.get("epsilon", 1e-5)
    # F.instance_norm and F.group_norm refuse a single element for each mean
    return f"torch.group_norm({given}, {given}.shape[1], {node.tensor(1)}, {node.tensor(2)}, {epsilon})"


def _layer(node: Node) -> str | list[str]:
    axis, rank, epsilon = node.get("axis", -1), node.rank(0), node.get("epsilon", 1e-5)
    scale, bias = node.constant(1), node.constant(2)
    count = -axis if axis < 0 else None if rank is None else rank - axis
    shape = None if count is None or scale is None else _lengths(node, scale, count)
    if shape is None or scale is None or node.wants(1) or node.wants(2) or (node.has(2) and bias is None):
        names = [node.code.fresh(name) for name in ("normalised", "mean", "deviation")]
        given = [node.tensor(0), node.tensor(1), node.tensor(2) if node.has(2) else "None", str(axis), str(epsilon)]
        node.code.line(f"{', '.join(names)} = {node.code.call(layer_norm, *given)}")
        return names
    scale = np.broadcast_to(scale, shape)
    bias = None if bias is None else np.broadcast_to(bias, shape)
    made = f"nn.LayerNorm({list(shape)}, eps={epsilon}{', bias=False' if bias is None else ''})"
    parts = {"weight": scale} if bias is None else {"weight": scale, "bias": bias}
    key = (made, *(each.tobytes() for each in parts.values()))
    return f"{node.code.module.layer(layer_name(node, 1), made, parts, key)}({node.tensor(0)})"


def _lengths(node: Node, scale: Array, count: int) -> tuple[int, ...] | None:
    """Return the lengths that are normalised over, if they are known."""
    shape = node.shape(0)
    known = tuple(shape[-count:]) if shape is not None and len(shape) >= count else (None,) * count
    stated = (1,) * (count - scale.ndim) + scale.shape
    # a scale of one element says nothing of a free length
    found = [own if own is not None else each if each > 1 else None for own, each in zip(known, stated, strict=True)]
    return tuple(int(each) for each in found if each is not None) if None not in found else None


def _root_mean_square(node: Node) -> str:
    axis, epsilon, given = node.get("axis", -1), node.get("epsilon", 1e-5), node.tensor(0)
    axes = list(range(axis, 0)) if axis < 0 else list(range(axis, node.known_rank()))
    return f"{given} * torch.rsqrt({given}.pow(2).mean({axes}, keepdim=True) + {epsilon}) * {node.tensor(1)}"


def _group(node: Node) -> str:
    groups, epsilon, given = node.get("num_groups"), node.get("epsilon", 1e-5), node.tensor(0)
    scale, bias = node.tensor(1), node.tensor(2)
    if node.version < 21:  # noqa: PLR2004  # of each group, later of each channel
        each = f"{given}.shape[1] // {groups}"
        scale, bias = f"{scale}.repeat_interleave({each})", f"{bias}.repeat_interleave({each})"
    return f"torch.group_norm({given}, {groups}, {scale}, {bias}, {epsilon})"


def _local_response(node: Node) -> str:
    size = node.get("size")
    if size % 2 == 0:
        raise UnsupportedError("of an even number of channels")
    alpha, beta, bias = node.get("alpha", 1e-4), node.get("beta", 0.75), node.get("bias", 1.0)
    return f"F.local_response_norm({node.tensor(0)}, {size}, {alpha}, {beta}, {bias})"


def _unit(node: Node) -> str:
    norm = f"torch.norm({node.tensor(0)}, {node.get('p', 2)}, {node.get('axis', -1)}, keepdim=True)"
    name = node.code.assign("norm", norm)
    return f"torch.where({name} == 0, torch.zeros_like({node.tensor(0)}), {node.tensor(0)} / {name})"


def _mean_variance(node: Node) -> str:
    axes, given = node.get("axes") or [0, 2, 3], node.tensor(0)
    centred = node.code.assign("centred", f"{given} - {given}.mean({axes}, keepdim=True)")
    return f"{centred} / ({centred}.pow(2).mean({axes}, keepdim=True).sqrt() + 1e-9)"


OPERATORS: dict[str, Callable[[Node], object]] = {
    "BatchNormalization": _batch,
    "InstanceNormalization": _instance,
    "LayerNormalization": _layer,
    "RMSNormalization": _root_mean_square,
    "GroupNormalization": _group,
    "LRN": _local_response,
    "LpNormalization": _unit,
    "MeanVarianceNormalization": _mean_variance,
}
