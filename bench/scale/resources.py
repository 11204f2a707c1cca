"""The resources of the benchmark: models that nobody has, told apart by their digests."""

from modelport.api.base import API_VERSION, KIND
from modelport.encoding import digest_of
from modelport_operator.kube.client import Object
from scale.node import SLOT

NAMESPACE = "scale"


def resource(name: str, model: str) -> Object:
    """Return a resource that converts a model; those of one model reuse each other's artifact."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "source": {"uri": f"s3://models/{model}.onnx", "digest": digest_of(model.encode()), "format": "onnx"},
            "conversion": {"resources": {"limits": {SLOT: "1"}}},
        },
    }


def tolerance(relative: float) -> list[Object]:
    """Return the JSON patch that gives a resource a tolerance, by which its evidence is judged anew, without a Job."""
    return [{"op": "add", "path": "/spec/verification", "value": {"tolerance": {"relative": relative}}}]
