"""Factories that try to break out. `probe` tries everything, prints what came of it, and then builds a right model."""

import contextlib
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mlp import Mlp

CREDENTIALS = Path("/run/modelport/credentials")
TOKENS = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def connect() -> str:
    host = os.environ.get("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    with socket.create_connection((host, 443), timeout=5):
        return "connected"


def open_socket(family: int, kind: int) -> Callable[[], str]:
    def attempt() -> str:
        with socket.socket(family, kind):
            return "opened"

    return attempt


def listing(folder: Path) -> Callable[[], str]:
    return lambda: f"found {sorted(path.name for path in folder.rglob('*'))}"


def overwrite(step: str, file: str) -> Callable[[], str]:
    def attempt() -> str:
        target = Path("/work") / step / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("replaced")
        return "wrote"

    return attempt


def remove(step: str) -> Callable[[], str]:
    def attempt() -> str:
        files = [path for path in (Path("/work") / step).rglob("*") if path.is_file()]
        for path in files:
            path.unlink()
        return f"removed {len(files)}" if files else _nothing()

    return attempt


def credentials_of_others() -> str:
    """Look for the store's keys in every process that may be looked at."""
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and b"AWS_SECRET" in (process / "environ").read_bytes():
                found.append(process.name)
    return f"found {found}" if found else _nothing()


def become_root() -> str:
    os.setuid(0)
    return "root"


def _nothing() -> str:
    raise FileNotFoundError("nothing there")


ATTEMPTS: dict[str, Callable[[], str]] = {
    "connect to the API server": connect,
    "TCP socket": open_socket(socket.AF_INET, socket.SOCK_STREAM),
    "UDP socket": open_socket(socket.AF_INET, socket.SOCK_DGRAM),
    "TCP6 socket": open_socket(socket.AF_INET6, socket.SOCK_STREAM),
    "netlink socket": open_socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "read credentials": lambda: listing(CREDENTIALS)() if list(CREDENTIALS.iterdir()) else _nothing(),
    "read the token": lambda: (TOKENS / "token").read_text()[:8],
    "keys in environments": credentials_of_others,
    "replace the request's source": overwrite("stage", "out/source/weights.pt"),
    "replace stage's result": overwrite("stage", "result.json"),
    "remove stage's files": remove("stage"),
    "write judge's files": overwrite("judge", "result.json"),
    "write publish's files": overwrite("publish", "result.json"),
    "write the root file system": lambda: str(Path("/owned").write_text("x")),
    "become root": become_root,
}


def probe() -> torch.nn.Module:
    outcome = {}
    for name, attempt in ATTEMPTS.items():
        try:
            outcome[name] = attempt()
        except OSError as error:
            outcome[name] = f"refused: {type(error).__name__}"
    print("PROBE " + json.dumps(outcome), flush=True)  # noqa: T201 - the test reads it from the log
    return Mlp()


def opens_socket() -> torch.nn.Module:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    return Mlp()


def plants_links() -> torch.nn.Module:
    """Let the converter leave links beside the model, so that a later step with credentials might follow them."""
    from modelport_converter.frameworks.pytorch import to_onnx as converter

    finish = converter.finish_model
    if finish.__name__ == "finish_and_plant":  # a model is built twice
        return Mlp()

    def finish_and_plant(path: Path, **options: Any) -> None:
        finish(path, **options)
        (path.parent / "secret").symlink_to(CREDENTIALS / "store" / "AWS_SECRET_ACCESS_KEY")
        (path.parent / "folder").symlink_to(CREDENTIALS / "store")
        (path.parent / "environment").symlink_to("/proc/self/environ")
        print("PLANTED", sorted(each.name for each in path.parent.iterdir()), flush=True)  # noqa: T201 - the test reads it

    converter.finish_model = finish_and_plant
    return Mlp()
