"""Ctrl-C and SIGTERM in the middle of a run: the step's processes end, the temporary folder goes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

RUN = """
import signal, sys, time
from modelport_cli import __main__ as entry
from modelport_cli.local.processes import StepProcess, start
from modelport_cli.local.workspace import open_workspace

signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in a shell's background begins with it ignored

def run():
    with open_workspace(None) as workspace:
        print(workspace.root, flush=True)
        step = "import os, time; open('pid', 'w').write(str(os.getpid())); os.rename('pid', 'running'); time.sleep(600)"
        process = StepProcess(
            steps=("hop-1",),
            command=[sys.executable, "-c", step],
            request="{}",
            job=workspace.job("convert"),
            credentials=workspace.credentials(moves="nothing"),
            scratch=workspace.scratch,
            code=workspace.scratch,
        )
        with start([process]) as (running,):
            running.wait(deadline=time.monotonic() + 600)

entry.make_app = lambda _called: lambda *_arguments, **_options: run()
entry.main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left(tmp_path, number):
    with subprocess.Popen(
        [sys.executable, "-c", RUN],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        root = Path(process.stdout.readline().strip())
        running = root / "scratch" / "running"
        while not running.exists():
            assert process.poll() is None, process.stderr.read()
            os.sched_yield()
        step = int(running.read_text())
        process.send_signal(number)
        _, errors = process.communicate()
    assert process.returncode == 130, errors
    assert errors == "interrupted\n"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(step, 0)
