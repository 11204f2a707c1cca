"""How many axes a value has, where ONNX's own inference lost that: it gives up behind a shape that is computed."""

from collections.abc import Callable

from modelport_converter.frameworks.pytorch.generating.nodes import Node

_KEEPING = frozenset(
    [
        "Abs",
        "Acos",
        "Acosh",
        "ArgMax",
        "ArgMin",
        "Asin",
        "Asinh",
        "Atan",
        "Atanh",
        "AveragePool",
        "BatchNormalization",
        "BitwiseNot",
        "Cast",
        "CastLike",
        "Ceil",
        "Celu",
        "Clip",
        "Concat",
        "Conv",
        "ConvTranspose",
        "Cos",
        "Cosh",
        "CumSum",
        "DepthToSpace",
        "Dropout",
        "Elu",
        "Erf",
        "Exp",
        "Floor",
        "Gelu",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "GroupNormalization",
        "HardSigmoid",
        "HardSwish",
        "Hardmax",
        "Identity",
        "InstanceNormalization",
        "IsInf",
        "IsNaN",
        "LRN",
        "LayerNormalization",
        "LeakyRelu",
        "Log",
        "LogSoftmax",
        "LpNormalization",
        "LpPool",
        "MaxPool",
        "Mish",
        "Neg",
        "Not",
        "PRelu",
        "Pad",
        "Pow",
        "Reciprocal",
        "Relu",
        "Resize",
        "ReverseSequence",
        "Round",
        "ScatterElements",
        "ScatterND",
        "Selu",
        "Shrink",
        "Sigmoid",
        "Sign",
        "Sin",
        "Sinh",
        "Slice",
        "Softmax",
        "Softplus",
        "Softsign",
        "SpaceToDepth",
        "Split",
        "Sqrt",
        "Swish",
        "Tan",
        "Tanh",
        "ThresholdedRelu",
        "Tile",
        "TopK",
        "Transpose",
        "Trilu",
        "Upsample",
    ]
)
"""Outputs have as many axes as the first input."""
_BROADCASTING = frozenset(
    [
        "Add",
        "And",
        "BitShift",
        "BitwiseAnd",
        "BitwiseOr",
        "BitwiseXor",
        "Div",
        "Equal",
        "Greater",
        "GreaterOrEqual",
        "Less",
        "LessOrEqual",
        "MatMul",
        "Max",
        "Mean",
        "Min",
        "Mod",
        "Mul",
        "Or",
        "Sub",
        "Sum",
        "Where",
        "Xor",
    ]
)
"""Outputs have as many axes as the input that has most."""


def find_rank(node: Node) -> int | None:
    """Return the number of axes of a node's outputs; None if nothing tells."""
    kind = node.proto.op_type
    if kind in ("ArgMax", "ArgMin"):
        rank = node.rank(0)
        return rank if rank is None or node.get("keepdims", 1) else rank - 1
    if kind in _KEEPING:
        return node.rank(0)
    if kind in _BROADCASTING:
        ranks = [node.rank(index) for index in range(len(node.inputs))]
        known = [each for each in ranks if each is not None]
        is_vector = kind == "MatMul" and 1 in known
        return max(known) if len(known) == len(ranks) and not is_vector else None
    return _RULES[kind](node) if kind in _RULES else None


def _asked(index: int) -> Callable[[Node], int | None]:
    """Return the number of lengths that an input states."""

    def find(node: Node) -> int | None:
        shape = node.shape(index) if node.has(index) else None
        return shape[0] if shape else None

    return find


def _without_axes(node: Node) -> int | None:
    rank, axes = node.rank(0), node.axes("axes", 1)
    return rank - len(axes) if rank is not None and axes is not None else None


def _reduced(node: Node) -> int | None:
    if node.get("keepdims", 1):
        return node.rank(0)
    return _without_axes(node) if node.axes("axes", 1) else 0


def _gathered(node: Node) -> int | None:
    rank, other = node.rank(0), node.rank(1)
    return None if rank is None or other is None else rank + other - 1


def _more(node: Node) -> int | None:
    rank = node.rank(0)
    return None if rank is None else rank + len(node.axes("axes", 1) or ())


_REDUCTIONS = ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")
_RULES: dict[str, Callable[[Node], int | None]] = {
    "Reshape": _asked(1),
    "Expand": _asked(1),
    "ConstantOfShape": _asked(0),
    "Squeeze": _without_axes,
    "Unsqueeze": _more,
    "Gather": _gathered,
    "GatherElements": lambda node: node.rank(1),
    "Flatten": lambda _node: 2,
    "Gemm": lambda _node: 2,
    "Shape": lambda _node: 1,
    "Range": lambda _node: 1,
    "NonZero": lambda _node: 2,
    **{f"Reduce{name}": _reduced for name in _REDUCTIONS},
}
