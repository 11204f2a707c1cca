"""TensorFlow and Keras: SavedModels, and models as Keras writes them, by Keras 2 as well as by Keras 3."""

import re
from typing import Annotated, Literal

from msgspec import Meta

from modelport.conversion.base import Converter, Format, Framework, Options
from modelport.conversion.detection import Evidence, Tree, play
from modelport.conversion.onnx_options import OnnxOptions

HDF5 = b"\x89HDF\r\n\x1a\n"
ARCHITECTURE = re.compile(b"model_config")
"""Attribute of the root of an HDF5 file that holds a whole model; a file of weights alone has none."""
WEIGHTS = re.compile(b"layer_names|vars\0")
"""Attribute, or name of groups, in a file of weights."""
ATTRIBUTES_BYTES = 1 << 16
"""Keras writes the attributes of the root first: their names stand before all weights."""
OVERLAP = len(ARCHITECTURE.pattern) - 1
H5_SUFFIXES = (".h5", ".hdf5", ".keras")
KERAS = frozenset({"config.json", "metadata.json"})
"""In the zip archive that Keras writes since 2.12, beside the weights."""
KERAS_SUFFIX = ".keras"


def _detect_h5(tree: Tree) -> Evidence | None:
    begun = [path for path in tree.paths if tree.read(path).startswith(HDF5)]
    sure = [path for path in begun if _holds_architecture(tree, path)]
    named = [path for path in begun if path.endswith(H5_SUFFIXES) and not _holds(tree, path, WEIGHTS)]
    return play("model", sure or named, is_sure=bool(sure))


def _holds_architecture(tree: Tree, path: str) -> bool:
    return _holds(tree, path, ARCHITECTURE)


def _holds(tree: Tree, path: str, words: re.Pattern[bytes]) -> bool:
    offset = 0
    while offset < ATTRIBUTES_BYTES:
        content = tree.read(path, offset)
        if words.search(content):
            return True
        if len(content) <= OVERLAP:
            return False
        offset += len(content) - OVERLAP
    return False


def _detect_keras(tree: Tree) -> Evidence | None:
    sure = [path for path in tree.paths if tree.members(path) >= KERAS]
    cut = [path for path in tree.paths if path.endswith(KERAS_SUFFIX) and tree.read(path).startswith(b"PK")]
    return play("model", sure or cut, is_sure=bool(sure))


TABLE = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"
"""How the index of a checkpoint ends: a table of LevelDB, table_format.txt of its documentation."""
INDEX = ".index"
WEIGHTS_SUFFIXES = (".weights.h5", INDEX)
LATEST = re.compile(rb'^model_checkpoint_path: "([^"]+)"', re.MULTILINE)
"""What `checkpoint`, beside several checkpoints, says is the last one (checkpoint_state.proto)."""


def _detect_weights(tree: Tree) -> Evidence | None:
    architectures = [path for path in tree.paths if _is_architecture(tree.read(path))]
    files = [path for path in tree.paths if tree.read(path).startswith(HDF5) and not _holds_architecture(tree, path)]
    indexes = _pick_latest(tree, [path for path in tree.paths if _is_checkpoint(tree, path)])
    if not architectures:  # a factory's, which only the user can tell of
        files = [path for path in files if _holds(tree, path, WEIGHTS)]
        return play("weights", [*files, *(path for path in indexes if not _has_graph(tree, path))], is_sure=False)
    weights = [*files, *indexes]
    if not weights:
        return None
    parts = {"architecture": architectures[0], "weights": weights[0]}
    return Evidence(parts, is_sure=True, rivals=(*architectures[1:], *weights[1:]))


def _has_graph(tree: Tree, index: str) -> bool:
    """Whether a checkpoint is of a graph: one of TensorFlow 1, or a SavedModel."""
    folder = index.rpartition("/")[0].rpartition("/")[0]
    beside = f"{index.removesuffix(INDEX)}{META}", f"{folder}/{SAVED_MODEL}" if folder else SAVED_MODEL
    return any(each in tree.paths for each in beside)


def _is_architecture(content: bytes) -> bool:
    return content.lstrip().startswith(b"{") and b'"class_name"' in content and b'"config"' in content


def _is_checkpoint(tree: Tree, path: str) -> bool:
    return path.endswith(INDEX) and tree.read(path, max(0, tree.size(path) - len(TABLE))) == TABLE


def _pick_latest(tree: Tree, indexes: list[str]) -> list[str]:
    """Return the index of the checkpoint that a file `checkpoint` names, or all."""
    for path in (each for each in tree.paths if each.rpartition("/")[2] == "checkpoint"):
        found = LATEST.search(tree.read(path))
        folder = path.rpartition("/")[0]
        if found:
            latest = found[1].decode(errors="replace").rpartition("/")[2] + INDEX
            named = f"{folder}/{latest}" if folder else latest
            indexes = [each for each in indexes if each == named] or indexes
    return indexes


