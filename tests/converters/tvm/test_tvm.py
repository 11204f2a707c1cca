"""ONNX to TVM through the steps: what the frontend misreads, what is unrolled, what is refused, and a program in C++."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from converters.tvm import tvm_models
from modelport_cli.local.environments import find_recipe, prepare

pytestmark = [pytest.mark.converters, pytest.mark.timeout(1800)]  # the first one asks all
ROOT = Path(__file__).resolve().parents[3]
FILES = {"model.so", "model.json", "model.params"}


@pytest.fixture
def convert(run, tmp_path):
    """Convert a model to TVM and return the status."""

    def convert(made, *, shapes=None, inputs=(), **options):
        path = tvm_models.save(made, tmp_path / "source")
        manifest = {
            "apiVersion": "modelport.dev/v1alpha1",
            "kind": "ModelConversion",
            "metadata": {"name": "net"},
            "spec": {
                "source": {"uri": f"s3://models/{path.name}", "inputs": list(inputs)},
                "target": {"format": "tvm", "options": options, "shapes": shapes or {}},
            },
        }
        return run(manifest, path)

    return convert


def verified(status):
    assert "failure" not in status, status
    return {each["name"]: float(each["relativeRms"]) for each in status["verification"]["outputs"]}


RIGHT = {
    "slopes of every rank": tvm_models.slopes(),
    "axes as attributes": tvm_models.axes(11),
    "axes of sums as inputs": tvm_models.axes(13),
    "axes as inputs": tvm_models.axes(18),
    "recurrent layers": tvm_models.recurrent(4),
    "a constant branch": tvm_models.branches(is_constant=True),
    "rows up to a far end": tvm_models.sliced(),
    "whole scales": tvm_models.resized(2),
    "operators of old": tvm_models.of_old(),
    "bounds of a free axis": tvm_models.bounds(),
    "bounds around nothing": tvm_models.nothing(),
    "numbers without axes": tvm_models.scaled(),
    "the smallest numbers": tvm_models.smallest(),
    "long strides": tvm_models.strides(),
    "names of branches": tvm_models.same_names(),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_the_frontend_is_known_to_misread_is_right_for_any_batch(convert, name):
    errors = verified(convert(RIGHT[name]))
    assert set(errors) == {each.name for each in RIGHT[name].graph.output}
    assert max(errors.values()) < 5e-6


def test_a_batch_that_is_fixed_stays_so_and_the_files_are_three(convert):
    status = convert(tvm_models.slopes(), shapes={"image": [1, 4, 4, 4]})
    verified(status)
    folder = Path(status["artifact"]["uri"].removeprefix("file:"))
    assert {path.name for path in (folder / "model").iterdir()} == FILES
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["signature"]["inputs"][0]["shape"] == [1, 4, 4, 4]


REFUSED = {
    "operator": (tvm_models.affine("Celu"), {}, r"TVM has no operator Celu: node odd; choose another target"),
    "loop": (tvm_models.loop(), {}, r"TVM has no control flow, found Loop: node again"),
    "branches": (tvm_models.branches(is_constant=False), {}, r"TVM has no control flow, found If: node either"),
    "indices": (
        tvm_models.elements(),
        {},
        r"TVM would read or write wherever indices of GatherElements lead that are no constants: node choose",
    ),
    "scale": (
        tvm_models.resized(1.3),
        {},
        r"TVM reads Resize by 1.3 wrongly where that is no whole length: node larger",
    ),
    "channels": (tvm_models.resized(2, 2), {}, r"TVM passes over Resize by 2 of axis 1: node larger"),
    "scale of a norm": (tvm_models.normalized(), {}, r"TVM reads LayerNormalization wrongly .*: node norm"),
    "shape": (
        tvm_models.expanded(),
        {},
        r"a shape of Expand leads that follows from the values of a request: node repeat",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_tvm_cannot_do_is_refused_by_name(convert, name):
    made, shapes, words = REFUSED[name]
    failure = convert(made, shapes=shapes)["failure"]
    assert failure["reason"] == "ConversionFailed", failure
    assert re.search(words, failure["message"])


def test_a_free_sequence_needs_its_length(convert):
    failure = convert(tvm_models.recurrent("steps"))["failure"]
    assert failure["reason"] == "ShapesNeeded", failure
    assert "expected a fixed length of the sequence of node lstm (LSTM)" in failure["message"]


def test_tuning_needs_fixed_lengths(convert):
    failure = convert(tvm_models.affine(), tuningTrials=8)["failure"]
    assert failure["reason"] == "ShapesNeeded", failure
    assert "for options.tuningTrials, found x [batch, 4]" in failure["message"]


# --- without Python -------------------------------------------------------------------------------------------------


@pytest.fixture
def packages():
    """Return the folder of packages that have the runtime's libraries and headers."""
    python = prepare(find_recipe("converter-tvm"))
    (folder,) = python.parents[1].glob("lib/python3.*/site-packages")
    return folder


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_a_program_in_cpp_answers_with_the_runtime_alone(packages, tmp_path):
    path = tvm_models.save(tvm_models.affine("Sigmoid"), tmp_path / "model")
    compile_files(path)
    libraries = packages / "tvm" / "lib", packages / "tvm_ffi" / "lib"
    command = ["g++", "-std=c++17", ROOT / "examples/tvm/main.cpp", "-o", tmp_path / "run"]
    command += [f"-I{packages / 'tvm_ffi/include'}", *(f"-L{folder}" for folder in libraries), "-Wl,--no-as-needed"]
    command += ["-ltvm_runtime", "-ltvm_runtime_extra", "-ltvm_ffi"]
    command.append(f"-Wl,-rpath,{os.pathsep.join(map(str, libraries))}")
    subprocess.run(command, check=True)
    ended = subprocess.run([tmp_path / "run", path.parent, "2", "4"], capture_output=True, text=True, check=True)
    name, shape, values = re.fullmatch(r"(\w+) (\[.*\]) (.*)\n", ended.stdout).groups()
    x = np.sin(np.arange(8, dtype=np.float32)).reshape(2, 4)
    right = 1 / (1 + np.exp(-(x @ tvm_models.numbers(4, 4)).astype(np.float64)))
    assert (name, shape) == ("y", "[2, 4]")
    np.testing.assert_allclose([float(each) for each in values.split()], right.ravel(), rtol=1e-5)
    linked = subprocess.run(["ldd", tmp_path / "run"], capture_output=True, text=True, check=True).stdout
    assert "compiler" not in linked
    assert "libpython" not in linked


