"""A program as Paddle runs it: by its inference engine, without any of its optimisations."""

import os
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("GLOG_minloglevel", "3")  # read when Paddle is imported

with warnings.catch_warnings():  # about compilers, which nothing here asks for
    warnings.simplefilter("ignore")
    import paddle
    import paddle.inference

from modelport.api.reasons import Reason
from modelport.errors import ModelportError, lacks_memory
from modelport.verification.arrays import Tensors
from modelport.verification.calls import Infer
from modelport_converter.frameworks.paddle.reading.program import Value
from modelport_converter.tasks import last_line

VERSION = str(paddle.__version__)
SUMMARY = re.compile(r"^\s*(\w+Error: .+|\(\w+\) .+)$", re.MULTILINE)
OPERATOR = re.compile(r"\[operator < (\w+) > error\]")
paddle.disable_signal_handler()  # whoever started the step tells what a crash is


def open_answering(path: Path, weights: Path | None, inputs: Sequence[Value], outputs: Sequence[Value]) -> Infer:
    """Return what answers; inputs and outputs are told in the program's order. Raises ModelportError (ConversionFailed)."""
    predictor = _open(path, weights)
    taken, made = predictor.get_input_names(), predictor.get_output_names()
    if len(made) != len(outputs) or set(taken) != {each.name for each in inputs}:
        found = f"{', '.join(taken)} and {len(made)} outputs"
        message = f"{path.name}: expected inputs {', '.join(each.name for each in inputs)} and {len(outputs)} outputs, found {found}"
        raise ModelportError(Reason.CONVERSION_FAILED, message[:400])

    def run(tensors: Tensors) -> Tensors:
        for name in taken:
            predictor.get_input_handle(name).copy_from_cpu(tensors[name])
        try:
            predictor.run()
        except Exception as error:  # of no common base
            if lacks_memory(error):
                raise
            raise type(error)(_summary(error)) from error
        return {
            value.name: predictor.get_output_handle(name).copy_to_cpu()
            for value, name in zip(outputs, made, strict=True)
        }

    return run


def _summary(error: Exception) -> str:
    """Return what Paddle says at the end, behind where the program was built and where it failed."""
    text = str(error)
    told, operator = SUMMARY.findall(text), OPERATOR.search(text)
    last = told[-1] if told else last_line(error)
    return f"operator {operator[1]}: {last}" if operator else last


def _open(path: Path, weights: Path | None) -> Any:
    config = paddle.inference.Config(str(path), str(weights or ""))
    config.disable_gpu()
    config.disable_glog_info()
    config.disable_mkldnn()
    config.switch_ir_optim(False)
    config.set_cpu_math_library_num_threads(1)
    try:
        return paddle.inference.create_predictor(config)
    except Exception as error:  # of no common base
        if lacks_memory(error):
            raise
        message = f"{path.name}: Paddle {VERSION} cannot load the program: {last_line(error)}"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error
