"""Ask an ONNX model, node by node as it is written."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import onnx

from modelport.asking.onnxruntime.sessions import make_run as run_of_session
from modelport.asking.onnxruntime.sessions import open_session
from modelport.errors import ModelportError
from modelport.verification.arrays import Array, Tensors
from modelport.verification.calls import Infer
from modelport_converter.onnx_graphs.graphs import subgraphs_of


def make_run(model: onnx.ModelProto, path: Path) -> Infer:
    """Return the function that asks the model of the file at `path`, which lies beside its external data.

    Raises ModelportError (RuntimeUnsupported) if ONNX Runtime does not load it.
    """
    run = run_of_session(open_session(path, level="none", content=model.SerializeToString()))
    return _named(model, run)


def make_slow_run(model: onnx.ModelProto, refusal: ModelportError) -> Infer:
    """Return the function that asks a model by onnx's own evaluator, which has kernels that ONNX Runtime lacks.

    It takes all weights inside, and raises `refusal` where the evaluator cannot load the model either.
    """
    from onnx.reference import ReferenceEvaluator  # loads all operators, which takes its time

    try:
        evaluator = ReferenceEvaluator(model)
        _release(evaluator, model.graph)
    except Exception as error:  # it raises what its operators raise
        raise refusal from error
    return _named(model, lambda tensors: list(evaluator.run(None, tensors)))


class _Release:
    """A node for onnx's evaluator, which keeps all values to the end: it forgets what no later node reads.

    Else the scores of every attention stay, a gigabyte and more for one row of a usual length.
    """

    op_type, input, output, has_linked_attribute = "Release", (), (), False

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)

    def need_context(self) -> bool:
        return True

    def run(self, *, context: dict[str, object], **_: object) -> tuple[()]:
        for name in self._names:
            context.pop(name, None)
        return ()


def _release(evaluator: Any, graph: onnx.GraphProto) -> None:
    """Have an evaluator of the graph forget each value behind the last node that reads it."""
    last = {name: number for number, node in enumerate(graph.node) for name in (*node.output, *_read_by(node))}
    made = {name for node in graph.node for name in node.output} - {value.name for value in graph.output}
    behind: list[list[str]] = [[] for _ in graph.node]
    for name in made:
        behind[last[name]].append(name)
    steps = zip(evaluator.rt_nodes_, behind, strict=True)
    evaluator.rt_nodes_ = [each for node, names in steps for each in (node, _Release(names))]


def _read_by(node: onnx.NodeProto) -> Iterator[str]:
    yield from node.input
    for inner in subgraphs_of([node]):
        yield from (value.name for value in inner.output)
        for each in inner.node:
            yield from _read_by(each)


def _named(model: onnx.ModelProto, run: Callable[[Tensors], list[Array]]) -> Infer:
    outputs = [value.name for value in model.graph.output]
    return lambda tensors: dict(zip(outputs, run(tensors), strict=True))
