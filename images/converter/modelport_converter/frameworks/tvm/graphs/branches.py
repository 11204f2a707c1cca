"""Branches whose condition is a constant are taken at once: TVM compiles no control flow."""

import onnx
from onnx.helper import make_node

from modelport_converter.onnx_graphs.graphs import Constants, attribute_of, fresh_name, names_of, subgraphs_of


def settle_branches(model: onnx.ModelProto) -> bool:
    """Put the nodes of the branch that is taken in the place of each If whose condition is known; tell if there was one."""
    is_changed = False
    while found := _next(model):
        index, branch = found
        _rename(branch, names_of(model))
        node = model.graph.node[index]
        moved = [
            *branch.node,
            *(
                make_node("Identity", [given.name], [name])
                for given, name in zip(branch.output, node.output, strict=True)
            ),
        ]
        model.graph.initializer.extend(branch.initializer)
        rest = [*model.graph.node[:index], *moved, *model.graph.node[index + 1 :]]
        kept = [onnx.NodeProto.FromString(each.SerializeToString()) for each in rest]
        del model.graph.node[:]
        model.graph.node.extend(kept)
        is_changed = True
    return is_changed


def _rename(branch: onnx.GraphProto, taken: set[str]) -> None:
    """Give the values of a branch names that nothing else has: those of two branches may be the same."""
    own = [*(tensor.name for tensor in branch.initializer), *(name for node in branch.node for name in node.output)]
    names = {name: fresh_name(name, taken) for name in own if name}
    for tensor in branch.initializer:
        tensor.name = names[tensor.name]
    for value in branch.output:
        value.name = names.get(value.name, value.name)
    nodes = list(branch.node)
    for node in nodes:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for graph in subgraphs_of([node]):
            nodes.extend(graph.node)
            for value in graph.output:
                value.name = names.get(value.name, value.name)


def _next(model: onnx.ModelProto) -> tuple[int, onnx.GraphProto] | None:
    constants = Constants(model)
    for index, node in enumerate(model.graph.node):
        condition = constants.read(node.input[0]) if node.op_type == "If" else None
        if condition is not None:
            taken = attribute_of(node, "then_branch" if condition.all() else "else_branch")
            assert taken is not None, "onnx's checker asks for both"
            return index, taken.g
    return None
