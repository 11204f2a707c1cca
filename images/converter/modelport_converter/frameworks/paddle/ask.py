"""Paddle's models are asked by Paddle itself: its newest release runs the programs of all generations."""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from modelport.storage.trees import open_tree
from modelport.verification.calls import Infer
from modelport.verification.source.model import Source
from modelport_converter.frameworks.paddle.answering import open_answering
from modelport_converter.frameworks.paddle.files import Files, combined, read_files
from modelport_converter.frameworks.paddle.hints import find_hints, find_lengths
from modelport_converter.frameworks.paddle.lengths import find_inputs
from modelport_converter.frameworks.paddle.reading.program import RANDOM
from modelport_converter.frameworks.paddle.reading.weights import write_moved
from modelport_converter.tasks import SourceTask


def open_source(task: SourceTask) -> Source:
    """Return the source model, loaded. Raises ModelportError."""
    files = read_files(open_tree(task.model), task.request.source_format)
    program = files.program
    with combined(files) as weights:
        run = open_answering(files.path, weights, program.inputs, program.outputs)
    types = {value.dtype for value in (*program.values.values(), *program.weights)}
    return Source(
        find_inputs(program.inputs, task.request.inputs, run),
        run,
        lambda: sorted(program.kinds & RANDOM),
        hints=find_hints(program),
        precision="float16" if "float16" in types else "float32",
        dimensions=find_lengths(program),
        move_weights=(lambda: _move_weights(files)) if program.weights else None,
    )


def _move_weights(files: Files) -> Infer:
    with ExitStack() as stack:
        weights = stack.enter_context(combined(files))
        assert weights
        moved = Path(stack.enter_context(TemporaryDirectory())) / "moved.pdiparams"
        write_moved(weights, files.program.weights, moved)
        return open_answering(files.path, moved, files.program.inputs, files.program.outputs)
