"""What answers cost: the shortest and the longest batch, source and candidate side by side, claims of others bounded."""

import msgspec
import numpy as np
import pytest

from modelport.verification.performance import (
    FILE_NAME,
    MIN_RUNS,
    Measured,
    Measurement,
    measure,
    read_performance,
    write_measurement,
)
from modelport.verification.reference import Sample


def sample(rows):
    return Sample(({"scale": np.float32(1), "x": np.zeros((rows, 3), np.float32)},), ({"y": np.zeros(rows)},))


def test_the_shortest_and_the_longest_batch_are_asked(monkeypatch):
    monkeypatch.setattr("modelport.verification.performance.MILLISECONDS", 0)
    asked = []

    def infer(inputs):
        asked.append(len(inputs["x"]))
        return {}

    measured = measure(infer, [sample(rows) for rows in (2, 1, 33, 3, 1)])
    assert [each.rows for each in measured] == [1, 33]
    assert asked == [1] * MIN_RUNS + [33] * MIN_RUNS
    assert all(0 <= each.p50 <= each.p99 for each in measured)


def test_one_length_is_asked_once():
    assert [each.rows for each in measure(lambda _inputs: {}, [sample(4), sample(4)])] == [4]


def measurement(*rows, p50=1.2345):
    questions = [Measured(rows=each, p50=p50, p99=2 * p50) for each in rows]
    return Measurement(questions=questions, load_milliseconds=12.345, memory_bytes=7)


def test_both_are_told_side_by_side(tmp_path):
    asked, tried = tmp_path / "ask", tmp_path / "try"
    for folder, given in ((asked, measurement(1, 33, p50=10)), (tried, measurement(1, 33))):
        folder.mkdir()
        write_measurement(folder, given)
    told = read_performance(asked, tried)
    assert [msgspec.to_builtins(each) for each in told.latencies] == [
        {"rows": rows, "p50": "1.23", "p99": "2.47", "sourceP50": "10", "sourceP99": "20"} for rows in (1, 33)
    ]
    assert (told.load_milliseconds, told.memory_bytes) == ("12.3", 7)


@pytest.mark.parametrize("left", [b"", b"[]", b'{"questions": [{"rows": -1, "p50": 1, "p99": 1}]}', b"x" * 5000])
def test_what_a_step_leaves_is_no_reason_to_fail(tmp_path, left):
    write_measurement(tmp_path, measurement(1))
    other = tmp_path / "other"
    other.mkdir()
    (other / FILE_NAME).write_bytes(left)
    assert read_performance(tmp_path, other) is None
    assert read_performance(other, tmp_path) is None
    assert read_performance(tmp_path / "absent", tmp_path) is None
