"""`modelport serve`: the server of the artifact's runtime on this machine, as a pod would run it."""

import os
import re
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from modelport.contract import ArtifactManifest
from modelport.runtimes import RUNTIMES
from modelport_cli import console
from modelport_cli.artifacts import check_artifact
from modelport_cli.errors import CommandError, UsageError
from modelport_cli.local.environments import find_recipe, prepare
from modelport_cli.local.packages import import_folder

_LAST_PORT = 65_535


def serve(
    folder: Annotated[Path, Parameter(name="DIR")],
    /,
    *,
    http_port: int = 8080,
    grpc_port: int | None = None,
    name: str | None = None,
) -> None:
    """Serve an artifact on this machine: Open Inference Protocol v2 over REST, until Ctrl-C.

    The artifact's files are checked first; its golden samples must give the verified answers before it is ready.

    Parameters
    ----------
    folder
        Folder that `modelport run` or `modelport pull` wrote.
    http_port
        Port of REST, on 127.0.0.1.
    grpc_port
        Port of gRPC; not available in this version.
    name
        Name of the model in URLs; the folder's name if not given.
    """
    if grpc_port is not None:
        raise UsageError(
            "--grpc-port: this version serves REST alone", "Use --http-port; gRPC comes with a later version."
        )
    if not 1 <= http_port <= _LAST_PORT:
        raise UsageError(f"--http-port: expected 1 to {_LAST_PORT}, found {http_port}")
    manifest = check_artifact(folder)
    model = name or model_name(folder)
    python = prepare(find_recipe(server_image(manifest)))
    console.print_line(f"Serving {folder} at http://127.0.0.1:{http_port}/v2/models/{model}")
    command = server_command(python, folder, port=http_port, model=model)
    sys.stderr.flush()
    os.execve(command[0], command, os.environ | {"PYTHONPATH": str(import_folder())})  # noqa: S606  # signals go straight to the server


def server_image(manifest: ArtifactManifest) -> str:
    """Return the image that serves the artifact. Raises CommandError for a runtime of another version."""
    for runtime in RUNTIMES:
        if runtime.name == manifest.runtime:
            return runtime.image
    known = ", ".join(runtime.name for runtime in RUNTIMES)
    raise CommandError(f"expected an artifact for one of the runtimes {known}, found {manifest.runtime}")


def model_name(folder: Path) -> str:
    """Return a name that fits into a URL."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("-") or "model"


def server_command(python: Path, folder: Path, *, port: int, model: str) -> list[str]:
    """Return the command of the server."""
    place = ["--host", "127.0.0.1", "--http-port", str(port), "--drain-seconds", "0"]
    return [str(python), "-P", "-m", "modelport_server", "serve", str(folder.resolve()), *place, "--model-name", model]
