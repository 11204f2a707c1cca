"""Entry point of `modelport`: the list of commands, and the one place where errors become lines and exit statuses."""

import signal
import sys
from types import FrameType

from cyclopts import App

from modelport import __version__
from modelport_cli import console
from modelport_cli.errors import FORESEEN, Exit, describe

COMMANDS = {
    "formats": "List formats, converters with their options, and runtimes.",
    "plan": "Check a manifest offline and print what it leads to.",
    "run": "Convert and verify without a cluster.",
    "convert": "Convert and verify one model without a cluster or a manifest.",
    "serve": "Serve an artifact on this machine.",
    "push": "Upload a model, code or what the code needs to the namespace's store.",
    "get": "Show ModelConversions and their progress.",
    "pull": "Fetch a verified artifact from the store.",
}


def make_app(called: str | None) -> App:
    """Return the commands. Their modules are named, not imported: a command's libraries load when it is called.

    Summaries stand in the list of commands; the one that is called has the whole text of its function.
    """
    app = App(
        name="modelport",
        help="Converts machine-learning models between frameworks, proves that the result gives the same answers, and serves it.",
        help_epilogue="Exit status: 0 done, 1 failed, 2 wrong arguments or manifest.",
        help_format="markdown",
        version=__version__,
        suppress_keyboard_interrupt=False,
        result_action="return_value",
    )
    for name, summary in COMMANDS.items():
        app.command(f"modelport_cli.commands.{name}:{name}", name=name, help=None if name == called else summary)
    return app


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
