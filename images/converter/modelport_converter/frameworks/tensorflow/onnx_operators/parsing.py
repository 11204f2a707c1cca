"""ONNX graphs read once: their constants as arrays, their nodes with all attributes, those that only ONNX's defaults give, too."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import onnx
from onnx import numpy_helper
from onnx.helper import get_attribute_value

from modelport_converter.frameworks.tensorflow.onnx_operators.node import Known

DEFAULT_DOMAINS = {"", "ai.onnx"}


class Step(NamedTuple):
    """A node."""

    kind: str
    domain: str
    name: str
    attributes: Mapping[str, Any]
    """Graphs among them are parsed, too."""
    inputs: Sequence[str]
    outputs: Sequence[str]


class Graph(NamedTuple):
    """A graph; what stands in a node sees the values of the one around it."""

    inputs: Sequence[str]
    outputs: Sequence[str]
    constants: Mapping[str, Known]
    steps: Sequence[Step]


def versions_of(model: onnx.ModelProto) -> dict[str, int]:
    """Return the versions of operator sets by domain."""
    return {domain_of(each.domain): each.version for each in model.opset_import}


def domain_of(domain: str) -> str:
    """Return the name of a domain; ONNX's own has two."""
    return "" if domain in DEFAULT_DOMAINS else domain


def parse(graph: onnx.GraphProto, versions: Mapping[str, int]) -> Graph:
    """Return what a graph says."""
    return Graph(
        inputs=[each.name for each in graph.input],
        outputs=[each.name for each in graph.output],
        constants={each.name: numpy_helper.to_array(each) for each in graph.initializer},
        steps=[_parse_node(node, versions) for node in graph.node],
    )


def _parse_node(node: onnx.NodeProto, versions: Mapping[str, int]) -> Step:
    domain = domain_of(node.domain)
    attributes = {each.name: _read(each, versions) for each in node.attribute}
    if onnx.defs.has(node.op_type, domain):
        schema = onnx.defs.get_schema(node.op_type, versions.get(domain, 1), domain)
        known = {name: each.default_value for name, each in schema.attributes.items() if each.default_value.type}
        attributes = {name: _read(each, versions) for name, each in known.items()} | attributes
    name = node.name or next(filter(None, node.output), "")
    return Step(node.op_type, domain, name, attributes, list(node.input), list(node.output))


def _read(attribute: onnx.AttributeProto, versions: Mapping[str, int]) -> Any:
    value = get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, onnx.GraphProto):
        return parse(value, versions)
    if attribute.type == onnx.AttributeProto.STRINGS:
        return [each.decode(errors="replace") for each in value]
    return list(value) if attribute.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS) else value
