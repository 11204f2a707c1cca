"""What the source model answers to the samples, and how much it disagrees with itself: reference.npz.

The first hop of a conversion writes it; verify reads it, with nothing of the source's framework at hand.
"""

from pathlib import Path
from typing import NamedTuple

import msgspec

from modelport.contract import Message, ModelportError
from modelport.files import open_beneath
from modelport.reasons import Reason
from modelport.verification.arrays import Tensors, read_arrays, write_arrays

FILE_NAME = "reference.npz"


class Answer(NamedTuple):
    """What a model says to one sample."""

    outputs: Tensors
    """By name, in the model's order."""
    logits: Tensors
    """By output name: the tensor before the final softmax or sigmoid of that output, where it has one."""


class Sample(NamedTuple):
    """One question and the source model's answer."""

    inputs: Tensors
    answer: Answer


class Floors(NamedTuple):
    """Relative RMS of the source model against itself, by output: of the output, and of its logits."""

    outputs: dict[str, float]
    logits: dict[str, float]


class Reference(NamedTuple):
    """All that verification needs to know about the source model."""

    samples: tuple[Sample, ...]
    floors: Floors


class _Index(Message, frozen=True, kw_only=True):
    inputs: list[str]
    outputs: list[str]
    logits: list[str]
    samples: int
    output_floors: dict[str, str]  # decimal strings: JSON has no NaN and no Infinity
    logit_floors: dict[str, str]


def write_reference(path: Path, reference: Reference) -> None:
    """Write the file. All samples have the same inputs, outputs and logits."""
    first = reference.samples[0]
    index = _Index(
        inputs=list(first.inputs),
        outputs=list(first.answer.outputs),
        logits=list(first.answer.logits),
        samples=len(reference.samples),
        output_floors={name: repr(floor) for name, floor in reference.floors.outputs.items()},
        logit_floors={name: repr(floor) for name, floor in reference.floors.logits.items()},
    )
    arrays = {
        f"{number}.{group}.{position}": array
        for number, (inputs, answer) in enumerate(reference.samples)
        for group, tensors in (("inputs", inputs), ("outputs", answer.outputs), ("logits", answer.logits))
        for position, array in enumerate(tensors.values())
    }
    write_arrays(path, msgspec.json.encode(index), arrays)


def read_reference(path: Path) -> Reference:
    """Read the file. Raises ModelportError (ConversionFailed) if it is not what `write_reference` writes."""
    with open_beneath(path.parent, path.name) as file:
        text, arrays = read_arrays(file, path.name)

    def group(number: int, name: str, names: list[str]) -> Tensors:
        return {each: arrays[f"{number}.{name}.{position}"] for position, each in enumerate(names)}

    try:
        index = msgspec.json.decode(text, type=_Index)
        samples = tuple(
            Sample(
                group(number, "inputs", index.inputs),
                Answer(group(number, "outputs", index.outputs), group(number, "logits", index.logits)),
            )
            for number in range(index.samples)
        )
        floors = Floors(
            {name: float(floor) for name, floor in index.output_floors.items()},
            {name: float(floor) for name, floor in index.logit_floors.items()},
        )
    except (msgspec.MsgspecError, KeyError, ValueError) as error:
        message = f"{path.name}: expected the reference of a source model, found: {error!s:.200}"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error
    if not samples or set(floors.outputs) != set(index.outputs) or set(floors.logits) != set(index.logits):
        raise ModelportError(
            Reason.CONVERSION_FAILED, f"{path.name}: expected samples and a noise floor of each output"
        )
    return Reference(samples, floors)
