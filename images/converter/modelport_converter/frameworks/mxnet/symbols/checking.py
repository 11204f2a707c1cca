"""What a symbol must be for this image, before MXNet sees it: MXNet looks up inputs that are not there, and ends."""

import re

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_converter.frameworks.mxnet.symbols.operators.operators import OPERATORS
from modelport_converter.frameworks.mxnet.symbols.reading.graphs import VARIABLE, Entry, Graph, Node

POSITIVE = ("kernel", "stride", "dilate", "num_filter", "num_group", "num_hidden", "scale", "state_size", "num_layers")
"""Attributes by which MXNet divides, or which it takes as lengths, without looking."""
NUMBER = re.compile(r"-?\d+")
MAX_NUMBER = 1 << 28
OUTPUT = re.compile(r"_output\d*|_mean|_var")
"""How outputs are called, behind the name of their node."""
QUANTIZED = re.compile(r"quantize|_sg_mkldnn")
_TRAINING = "it is for training; name the outputs that are meant under spec.source.checkpoint.key"
ADVICE = {
    "_contrib_MultiBoxTarget": _TRAINING,
    "_contrib_Proposal": "it has no like in ONNX",
    "CTCLoss": _TRAINING,
    "softmax_cross_entropy": _TRAINING,
    "Custom": "it is Python code that does not come with the file",
    "_CustomFunction": "it is Python code that does not come with the file",
    "_foreach": "unroll the loop before export",
    "_while_loop": "unroll the loop before export",
    "_cond": "export the branch that is meant",
}


def select(graph: Graph, key: str | None) -> Graph:
    """Return the graph with the outputs that a key names, as MXNet calls them: `fc1_output, bn_output0`; or as it is.

    Raises ModelportError (InvalidSpec) for a name that no node has.
    """
    if not key:
        return graph
    heads = []
    for name in names_of(key):
        found = [number for number, node in enumerate(graph.nodes) if _gives(node, name)]
        if not found:
            known = ", ".join(f"{node.name}_output" for node in graph.nodes[-5:] if node.operator != VARIABLE)
            message = f"spec.source.checkpoint.key: expected outputs such as {known:.200}, found {name:.100}"
            raise ModelportError(Reason.INVALID_SPEC, message)
        heads.append((found[-1], 0))
    return graph._replace(heads=tuple(heads))


def names_of(key: str) -> list[str]:
    """Return the names of outputs in a key."""
    return [each.strip() for each in key.split(",") if each.strip()]


def _gives(node: Node, name: str) -> bool:
    rest = name.removeprefix(node.name)
    return rest != name and bool(OUTPUT.fullmatch(rest))


def check_graph(graph: Graph) -> None:
    """Raise ModelportError (ConversionFailed) with the names of operators that are not converted, and of bad attributes."""
    needed = sorted(graph.needed())
    unknown: dict[str, str] = {}
    for number in needed:
        node = graph.nodes[number]
        if node.operator == VARIABLE:
            continue
        if node.operator not in OPERATORS or node.is_subgraph:
            unknown.setdefault(node.operator, node.name)
            continue
        _check_node(node)
    if unknown:
        told = "; ".join(f"{operator:.60} (layer {name:.60}){_advice(operator)}" for operator, name in unknown.items())
        message = f"expected operators that are converted, found {told:.360}"
        raise ModelportError(Reason.CONVERSION_FAILED, message)


def _advice(operator: str) -> str:
    if QUANTIZED.search(operator):
        return ": int8; give the model that was quantized, and ask for int8 by target.options"
    return f": {ADVICE[operator]}" if operator in ADVICE else ""


def _check_node(node: Node) -> None:
    if len(node.inputs) < min(1, OPERATORS[node.operator].least):
        raise _bad(node, f"at least {OPERATORS[node.operator].least} inputs", str(len(node.inputs)))
    for key in POSITIVE:
        text = node.attributes.get(key, "")
        if any(not 0 < int(each) < MAX_NUMBER for each in NUMBER.findall(text[:200])):
            raise _bad(node, f"{key} above 0", text)


def _bad(node: Node, expected: str, found: str) -> ModelportError:
    message = f"layer {node.name:.80} ({node.operator:.60}): expected {expected}, found {found:.100}"
    return ModelportError(Reason.CONVERSION_FAILED, message)


def find_labels(graph: Graph) -> frozenset[str]:
    """Return the variables that only the losses read."""
    found, waiting = set[int](), [node for node, _ in graph.heads]
    while waiting:
        number = waiting.pop()
        if number not in found:
            found.add(number)
            waiting += [each for each, _ in answer_inputs(graph.nodes[number])]
    others = graph.needed() - found
    return frozenset(graph.nodes[each].name for each in others if graph.nodes[each].operator == VARIABLE)


def answer_inputs(node: Node) -> list[Entry]:
    """Return the inputs that a node's answer follows from."""
    known = OPERATORS.get(node.operator)
    labels = known.labels if known else frozenset()
    return [entry for number, entry in enumerate(node.inputs) if number not in labels]
