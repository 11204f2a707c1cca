"""A framework and a runtime are added by files of their own alone: a toy of each, in a copy of what they are added to."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from modelport_cli.local.environments import cache_folder

ROOT = Path(__file__).resolve().parents[2]
TOY = Path(__file__).with_name("toy")
MATRIX = ("tests/matrix/expected.toml", "tests/matrix/targets.toml", "tests/matrix/measured.json")
COPIED = (
    "README.md",
    "operator",
    "images",
    "tools",
    "crds",
    "charts",
    "docs/reference",
    "docs/conversion-matrix.md",
    *MATRIX,
)
TESTS = ("bench", "tests/contract", "tests/converters", "tests/server", "tests/builders.py", "pyproject.toml")
LOCKS = {
    "converter/locks/toy.txt": (
        "converter/locks/onnx.txt",
        {"ml-dtypes", "msgspec", "numpy", "onnx", "protobuf", "typing-extensions"},
    ),
    "server/locks/toyruntime.txt": (
        "server/locks/onnxruntime.txt",
        {"httptools", "hpack", "ml-dtypes", "msgspec", "numpy", "orjson", "prometheus-client", "protobuf", "uvloop"},
    ),
}
"""Which packages of a lock make another one: nothing is resolved, and caches have them."""
SOURCE = """docopt==0.6.2 \\
    --hash=sha256:49b3a825280bd66b3aa83585ef59c4a8c82f2c8a522dbe754a8bc8d08c85c491
"""
"""What the index has as source alone; the toy's own locks name what builds it, and a jar."""
STALE = {
    "README.md",
    "charts/modelport/templates/crd.yaml",
    "charts/modelport/values.schema.json",
    "charts/modelport/values.yaml",
    "crds/modelconversions.modelport.dev.yaml",
    "docs/reference/formats.md",
    "docs/reference/images.md",
    "docs/reference/modelconversion.md",
    "images/images.json",
}
RUN_SECONDS = 900
"""Long enough to build the environments on the first call."""
W1 = np.array([[0.53, -1.27, 0.71, 0.08], [0.94, 0.36, -0.62, 1.15], [-0.18, 0.77, 0.49, -0.83]], np.float32)
B1 = np.array([0.12, -0.05, 0.31, 0.27], np.float32)
W2 = np.array([[1.21, -0.44], [-0.67, 0.93], [0.38, 0.56], [0.75, -1.09]], np.float32)
B2 = np.array([-0.22, 0.41], np.float32)
X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]], np.float32)
LAYERS = ((W1, B1), (W2, B2))


def copy_to(folder, names=COPIED):
    """Copy what a framework and a runtime are added to."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copy(ROOT / name, folder / name)
        else:
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def add_toy(folder):
    """Add the toy's files, which are all new ones."""
    added = {path.relative_to(TOY): path.read_text() for path in TOY.rglob("*.*") if path.suffix != ".pyc"}
    for name, (other, packages) in LOCKS.items():
        entries = re.finditer(r"^(\S+)==.*(?:\n    .*)*", (ROOT / "images" / other).read_text(), re.MULTILINE)
        added[Path("images") / name] = "\n".join(each[0] for each in entries if each[1] in packages) + "\n"
    added[Path("images/converter/locks/toy.txt")] += SOURCE
    for name, content in added.items():
        assert not (folder / name).exists()
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)


def variables(folder):
    paths = [folder / "operator", folder / "images" / "converter", folder / "images" / "server"]
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths))}


def generate(folder, *options):
    command = [sys.executable, folder / "tools" / "generate.py", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=variables(folder))


def test_what_is_stale_is_named_and_made(tmp_path):
    folder = copy_to(tmp_path / "copy")
    assert generate(folder).returncode == 0
    add_toy(folder)
    checked = generate(folder, "--check")
    assert checked.returncode == 1, checked.stderr
    assert set(re.findall(r"^(\S+) is stale", checked.stderr, re.MULTILINE)) == STALE
    made = generate(folder)
    assert made.returncode == 0, made.stderr
    assert set(made.stdout.split()) == STALE
    assert generate(folder, "--check").returncode == 0
    images = json.loads((folder / "images" / "images.json").read_text())["images"]
    assert images["converter-toy"]["args"] == {"FRAMEWORK": "toy"}
    assert '  server-toyruntime: ""\n' in (folder / "charts/modelport/values.yaml").read_text()
    known = json.loads((folder / "charts/modelport/values.schema.json").read_text())["properties"]["images"]
    assert known["properties"]["server-toyruntime"] == {"$ref": "#/definitions/imageOrNone"}


