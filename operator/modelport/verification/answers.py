"""What the candidate answered: answers.npz, written by try, which loads it, and read by judge, which opens no model."""

from pathlib import Path
from typing import NamedTuple

import msgspec

from modelport.api.reasons import Reason
from modelport.encoding import Message, decode
from modelport.errors import ModelportError
from modelport.storage.files import open_beneath
from modelport.verification.arrays import Array, Tensors, read_arrays, write_arrays
from modelport.verification.reference import Answers

FILE_NAME = "answers.npz"


class Company(NamedTuple):
    """The same rows, asked alone and in company: equal where the rows of a batch are independent."""

    alone: Tensors
    together: Tensors


class Tried(NamedTuple):
    """All that the candidate said."""

    samples: tuple[Answers, ...]
    """In the order of the reference's samples, edges included."""
    companies: tuple[Company, ...] = ()
    """Empty where rows cannot be told apart: no free first dimension that all inputs and outputs share."""


class _Index(Message, frozen=True, kw_only=True):
    samples: list[list[list[str]]]
    """Names of the outputs, by sample and call."""
    companies: list[tuple[list[str], list[str]]]


def write_answers(path: Path, tried: Tried) -> None:
    """Write the file."""
    index = _Index(
        samples=[[list(call) for call in answers] for answers in tried.samples],
        companies=[(list(each.alone), list(each.together)) for each in tried.companies],
    )
    arrays: dict[str, Array] = {}
    for number, answers in enumerate(tried.samples):
        for call, tensors in enumerate(answers):
            arrays |= {f"sample.{number}.{call}.{place}": each for place, each in enumerate(tensors.values())}
    for number, company in enumerate(tried.companies):
        for group, tensors in (("alone", company.alone), ("together", company.together)):
            arrays |= {f"company.{number}.{group}.{place}": each for place, each in enumerate(tensors.values())}
    write_arrays(path, msgspec.json.encode(index), arrays)


def read_answers(path: Path) -> Tried:
    """Read the file. Raises ModelportError (VerificationFailed) if it is not what `write_answers` writes."""
    with open_beneath(path.parent, path.name) as file:
        text, arrays = read_arrays(file, path.name)

    def tensors(prefix: str, names: list[str]) -> Tensors:
        return {name: arrays[f"{prefix}.{place}"] for place, name in enumerate(names)}

    try:
        index = decode(text, _Index)
        return Tried(
            tuple(
                tuple(tensors(f"sample.{number}.{call}", names) for call, names in enumerate(calls))
                for number, calls in enumerate(index.samples)
            ),
            tuple(
                Company(tensors(f"company.{number}.alone", alone), tensors(f"company.{number}.together", together))
                for number, (alone, together) in enumerate(index.companies)
            ),
        )
    except (msgspec.MsgspecError, KeyError, ValueError) as error:
        message = f"{path.name}: expected the answers of a converted model, found: {error!s:.200}"
        raise ModelportError(Reason.VERIFICATION_FAILED, message) from error
