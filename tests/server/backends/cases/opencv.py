"""Models of OpenCV: nets of Caffe, written as their two files."""

from pathlib import Path

from converters.caffe.caffe_files import input_layer, layer, weights, write
from modelport.api.status import Signature, Tensor
from modelport.verification.arrays import Tensors
from server.backends.cases import Case, identity_case, identity_of, values
from server.models import FIRST, MLP, SECOND, features, scores

FILES = ["deploy.prototxt", "net.caffemodel"]


def cases(folder: Path) -> list[Case]:
    """Return an identity, a perceptron, and a net that changes blobs in place, whose input is one of them, beside two answers."""
    return [_identity(folder / "identity"), _mlp(folder / "mlp"), _places(folder / "places")]


def _identity(folder: Path) -> Case:
    text = input_layer("float32", (1, 3)) + layer("Split", "float32", "float32_out")
    return identity_case("identity", write(folder, text, weights({})), FILES, identity_of(["float32"]))


def _mlp(folder: Path) -> Case:
    text = input_layer("features", (1, len(FIRST)))
    text += layer("InnerProduct", "features", "hidden", "inner_product_param { num_output: 16 bias_term: false }")
    text += layer("ReLU", "hidden", "hidden", name="relu")
    text += layer("InnerProduct", "hidden", "logits", "inner_product_param { num_output: 3 bias_term: false }")
    text += layer("Softmax", "logits", "scores")
    write(folder, text, weights({"hidden": [FIRST.T], "logits": [SECOND.T]}))
    questions = ({"features": features(3, 1)}, {"features": features(5, 2)})
    return Case("mlp", folder, FILES, MLP, questions, lambda given: {"scores": scores(given["features"])}, 1e-5)


def _places(folder: Path) -> Case:
    """A layer writes into the blob of the input; the second part of a Slice has a name of its own, with a quote in it."""
    text = 'input: "x" input_shape { dim: 1 dim: 3 }\n'
    text += layer("Power", "x", "x", "power_param { scale: -2 }", "twice")
    text += 'layer { name: "cut" type: "Slice" bottom: "x" top: "first" top: "the \\"rest\\"" slice_param { slice_point: 1 } }'
    signature = Signature(
        inputs=[Tensor(name="x", dtype="float32", shape=["n", 3])],
        outputs=[
            Tensor(name="first", dtype="float32", shape=["n", 1]),
            Tensor(name='the "rest"', dtype="float32", shape=["n", 2]),
        ],
    )

    def answer(given: Tensors) -> Tensors:
        return {"first": -2 * given["x"][:, :1], 'the "rest"': -2 * given["x"][:, 1:]}

    asked = ({"x": values("float32", 1)}, {"x": values("float32", 2)})
    return Case("places", write(folder, text, weights({})), FILES, signature, asked, answer)
