"""What the command lines of `serving` share: where our server runs, how they end, what stands in all results."""

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from devcluster.errors import ClusterError
from serving.contestants.image import Checkout, Place, mounted
from serving.places import BenchError, machine, today

INTERRUPTED = 130


def run(act: Callable[[], int]) -> int:
    """Run a command; return the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended like Ctrl-C, so that servers and mounts go too
    try:
        return act()
    except (BenchError, ClusterError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return INTERRUPTED


@contextmanager
def place(*, checkout: bool) -> Iterator[Place]:
    """Return where our server runs."""
    if checkout:
        yield Checkout()
    else:
        with mounted() as image:
            yield image


def circumstances(*, checkout: bool) -> dict[str, Any]:
    """Return what each result begins with."""
    served_from = "the checkout" if checkout else "the image"
    return {"machine": machine(), "date": today(), "servedFrom": served_from}


def add_options(parser: argparse.ArgumentParser, kind: str) -> None:
    """Add the options that all have; `kind` is how the names of its results begin."""
    parser.add_argument("--checkout", action="store_true", help="run our server from this environment, not the image")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help=f"file for the result (bench/results/{kind}-DATE.json)"
    )
