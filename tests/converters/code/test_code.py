"""Code as people have it: wheels of real packages, what they need beside the image, and scripts that saved a model."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from modelport.steps.handover import read_manifest
from modelport.storage.files import describe, describe_tree, tree_digest
from modelport.storage.manifests import MODEL, model_paths
from modelport_cli.local.environments import find_recipe, prepare
from modelport_server.backends.base import How
from modelport_server.execution import loading

ROOT = Path(__file__).parents[3]
PACKAGES = """\
facenet-pytorch==2.6.0 --hash=sha256:ecb82b27beb226d106f2219efe8f829b01b87a8595badd01545679bdb9f19cca
lpips==0.1.4 --hash=sha256:fd537af5828b69d2e6ffc0a397bd506dbc28ca183543617690844c08e102ec5e
vit-pytorch==1.26.14 --hash=sha256:419f16be5718c6e50073caaefbbef05797b518708fd4e8467818655fa658ce68
"""
"""Two import in their `__init__` what the image lacks (requests, scipy), the third needs einops everywhere."""
VIT = {"image_size": 32, "patch_size": 8, "num_classes": 5, "dim": 32, "depth": 2, "heads": 2, "mlp_dim": 64}
pytestmark = pytest.mark.converters


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the folder of the models; below it are `packages` and `wheels`, what they need, as `push` collects it."""
    out = tmp_path_factory.mktemp("code")
    (out / "packages.txt").write_text(PACKAGES)
    (out / "requirements.txt").write_text("einops==0.8.2\n")
    packages = out / "packages"
    pip = ["pip", "download", "--quiet", "--no-deps", "--require-hashes", "--dest", packages]
    ended = call([sys.executable, "-m", *pip, "--requirement", out / "packages.txt"])
    pushed = [sys.executable, "-m", "modelport_cli", "push", "--requirements", out / "requirements.txt"]
    ended = call([*pushed, "--format", "pytorch-state-dict", "--store", f"file://{out}/store"])
    (out / "wheels").symlink_to(yaml.safe_load(ended)["requirements"]["uri"].removeprefix("file://"))
    call(
        [
            prepare(find_recipe("converter-pytorch")),
            "-W",
            "ignore",
            Path(__file__).with_name("code_models.py"),
            packages,
            out,
        ]
    )
    return out


def call(command):
    paths = os.pathsep.join(str(ROOT / part) for part in ("operator", "images/converter"))
    ended = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False, timeout=600
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout


@pytest.fixture
def convert(run, folder, tmp_path):
    """Convert a model by the code of a package, or of a folder; return the status and the log of step ask."""

    def convert_one(name, code, shape, wheels=None, **said):
        path = folder / code if code == "code" else next((folder / "packages").glob(f"{code}-*.whl"))
        uri, digest = locate(path)
        source = {
            "uri": f"s3://models/{name}",
            "trust": "Trusted",
            "code": {"uri": uri, "digest": digest, **said},
            "inputs": [{"name": "x", "shape": ["batch", *shape]}],
        }
        options = ["--work", tmp_path / "work"]
        if wheels:
            uri, digest = locate(wheels)
            source["code"]["requirements"] = {"uri": uri, "digest": digest}
            options += ["--requirements", wheels]
        manifest = {
            "apiVersion": "modelport.dev/v1alpha1",
            "kind": "ModelConversion",
            "metadata": {"name": "net"},
            "spec": {"source": source},
        }
        status = run(manifest, folder / name, code=path, options=options)
        logs = [log.read_text() for log in (tmp_path / "work").glob("convert/*.log")]
        return status, "".join(logs)

    return convert_one


def locate(path):
    """Return a URI and the digest of a file or a folder."""
    if path.is_dir():
        return f"s3://models/{path.name}/", tree_digest(describe_tree(path))
    return f"s3://models/{path.name}", describe(path.parent, path.name).digest


def assert_right(status, answers):
    assert "failure" not in status, status["failure"]
    artifact = Path(status["artifact"]["uri"].removeprefix("file://"))
    manifest = read_manifest(artifact)[0]
    infer = loading.load(manifest.runtime, artifact / MODEL, model_paths(manifest.files), How(manifest.load_options))
    right = dict(np.load(answers))
    found = infer({"x": right.pop("x")})
    for each, wanted in zip(manifest.signature.outputs, right.values(), strict=True):
        np.testing.assert_allclose(found[each.name], wanted, rtol=1e-4, atol=1e-5)


def test_a_package_is_loaded_by_the_models_module_alone(convert, folder):
    said = {"factory": "facenet_pytorch.models.mtcnn:PNet", "arguments": {"pretrained": False}}
    status, log = convert("pnet.pt", "facenet_pytorch", (3, 24, 24), **said)
    assert_right(status, folder / "pnet.npz")
    assert (
        "facenet_pytorch/__init__.py is left out, because it fails: ModuleNotFoundError: No module named 'requests'"
        in log
    )


def test_what_the_code_needs_comes_as_wheels(convert, folder):
    said = {"factory": "vit_pytorch.simple_vit:SimpleViT", "arguments": VIT}
    status, log = convert("vit.pt", "vit_pytorch", (3, 32, 32), wheels=(folder / "wheels").resolve(), **said)
    assert_right(status, folder / "vit.npz")
    assert "unpacked einops 0.8.2" in log
    assert "left out" not in log


def test_what_the_code_lacks_is_named(convert):
    status, _ = convert("vit.pt", "vit_pytorch", (3, 32, 32), factory="vit_pytorch.simple_vit:SimpleViT", arguments=VIT)
    failure = status["failure"]
    assert failure["reason"] == "FactoryFailed"
    assert failure["message"].startswith("factory vit_pytorch.simple_vit:SimpleViT: ModuleNotFoundError")
    assert "einops" in failure["message"]


def test_a_package_whose_class_lies_in_a_failing_init_names_the_first_cause(convert):
    status, _ = convert("pnet.pt", "lpips", (3, 24, 24), factory="lpips:LPIPS")
    failure = status["failure"]
    assert failure["reason"] == "FactoryFailed"
    assert (
        "before it, lpips/__init__.py is left out, because it fails: ModuleNotFoundError: No module named 'scipy'"
        in (failure["message"])
    )


def test_a_model_that_a_script_saved_is_loaded_by_the_script(convert, folder):
    status, _ = convert("script.pt", "code", (4,), modules=["train"])
    assert_right(status, folder / "script.npz")
    assert status["source"]["format"] == "pytorch-module"
    failure = convert("script.pt", "code", (4,))[0]["failure"]
    assert failure["reason"] == "FactoryFailed"
    assert "__main__" in failure["message"]