@pytest.mark.converters
def test_the_suites_that_all_must_pass_take_it_in(tmp_path):
    folder = copy_to(tmp_path / "copy", COPIED + TESTS)
    add_toy(folder)
    assert generate(folder).returncode == 0
    suites = ["tests/contract/test_plugins.py", "tests/server/backends/test_backend_contract.py"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", "-k", "toy", *suites]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=variables(folder))
    assert ended.returncode == 0, ended.stdout
    assert "test_every_converter_has_formats_and_a_module[onnx-to-toy-compiled] PASSED" in ended.stdout
    assert "test_answers_are_right_in_every_way[toyruntime] PASSED" in ended.stdout


# --- the copy at work -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def modelport(tmp_path_factory):
    """Return what starts the copy's command line; only environments are shared with the user's cache."""
    folder = tmp_path_factory.mktemp("extending")
    environments = cache_folder() / "venvs"
    environments.mkdir(parents=True, exist_ok=True)
    (folder / "cache" / "modelport").mkdir(parents=True)
    (folder / "cache" / "modelport" / "venvs").symlink_to(environments)
    shared = os.environ.get("UV_CACHE_DIR") or environments.parents[1] / "uv"
    add_toy(copy_to(folder / "copy"))
    environment = variables(folder / "copy") | {
        "XDG_CACHE_HOME": str(folder / "cache"),
        "UV_CACHE_DIR": str(shared),
    }

    def start(*arguments):
        command = [sys.executable, "-m", "modelport_cli", *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    return start


@pytest.fixture(scope="module")
def convert(modelport, tmp_path_factory):
    """Return what converts a file to toy-compiled; it returns the status and the folder of the artifact."""

    def run(file, **options):
        folder = tmp_path_factory.mktemp("run")
        spec = {
            "source": {"uri": f"s3://models/{file.name}"},
            "target": {"format": "toy-compiled", "options": options},
        }
        manifest = {"apiVersion": "modelport.dev/v1alpha1", "kind": "ModelConversion", "metadata": {"name": "toy"}}
        (folder / "manifest.yaml").write_text(json.dumps({**manifest, "spec": spec}))
        output = folder / "toy"
        with modelport("run", folder / "manifest.yaml", "--json", "--source", file, "--output", output) as process:
            try:
                told, log = process.communicate(timeout=RUN_SECONDS)
            finally:
                process.terminate()
        assert process.returncode in (0, 1), log
        return json.loads(told), output

    return run


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    """Return a toy model as people write it."""
    lines = ["toy", "input x", "output y"]
    for weights, offsets in LAYERS:
        lines += ["layer", *(" ".join(map(str, row)) for row in (*weights, offsets))]
    path = tmp_path_factory.mktemp("toy-text") / "model.toy"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def converted(convert, text):
    return convert(text)


def answer(x):
    return np.tanh(x.astype(np.float64) @ W1 + B1) @ W2 + B2


def verified(status):
    conditions = {each["type"]: each["status"] for each in status["conditions"]}
    (output,) = status["verification"]["outputs"]
    # the toy runtime computes in float64, so that nothing is equal bit by bit
    return conditions["Verified"] == "True" and output["name"] == "y" and 0 < float(output["relativeRms"]) < 1e-6


def test_formats_are_listed(modelport):
    with modelport("formats", "--json") as process:
        told, log = process.communicate(timeout=RUN_SECONDS)
    assert process.returncode == 0, log
    catalogue = json.loads(told)
    assert {"toy-text", "toy-binary", "toy-compiled"} <= {each["name"] for each in catalogue["formats"]}
    compiler = next(each for each in catalogue["converters"] if each["name"] == "onnx-to-toy-compiled")
    assert (compiler["image"], [each["name"] for each in compiler["options"]]) == ("converter-toy", ["digits"])
    runtime = next(each for each in catalogue["runtimes"] if each["name"] == "toyruntime")
    assert (runtime["image"], runtime["formats"]) == ("server-toyruntime", ["toy-compiled"])


@pytest.mark.converters
def test_three_hops_are_verified(converted):
    status, _ = converted
    assert "failure" not in status, status
    assert status["source"]["format"] == "toy-text"
    assert status["path"] == ["toy-text", "toy-binary", "onnx", "toy-compiled"]
    assert verified(status)


@pytest.mark.converters
def test_another_frameworks_model_is_compiled_in_the_toys_image(convert, tmp_path):
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["a"]),
        helper.make_node("Tanh", ["a"], ["b"]),
        helper.make_node("Gemm", ["b", "w2", "b2"], ["y"]),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])]
    weights = [
        numpy_helper.from_array(array, name)
        for array, name in zip((W1, B1, W2, B2), ("w1", "b1", "w2", "b2"), strict=True)
    ]
    graph = helper.make_graph(nodes, "net", inputs, outputs, weights)
    opset = [helper.make_opsetid("", 17)]
    onnx.save_model(helper.make_model(graph, opset_imports=opset, ir_version=8), tmp_path / "model.onnx")
    status, _ = convert(tmp_path / "model.onnx")
    assert status["path"] == ["onnx", "toy-compiled"]
    assert verified(status)


@pytest.mark.converters
def test_the_gate_refuses_what_the_toy_converter_breaks(convert, text):
    status, output = convert(text, digits=1)
    assert status["failure"]["reason"] == "VerificationFailed", status
    assert "output y" in status["failure"]["message"]
    assert not output.exists()


@pytest.mark.converters
def test_the_toy_runtime_serves(modelport, converted):
    _, artifact = converted
    with serving(modelport, artifact) as port:
        tensor = {"name": "x", "shape": [2, 3], "datatype": "FP32", "data": X.ravel().tolist()}
        connection = HTTPConnection("127.0.0.1", port, timeout=RUN_SECONDS)
        connection.request("POST", "/v2/models/toy/infer", json.dumps({"inputs": [tensor]}))
        response = connection.getresponse()
        content = json.loads(response.read())
        connection.close()
    assert response.status == 200, content
    (output,) = content["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("y", "FP32", [2, 2])
    np.testing.assert_allclose(np.reshape(output["data"], (2, 2)), answer(X), rtol=1e-6, atol=1e-6)


@contextmanager
def serving(modelport, artifact):
    """Serve an artifact as `toy`; return the port of REST once it is ready. The server is gone at the end."""
    with socket.socket() as http, socket.socket() as grpc:
        for each in (http, grpc):
            each.bind(("127.0.0.1", 0))
        ports = [each.getsockname()[1] for each in (http, grpc)]
    with modelport("serve", artifact, "--http-port", ports[0], "--grpc-port", ports[1]) as process:
        try:
            log = []
            for line in process.stderr:
                log.append(line)
                if "is ready on port" in line:
                    break
            else:
                raise AssertionError(f"the server ended: {''.join(log)}")
            yield ports[0]
        finally:
            process.kill()
