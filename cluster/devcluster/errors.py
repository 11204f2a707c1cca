"""What can go wrong, as types; every message says what was expected, what was found, what to do.

ClusterError
├── MissingPrerequisiteError   the machine lacks something that we do not install
├── CommandFailedError         a program that we ran said no
├── ComponentFailedError       a part of the cluster ended or never became healthy
├── ClusterNotRunningError     the command needs a cluster, and none is up
├── ApiError                   the Kubernetes API refused a request
└── InvalidInputError          a file or an argument of the caller is wrong
"""

from collections.abc import Sequence


class ClusterError(Exception):
    """Base of all errors that end a command with a message instead of a traceback."""


class MissingPrerequisiteError(ClusterError):
    """The machine lacks something that we do not install ourselves."""


class CommandFailedError(ClusterError):
    """A program ended with a status other than 0."""

    def __init__(self, command: Sequence[str], status: int, output: str) -> None:
        """Keep the end of the output: that is where programs say why."""
        tail = "\n".join(output.strip().splitlines()[-25:])
        super().__init__(f"expected `{' '.join(command[:12])}` to succeed, found exit {status}:\n{tail}")
        self.status = status
        self.output = output


class ComponentFailedError(ClusterError):
    """A part of the cluster ended or did not become healthy in time."""


class ClusterNotRunningError(ClusterError):
    """The command needs a running cluster."""


class ApiError(ClusterError):
    """The Kubernetes API refused a request or could not be reached."""

    def __init__(self, message: str, status: int | None = None) -> None:
        """`status` is None when there was no answer at all."""
        super().__init__(message)
        self.status = status


class InvalidInputError(ClusterError):
    """A file or an argument given by the caller cannot be used."""
