"""What TVM's frontend cannot read, refused before anything is compiled: by operator, with the nodes' names."""

import onnx
from tvm.relax.frontend.onnx import onnx_frontend

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_converter.frameworks.tvm.graphs.mistakes import Find, mistakes_in

CONTROL_FLOW = ("If", "Loop", "Scan")
RECURRENT = ("GRU", "LSTM", "RNN")
MOST_NODES = 4
DOMAINS = ("", "ai.onnx")


def refuse_unsupported(model: onnx.ModelProto) -> None:
    """Raise ModelportError (ConversionFailed) that names every operator which TVM's frontend lacks or misreads."""
    nodes: dict[str, list[str]] = {}
    known = onnx_frontend._get_convert_map()  # noqa: SLF001  # there is no other list
    find_mistake = mistakes_in(model)
    for node in model.graph.node:
        if told := _fault(node, known, find_mistake):
            nodes.setdefault(told, []).append(node.name or node.output[0])
    if nodes:
        told = "; ".join(f"{fault}: {_listed(names)}" for fault, names in nodes.items())
        raise ModelportError(Reason.CONVERSION_FAILED, f"TVM {told:.450}; choose another target")


def _fault(node: onnx.NodeProto, known: dict[str, object], find_mistake: Find) -> str:
    if node.domain not in DOMAINS:
        return f"has no operator {node.domain}:{node.op_type}"
    if node.op_type in CONTROL_FLOW:
        return f"has no control flow, found {node.op_type}"
    if node.op_type in RECURRENT:
        return (
            f"has no {node.op_type}, which is unrolled where the length of its sequence is fixed (spec.target.shapes)"
        )
    if node.op_type not in known and node.op_type != "Constant":
        return f"has no operator {node.op_type}"
    return find_mistake(node)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NODES} more" if len(names) > MOST_NODES else ""
    return f"node {', '.join(name[:60] for name in names[:MOST_NODES])}{more}"
