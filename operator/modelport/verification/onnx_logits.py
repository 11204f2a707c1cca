"""What goes into the final softmax or sigmoid of an ONNX graph, made an output: reference and candidate need the same.

The graph is the protobuf message that the caller read; nothing of the package onnx is needed to extend it.
"""

from collections.abc import Iterator
from typing import Any

ACTIVATIONS = ("Softmax", "LogSoftmax", "Sigmoid")
REARRANGEMENTS = ("Identity", "Squeeze", "Unsqueeze", "Transpose", "Reshape", "Flatten")
"""What leaves the elements as they are: done to the logits as well, so that they keep the output's shape."""
LOGITS = "modelport.logits."


def add_logits(graph: Any) -> Iterator[tuple[str, str]]:
    """Give a GraphProto an output for the logits of each output that has some; yield the names of both."""
    producers = {name: node for node in graph.node for name in node.output}
    for output in list(graph.output):
        chain = []
        node = producers.get(output.name)
        while node is not None and node.op_type in REARRANGEMENTS:
            chain.append(node)
            node = producers.get(node.input[0])
        if node is None or node.op_type not in ACTIVATIONS:
            continue
        name = node.input[0]
        for number, step in enumerate([*reversed(chain), None]):
            copy = graph.node.add(op_type="Identity", input=[name], output=[""])
            if step is not None:
                copy.CopyFrom(step)
            copy.input[0] = name
            copy.output[0] = name = f"{LOGITS}{output.name}.{number}"
            copy.name = name
        graph.output.add(name=name, type=output.type)
        yield output.name, name
