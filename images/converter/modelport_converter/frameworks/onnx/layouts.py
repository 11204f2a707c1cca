"""Recurrent operators whose layout is batch first, rewritten into the other layout that ONNX Runtime has a kernel for.

The two are one computation: ONNX defines `layout` as the order of the axes of X, the initial states and the results.
"""

import onnx

from modelport_converter.onnx_graphs.graphs import attribute_of, fresh_name, names_of, scopes_of

STATES = {"LSTM": (5, 6), "GRU": (5,), "RNN": (5,)}
"""Operators with the attribute, and which of their inputs are initial states."""
SWAP = (1, 0, 2)
"""(batch, time, input) and (time, batch, input); for states (batch, direction, hidden) and (direction, batch, hidden)."""
RESULT = (2, 0, 1, 3)
"""From (time, direction, batch, hidden) to (batch, time, direction, hidden)."""


def put_time_first(model: onnx.ModelProto) -> list[str]:
    """Rewrite all nodes with layout 1 in place, and return what users must know: which nodes these are."""
    taken = names_of(model)
    rewritten: list[str] = []
    for scope in scopes_of(model):
        if not any(map(_is_batch_first, scope.nodes)):
            continue
        nodes = list(scope.nodes)
        del scope.nodes[:]
        for node in nodes:
            if _is_batch_first(node):
                rewritten.append(f"{node.name or node.output[0]} ({node.op_type})")
                scope.nodes.extend(_rewritten(node, taken))
            else:
                scope.nodes.append(node)
    if not rewritten:
        return []
    return [f"layout 1, which ONNX Runtime lacks, is replaced by transposing around {', '.join(rewritten):.150}"]


def _is_batch_first(node: onnx.NodeProto) -> bool:
    layout = attribute_of(node, "layout")
    return node.op_type in STATES and layout is not None and layout.i == 1


def _rewritten(node: onnx.NodeProto, taken: set[str]) -> list[onnx.NodeProto]:
    attributes = [each for each in node.attribute if each.name != "layout"]
    del node.attribute[:]
    node.attribute.extend(attributes)
    before, after = [], []
    for position in (0, *STATES[node.op_type]):
        if position < len(node.input) and node.input[position]:
            name = fresh_name(f"{node.input[position]}_time_first", taken)
            before.append(onnx.helper.make_node("Transpose", [node.input[position]], [name], perm=SWAP))
            node.input[position] = name
    for position, output in enumerate(node.output):
        if output:
            name = fresh_name(f"{output}_time_first", taken)
            after.append(onnx.helper.make_node("Transpose", [name], [output], perm=SWAP if position else RESULT))
            node.output[position] = name
    return [*before, node, *after]
