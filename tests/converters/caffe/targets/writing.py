"""Graphs of ONNX as Caffe's files, and what ONNX Runtime says of them."""

from pathlib import Path
from typing import Any

import onnx
import onnxruntime

from modelport.api.status import Signature, Tensor
from modelport.verification.arrays import Tensors
from modelport.verification.reference import Reference, Sample
from modelport_converter.frameworks.caffe.targeting.converting import convert_model
from modelport_converter.frameworks.caffe.targeting.layers import write_files

Lengths = dict[str, tuple[int, int]]


class RuntimeRefusesError(Exception):
    """ONNX Runtime does not load or run the graph."""


def ask(model: onnx.ModelProto, questions: list[Tensors]) -> tuple[Signature, Reference]:
    """Return what ask leaves of a model. Raises RuntimeRefusesError."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        names = [each.name for each in session.get_outputs()]
        answers = [dict(zip(names, session.run(names, each), strict=True)) for each in questions]
    except Exception as error:  # of no common base
        raise RuntimeRefusesError(str(error)) from error
    inputs = [_tensor(each.name, questions[0][each.name], each.shape) for each in session.get_inputs()]
    outputs = [_tensor(name, array, array.shape) for name, array in answers[0].items()]
    samples = tuple(Sample((given,), (answer,)) for given, answer in zip(questions, answers, strict=True))
    return Signature(inputs=inputs, outputs=outputs), Reference(samples, lengths=_lengths(inputs, questions))


def _tensor(name: str, array: Any, shape: Any) -> Tensor:
    return Tensor(name=name, dtype=array.dtype.name, shape=list(shape))


def _lengths(inputs: list[Tensor], questions: list[Tensors]) -> Lengths:
    found: dict[str, list[int]] = {}
    for each in inputs:
        for asked in questions:
            for length, number in zip(each.shape, asked[each.name].shape, strict=True):
                if isinstance(length, str):
                    found.setdefault(length, []).append(number)
    return {name: (min(each), max(each)) for name, each in found.items()}


def to_caffe(model: onnx.ModelProto, questions: list[Tensors], folder: Path, dialect: Any = "opencv") -> Reference:
    """Write both files, and return the right answers. Raises ModelportError, RuntimeRefusesError."""
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    signature, reference = ask(model, questions)
    write_files(convert_model(copy, signature, reference, dialect), folder)
    return reference
