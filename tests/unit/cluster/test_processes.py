"""No process is trusted or ended that is not provably the one that was started."""

import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from devcluster.machine import processes
from devcluster.machine.processes import Record

SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")


def fake_proc(root: Path, stat: str) -> Path:
    (root / "sys/kernel/random").mkdir(parents=True)
    (root / "sys/kernel/random/boot_id").write_text("boot\n")
    (root / "7").mkdir()
    (root / "7/stat").write_text(stat)
    (root / "7/cmdline").write_text("etcd\0--data-dir=/state/etcd\0")
    return root


def stat_line(state: str = "S", start: int = 4711) -> str:
    return f"7 (a) b (c)) {state} " + " ".join(["1"] * 18) + f" {start} 9 9"


RECORD = Record(pid=7, start_time="4711", boot_id="boot", fingerprint="f")


@pytest.mark.parametrize(
    ("stat", "record", "alive"),
    [
        (stat_line(), RECORD, True),
        (stat_line(start=4712), RECORD, False),
        (stat_line(state="Z"), RECORD, False),
        (stat_line(), replace(RECORD, boot_id="an earlier boot"), False),
        (stat_line(), replace(RECORD, pid=8), False),
    ],
    ids=["same", "pid reused", "zombie", "other boot", "gone"],
)
def test_is_alive(tmp_path: Path, stat: str, record: Record, alive: bool) -> None:
    assert processes.is_alive(record, fake_proc(tmp_path, stat)) is alive


def test_find_needs_exactly_the_arguments(tmp_path: Path) -> None:
    proc = fake_proc(tmp_path, stat_line())
    assert [r.pid for r in processes.find(("etcd", "--data-dir=/state/etcd"), proc)] == [7]
    assert processes.find(("etcd", "--data-dir=/state"), proc) == []
    assert processes.find(("etcd",), proc) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_broken_record_is_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "record.json"
    assert processes.read_record(file) is None
    file.write_text(text)
    assert processes.read_record(file) is None


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # a daemon outlives the object that started it
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_started_process_is_found_and_stopped(tmp_path: Path) -> None:
    file = tmp_path / "sleep.json"
    record = processes.start(SLEEP, file=file, log=tmp_path / "log", mark="m")
    try:
        assert processes.read_record(file) == record
        assert processes.is_alive(record)
    finally:
        processes.stop(file)
    assert not processes.is_alive(record)
    assert not file.exists()


def test_stop_spares_a_process_that_took_over_the_pid(tmp_path: Path) -> None:
    with subprocess.Popen(SLEEP) as stranger:
        file = tmp_path / "old.json"
        record = Record(pid=stranger.pid, start_time="1", boot_id=processes.boot_id(), fingerprint="")
        file.write_text(json.dumps(asdict(record)))
        processes.stop(file)
        assert stranger.poll() is None
        stranger.kill()


def test_fingerprint_follows_command_and_files(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("a")
    marks = {processes.fingerprint(("x", "1"), [config]), processes.fingerprint(("x", "2"), [config])}
    config.write_text("b")
    marks.add(processes.fingerprint(("x", "1"), [config]))
    assert len(marks) == 3
