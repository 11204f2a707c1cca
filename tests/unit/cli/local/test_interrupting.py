"""Ctrl-C and SIGTERM in the middle of a run: the step's processes end, the temporary folder goes."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

RUN = '''
import signal, sys, time
from modelport_cli import __main__ as entry
from modelport_cli.local.processes import StepProcess, start
from modelport_cli.local.workspace import open_workspace

signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in a shell's background begins with it ignored

def run():
    with open_workspace(None) as workspace:
        print(workspace.root, flush=True)
        def process(name): return StepProcess(
            steps=(name,),
            command=[sys.executable, "-c", STEP, name],
            request="{}",
            job=workspace.job("convert"),
            credentials=workspace.credentials(moves="nothing"),
            scratch=workspace.scratch("all"),
            code=workspace.root,
        )
        with start([process("hop-1"), process("try")]) as (running, _):
            running.wait(deadline=time.monotonic() + 600)

STEP = """
import os, signal, sys, time
name = sys.argv[1]
def stay(*_):  # until it is killed
    open(name + ".ending", "w").close()
    time.sleep(600)
signal.signal(signal.SIGTERM, stay)
open(name, "w").write(str(os.getpid()))
os.rename(name, name + ".running")
time.sleep(600)
"""
entry.make_app = lambda _called: lambda *_arguments, **_options: run()
entry.main()
'''


@pytest.mark.parametrize("signals", [[signal.SIGINT], [signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
def test_nothing_is_left(tmp_path, signals):
    with subprocess.Popen(
        [sys.executable, "-c", RUN],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:
        scratch = Path(process.stdout.readline().strip()) / "scratch" / "all"

        def wait_for(name):
            while not (scratch / name).exists():
                assert process.poll() is None, process.stderr.read()
                os.sched_yield()

        for name in ("hop-1.running", "try.running"):
            wait_for(name)
        steps = [int((scratch / name).read_text()) for name in ("hop-1.running", "try.running")]
        for number in signals:
            process.send_signal(number)
            wait_for("hop-1.ending")  # the second comes while steps are being ended
        _, errors = process.communicate()
    assert process.returncode == 130, errors
    assert errors == "interrupted\n"
    assert list(tmp_path.iterdir()) == []
    for step in steps:
        with pytest.raises(ProcessLookupError):
            os.kill(step, 0)
