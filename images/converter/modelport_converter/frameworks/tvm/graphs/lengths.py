"""Shapes that a graph computes from free lengths, made constants: TVM's frontend loses track of computed ones.

A computed shape is followed as a list of lengths, each a number or the name of a free dimension. Where a Reshape only
keeps an axis, or has one other free length, 0 and -1 say so; an Expand to the shape that is there already is nothing.
"""

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.helper import make_tensor_value_info

from modelport_converter.onnx_graphs.graphs import Constants, attribute_of, fresh_name, names_of

Length = int | str
Lengths = list[Length]
INTEGERS = (onnx.TensorProto.INT32, onnx.TensorProto.INT64)
MOST_ROUNDS = 30
"""Of rewriting and inferring again, each of which makes more lengths known."""


def lengths_of(model: onnx.ModelProto) -> dict[str, list[int]]:
    """Return the lengths of values by name, as far as they are known; a free one is 0."""
    values = (*model.graph.value_info, *model.graph.input)
    known = {value.name: value.type.tensor_type for value in values if value.type.tensor_type.HasField("shape")}
    return {name: [each.dim_value for each in kind.shape.dim] for name, kind in known.items()}


def settle_lengths(model: onnx.ModelProto) -> bool:
    """Make computed shapes constant where they can be; tell whether any was."""
    is_changed = False
    expanded: dict[str, Lengths] = {}
    for _ in range(MOST_ROUNDS):
        if not _settle(model, expanded):
            break
        is_changed = True
        types = {value.name: value.type.tensor_type.elem_type for value in model.graph.value_info}
        del model.graph.value_info[:]
        model.graph.value_info.extend(
            make_tensor_value_info(name, types[name], shape) for name, shape in expanded.items() if name in types
        )
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
        del model.graph.value_info[:]
        model.graph.value_info.extend(inferred.graph.value_info)
    return is_changed


def _settle(model: onnx.ModelProto, expanded: dict[str, Lengths]) -> bool:
    known = _Known(model)
    is_changed = False
    for node in model.graph.node:
        if node.op_type == "Reshape":
            is_changed |= _settle_reshape(node, model, known)
        elif node.op_type == "Expand":
            is_changed |= _settle_expand(node, known, expanded)
        else:
            known.follow(node)
    return is_changed


def _settle_reshape(node: onnx.NodeProto, model: onnx.ModelProto, known: "_Known") -> bool:
    source, wanted = known.shapes.get(node.input[0]), known.values.get(node.input[1])
    if source is None or wanted is None or known.is_constant(node.input[1]) or 0 in wanted:
        return False
    told = [0 if axis < len(source) and source[axis] == each else each for axis, each in enumerate(wanted)]
    free = [axis for axis, each in enumerate(told) if isinstance(each, str)]
    if len(free) > 1 or (free and -1 in told):
        return False
    shape = np.array([-1 if isinstance(each, str) else each for each in told], np.int64)
    name = fresh_name(f"{node.output[0]}_shape", names_of(model))
    model.graph.initializer.append(numpy_helper.from_array(shape, name))
    node.input[1] = name
    kept = [each for each in node.attribute if each.name != "allowzero"]  # a 0 means an axis as it is
    del node.attribute[:]
    node.attribute.extend(kept)
    return True


def _settle_expand(node: onnx.NodeProto, known: "_Known", expanded: dict[str, Lengths]) -> bool:
    """Take an Expand out that changes nothing; note the shape of any other, which onnx's inference does not follow."""
    source, wanted = known.shapes.get(node.input[0]), known.values.get(node.input[1])
    if source is None or wanted is None or known.is_constant(node.input[1]):
        return False
    longer = max(len(source), len(wanted))
    pairs = zip([1] * (longer - len(source)) + source, [1] * (longer - len(wanted)) + wanted, strict=True)
    shape = [there if asked == 1 else asked for there, asked in pairs]
    if shape == source:
        node.op_type = "Identity"
        del node.input[1:]
        return True
    is_new = node.output[0] not in expanded
    expanded[node.output[0]] = shape
    return is_new


class _Known:
    """Shapes of values, and the values that are shapes themselves, or lengths."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._constants = Constants(model)
        values = (*model.graph.value_info, *model.graph.input)
        self.shapes: dict[str, Lengths] = {}
        for value in values:
            dims = value.type.tensor_type.shape.dim
            if value.type.tensor_type.HasField("shape") and all(dim.WhichOneof("value") for dim in dims):
                self.shapes[value.name] = [dim.dim_param or dim.dim_value for dim in dims]
        self.values: dict[str, Lengths] = {}
        for tensor in model.graph.initializer:
            self.shapes[tensor.name] = list(tensor.dims)
            if tensor.data_type in INTEGERS and len(tensor.dims) <= 1:
                self.values[tensor.name] = [int(each) for each in numpy_helper.to_array(tensor).ravel()]

    def is_constant(self, name: str) -> bool:
        return self._constants.shape(name) is not None

    def follow(self, node: onnx.NodeProto) -> None:
        """Note the value of a node that makes a shape, or a length."""
        made = FOLLOWED[node.op_type](node, self) if node.op_type in FOLLOWED else None
        if made is not None:
            self.values[node.output[0]] = made

    def numbers(self, node: onnx.NodeProto, index: int) -> list[int] | None:
        """Return an input of a node that is known as numbers."""
        found = self.values.get(node.input[index]) if index < len(node.input) else None
        return [each for each in found if isinstance(each, int)] if found and _is_numbers(found) else None


def _is_numbers(lengths: Sequence[Length]) -> bool:
    return all(isinstance(each, int) for each in lengths)


def _shape(node: onnx.NodeProto, known: _Known) -> Lengths | None:
    whole = known.shapes.get(node.input[0])
    start, end = attribute_of(node, "start"), attribute_of(node, "end")
    return whole[start.i if start else 0 : end.i if end else None] if whole is not None else None


def _same(node: onnx.NodeProto, known: _Known) -> Lengths | None:
    return known.values.get(node.input[0])


def _gather(node: onnx.NodeProto, known: _Known) -> Lengths | None:
    values, chosen = known.values.get(node.input[0]), known.numbers(node, 1)
    return [values[each] for each in chosen] if values and chosen else None


def _slice(node: onnx.NodeProto, known: _Known) -> Lengths | None:
    values, starts, ends = known.values.get(node.input[0]), known.numbers(node, 1), known.numbers(node, 2)
    steps = known.numbers(node, 4) if len(node.input) > 4 else [1]  # noqa: PLR2004  # data, starts, ends, axes, steps
    return values[starts[0] : ends[0] : steps[0]] if values and starts and ends and steps else None


def _concat(node: onnx.NodeProto, known: _Known) -> Lengths | None:
    parts = [known.values.get(name) for name in node.input]
    return [each for part in parts for each in part or []] if None not in parts else None


FOLLOWED: dict[str, Callable[[onnx.NodeProto, _Known], Lengths | None]] = {
    "Shape": _shape,
    "Gather": _gather,
    "Slice": _slice,
    "Concat": _concat,
    **dict.fromkeys(("Cast", "Identity", "Squeeze", "Unsqueeze"), _same),
}
