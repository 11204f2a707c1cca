"""A net in the making, from one ONNX graph whose lengths are all known."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import onnx
from onnx.helper import get_attribute_value

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array
from modelport_converter.frameworks.caffe.targeting.layers import Layer
from modelport_converter.onnx_graphs.graphs import Constants, fresh_name

Dialect = Literal["opencv", "bvlc"]
Shape = tuple[int, ...]
MOST_AXES = 6
"""Of what is only moved; OpenCV adds and multiplies blobs of five at most, and takes one axis for two."""


class Node:
    """A node with what is asked of it most."""

    def __init__(self, proto: onnx.NodeProto) -> None:
        """Read its attributes."""
        self.kind: str = proto.op_type
        self.inputs, self.outputs = list(proto.input), list(proto.output)
        self.name: str = proto.name or (self.outputs[0] if self.outputs else "")
        self._attributes = {each.name: get_attribute_value(each) for each in proto.attribute}

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute; text as such."""
        found = self._attributes.get(name, default)
        return found.decode(errors="replace") if isinstance(found, bytes) else found

    def input(self, index: int) -> str:
        """Return the name of an input; empty: it is not given."""
        return self.inputs[index] if index < len(self.inputs) else ""

    def refuse(self, told: str) -> ModelportError:
        """Return the error that names the node, and what Caffe has not."""
        return ModelportError(Reason.CONVERSION_FAILED, f"node {self.name:.80} ({self.kind}): {told}")


class Building:
    """Layers in order, and the shapes of their blobs."""

    def __init__(self, model: onnx.ModelProto, inputs: Mapping[str, Sequence[int]], dialect: Dialect) -> None:
        """Begin with the inputs, whose blobs have their names; folding may have left out of the graph what nothing takes."""
        self.dialect = dialect
        self.layers: list[Layer] = []
        self._constants = Constants(model)
        graph = model.graph
        self._shapes: dict[str, Shape] = {
            value.name: tuple(each.dim_value for each in value.type.tensor_type.shape.dim)
            for value in (*graph.value_info, *graph.output)
            if _is_known(value)
        }
        self._inputs = set(inputs)
        self._blobs = {name: name for name in inputs}
        self._made: dict[str, Shape] = {name: tuple(shape) for name, shape in inputs.items()}
        # a blob in between is called like no value of the graph
        self._taken = {*self._blobs, *(name for node in graph.node for name in node.output)}

    def constant(self, value: str) -> Array | None:
        """Return a value that depends on no input."""
        return self._constants.read(value) if value else None

    def blob(self, node: Node, index: int = 0) -> str:
        """Return the blob that an input of a node is. Raises ModelportError for a constant: no layer holds one."""
        name = node.input(index)
        if name in self._blobs:
            return self._blobs[name]
        what = "a constant, which no layer of Caffe makes" if self._constants.shape(name) is not None else "nothing"
        raise node.refuse(f"input {index}: expected what follows from the inputs of the model, found {what}")

    def is_blob(self, value: str) -> bool:
        """Whether a value depends on the inputs."""
        return value in self._blobs

    def shape(self, blob: str) -> Shape:
        """Return the shape of a blob."""
        return self._made[blob]

    def wanted(self, node: Node, index: int = 0) -> Shape:
        """Return the shape that an output of a node has."""
        name = node.outputs[index]
        if name not in self._shapes:
            raise node.refuse(
                "expected lengths that follow from those of the inputs, found some that follow from values"
            )
        return self._shapes[name]

    def add(
        self, kind: str, bottoms: str | Sequence[str], shape: Sequence[int], *blobs: Array, **parameters: dict[str, Any]
    ) -> str:
        """Add a layer with one top, and return that."""
        return self.add_many(kind, bottoms, [shape], *blobs, **parameters)[0]

    def add_many(
        self,
        kind: str,
        bottoms: str | Sequence[str],
        shapes: Iterable[Sequence[int]],
        *blobs: Array,
        **parameters: dict[str, Any],
    ) -> list[str]:
        """Add a layer with several tops, and return them."""
        given = (bottoms,) if isinstance(bottoms, str) else tuple(bottoms)
        tops = []
        for shape in shapes:
            tops.append(fresh_name(f"{given[0]}/{kind.lower()}", self._taken))
            self._made[tops[-1]] = tuple(int(each) for each in shape)
        arrays = tuple(np.asarray(each, np.float32) for each in blobs)
        self.layers.append(Layer(kind, given, tuple(tops), parameters, arrays))
        return tops

    def finish(self, node: Node, index: int, blob: str, since: int) -> None:
        """Let a blob be an output of a node; it gets its name if one of the layers from `since` on made it."""
        name, shape = node.outputs[index], self._made[blob]
        expected = self._shapes.get(name, shape)
        if shape != expected:
            raise node.refuse(f"expected an output of {list(expected)}, found {list(shape)} in Caffe's way to count")
        lengths = len(shape)
        if not 1 < lengths <= MOST_AXES or 0 in shape:
            found = f"{list(shape)}"
            raise node.refuse(f"expected outputs of 2 to {MOST_AXES} axes, none of them empty, found {found}")
        made = any(blob in layer.tops for layer in self.layers[since:])
        if made and name not in self._made:
            self._rename(blob, name, since)
            blob = name
        self._blobs[name] = blob

    def _rename(self, blob: str, name: str, since: int) -> None:
        def renamed(blobs: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(name if each == blob else each for each in blobs)

        for at in range(since, len(self.layers)):
            layer = self.layers[at]
            self.layers[at] = layer._replace(bottoms=renamed(layer.bottoms), tops=renamed(layer.tops))
        self._made[name] = self._made.pop(blob)
        self._blobs = {value: name if each == blob else each for value, each in self._blobs.items()}

    def answer(self, names: Sequence[str]) -> None:
        """Let what no layer takes be the model's outputs, under their names. Raises ModelportError for a constant, or an input."""
        for name in names:
            if not self.is_blob(name) or name in self._inputs:
                found = "the input itself" if name in self._inputs else "a constant, which no layer of Caffe makes"
                message = f"output {name:.80}: expected one that follows from the inputs, found {found}; leave it out"
                raise ModelportError(Reason.CONVERSION_FAILED, message)
        for name in names:
            self._free(name, names)
        taken = {each for layer in self.layers for each in layer.bottoms}
        rest = tuple(each for each in self._made if each not in taken and each not in names)
        if rest:  # what no layer takes is an answer in Caffe
            self.layers.append(Layer("Silence", rest, (), {}, ()))

    def _free(self, name: str, names: Sequence[str]) -> None:
        """Let an output be a blob of its name that no layer takes, and no other output is."""
        blob = self._blobs[name]
        is_taken = any(blob in layer.bottoms for layer in self.layers) or any(
            self._blobs[each] == blob for each in names if each != name
        )
        if blob == name and not is_taken:
            return
        if blob == name:
            blob = fresh_name(f"{name}/taken", self._taken)
            self._rename(name, blob, 0)
        self._made[name] = self._made[blob]
        self.layers.append(Layer("Split", (blob,), (name,), {}, ()))
        self._blobs[name] = name


def _is_known(value: onnx.ValueInfoProto) -> bool:
    kind = value.type.tensor_type
    return kind.HasField("shape") and all(each.HasField("dim_value") for each in kind.shape.dim)


Write = Callable[[Building, Node], str | list[str]]
"""Adds layers for a node; returns the blobs of its outputs."""
