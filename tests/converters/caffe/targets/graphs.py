"""Graphs of ONNX by chance, of the operators that Caffe has layers for: every attribute, free batches, several answers."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Shape = tuple[Any, ...]
MOST_AXES, LONGEST = 6, 64


class Graph(NamedTuple):
    """A model, what it was made of, and questions."""

    model: onnx.ModelProto
    operators: list[str]
    questions: list[dict[str, Any]]


class Maker:
    """Nodes and weights in the making, and the values that there are."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, Any] = {}
        self.count = 0
        self.is_free = bool(self.random.integers(2))
        rank = self.one([4, 4, 4, 4, 3, 3, 2, 2, 5])
        first: Shape = ("n" if self.is_free else self.one([1, 2, 3]), self.one([1, 2, 3, 4, 6, 8, 12]))
        self.inputs: dict[str, Shape] = {
            name: (*first, *(self.between(1, 14 if rank < 5 else 5) for _ in range(rank - 2)))
            for name in ["x", "z"][: self.one([1, 1, 2])]
        }
        if self.random.integers(2):
            self.inputs = dict.fromkeys(self.inputs, self.inputs["x"])
        self.values: dict[str, Shape] = dict(self.inputs)

    def one(self, choices: Any) -> Any:
        return choices[int(self.random.integers(len(choices)))]

    def between(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high + 1))

    def maybe(self, share: float = 0.5) -> bool:
        return bool(self.random.random() < share)

    def value(self, *ranks: int) -> tuple[str, Shape]:
        """Return a value of so many axes. Raises IndexError if there is none."""
        return self.one([each for each in self.values.items() if not ranks or len(each[1]) in ranks])

    def weight(self, values: Any) -> str:
        return self._keep(np.asarray(values, np.float32))

    def whole(self, *values: int) -> str:
        return self._keep(np.array(values, np.int64))

    def _keep(self, array: Any) -> str:
        self.count += 1
        self.weights[f"w{self.count}"] = array
        return f"w{self.count}"

    def normal(self, *shape: int) -> Any:
        return self.random.standard_normal(shape)

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> str:
        self.count += 1
        names = [f"{operator}_{self.count}{'' if number == 0 else f'_{number}'}" for number in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, **attributes))
        return names[0]

    def above_zero(self, value: str) -> str:
        return self.add("Add", self.add("Abs", value), self.weight(0.5))

    def finish(self, outputs: list[str]) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in self.inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            [numpy_helper.from_array(array, name) for name, array in self.weights.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def learn(self) -> bool:
        """Note the shapes of what the last node made; tell whether they are ones that Caffe has."""
        names = list(self.nodes[-1].output)
        inferred = onnx.shape_inference.infer_shapes(self.finish(names), data_prop=True)
        for value in (*inferred.graph.value_info, *inferred.graph.output):
            dims = value.type.tensor_type.shape.dim
            shape = tuple(each.dim_param or each.dim_value for each in dims)
            known = 2 <= len(shape) <= MOST_AXES and all(
                isinstance(each, int) and 0 < each <= LONGEST for each in shape[1:]
            )
            if known:
                self.values[value.name] = shape
        return all(name in self.values for name in names)


Make = Callable[[Maker], object]


def _window(to: Maker, shape: Shape, *, gaps: bool) -> tuple[list[int], dict[str, Any]]:
    kernel = [to.between(1, min(4, each)) for each in shape[2:]]
    told: dict[str, Any] = {"kernel_shape": kernel, "strides": [to.between(1, 3) for _ in kernel]}
    if gaps and to.maybe(0.4):
        told["dilations"] = [to.between(1, 3) for _ in kernel]
    if to.maybe(0.15):
        told["auto_pad"] = to.one(["SAME_UPPER", "SAME_LOWER", "VALID"])
    elif to.maybe(0.7):
        first, second = ([to.between(0, each - 1) for each in kernel] for _ in "ab")
        told["pads"] = [*first, *(second if to.maybe() else first)]
    return kernel, told


def _convolve(to: Maker, *, is_transposed: bool) -> None:
    name, shape = to.value(3, 4)
    kernel, told = _window(to, shape, gaps=True)
    channels = shape[1]
    group = to.one([each for each in (1, 1, 2, 3, channels) if channels % each == 0])
    made = group * to.between(1, 3)
    sides = (channels, made // group) if is_transposed else (made, channels // group)
    if is_transposed and to.maybe(0.3):
        told["output_padding"] = [to.between(0, each - 1) for each in told["strides"]]
    weights = [to.weight(to.normal(*sides, *kernel) * 0.5)] + ([to.weight(to.normal(made))] if to.maybe() else [])
    to.add("ConvTranspose" if is_transposed else "Conv", name, *weights, group=group, **told)


def _pool(to: Maker) -> None:
    name, shape = to.value(3, 4)
    kind = to.one(["MaxPool", "AveragePool", "AveragePool"])
    _, told = _window(to, shape, gaps=False)
    told |= {"count_include_pad": to.between(0, 1)} if kind == "AveragePool" else {}
    to.add(kind, name, ceil_mode=to.between(0, 1), **told)


UNARY: dict[str, dict[str, list[float]]] = {
    **{name: {} for name in ("Relu", "Sigmoid", "Tanh", "Abs", "Neg", "Softplus", "Softsign", "HardSwish", "Selu")},
    **{name: {} for name in ("Identity", "Dropout", "GlobalAveragePool", "GlobalMaxPool")},
    "Celu": {"alpha": [0.5, 1.0, 2.0]},
    "Elu": {"alpha": [0.5, 1.0, 2.0]},
    "HardSigmoid": {"alpha": [0.2, 1 / 6], "beta": [0.5, 0.4]},
    "LeakyRelu": {"alpha": [0.01, 0.2]},
}


def _unary(to: Maker) -> None:
    kind = to.one(list(UNARY))
    name, _ = to.value(*([3, 4] if kind.startswith("Global") else []))
    to.add(kind, name, **{each: to.one(values) for each, values in UNARY[kind].items()})


def _positive(to: Maker) -> None:
    kind = to.one(["Sqrt", "Log", "Reciprocal", "Pow", "Pow"])
    more = [to.weight(to.one([0.5, 1.5, -1, 2, 3]))] if kind == "Pow" else []
    to.add(kind, to.above_zero(to.value()[0]), *more)


def _mish(to: Maker) -> None:
    name, _ = to.value()
    to.add("Mul", name, to.add("Tanh", to.add("Softplus", to.add("Exp", to.add("Tanh", name)))))


def _bound(to: Maker) -> None:
    name, _ = to.value()
    low, high = to.one([(0, 6), (0, 1), (-0.5, 2), (0, 3)])
    kind = to.between(0, 3)
    if kind == 0:
        to.add("Clip", name, to.weight(low), to.weight(high))
    elif kind == 1:
        to.add("Clip", name, "", to.weight(high))
    else:
        to.add(to.one(["Max", "Min"]), name, to.weight(to.one([0.0, 0.5, -1.0])))


def _slopes(to: Maker) -> None:
    name, shape = to.value()
    slopes = to.normal(1) if to.maybe(0.3) else to.normal(shape[1], *[1] * (len(shape) - 2))
    to.add("PRelu", name, to.weight(slopes))


def _constant(to: Maker) -> None:
    name, shape = to.value()
    sides = [1 if isinstance(each, str) or to.maybe() else each for each in shape]
    values = to.one([to.normal(), to.normal(1), to.normal(*sides), to.normal(*sides[to.between(0, len(sides) - 1) :])])
    kind = to.one(["Add", "Sub", "Mul", "Div"])
    if kind == "Div":
        values = np.sign(values) * (np.abs(values) + 0.3)
        given = [to.weight(values), to.above_zero(name)] if to.maybe(0.3) else [name, to.weight(values)]
    else:
        given = [name, to.weight(values)] if to.maybe(0.7) else [to.weight(values), name]
    to.add(kind, *given)


def _several(to: Maker) -> None:
    name, shape = to.value()
    other = to.one([each for each, its in to.values.items() if its == shape])
    if to.maybe(0.4):
        axis = to.between(1, len(shape) - 1)
        is_whole = len(shape) == 4 and to.maybe()
        other = to.add("GlobalAveragePool", name) if is_whole else to.add("ReduceMean", name, axes=[axis])
    kind = to.one(["Add", "Sub", "Mul", "Max", "Min", "Div", "Mean", "Sum"])
    given = [name, to.above_zero(other) if kind == "Div" else other]
    to.add(kind, *(given if kind == "Div" or to.maybe() else given[::-1]))


def _normalise(to: Maker) -> None:
    kind = to.one(
        ["BatchNormalization", "InstanceNormalization", "LayerNormalization", "LRN", "LpNormalization", "Softmax"]
    )
    name, shape = to.value(*{"InstanceNormalization": [3, 4], "LRN": [4]}.get(kind, []))
    channels, axis, epsilon = shape[1], to.between(1, len(shape) - 1), to.one([1e-5, 1e-3, 0.1])
    if kind == "Softmax":
        to.add(kind, name, axis=to.between(-len(shape), len(shape) - 1))
    elif kind == "LRN":
        told = {"alpha": to.one([1e-4, 0.5]), "beta": to.one([0.75, 0.5]), "bias": to.one([1.0, 2.0, 0.5])}
        to.add(kind, name, size=to.one([1, 3, 5, 4]), **told)
    elif kind == "LpNormalization":
        to.add(kind, name, axis=axis, p=to.between(1, 2))
    elif kind == "LayerNormalization":
        to.add(kind, name, *(to.weight(to.normal(*shape[axis:])) for _ in "ab"), axis=axis, epsilon=epsilon)
    else:
        given = [to.normal(channels) for _ in "ab"]
        if kind == "BatchNormalization":
            given += [to.normal(channels), to.random.uniform(0.3, 2, channels)]
        to.add(kind, name, *map(to.weight, given), epsilon=epsilon)


def _product(to: Maker) -> None:
    name, shape = to.value()
    made = to.between(1, 6)
    if to.maybe():
        ones = [1] * (len(shape) - 2) if to.maybe(0.2) else []
        to.add("MatMul", name, to.weight(to.normal(*ones, shape[-1], made)))
        return
    rows = to.add("Flatten", name, axis=1)
    length, is_turned = int(np.prod(shape[1:])), to.between(0, 1)
    matrix = to.normal(*((made, length) if is_turned else (length, made))) / np.sqrt(length)
    bias = to.one([[], [to.normal(made)], [to.normal(1, made)], [to.normal(1)]])
    told = {"alpha": to.one([1.0, 0.5]), "beta": to.one([1.0, 2.0]), "transB": is_turned}
    to.add("Gemm", rows, to.weight(matrix), *map(to.weight, bias), **told)


REDUCTIONS = ["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare"]


def _reduce(to: Maker) -> None:
    name, shape = to.value()
    start = to.between(1, len(shape) - 1)
    axes = list(range(start, to.between(start, len(shape) - 1) + 1))
    kind = to.one(REDUCTIONS)
    if kind == "ReduceSum":
        to.add(kind, name, to.whole(*axes), keepdims=to.between(0, 1))
    else:
        to.add(kind, name, axes=axes, keepdims=to.between(0, 1))


def _join(to: Maker) -> None:
    name, shape = to.value()
    axis = to.between(1, len(shape) - 1)
    rest = shape[:axis] + shape[axis + 1 :]
    others = [
        each for each, its in to.values.items() if len(its) == len(shape) and its[:axis] + its[axis + 1 :] == rest
    ]
    to.add("Concat", name, *(to.one(others) for _ in range(to.between(1, 2))), axis=axis)


def _cut(to: Maker) -> None:
    name, shape = to.value()
    axis = to.between(1, len(shape) - 1)
    length = shape[axis]
    start = to.between(0, length - 1)
    kind = to.between(0, 4)
    if kind == 0 and length > 1:
        first = to.between(1, length - 1)
        to.add("Split", name, to.whole(first, length - first), axis=axis, outputs=2)
    elif kind == 1:
        chosen = [to.whole(to.between(-length, length - 1)), to._keep(np.array(start)), to.whole(start, 0, -1)]
        to.add("Gather", name, to.one(chosen), axis=axis)
    else:
        bounds = to.one([(start, 2**62, 1), (start, start + 1, 1), (-1, -length - 5, -1), (start, 2**31 - 1, 2)])
        end = [to.whole(each) for each in bounds]
        to.add("Slice", name, end[0], end[1], to.whole(axis), end[2])


def _reshape(to: Maker) -> None:
    name, shape = to.value()
    axis = to.between(1, len(shape) - 1)
    kind = to.between(0, 5)
    if kind == 0:
        to.add("Flatten", name, axis=axis)
    elif kind == 1:
        to.add("Unsqueeze", name, to.whole(to.between(1, len(shape))))
    elif kind == 2:
        to.add("Squeeze", name, to.whole(to.one([each for each in range(1, len(shape)) if shape[each] == 1])))
    elif kind == 3:
        part = to.one([each for each in range(1, shape[axis] + 1) if shape[axis] % each == 0])
        to.add("Reshape", name, to.whole(-1, *shape[1:axis], part, shape[axis] // part, *shape[axis + 1 :]))
    elif kind == 4:
        to.add("Reshape", name, to.whole(*to.one([[0, -1], [-1, *shape[2:]], [-1, 1, *shape[1:]]])))
    else:
        to.add("Tile", name, to.whole(*(to.between(1, 2) if each == axis else 1 for each in range(len(shape)))))


def _move(to: Maker) -> None:
    name, shape = to.value()
    if len(shape) == 4 and shape[1] % 4 == 0 and to.maybe(0.4):
        to.add("DepthToSpace", name, blocksize=2, mode=to.one(["DCR", "CRD"]))
    elif len(shape) == 4 and shape[2] % 2 == shape[3] % 2 == 0 and to.maybe(0.4):
        to.add("SpaceToDepth", name, blocksize=2)
    elif len(shape) in {3, 4} and to.maybe(0.4):
        pads = [to.between(0, 2) if at >= 2 else 0 for _ in "ab" for at in range(len(shape))]
        to.add("Pad", name, to.whole(*pads))
    else:
        to.add("Transpose", name, perm=[0, *(1 + to.random.permutation(len(shape) - 1)).tolist()])


def _resize(to: Maker) -> None:
    name, _ = to.value(4)
    told = {"mode": to.one(["nearest", "linear"])}
    told["coordinate_transformation_mode"] = to.one(["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"])
    if told["mode"] == "nearest":
        told["nearest_mode"] = to.one(["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
    scales = [1, 1, *(to.one([2, 2, 3, 0.5, 1.5, 1, 1.3]) for _ in "hw")]
    to.add("Resize", name, "", to.weight(scales), **told)


MAKES: tuple[Make, ...] = (
    lambda to: _convolve(to, is_transposed=False),
    lambda to: _convolve(to, is_transposed=True),
    _pool, _pool, _unary, _unary, _positive, _mish, _bound, _slopes, _constant, _several, _normalise, _normalise, _product,
    _reduce, _join, _cut, _reshape, _move, _resize,
)  # fmt: skip


def make(seed: int) -> Graph | None:
    """Return a graph of up to six steps; nothing where chance made none."""
    to = Maker(seed)
    for _ in range(to.one([1, 1, 2, 2, 3, 4, 6])):
        nodes, weights = len(to.nodes), dict(to.weights)
        try:
            to.one(MAKES)(to)
            is_kept = to.learn()
        except (IndexError, ValueError, onnx.shape_inference.InferenceError):
            is_kept = False
        if not is_kept:
            del to.nodes[nodes:]
            to.weights = weights
    taken = {name for node in to.nodes for name in node.input}
    made = [name for node in to.nodes for name in node.output]
    if not made:
        return None
    outputs = [name for name in made if name not in taken]
    outputs += [name for name in made if name in taken and to.maybe(0.1)]
    questions = [
        {name: _numbers(to, rows, shape) for name, shape in to.inputs.items()}
        for rows in ((1, 2, 4) if to.is_free else (1,))
    ]
    return Graph(to.finish(outputs), sorted({node.op_type for node in to.nodes}), questions)


def _numbers(to: Maker, rows: int, shape: Shape) -> Any:
    sides = [rows if isinstance(each, str) else each for each in shape]
    return (to.normal(*sides) * 1.5).astype(np.float32)
