"""What a graph tells about the values of its inputs, by what consumes them: the rows of a table, a vocabulary."""

from collections.abc import Iterable, Iterator, Sequence

import onnx

from modelport.api.spec import Input
from modelport.verification.source.model import Hint
from modelport_converter.frameworks.onnx.hints.masks import Masks
from modelport_converter.frameworks.onnx.hints.trees import Tensors, find_missing, find_thresholds
from modelport_converter.frameworks.onnx.hints.uses import Use, Uses
from modelport_converter.onnx_graphs.graphs import Constants, attribute_of, is_boolean

INDEXED = {"Gather": "axis", "GatherElements": "axis", "ScatterElements": "axis"}
"""Operators whose input 1 holds indices into an axis of input 0."""
EMBED_LAYER_NORMALIZATION = {0: 2, 1: 4, 7: 3}
"""Inputs of the operator of that name with indices, and which input has their table."""
VOCABULARIES = ("keys_strings", "cats_strings", "pool_strings", "keys_int64s", "cats_int64s", "pool_int64s")
"""Attributes of encoders in ai.onnx.ml that list what they know."""
MASK = Hint(0, 1, is_mask=True)
UNSEEN = "unseen"
"""A string that no vocabulary is likely to hold."""


def find_hints(model: onnx.ModelProto, inputs: Iterable[Input], tensors: Tensors) -> dict[str, Hint]:
    """Return a hint for each input whose consumers tell something: of integers and strings by the inferred shapes."""
    constants = Constants(model)
    uses = Uses(model.graph.node)
    walk, masks = _Walk(model, tensors, constants), Masks(model.graph, uses, constants)
    found = {
        each.name: _merge(list(walk.consumers(each.name, uses)))
        if each.dtype == "string" or "int" in each.dtype
        else _of_numbers(each.name, uses, tensors, masks)
        for each in inputs
    }
    return {name: hint for name, hint in found.items() if hint is not None}


def _of_numbers(name: str, uses: Uses, tensors: Tensors, masks: Masks) -> Hint | None:
    thresholds, missing = find_thresholds(uses, name, tensors), find_missing(uses, name, tensors)
    if thresholds or missing:
        return Hint(thresholds=thresholds, missing=missing)
    return masks.hint(name)


def _merge(hints: Sequence[Hint]) -> Hint | None:
    """Return what all consumers accept: rows of a table are that, whatever zeros, or some of them, mean besides."""
    tables = [each for each in hints if each.highest is not None and each.lowest == -each.highest - 1]
    hints = tables or [each for each in hints if not each.is_mask] or hints
    if not hints:
        return None
    lowest = [each.lowest for each in hints if each.lowest is not None]
    highest = [each.highest for each in hints if each.highest is not None]
    return Hint(
        max(lowest, default=None),
        min(highest, default=None),
        tuple(dict.fromkeys(string for each in hints for string in each.strings)),
        next((each.categories for each in hints if each.categories), ()),
        is_mask=any(each.is_mask for each in hints),
    )


class _Walk:
    """Follows values from an input to what says something about them."""

    def __init__(self, model: onnx.ModelProto, tensors: Tensors, constants: Constants) -> None:
        self._constants = constants
        self._tensors = tensors
        self._functions = {(each.domain, each.name): each for each in model.functions}

    def consumers(self, name: str, uses: Uses) -> Iterator[Hint]:
        """Return the hints of all that the value reaches unchanged."""
        for each in uses.values(name, lambda use: use.is_carried and self._function(use) is None):
            for use in uses.of(each):
                function = self._function(use)
                if function is not None:
                    yield from self.consumers(function.input[use.position], Uses(function.node))
                    continue
                hint = self._told(use)
                if hint is not None:
                    yield hint
            for inner in uses.inner:
                yield from self.consumers(each, inner)

    def _function(self, use: Use) -> onnx.FunctionProto | None:
        return self._functions.get((use.node.domain, use.node.op_type))

    def _told(self, use: Use) -> Hint | None:
        node, position = use
        if node.op_type in INDEXED and position == 1:
            return self._of_table(node.input[0], getattr(attribute_of(node, "axis"), "i", 0))
        if node.op_type == "EmbedLayerNormalization" and position in EMBED_LAYER_NORMALIZATION:
            return self._of_table(node.input[EMBED_LAYER_NORMALIZATION[position]], 0)
        if node.op_type == "OneHot" and position == 0:
            depth = self._constants.read(node.input[1])
            return _indices(int(depth.ravel()[0])) if depth is not None and depth.size else None
        if node.op_type == "Equal" and use.other:
            known = self._constants.read(use.other)
            # one number is a condition, many are a one-hot encoding
            is_list = known is not None and (known.dtype.kind in "OU" or (known.dtype.kind in "iu" and known.size > 1))
            return _of_keys(known.ravel().tolist(), is_strict=False) if known is not None and is_list else None
        if is_boolean(node) or self._is_complement(use):
            return MASK
        return _of_encoder(node)

    def _of_table(self, table: str, axis: int) -> Hint | None:
        shape = self._constants.shape(table)
        if shape is None and table in self._tensors:
            shape = tuple(length.dim_value for length in self._tensors[table].shape.dim)
        return _indices(shape[axis]) if shape and -len(shape) <= axis < len(shape) else None

    def _is_complement(self, use: Use) -> bool:
        """Whether the value, cast to numbers that are no integers, is taken from 1, which is done with masks."""
        if use.node.op_type != "Sub" or use.position != 1:
            return False
        one = self._constants.read(use.other)
        return one is not None and one.dtype.kind not in "iu" and one.size == 1 and float(one.ravel()[0]) == 1


def _indices(length: int) -> Hint | None:
    return Hint(-length, length - 1) if length else None


def _of_encoder(node: onnx.NodeProto) -> Hint | None:
    """Return what an encoder knows, and something that it does not, unless it refuses that."""
    is_strict = node.op_type == "OneHotEncoder" and getattr(attribute_of(node, "zeros"), "i", 1) == 0
    for name in VOCABULARIES:
        listed = attribute_of(node, name)
        if listed is not None and (listed.strings or listed.ints):
            return _of_keys(listed.strings or listed.ints, is_strict=is_strict)
    tensor = attribute_of(node, "keys_tensor")
    if tensor is not None and node.op_type == "LabelEncoder":
        keys = onnx.numpy_helper.to_array(tensor.t)
        return _of_keys(keys.ravel().tolist(), is_strict=is_strict) if keys.size and keys.dtype.kind in "OUiu" else None
    return None


def _of_keys(keys: Iterable[str | bytes | int], *, is_strict: bool) -> Hint:
    strings = _strings(key for key in keys if isinstance(key, (str, bytes)))
    if strings:
        return Hint(strings=strings if is_strict else (*strings, UNSEEN))
    integers = sorted({int(key) for key in keys})
    known = integers if is_strict else [*integers, integers[-1] + 1]
    is_dense = known[-1] - known[0] == len(known) - 1
    return Hint(known[0], known[-1], categories=() if is_dense else tuple(known))


def _strings(values: Iterable[str | bytes]) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(each.decode(errors="replace") if isinstance(each, bytes) else str(each) for each in values)
    )
