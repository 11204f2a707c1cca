"""A manifest that is right, for tests to break."""

import copy
from typing import Any

DIGEST = "sha256:" + "a" * 64

PNET: dict[str, Any] = {
    "apiVersion": "modelport.dev/v1alpha1",
    "kind": "ModelConversion",
    "metadata": {"name": "pnet", "namespace": "vision", "generation": 3},
    "spec": {
        "source": {
            "uri": "https://models.example/pnet.pt",
            "trust": "Trusted",
            "code": {"uri": "https://models.example/code.whl", "digest": DIGEST, "factory": "net.models:build"},
            "inputs": [{"name": "image", "shape": ["batch", 3, 12, 12]}],
        },
        "target": {"format": "onnx", "options": {"opset": 17}},
    },
}


def pnet(**changes: Any) -> dict[str, Any]:
    """Return the manifest with values at dotted paths changed; None removes a field."""
    body = copy.deepcopy(PNET)
    for path, value in changes.items():
        *parents, last = path.split(".")
        place = body
        for parent in parents:
            place = place.setdefault(parent, {})
        if value is None:
            del place[last]
        else:
            place[last] = value
    return body
