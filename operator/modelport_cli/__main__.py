"""Entry point of `modelport`, and of `kubectl modelport`: the one place where errors become lines and exit statuses."""

import signal
import sys
from types import FrameType

from modelport_cli import console
from modelport_cli.application import make_app
from modelport_cli.errors import FORESEEN, Exit, describe


def call(arguments: list[str]) -> int:
    """Run one command line and return its exit status."""
    try:
        status = make_app(next(iter(arguments), None))(arguments, exit_on_error=False, print_error=False)
    except FORESEEN as error:
        ending = describe(error)
        console.print_error(ending.message, ending.hint)
        return ending.status
    except KeyboardInterrupt:
        console.print_line("interrupted")
        return Exit.INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe, such as head, has enough
        sys.stderr.close()
        return Exit.DONE
    return status if isinstance(status, int) else Exit.DONE


def main() -> None:
    """Run the command line of this process."""
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(int(call(sys.argv[1:])))


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """End as Ctrl-C does, so that children and temporary folders go with us."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
