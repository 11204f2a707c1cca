"""Runs at once and their threads never take more than the processors, and leave few of them idle."""

import pytest

from modelport_server.execution.threads import Threads, share


@pytest.mark.parametrize("most", [None, 1, 2, 3, 7])
def test_no_more_than_there_are_and_few_left(most):
    for processors in range(1, 129):
        runs, per_run = share(processors, most)
        assert runs >= 1
        assert 1 <= per_run <= (most or processors)
        assert processors - max(runs, per_run) < runs * per_run <= processors


@pytest.mark.parametrize(
    ("processors", "most", "expected"),
    [
        (1, None, (1, 1)),
        (2, None, (1, 2)),
        (4, None, (2, 2)),
        (8, None, (2, 4)),
        (16, None, (4, 4)),
        (4, 1, (4, 1)),
        (2, 2, (1, 2)),
        (64, 2, (32, 2)),
    ],
)
def test_a_run_is_made_faster_and_not_waited_for(processors, most, expected):
    assert share(processors, most) == Threads(*expected)
