"""Models of the toy runtime."""

from pathlib import Path

import numpy as np

from modelport.api.status import Signature, Tensor
from server.backends.cases import Case, values

WEIGHTS = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
OFFSETS = np.array([0.5, -0.5], np.float32)


def cases(folder: Path) -> list[Case]:
    """Return one affine layer."""
    np.savez(folder / "compiled.npz", input=np.array("x"), output=np.array("y"), w_0=WEIGHTS, o_0=OFFSETS)
    signature = Signature(
        inputs=[Tensor(name="x", dtype="float32", shape=["n", 3])],
        outputs=[Tensor(name="y", dtype="float32", shape=["n", 2])],
    )
    questions = ({"x": values("float32", 1)}, {"x": values("float32", 2)})
    return [Case("affine", folder, ["compiled.npz"], signature, questions, _answer)]


def _answer(inputs):
    return {"y": (inputs["x"] @ WEIGHTS + OFFSETS).astype(np.float32)}
