"""TensorFlow and Keras: models as Keras writes them, by Keras 2 as well as by Keras 3."""

from modelport.conversion.base import Converter, Format, Framework
from modelport.conversion.detection import Evidence, Tree, play
from modelport.conversion.onnx_options import OnnxOptions

HDF5 = b"\x89HDF\r\n\x1a\n"
ARCHITECTURE = b"model_config"
"""Attribute of the root of an HDF5 file that holds a whole model; a file of weights alone has none."""
ATTRIBUTES_BYTES = 1 << 16
"""Keras writes the attributes of the root first: their names stand before all weights."""
OVERLAP = len(ARCHITECTURE) - 1
H5_SUFFIXES = (".h5", ".hdf5", ".keras")
KERAS = frozenset({"config.json", "metadata.json"})
"""In the zip archive that Keras writes since 2.12, beside the weights."""
KERAS_SUFFIX = ".keras"


def _detect_h5(tree: Tree) -> Evidence | None:
    begun = [path for path in tree.paths if tree.read(path).startswith(HDF5)]
    sure = [path for path in begun if _holds_architecture(tree, path)]
    return play("model", sure or [path for path in begun if path.endswith(H5_SUFFIXES)], is_sure=bool(sure))


def _holds_architecture(tree: Tree, path: str) -> bool:
    offset = 0
    while offset < ATTRIBUTES_BYTES:
        content = tree.read(path, offset)
        if ARCHITECTURE in content:
            return True
        if len(content) <= OVERLAP:
            return False
        offset += len(content) - OVERLAP
    return False


def _detect_keras(tree: Tree) -> Evidence | None:
    sure = [path for path in tree.paths if tree.members(path) >= KERAS]
    cut = [path for path in tree.paths if path.endswith(KERAS_SUFFIX) and tree.read(path).startswith(b"PK")]
    return play("model", sure or cut, is_sure=bool(sure))


FRAMEWORK = Framework(
    "tensorflow",
    "TensorFlow",
    formats=(
        Format("keras-h5", "Keras model in HDF5 (architecture and weights)", _detect_h5, suffixes=H5_SUFFIXES),
        Format("keras", "Keras model (.keras, a zip archive)", _detect_keras, suffixes=(KERAS_SUFFIX,)),
    ),
    converters=(
        Converter("keras-h5", "onnx", OnnxOptions, cost=10),
        Converter("keras", "onnx", OnnxOptions, cost=10),
    ),
)
