"""What people see: results on stdout, progress and errors on stderr.

Progress appears for what takes longer than two seconds: one line that changes on a terminal, plain lines elsewhere, so
that logs stay readable. Nothing of it mixes with results, which may be piped.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import msgspec
from rich.console import Console, RenderableType
from rich.table import Table

QUIET_SECONDS = 2.0

stdout = Console(highlight=False, soft_wrap=True)
stderr = Console(stderr=True, highlight=False, soft_wrap=True)


def print_error(message: str, hint: str = "") -> None:
    """Print one line that says what happened, and one that says what to do."""
    stderr.print("[bold red]error:[/] ", end="")
    stderr.print(message, markup=False)
    if hint:
        stderr.print("[bold]hint:[/] ", end="")
        stderr.print(hint, markup=False)


def print_line(message: str) -> None:
    """Print a line of a longer work's story on stderr."""
    stderr.print(message, markup=False)


def print_json(value: object) -> None:
    """Print data on stdout."""
    stdout.out(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def plain_table(*headers: str) -> Table:
    """Return a table as kubectl prints them: columns, no lines."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold" if stdout.is_terminal else "none")
    for header in headers:
        table.add_column(header, overflow="fold")
    return table


def print_table(table: RenderableType) -> None:
    """Print a table, or what has one in it, on stdout, never wrapped to the width of a pipe."""
    if stdout.is_terminal:
        stdout.print(table)
    else:
        Console(file=sys.stdout, width=1_000, highlight=False, color_system=None).print(table)


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Show that `what` goes on, from two seconds after it began."""
    if stderr.is_terminal:
        with stderr.status(what):
            yield
        return
    ended = Event()
    started = time.monotonic()
    announcer = Thread(target=_announce, args=(what, ended), daemon=True)
    announcer.start()
    try:
        yield
    finally:
        ended.set()
        announcer.join()
    seconds = time.monotonic() - started
    if seconds > QUIET_SECONDS:
        print_line(f"{what}: {seconds:.1f} s")


def _announce(what: str, ended: Event) -> None:
    if not ended.wait(QUIET_SECONDS):
        print_line(f"{what} …")
