"""Write a model as a flatbuffer of TensorFlow Lite, by its own converter.

The graph that it is given has weights as constants and no calls. From one with variables the converter makes a file that
does not have them where functions call each other, and answers with what lies in memory; from calls that are known to be
recurrent layers it makes operators that begin with what the last run has left. Loops stay loops, and need lengths that
are known for all but the axis of time.
"""

import re
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from modelport.api.reasons import Reason
from modelport.api.status import Signature
from modelport.conversion.shapes import FIELD
from modelport.errors import ModelportError, describe_error, lacks_memory
from modelport.verification.arrays import Tensors
from modelport_converter.frameworks.tensorflow.graphs.flattening import flatten, inline
from modelport_converter.frameworks.tensorflow.graphs.loops import has_old_loops
from modelport_converter.frameworks.tensorflow.lite.reading import WRITING
from modelport_converter.frameworks.tensorflow.model import SERVING, Graph, Model, trace
from modelport_converter.frameworks.tensorflow.writing.gauss import has_errors, replace_errors
from modelport_converter.frameworks.tensorflow.writing.saving import fix_lengths, save_graph

FREE = re.compile(r"requires element_shape to be (?:1D tensor|static)|failed to legalize operation 'tf\.TensorList")
"""What the converter says of loops over lengths that it does not know."""
LACKING = re.compile(r"(?:Flex|Custom|Select TF) ops: ([\w, ]+)")
FAILING = re.compile(
    r"(?:failed to legalize operation|op is neither a custom op nor a flex op).*?'?tf\.(\w+)|'tf\.(\w+)' op is neither"
)
EXAMPLE = 1
"""What a suggestion has as length of a batch."""
WIDE = 64
"""And of any other free dimension."""
MAX_NAMES = 5


class Reduction(NamedTuple):
    """How numbers are made smaller."""

    precision: str | None = None
    """`float16` or `int8`, of weights."""
    samples: Sequence[Tensors] = ()
    """By whose ranges `int8` is that of numbers that are computed, too."""


def write_lite(model: Model, asked: Signature, reduction: Reduction) -> bytes:
    """Return the file's content. Raises ModelportError (ConversionFailed, ShapesNeeded)."""
    fixed = fix_lengths(model, asked)
    frozen = _freeze(trace(fixed))
    try:
        content = _convert(fixed, frozen, asked, reduction)
    except ModelportError:
        if not has_errors(frozen.function):
            raise
        frozen = frozen._replace(function=replace_errors(frozen.function))
        content = _convert(fixed, frozen, asked, reduction)
    _refuse_states(content)
    return content


def _freeze(graph: Graph) -> Graph:
    try:
        return graph._replace(function=(flatten if has_old_loops(graph.nodes) else inline)(graph.function))
    except Exception as error:  # of no common base
        if lacks_memory(error) or isinstance(error, ModelportError):
            raise
        message = f"TensorFlow does not freeze the model: {describe_error(error)}"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error


def _convert(model: Model, graph: Graph, asked: Signature, reduction: Reduction) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "saved"
        save_graph(model._replace(variables=(), holder=None), graph, saved)
        return _convert_saved(saved, asked, reduction)


def _convert_saved(saved: Path, asked: Signature, reduction: Reduction) -> bytes:
    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved), signature_keys=[SERVING])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if reduction.precision:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if reduction.precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if reduction.precision == "int8" and reduction.samples:
        converter.representative_dataset = partial(_rows, reduction.samples)
    try:
        content: bytes = converter.convert()
    except Exception as error:  # of no common base
        if lacks_memory(error):
            raise
        raise _refusal(str(error), asked) or ModelportError(
            Reason.CONVERSION_FAILED, f"TensorFlow Lite's converter: {describe_error(error)}"
        ) from error
    return content


def _rows(samples: Sequence[Tensors]) -> Iterator[Tensors]:
    """Yield samples of one row: the converter measures ranges for one shape of each input."""
    for sample in samples:
        lengths = {len(array) for array in sample.values()}
        for row in range(min(lengths)) if len(lengths) == 1 else ():
            yield {name: array[row : row + 1] for name, array in sample.items()}
        if len(lengths) > 1:
            yield sample


def _refusal(said: str, asked: Signature) -> ModelportError | None:
    free = [each for each in asked.inputs if any(isinstance(length, str) for length in each.shape)]
    if FREE.search(said) and free:
        shapes = ", ".join(f"{each.name}: {_example(each.shape)}" for each in free)
        found = ", ".join(f"{each.name} {list(each.shape)}" for each in free)
        message = (
            f"{FIELD}: expected fixed lengths, because TensorFlow Lite has no loops over others; found {found:.120}"
        )
        return ModelportError(Reason.SHAPES_NEEDED, f"{message}; state for example shapes: {{{shapes:.200}}}")
    names = dict.fromkeys(
        name.strip() for found in LACKING.finditer(said) for name in found[1].split(",") if name.strip()
    ) or dict.fromkeys(found[1] or found[2] for found in FAILING.finditer(said))
    if not names:
        return None
    told = [name.removeprefix("Flex") for name in names]
    more = f" and {len(told) - MAX_NAMES} more" if len(told) > MAX_NAMES else ""
    message = f"expected operators that TensorFlow Lite has built in, found {', '.join(told[:MAX_NAMES]):.300}{more}"
    return ModelportError(Reason.CONVERSION_FAILED, f"{message}; write the layer with others")


def _example(shape: Sequence[int | str]) -> list[int]:
    return [each if isinstance(each, int) else EXAMPLE if axis == 0 else WIDE for axis, each in enumerate(shape)]


def _refuse_states(content: bytes) -> None:
    """Raise ModelportError (ConversionFailed) for operators whose answers follow from the run before."""
    interpreter = tf.lite.Interpreter(model_content=content)
    found = WRITING & {each["op_name"] for each in interpreter._get_ops_details()}  # noqa: SLF001
    if found:
        message = f"TensorFlow Lite's converter: expected a model without states, found {', '.join(sorted(found))}"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
