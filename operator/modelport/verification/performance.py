"""How fast a model answers: the source where it is asked, the candidate where it is tried, by the same questions.

Steps measure for a moment each, in a pod where others load their frameworks meanwhile: a first impression, no benchmark.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from modelport.api.status import Latency, Performance
from modelport.encoding import Message, decode
from modelport.errors import ModelportError
from modelport.storage.files import read_bytes
from modelport.verification.arrays import Array
from modelport.verification.calls import Infer
from modelport.verification.reference import Sample

FILE_NAME = "performance.json"
MAX_JSON_BYTES = 4_096
MILLISECONDS = 200
"""For each question."""
MIN_RUNS = 2
MAX_RUNS = 1_000
Milliseconds = Annotated[float, Meta(ge=0, le=1e9)]


class Measured(Message, frozen=True, kw_only=True):
    """What a step measured of one question: percentiles of the time of an answer."""

    rows: Annotated[int, Meta(ge=0, le=1 << 40)]
    """Length of the first axis of the first input that has one."""
    p50: Milliseconds
    p99: Milliseconds


class Measurement(Message, frozen=True, kw_only=True):
    """What a step measured of a model."""

    questions: Annotated[list[Measured], Meta(max_length=2)]
    load_milliseconds: Milliseconds = 0
    memory_bytes: Annotated[int, Meta(ge=0, le=1 << 60)] = 0
    """The most that the process ever had."""


def measure(infer: Infer, samples: Sequence[Sample]) -> list[Measured]:
    """Ask the shortest and the longest batch of the samples again and again; equal ones once.

    The first call of each is taken, so that states are those that a sequence begins with.
    """
    by_rows = {_rows(sample): sample for sample in reversed(samples)}
    return [_time(infer, by_rows[rows], rows) for rows in sorted({min(by_rows), max(by_rows)})]


def write_measurement(folder: Path, measurement: Measurement) -> None:
    """Leave what a step measured."""
    (folder / FILE_NAME).write_bytes(msgspec.json.encode(measurement))


def read_performance(asked: Path, tried: Path) -> Performance | None:
    """Return what the two steps measured in their folders, side by side; None where one left nothing that can be read."""
    try:
        source, candidate = (
            decode(read_bytes(folder, FILE_NAME, MAX_JSON_BYTES), Measurement) for folder in (asked, tried)
        )
    except (FileNotFoundError, msgspec.DecodeError, ModelportError):
        return None
    by_rows = {each.rows: each for each in source.questions}
    latencies = [
        Latency(
            rows=each.rows,
            p50=_shown(each.p50),
            p99=_shown(each.p99),
            source_p50=_shown(by_rows[each.rows].p50),
            source_p99=_shown(by_rows[each.rows].p99),
        )
        for each in candidate.questions
        if each.rows in by_rows
    ]
    return Performance(
        latencies=latencies,
        load_milliseconds=_shown(candidate.load_milliseconds),
        memory_bytes=candidate.memory_bytes,
    )


def _rows(sample: Sample) -> int:
    arrays: list[Array] = list(sample.inputs[0].values())
    return next((int(array.shape[0]) for array in arrays if array.ndim), 1)


def _time(infer: Infer, sample: Sample, rows: int) -> Measured:
    times: list[float] = []
    while len(times) < MIN_RUNS or (sum(times) < MILLISECONDS and len(times) < MAX_RUNS):
        started = time.perf_counter()
        infer(sample.inputs[0])
        times.append((time.perf_counter() - started) * 1e3)
    p50, p99 = np.percentile(times, (50, 99))
    return Measured(rows=rows, p50=float(p50), p99=float(p99))


def _shown(milliseconds: float) -> str:
    return f"{milliseconds:.3g}"