def compile_files(path):
    """Leave the files of a model beside it."""
    script = Path(__file__).with_name("tvm_files.py")
    code = os.pathsep.join(str(ROOT / each) for each in ("operator", "images/converter"))
    command = [prepare(find_recipe("converter-tvm")), script, json.dumps([str(path)])]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": code}, capture_output=True)


INDICES = """
import sys
from pathlib import Path
import numpy as np
from modelport_server.backends import tvm
from modelport_server.backends.base import How
infer = tvm.load(Path(sys.argv[1]), ["model.so", "model.params"], How())
print(infer({"places": np.array([[0, -1, 6], [2, 10**12, -(10**12)]])})["rows"].tolist())
"""


def test_indices_of_a_request_lead_nowhere_else(tmp_path):
    """TVM's own code reads whatever memory they lead to."""
    path = tvm_models.save(tvm_models.choice(), tmp_path / "model")
    compile_files(path)
    code = os.pathsep.join(str(ROOT / each) for each in ("operator", "images/server"))
    command = [prepare(find_recipe("server-tvm")), "-c", INDICES, path.parent]
    ended = subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": code}, capture_output=True, text=True)
    table = tvm_models.numbers(7, 4)
    np.testing.assert_allclose(json.loads(ended.stdout.splitlines()[-1]), table[[[0, 6, 6], [2, 6, 0]]], rtol=1e-6)
