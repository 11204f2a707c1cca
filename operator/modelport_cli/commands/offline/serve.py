"""`modelport serve`: the server of the artifact's runtime on this machine, as a pod would run it."""

import os
import re
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from modelport.runtimes import RUNTIMES
from modelport.storage.manifests import ArtifactManifest
from modelport_cli import console
from modelport_cli.artifacts import check_artifact
from modelport_cli.errors import CommandError, UsageError
from modelport_cli.local.environments import find_recipe, installation, prepare
from modelport_cli.local.isolation import LANDLOCK, View, choose
from modelport_cli.local.packages import import_folder, import_paths
from modelport_cli.local.processes import NETWORK_VARIABLES

_LAST_PORT = 65_535


def serve(
    folder: Annotated[Path, Parameter(name="DIR")],
    /,
    *,
    http_port: int = 8080,
    grpc_port: int = 8081,
    name: str | None = None,
) -> None:
    """Serve an artifact on this machine: Open Inference Protocol v2 over REST and gRPC, until Ctrl-C.

    The artifact's files are checked first; its golden samples must give the verified answers before it is ready. The
    server sees no files of yours but the artifact where the kernel has Landlock; a line says whether it has.

        modelport serve artifact --http-port 8080

    Parameters
    ----------
    folder
        Folder that `modelport run` or `modelport pull` wrote.
    http_port
        Port of REST, on 127.0.0.1.
    grpc_port
        Port of gRPC, on 127.0.0.1.
    name
        Name of the model in URLs; the folder's name if not given.
    """
    for option, port in (("--http-port", http_port), ("--grpc-port", grpc_port)):
        if not 1 <= port <= _LAST_PORT:
            raise UsageError(f"{option}: expected 1 to {_LAST_PORT}, found {port}")
    if http_port == grpc_port:
        raise UsageError(f"--grpc-port: expected another port than --http-port, found {grpc_port} twice")
    manifest = check_artifact(folder)
    model = name or model_name(folder)
    python = prepare(find_recipe(server_image(manifest)))
    console.print_line(
        f"Serving {folder} at http://127.0.0.1:{http_port}/v2/models/{model}, and as model {model} by gRPC at "
        f"127.0.0.1:{grpc_port}"
    )
    code = import_folder()
    isolation = choose(python, mechanisms=(LANDLOCK,))  # bubblewrap would stand between the server and signals
    console.print_line(isolation.told)
    view = View([*installation(python), *import_paths(code), folder.resolve()], network=True)
    command = server_command(python, folder, http_port=http_port, grpc_port=grpc_port, model=model)
    command = isolation.wrap(view, command)
    sys.stderr.flush()
    os.execve(command[0], command, server_environment(code))  # noqa: S606  # signals go straight to the server


def server_image(manifest: ArtifactManifest) -> str:
    """Return the image that serves the artifact. Raises CommandError for a runtime of another version."""
    if manifest.runtime in RUNTIMES:
        return RUNTIMES[manifest.runtime].image
    known = ", ".join(RUNTIMES)
    raise CommandError(f"expected an artifact for one of the runtimes {known}, found {manifest.runtime}")


def model_name(folder: Path) -> str:
    """Return a name that fits into a URL."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.resolve().name).strip("-") or "model"


def server_environment(code: Path) -> dict[str, str]:
    """Return the environment of the server: of the user's what traces and the network need."""
    kept = {name for name in os.environ if name in NETWORK_VARIABLES or name.startswith("OTEL_")}
    return {name: os.environ[name] for name in kept} | {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(code),
    }


def server_command(python: Path, folder: Path, *, http_port: int, grpc_port: int, model: str) -> list[str]:
    """Return the command of the server."""
    serving = [str(python), "-P", "-m", "modelport_server", "serve", str(folder.resolve()), "--model-name", model]
    ports = ["--http-port", str(http_port), "--grpc-port", str(grpc_port)]
    return [*serving, "--host", "127.0.0.1", *ports, "--drain-seconds", "0"]
