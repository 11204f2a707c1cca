"""The list of commands."""

from cyclopts import App

from modelport import __version__

NAME = "modelport"
COMMANDS = {
    "offline": {
        "formats": "List formats, converters with their options, and runtimes.",
        "plan": "Check a manifest offline and print what it leads to.",
        "render": "Print the objects that the operator would make of a manifest.",
        "run": "Convert and verify without a cluster.",
        "convert": "Convert and verify one model without a cluster or a manifest.",
        "serve": "Serve an artifact on this machine.",
        "completion": "Print what completes commands and names in a shell.",
    },
    "cluster": {
        "push": "Upload a model, code or what the code needs to the namespace's store.",
        "diff": "Say what an edit would make the operator do.",
        "get": "Show ModelConversions and their progress.",
        "describe": "Show all there is to know of a ModelConversion.",
        "logs": "Print the logs of a conversion's steps, or of its servers.",
        "retry": "Ask for another attempt of what failed.",
        "pull": "Fetch a verified artifact from the store.",
    },
}
"""The commands by what they need: the folder that each has its module in."""


def make_app(called: str | None) -> App:
    """Return the commands. Their modules are named, not imported: a command's libraries load when it is called.

    Summaries stand in the list of commands; the one that is called has the whole text of its function.
    """
    app = App(
        name=NAME,
        help="Converts machine-learning models between frameworks, proves that the result gives the same answers, and serves it.",
        help_epilogue="Exit status: 0 done, 1 failed, 2 wrong arguments or manifest.",
        help_format="markdown",
        version=__version__,
        suppress_keyboard_interrupt=False,
        result_action="return_value",
    )
    for needs, commands in COMMANDS.items():
        for name, summary in commands.items():
            module = f"modelport_cli.commands.{needs}.{name}:{name}"
            app.command(module, name=name, help=None if name == called else summary)
    return app
