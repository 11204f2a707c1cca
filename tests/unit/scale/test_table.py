"""The rows that are printed have what was measured, and none of what was not."""

from scale.table import rows

CREATED = {
    "resources": 1000,
    "ready": 998,
    "seconds": 28.4,
    "jobs": 2001,
    "duplicateJobs": 1,
    "callsPerResource": 14.99,
    "memoryMiB": 84.7,
}


def test_rows_have_the_goals_beside_what_was_seen():
    lines = list(rows({"machine": "2 cores", "killed": CREATED}))
    assert lines[:2] == ["| what | goal | seen |", "|---|---|---|"]
    told = "28 s, 2 lost; 2,001 Jobs, 1 duplicates; 15.0 calls a resource; at most 85 MiB (RSS) |"
    assert lines[2].endswith(f"| nothing lost, 0 duplicate Jobs | {told}")
    assert len(lines) == 3


def test_that_none_was_ready_is_told():
    assert "| none Ready, 1000 lost; " in list(rows({"reuse": CREATED | {"ready": 0, "seconds": None}}))[2]
