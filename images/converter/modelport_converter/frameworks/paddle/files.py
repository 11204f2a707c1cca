"""The files of a Paddle model: a program, and its weights in one file or in a file each."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import NamedTuple

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.frameworks.paddle import PIR, PROGRAM, STATES, is_weights
from modelport.storage.trees import FolderTree
from modelport_converter.frameworks.paddle.reading import pdmodel, pir
from modelport_converter.frameworks.paddle.reading.program import MAX_BYTES, Program, corrupt
from modelport_converter.frameworks.paddle.reading.weights import combine, read_headers
from modelport_converter.tasks import find_part, has_part

READERS: dict[str, ModuleType] = {PROGRAM: pdmodel, PIR: pir}
QUANTIZED = "fake_"
"""How operators begin that round to few bits and back (paddle/phi/ops)."""
SCALED = frozenset({"quantize_linear", "dequantize_linear", "weight_only_linear", "weight_quantize", "llm_int8_linear"})


LISTS = frozenset({"write_to_array", "read_from_array", "array_write", "array_read", "create_array"})
"""Operators on lists of tensors."""


LEVELS = frozenset({
    "attention_lstm", "crf_decoding", "fusion_gru", "fusion_lstm", "gru", "im2sequence", "linear_chain_crf", "lod_reset",
    "lstm", "lstmp", "row_conv",
})  # fmt: skip
"""Operators of Paddle 1 on sequences that lie one behind the other, as the levels of a tensor say (lod_level)."""
SEQUENCES, MASK = "sequence_", "sequence_mask"
"""How other operators begin that take sequences one behind the other, and the one among them that does not."""


PUT, PUT_SLOTS = "index_put", ("x", "indices")
"""The operator that writes at places, and what Paddle 2 calls its inputs."""
WRITTEN = "assign_value"
"""The operator that makes a constant of several numbers."""
EVERYWHERE = frozenset({0, -1})
"""Places that an axis of any length has."""


class Files(NamedTuple):
    """A model that was read."""

    program: Program
    path: Path
    """Of the program."""
    weights: Path | None
    """A combined file; None if the program has no weights, or they have a file each beside it."""

    @property
    def name(self) -> str:
        """The program's file."""
        return self.path.name


def read_files(tree: FolderTree, format_name: str) -> Files:
    """Return the model. Raises ModelportError (SourceCorrupt, ConversionFailed)."""
    if format_name == PROGRAM and has_part(tree, format_name, STATES):
        path = find_part(tree, format_name, STATES)
        message = (
            f"{path.name:.100}: weights or an optimizer's state alone (paddle.save), which hold no network; build the "
            "network in Python, load them, and save it with paddle.jit.save and its input_spec"
        )
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    path = find_part(tree, format_name)
    if path.stat().st_size > MAX_BYTES:
        raise corrupt(path.name, f"a program of at most {MAX_BYTES} bytes", path.stat().st_size)
    program: Program = READERS[format_name].read_program(path.read_bytes(), path.name)
    weights = find_part(tree, format_name, "weights") if has_part(tree, format_name, "weights") else None
    if not program.weights:
        weights = None
    elif weights is not None:
        read_headers(weights, program.weights)
    else:
        _check_apart(tree, path, program)
    _refuse_unreadable(program, path.name)
    return Files(program, path, weights)


@contextmanager
def combined(files: Files) -> Iterator[Path | None]:
    """Give the combined file of the weights, made if there is none; None where the program has no weights."""
    if files.weights or not files.program.weights:
        yield files.weights
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pdiparams"
        combine(files.path.parent, files.program.weights, path)
        yield path


def _check_apart(tree: FolderTree, path: Path, program: Program) -> None:
    folder = path.parent.relative_to(tree.root).as_posix()
    named = {each.name: each.name if folder == "." else f"{folder}/{each.name}" for each in program.weights}
    lacking = [name for name, file in named.items() if file not in tree.paths or not is_weights(tree, file)]
    if lacking:
        raise corrupt(
            path.name,
            f"its {len(named)} weights in a file beside it (.pdiparams, __params__) or in a file each",
            f"none for {', '.join(lacking)}",
        )
    for each in program.weights:
        read_headers(path.parent / each.name, [each])


def _refuse_unreadable(program: Program, name: str) -> None:
    """Raise ModelportError (ConversionFailed) for what nothing here can convert, before it is asked."""
    found = sorted(each for each in program.kinds if each.startswith(QUANTIZED) or each in SCALED)
    if found:
        message = (
            f"{name:.100}: expected a model of floating-point numbers, found operators that quantise: "
            f"{', '.join(found):.150}; export it before quantisation, and ask for int8 with "
            "spec.target.options.precision"
        )
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    behind = sorted(each for each in program.kinds if each in LEVELS or (each.startswith(SEQUENCES) and each != MASK))
    if behind:
        message = (
            f"{name:.100}: expected sequences that are padded, found operators on sequences one behind the other (lod_level): "
            f"{', '.join(behind):.150}; build the network with nn.GRU or nn.LSTM, and lengths as an input"
        )
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    _refuse_beyond(program, name)
    kept = sorted(program.kinds & LISTS)
    if kept and "while" in program.kinds:  # some of them never end in Paddle's inference engine
        message = (
            f"{name:.100}: expected loops over tensors, found one that keeps a list of them: {', '.join(kept):.150}; "
            "use nn.LSTM, nn.GRU or nn.SimpleRNN in place of nn.RNN around a cell"
        )
        raise ModelportError(Reason.CONVERSION_FAILED, message)


def _refuse_beyond(program: Program, name: str) -> None:
    """Raise ModelportError (ConversionFailed) for places on an axis of a free length: Paddle writes beyond its end."""
    numbers = {
        made: each.attributes.get("values", ())
        for each in program.operators
        for made in each.outputs.get("Out", ())
        if each.kind == WRITTEN
    }
    for operator in program.operators:
        if operator.kind != PUT:
            continue
        slots = (
            operator.inputs.get(new) or operator.inputs.get(old, ()) for new, old in zip(PUT_SLOTS, "X1", strict=True)
        )
        (value, *_), places = slots
        axis = 0
        for each in places:
            found = program.values[each]
            told = numbers.get(each) or program.constants.get(each, ())
            is_sure = found.dtype == "bool" or (told and set(told) <= EVERYWHERE)
            if program.values[value].shape[axis] < 0 and not is_sure:
                message = (
                    f"{name:.100}: operator {PUT}: expected places on axes of fixed lengths, found some on axis {axis}, "
                    "whose length is free: Paddle writes beyond its end; state the length in input_spec, or choose by a "
                    "mask, as paddle.where does"
                )
                raise ModelportError(Reason.CONVERSION_FAILED, message)
            axis += len(found.shape) if found.dtype == "bool" else 1
