"""Code of a Trusted model that takes what it can: nothing by `modelport run`, which converts the model all the same."""

import os
import socket
import sys
from pathlib import Path

import numpy as np
import pytest

from e2e.sources.torchfiles import state_dict_bytes
from modelport.storage.files import describe_tree, tree_digest
from modelport_cli.local.environments import cache_folder
from modelport_cli.local.isolation import BUBBLEWRAP, LANDLOCK, find_trouble
from modelport_cli.local.landlock import SCOPES, version

pytestmark = pytest.mark.converters

TOKEN = "token-of-the-users"
HOSTILE = f"""
import os, pathlib, signal, socket
from torch import nn

def connect(family, address):
    with socket.socket(family) as connection:
        connection.connect(address)

def environments():
    for environment in (pathlib.Path("/proc", str(os.getppid()), "environ"), *pathlib.Path("/proc").glob("[0-9]*/environ")):
        try:
            if {TOKEN.encode()!r} in environment.read_bytes():
                return
        except OSError:
            pass
    raise PermissionError

def build(home, port, name, violent):
    got = []
    for what, action in (
        ("key", pathlib.Path(home, ".ssh", "id_rsa").read_text),
        ("token", environments),
        ("home", lambda: pathlib.Path(home, ".bashrc").write_text("evil")),
        ("port", lambda: connect(socket.AF_INET, ("127.0.0.1", port))),
        ("abstract", lambda: connect(socket.AF_UNIX, chr(0) + name)),
        ("agent", lambda: connect(socket.AF_UNIX, os.path.join(home, "agent"))),
    ):
        try:
            action()
            got.append(what)
        except OSError:
            pass
    if violent:
        try:
            os.kill(os.getppid(), signal.SIGKILL)
        except OSError:
            pass
    if got:
        raise RuntimeError("got " + " ".join(got))
    return nn.Linear(4, 3)
"""


@pytest.fixture
def convert(run, tmp_path):
    """Convert a model with this factory, in a home with a key and an agent."""
    home, code, weights = tmp_path / "home", tmp_path / "code", tmp_path / "weights.pt"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_rsa").write_text("secret")
    code.mkdir()
    (code / "net.py").write_text(HOSTILE)
    random = np.random.default_rng(5)
    shapes = {"weight": (3, 4), "bias": (3,)}
    state = {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    weights.write_bytes(state_dict_bytes(state))
    name = f"modelport-test-{os.getpid()}"
    with (
        socket.create_server(("127.0.0.1", 0)) as port,
        socket.socket(socket.AF_UNIX) as abstract,
        socket.socket(socket.AF_UNIX) as agent,
    ):
        abstract.bind("\0" + name)
        agent.bind(str(home / "agent"))
        abstract.listen()
        agent.listen()

        def convert(*options, violent, **variables):
            arguments = {"home": str(home), "port": port.getsockname()[1], "name": name, "violent": violent}
            source = {
                "uri": "s3://models/weights.pt",
                "trust": "Trusted",
                "code": {
                    "uri": "s3://models/code/",
                    "digest": tree_digest(describe_tree(code)),
                    "factory": "net:build",
                    "arguments": arguments,
                },
                "inputs": [{"name": "x", "shape": ["batch", 4]}],
            }
            manifest = {
                "apiVersion": "modelport.dev/v1alpha1",
                "kind": "ModelConversion",
                "metadata": {"name": "net"},
                "spec": {"source": source, "target": {"format": "onnx"}},
            }
            own = {"HOME": str(home), "XDG_CACHE_HOME": str(cache_folder().parent), "API_TOKEN": TOKEN}
            return run(manifest, weights, code=code, options=options, **own, **variables)

        yield convert


@pytest.mark.parametrize("mechanism", [BUBBLEWRAP, LANDLOCK], ids=lambda each: each.name)
def test_it_gets_nothing(convert, mechanism, tmp_path):
    trouble = find_trouble(mechanism, Path(sys.executable))
    if trouble:
        pytest.skip(f"{mechanism.name}: {trouble}")
    # Landlock is taken where bubblewrap is not found; of an old kernel, it would let the run itself be ended
    variables = {"PATH": str(tmp_path)} if mechanism is LANDLOCK else {}
    violent = mechanism is BUBBLEWRAP or version() >= SCOPES
    status = convert("--isolation", "required", violent=violent, **variables)
    assert "failure" not in status, status["failure"]
    assert not (tmp_path / "home" / ".bashrc").exists()


def test_without_isolation_it_gets_files_and_the_environment(convert, tmp_path):
    failure = convert("--isolation", "none", violent=False)["failure"]
    assert (failure["reason"], failure["message"].partition("got ")[2]) == ("FactoryFailed", "key token home")
