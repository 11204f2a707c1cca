"""Models of ONNX Runtime."""

from pathlib import Path

from modelport_server.backends.base import DTYPES
from server.backends.cases import Case, identity_case, identity_of
from server.models import MLP, features, identity_bytes, mlp_bytes, scores


def cases(folder: Path) -> list[Case]:
    """Return identities, bfloat16 apart, which goes through values of the runtime's own, and a perceptron."""
    (folder / "mlp").mkdir()
    (folder / "mlp" / "net.onnx").write_bytes(mlp_bytes())
    questions = ({"features": features(3, 1)}, {"features": features(3, 2)})
    mlp = Case("mlp", folder / "mlp", ["net.onnx"], MLP, questions, _scores, 1e-5)
    return [mlp, _identity(folder, "all", sorted(DTYPES - {"bfloat16"})), _identity(folder, "bfloat16", ["bfloat16"])]


def _scores(inputs):
    return {"scores": scores(inputs["features"])}


def _identity(folder, name, dtypes):
    (folder / name).mkdir()
    signature = identity_of(dtypes)
    (folder / name / "net.onnx").write_bytes(identity_bytes(signature))
    return identity_case(name, folder / name, ["net.onnx"], signature)
