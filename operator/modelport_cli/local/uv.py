"""uv, as the command line runs it.

It says itself how large a download is and how far it has come, and keeps each that is done in its cache: what was
stopped goes on there.
"""

import os
import subprocess
from collections import deque
from pathlib import Path

from uv import find_uv_bin

from modelport_cli.console import print_line, stderr

KEPT_LINES = 20
LISTED = (" + ", " - ", " ~ ")
"""How lines begin that list the packages of an environment one by one."""


def own_variables() -> dict[str, str]:
    """Return the environment variables without the one that leads uv and pip to the environment that this runs in."""
    return {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}


class UvError(Exception):
    """uv ended with an error: its last words."""


def run_uv(*arguments: str, folder: Path, what: str) -> None:
    """Run uv in a folder without a project, whose settings it would read. Raises UvError.

    On a terminal it draws its own bars; elsewhere its lines are told as those of `what`.
    """
    last: deque[str] = deque(maxlen=KEPT_LINES)
    with subprocess.Popen(
        [find_uv_bin(), *arguments],
        cwd=folder,
        env=own_variables(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=None if stderr.is_terminal else subprocess.PIPE,
        text=True,
        errors="replace",
    ) as child:
        try:
            for line in child.stderr or ():
                last.append(line.strip())
                if not line.startswith(LISTED):
                    print_line(f"{what}: {line.strip()}")
            child.wait()
        except BaseException:  # Ctrl-C, which does not reach it where there is no terminal
            child.terminate()
            raise
    if child.returncode != 0:
        raise UvError(" ".join(" ".join(last).split())[-600:] or "uv says why above")
