"""Models of tables become ONNX: trees by one operator, all else by what computes the same in float64."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import onnx

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.api.status import Signature, Tensor
from modelport.conversion.onnx_options import OnnxOptions
from modelport.errors import ModelportError, lacks_memory
from modelport.steps.handover import read_signature, write_caveats
from modelport.verification.reference import FILE_NAME, read_reference
from modelport_converter.onnx_graphs.files import finish_model, write_model
from modelport_converter.onnx_graphs.writing import OPSET, value_info
from modelport_converter.tables.graph import TableGraph
from modelport_converter.tables.naming import named_apart
from modelport_converter.tables.table import Table, find_inputs, make_frame, texts_seen
from modelport_converter.tasks import MODEL, HopTask, last_line

OLDEST = 13
"""The first operator set whose operators all take float64 as they are written here."""


def write_table(
    task: HopTask, options: OnnxOptions, open_table: Callable[[Mapping[str, Sequence[str]]], Table]
) -> None:
    """Write the model of a table as it was asked for; `open_table` gets texts of the samples, where the file has none.

    Raises ModelportError.
    """
    table, signature = open_table({}), read_signature(task.asked)
    inputs = find_inputs(table, task.request.inputs)
    graph = TableGraph([each.name for each in (*inputs, *(signature.outputs or ()))])
    if any(column.is_text and not column.texts for column in table.columns):
        samples = read_reference(task.asked / FILE_NAME).usual
        seen = texts_seen(table, inputs, [tensors for sample in samples for tensors in sample.inputs])
        table = open_table(seen)
    write_answers(
        task, options, inputs, graph, lambda: named_apart(table.write(make_frame(graph, table, inputs)), inputs)
    )


def write_answers(
    task: HopTask,
    options: OnnxOptions,
    inputs: Sequence[Input],
    graph: TableGraph,
    write: Callable[[], Mapping[str, str]],
) -> None:
    """Write the model whose answers, by the names of outputs, `write` adds to the graph of the inputs. Raises ModelportError."""
    if options.opset and options.opset < OLDEST:
        message = f"options.opset: expected {OLDEST} or newer for models of tables, found {options.opset}"
        raise ModelportError(Reason.INVALID_SPEC, message)
    signature = read_signature(task.asked)
    try:
        answers = write()
    except Exception as error:  # of estimators whose attributes are others than their class says
        if lacks_memory(error) or isinstance(error, ModelportError):
            raise
        raise ModelportError(Reason.CONVERSION_FAILED, f"the model as ONNX: {last_line(error)}") from error
    _write_outputs(graph, answers, signature)
    model = graph.finish(
        "table",
        [_declared(each) for each in inputs],
        [_declared(each) for each in signature.outputs or ()],
        options.opset or OPSET,
    )
    path = task.out / MODEL / "model.onnx"
    path.parent.mkdir()
    write_model(model, path)
    finish_model(path, simplify=options.simplify, precision=options.precision)
    write_caveats(task.out, graph.caveats)


def _write_outputs(graph: TableGraph, answers: Mapping[str, str], signature: Signature) -> None:
    for each in signature.outputs or ():
        lengths = [length if isinstance(length, int) else -1 for length in each.shape]
        if each.name not in answers or lengths.count(-1) > 1:
            message = f"output {each.name}{each.shape}: the converter has {', '.join(answers):.200}"
            raise ModelportError(Reason.CONVERSION_FAILED, message)
        value = graph.reshape(answers[each.name], *lengths)
        if each.dtype == "string":
            graph.add("Identity", value, out=each.name)
        else:
            graph.cast(value, np.dtype(each.dtype), out=each.name)


def _declared(each: Input | Tensor) -> onnx.ValueInfoProto:
    return value_info(each.name, each.dtype, each.shape)