SAVED_MODEL = "saved_model.pb"
SCHEMA = b"\x08\x01\x12"
"""Version 1 of the schema, field 1 of SavedModel in saved_model.proto, and the beginning of a graph."""


def _detect_saved_model(tree: Tree) -> Evidence | None:
    named = [path for path in tree.paths if path.rpartition("/")[2] == SAVED_MODEL]
    sure = [path for path in named if tree.read(path).startswith(SCHEMA)]
    return play("model", sure or named, is_sure=bool(sure))


NODES = re.compile(rb"\n(?:[\x80-\xff]*[\x01-\x7f])\n.[\w./-]+\x12.[A-Z]\w+", re.DOTALL)
"""How a graph begins: with a node (field 1 of GraphDef, graph.proto), that has a name and an operator (1 and 2 of NodeDef)."""
META = ".meta"


LITE = b"TFL3"
"""File identifier of the flatbuffer, behind the offset of its root (schema.fbs)."""


def _detect_lite(tree: Tree) -> Evidence | None:
    return play("model", [path for path in tree.paths if tree.read(path)[4:8] == LITE], is_sure=True)


def _detect_graph(tree: Tree) -> Evidence | None:
    return play("model", [path for path in tree.paths if NODES.match(tree.read(path))], is_sure=True)


def _detect_checkpoint(tree: Tree) -> Evidence | None:
    indexes = [path for path in tree.paths if _is_checkpoint(tree, path)]
    metas = [f"{path.removesuffix(INDEX)}{META}" for path in _pick_latest(tree, indexes)]
    return play("model", [path for path in metas if path in tree.paths], is_sure=True)


LAMBDA = "Lambda layers"
SAVED = "tensorflow-saved-model"
APART = "keras-json-weights"
KERAS_FORMATS = ("keras-h5", "keras", APART)
GRAPHS = ("tensorflow-graph", "tensorflow-checkpoint", SAVED)

LITE_MODEL = "tflite"


class LiteOptions(Options, frozen=True, kw_only=True):
    """Options of what writes TensorFlow Lite."""

    precision: Annotated[
        Literal["float16", "int8"] | None,
        Meta(
            description="Keep weights in half precision, or in 8 bits with the scale of each channel; inputs and outputs keep their types."
        ),
    ] = None


class WeightsOptions(Options, frozen=True, kw_only=True):
    """Options of what writes an architecture and weights apart."""

    weights: Annotated[
        Literal["hdf5", "checkpoint"], Meta(description="How the weights beside the architecture are stored.")
    ] = "hdf5"


FRAMEWORK = Framework(
    "tensorflow",
    "TensorFlow",
    formats=(
        Format(
            "tensorflow-graph",
            "TensorFlow graph with its weights as constants (.pb)",
            _detect_graph,
            suffixes=(".pb",),
            holds_graph=True,
        ),
        Format(
            "tensorflow-checkpoint",
            "TensorFlow 1 checkpoint with its graph (.meta)",
            _detect_checkpoint,
            suffixes=(META,),
            holds_graph=True,
        ),
        Format(
            LITE_MODEL,
            "TensorFlow Lite model (.tflite)",
            _detect_lite,
            suffixes=(".tflite",),
            holds_graph=True,
        ),
        Format(
            APART,
            "Keras weights (HDF5 or a TensorFlow checkpoint) with an architecture (JSON), or with code that builds it",
            _detect_weights,
            suffixes=WEIGHTS_SUFFIXES,
            may_execute=LAMBDA,
        ),
        Format(
            "keras-h5",
            "Keras model in HDF5 (architecture and weights)",
            _detect_h5,
            suffixes=H5_SUFFIXES,
            may_execute=LAMBDA,
        ),
        Format(
            SAVED,
            "TensorFlow SavedModel (a folder: saved_model.pb, variables)",
            _detect_saved_model,
            suffixes=(SAVED_MODEL,),
            holds_graph=True,
        ),
        Format(
            "keras",
            "Keras model (.keras, a zip archive)",
            _detect_keras,
            suffixes=(KERAS_SUFFIX,),
            may_execute=LAMBDA,
        ),
    ),
    converters=(
        *(Converter(name, "onnx", OnnxOptions, cost=10) for name in (*KERAS_FORMATS, *GRAPHS, LITE_MODEL)),
        *(Converter(name, SAVED, Options, cost=1 if name == SAVED else 10) for name in (*KERAS_FORMATS, *GRAPHS)),
        *(Converter(name, LITE_MODEL, LiteOptions, cost=10) for name in (*KERAS_FORMATS, *GRAPHS)),
        Converter(LITE_MODEL, LITE_MODEL, Options, cost=1),
        Converter("onnx", SAVED, Options, cost=10),
        *(
            Converter(
                source, target, WeightsOptions if target == APART else Options, cost=1 if source == target else 10
            )
            for source in KERAS_FORMATS
            for target in KERAS_FORMATS
        ),
    ),
)
