"""Models after public bug reports, graphs as TensorFlow 1 left them, and models of classes of their own; see `run_kinds`."""

import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_kinds as kinds
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow_kinds import SAVED, Case, Counting, Keras, keras2, keras3

from modelport.api.spec import Input, Tolerance, Verification

v1 = tf.compat.v1
SERVING = "serving_default"
TABLE = np.linspace(-1, 1, 16, dtype=np.float32).reshape(4, 4)
GIVEN = (Input(name="given", shape=["batch", 4]),)


def nested(keras: Keras) -> Any:
    layers = keras.layers
    inner = keras.Sequential(
        [layers.Input((4,)), layers.Dense(4, name="first"), layers.Dense(4, name="second")], name="inner"
    )
    given = layers.Input((4,), name="given")
    return keras.Model(given, inner(given))


def by_name(keras: Keras) -> Any:
    layers = keras.layers
    right, left = layers.Input((4,), name="right"), layers.Input((4,), name="left")
    return keras.Model({"right": right, "left": left}, {"a": layers.Dense(3)(left), "b": layers.Dense(2)(right)})


def twice(keras: Keras) -> Any:
    """Outputs whose names would be one another's, and an input."""
    layers = keras.layers
    given, other = layers.Input((4,), name="given"), layers.Input((4,), name="unused")
    dense = layers.Dense(4, name="dense")
    return keras.Model(
        [given, other], [dense(given), dense(dense(given)), layers.Dense(2, name="dense_1")(given), given]
    )


def grouped(keras: Keras) -> Any:
    layers = keras.layers
    image = layers.Input((6, 6, 4), name="image")
    return keras.Model(image, layers.Conv2D(4, 3, groups=2, padding="same")(image))


def sparse(keras: Keras) -> Any:
    given = keras.layers.Input((4,), name="given", sparse=True)
    return keras.Model(given, keras.layers.Dense(3)(given))


def ragged(keras: Keras) -> Any:
    given = keras.layers.Input((None, 3), name="given", ragged=True)
    return keras.Model(given, keras.layers.GlobalAveragePooling1D()(given))


def channels(keras: Keras) -> Any:
    """Convolutions whose weights have a scale for each channel in 8 bits."""
    layers = keras.layers
    image = layers.Input((12, 12, 3), name="image")
    hidden = layers.Conv2D(8, 3, padding="same", activation="relu")(image)
    hidden = layers.DepthwiseConv2D(3, strides=2, activation="relu6")(hidden)
    return keras.Model(image, layers.Dense(5)(layers.GlobalAveragePooling2D()(hidden)))


def pooled(keras: Keras) -> Any:
    """Pools of 8 bits, whose halves are rounded, before layers that make more of a step."""
    layers = keras.layers
    image = layers.Input((16, 16, 3), name="image")
    hidden = layers.AveragePooling2D(2)(layers.Conv2D(8, 3, padding="same")(image))
    hidden = layers.AveragePooling2D(3, strides=2, padding="same")(hidden)
    return keras.Model(image, layers.Dense(5)(layers.GlobalAveragePooling2D()(hidden)))


def bounded(keras: Keras) -> Any:
    """Pools of 8 bits that are bounded, as their operator has it."""
    layers = keras.layers
    image = layers.Input((16, 16, 3), name="image")
    hidden = layers.ReLU(6.0)(layers.AveragePooling2D(2)(image))
    return keras.Model(image, layers.ReLU()(layers.AveragePooling2D(2, strides=1)(hidden)))


def masked(keras: Keras) -> Any:
    """Attention in which rows of zeros see nothing."""
    tokens = keras.layers.Input((None,), dtype="int32", name="tokens")
    each = keras.layers.Embedding(20, 6, mask_zero=True)(tokens)
    return keras.Model(tokens, keras.layers.MultiHeadAttention(2, 3)(each, each))


def operators(keras: Keras) -> Any:
    """Operators on tensors, which Keras 2 makes layers of."""
    given = keras.layers.Input((4,), name="given")
    whole = tf.cast(given * 10, "int32")
    return keras.Model(given, [whole // 3, tf.math.floormod(whole, -3)])


def writing(path: pathlib.Path) -> None:
    """Have a model write a file when it is built."""
    layer = {"name": "evil", "trainable": True, "dtype": "float32", "function": "io.write_file"}
    fed = [["_CONSTANT_VALUE", -1, str(path.with_name("written")), {"contents": "x"}]]
    evil = {"class_name": "TFOpLambda", "name": "evil", "config": layer, "inbound_nodes": fed}
    kinds.architecture_of(path, lambda config: config["config"]["layers"].insert(1, evil))


def rows(keras: Keras) -> Any:
    """Rows of a table, fed as floats, as Keras has it where nobody says otherwise."""
    layers = keras.layers
    given = layers.Input((6,), name="given")
    return keras.Model(given, layers.Dense(3)(layers.Flatten()(layers.Embedding(20, 4)(given))))


def aged(keras: Keras) -> Any:
    layers = keras.layers
    series = layers.Input((None, 3), name="series")
    return keras.Model(series, layers.Bidirectional(layers.GRU(4, reset_after=False))(series))


def without_setting(path: pathlib.Path) -> None:
    """Write of a GRU what Keras before 2.1.3 wrote."""

    def change(config: Any) -> None:
        bidirectional = config["config"]["layers"][1]["config"]
        for each in ("layer", "backward_layer"):
            bidirectional.get(each, {}).get("config", {}).pop("reset_after", None)

    kinds.architecture_of(path, change)


def cropped(keras: Keras) -> Any:
    """Answers what is too short with nothing as a graph, and not at all in Python."""
    layers = keras.layers
    given = layers.Input((None, 3), name="given")
    return keras.Model(given, layers.Cropping1D((600, 600))(layers.Dense(2)(given)))


class Told(Counting):
    """A function of TensorFlow, as what is right."""

    def __init__(self, function: Callable[..., Any], *inputs: tf.TensorSpec) -> None:
        self.weights = []
        self.function = function
        self.inputs = inputs

    def __call__(self, *given: Any, training: bool = False) -> Any:
        return self.function(*map(tf.constant, given))


def whole_numbers(x: Any, unused: Any) -> Any:
    return {
        "divided": x // -3,
        "rest": x % -3,
        "summed": tf.cumsum(x, 1, exclusive=True, reverse=True),
        "truncated": tf.truncatemod(x, -3),
    }


def resized(x: Any) -> Any:
    answers = {}
    for name, corners, half in (("old", False, False), ("corners", True, False), ("half", False, True)):
        given = {"align_corners": corners, "half_pixel_centers": half}
        answers[name] = v1.image.resize_bilinear(x, [5, 13], **given)
        answers[f"{name}_to_one"] = v1.image.resize_bilinear(x, [1, 1], **given)
        answers[f"{name}_nearest"] = v1.image.resize_nearest_neighbor(x, [5, 13], **given)
    return answers


def named(zeta: Any, alpha: Any) -> Any:
    return {"first": zeta * 2 - alpha, "same": zeta - alpha, "second": zeta - alpha, "through": zeta}


def function(of: Callable[..., Any], *inputs: tf.TensorSpec) -> Callable[[Keras], Told]:
    return lambda _: Told(of, *inputs)


def save_told(model: Told, path: pathlib.Path) -> None:
    module = tf.Module()
    module.answer = tf.function(model.function, input_signature=model.inputs, autograph=False)
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.answer})


def save_lite(model: Told, path: pathlib.Path) -> None:
    save_told(model, path / "saved")
    write_lite(tf.lite.TFLiteConverter.from_saved_model(str(path / "saved")), path)


def save_several(_: Any, path: pathlib.Path) -> None:
    module = tf.Module()
    given = [tf.TensorSpec((2, 4), tf.float32, "given")]
    module.double = tf.function(lambda given: {"y": given * 2}, input_signature=given)
    module.triple = tf.function(lambda given: {"y": given * 3}, input_signature=given)
    tf.saved_model.save(module, str(path / "saved"), signatures={"double": module.double, "triple": module.triple})
    write_lite(tf.lite.TFLiteConverter.from_saved_model(str(path / "saved")), path)


def save_counting(_: Any, path: pathlib.Path) -> None:
    module = tf.Module()
    module.sum = tf.Variable(tf.zeros((2, 4)))
    given = [tf.TensorSpec((2, 4), tf.float32, "given")]
    module.answer = tf.function(lambda given: {"y": module.sum.assign_add(given) * 1.0}, input_signature=given)
    tf.saved_model.save(module, str(path / "saved"), signatures={"serving_default": module.answer})
    made = tf.lite.TFLiteConverter.from_saved_model(str(path / "saved"))
    made.experimental_enable_resource_variables = True
    write_lite(made, path)


def save_bytes(model: Any, path: pathlib.Path) -> None:
    """Write a model of 8 bits a number, with a scale for each channel, and let LiteRT say what is right."""
    generator = np.random.default_rng(0)
    made = tf.lite.TFLiteConverter.from_keras_model(model)
    made.optimizations = [tf.lite.Optimize.DEFAULT]
    made.representative_dataset = lambda: (
        [generator.standard_normal((1, *model.inputs[0].shape[1:])).astype(np.float32)] for _ in range(20)
    )
    made.inference_input_type = made.inference_output_type = tf.int8
    write_lite(made, path)


def write_lite(made: Any, path: pathlib.Path) -> None:
    (path / "model.tflite").write_bytes(made.convert())


def save_training(_: Any, path: pathlib.Path, *, kept: int = 3) -> None:
    """Write what is left of training with TensorFlow 1: averages, logs, savers, and a switch with a value."""
    with tf.Graph().as_default(), v1.Session() as session:
        given = v1.placeholder(tf.float32, [None, 4], "given")
        switch = v1.placeholder_with_default(1.0, [], "switch")
        variables = [v1.get_variable(name, initializer=TABLE) for name in ("w", "average", "b")][:kept]
        tf.identity(variables[1].read_value(), "shadow")
        v1.summary.scalar("loss", tf.reduce_sum(given))
        v1.train.get_or_create_global_step()
        other = v1.get_variable("other", initializer=TABLE)
        tf.tanh(given @ variables[0] @ other * switch, "summed")
        session.run(v1.global_variables_initializer())
        for step in (3, 4):
            v1.train.Saver(variables if kept < 3 else None).save(session, str(path / "net"), global_step=step)


def save_optimized(_: Any, path: pathlib.Path) -> None:
    """Write a graph with its optimizer, under no name, with shapes that another TensorFlow inferred."""
    with tf.Graph().as_default(), v1.Session() as session:
        given = v1.placeholder(tf.float32, [None, 4], "given")
        label = v1.placeholder(tf.float32, [None, 4], "label")
        weight = v1.get_variable("w", initializer=TABLE, use_resource=False)
        summed = tf.tanh(given @ weight @ TABLE, "summed")
        loss = tf.reduce_mean((summed - label) ** 2, name="loss")
        v1.train.GradientDescentOptimizer(0.1).minimize(loss)
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, f"{path}/")
    meta = path / ".meta"
    content = MetaGraphDef.FromString(meta.read_bytes())
    (node,) = (each for each in content.graph_def.node if each.name == "loss")
    node.attr["_output_shapes"].list.shape.add().dim.add(size=7)
    meta.write_bytes(content.SerializeToString())


def save_normalized(_: Any, path: pathlib.Path) -> None:
    """Write a graph with what moves an average, which nothing reads."""
    with tf.Graph().as_default(), v1.Session() as session:
        given = v1.placeholder(tf.float32, [None, 4], "given")
        mean = v1.get_variable("mean", initializer=np.zeros(4, np.float32), use_resource=False, trainable=False)
        v1.assign_sub(mean, 0.1 * (mean - tf.reduce_mean(given, 0)), name="moving")
        tf.tanh((given - mean) @ TABLE @ TABLE, "summed")
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(path / "net"))


def save_tagged(_: Any, path: pathlib.Path) -> None:
    """Write a SavedModel of TensorFlow 1 with a graph that trains, and one that is served."""
    with tf.Graph().as_default(), v1.Session() as session:
        given = v1.placeholder(tf.float32, [None, 4], "given")
        summed = tf.tanh(given @ v1.get_variable("w", initializer=TABLE, use_resource=False) @ TABLE)
        session.run(v1.global_variables_initializer())
        train, serve = (
            {SERVING: v1.saved_model.predict_signature_def({"given": given}, {"summed": each})}
            for each in (summed * 0.5, summed)
        )
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["train"], train)
        builder.add_meta_graph(["serve"], serve)
        builder.save()


def save_counted(_: Any, path: pathlib.Path) -> None:
    """Write a SavedModel of TensorFlow 1 that counts its calls."""
    with tf.Graph().as_default(), v1.Session() as session:
        given = v1.placeholder(tf.float32, [None, 4], "given")
        calls = v1.get_variable("calls", initializer=0.0, use_resource=False)
        summed = given + v1.assign_add(calls, 1.0)
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(path), {"given": given}, {"summed": summed})


def trained(given: Any) -> Any:
    return {"summed": tf.tanh(given @ TABLE @ TABLE)}


def frozen(model: Told, path: pathlib.Path) -> None:
    with tf.Graph().as_default() as graph:
        given = [v1.placeholder(each.dtype, each.shape, each.name) for each in model.inputs]
        for name, tensor in model.function(*given).items():
            tf.identity(tensor, name)
        (path / "frozen.pb").write_bytes(graph.as_graph_def().SerializeToString())


def own(name: str) -> Callable[[Keras], Any]:
    """A model of a class of its own, built."""

    def build(keras: Keras) -> Any:
        model = getattr(kinds.own_layers(keras), name)()
        ones = np.ones((2, 4), np.float32)
        model({"left": ones, "right": ones[:, :3]} if name == "Two" else ones)
        return model

    return build


def custom(keras: Keras, activation: str = "swirl") -> Any:
    module, layers = kinds.own_layers(keras), keras.layers
    given = layers.Input((4,), name="given")
    scaled = module.Shift()(module.Scale(3.0)(given))
    return keras.Model(given, layers.Dense(4, activation=getattr(module, activation, activation))(scaled))


def faded(keras: Keras) -> Any:
    return custom(keras, "faded")


def without_function(path: pathlib.Path) -> None:
    """Write of a lambda what Keras before 2.13 wrote."""

    def change(config: Any) -> None:
        config["config"]["layers"][-1]["config"]["activation"] = "<lambda>"

    kinds.architecture_of(path, change)


def plain(keras: Keras) -> Any:
    return custom(keras, "relu")


def save_weights(name: str) -> Callable[[Any, pathlib.Path], None]:
    return lambda model, path: model.save_weights(path / name)


def save_objects(model: Any, path: pathlib.Path) -> None:
    tf.train.Checkpoint(model=model).write(str(path / "saved"))


def built(name: str, form: str, library: Keras = keras3, inputs: Any = GIVEN, **more: Any) -> Case:
    """Weights alone, and a factory."""
    code = {"factory": f"own_layers:{name}"}
    given = {"save": save_weights(form), "code": code, "inputs": inputs} | more
    return Case(f"built-{name}-{form}-{library.__version__[0]}", own(name), "keras-json-weights", library, **given)


ONE_STEP = Verification(outputs={"output_0": Tolerance(absolute=1)})
OBJECTS = {"objects": [f"own_layers:{name}" for name in ("Scale", "Shift", "swirl")]}
FADED = {"objects": [*OBJECTS["objects"], "own_layers:faded"]}
FOUR = tf.TensorSpec((2, 4), tf.float32)
CASES = (
    kinds.weights("nested2", nested, keras2, "model.h5", change=kinds.reordered),
    kinds.weights("objects3", kinds.two, keras3, "checkpoint", change=kinds.reordered),
    kinds.weights("objects2", nested, keras2, "saved", change=kinds.reordered),
    Case("by_name", by_name, inputs=tuple(Input(name=name, shape=["batch", 4]) for name in ("left", "right"))),
    *(Case(f"twice{each.__version__[0]}", twice, "keras-h5", each) for each in (keras2, keras3)),
    Case("grouped3", grouped),
    Case("grouped2", grouped, "keras-h5", keras2),
    Case("grouped-saved", grouped, SAVED, save=kinds.exported),
    Case("sparse3", sparse),
    Case("sparse2", sparse, "keras-h5", keras2),
    Case("ragged2", ragged, "keras-h5", keras2),
    Case("masked", masked, "keras-h5"),
    Case("operators", operators, "keras-h5", keras2),
    Case("writing", plain, "keras-h5", keras2, change=writing),
    Case(
        "whole",
        function(
            whole_numbers, tf.TensorSpec((None, 3), tf.int64, "x"), tf.TensorSpec((None, 3), tf.float32, "unused")
        ),
        SAVED,
        save=save_told,
    ),
    Case(
        "resized", function(resized, tf.TensorSpec((None, 7, 9, 3), tf.float32, "x")), "tensorflow-graph", save=frozen
    ),
    Case(
        "training",
        function(trained, tf.TensorSpec((None, 4), tf.float32, "given")),
        "tensorflow-checkpoint",
        save=save_training,
    ),
    Case(
        "training-part",
        function(trained, tf.TensorSpec((None, 4), tf.float32, "given")),
        "tensorflow-checkpoint",
        save=lambda model, path: save_training(model, path, kept=2),
    ),
    *(
        Case(name, function(trained, tf.TensorSpec((None, 4), tf.float32, "given")), form, save=save)
        for name, form, save in (
            ("normalized-1", "tensorflow-checkpoint", save_normalized),
            ("tagged-1", SAVED, save_tagged),
            ("counted-1", SAVED, save_counted),
        )
    ),
    *(
        Case(
            f"optimized-{key}",
            function(trained, tf.TensorSpec((None, 4), tf.float32, "given")),
            "tensorflow-checkpoint",
            save=save_optimized,
            key=key,
        )
        for key in ("summed", None)
    ),
    *(Case(f"rows{each.__version__[0]}", rows, "keras-h5", each) for each in (keras2, keras3)),
    Case("aged-gru", aged, "keras-h5", keras2, change=without_setting),
    Case("cropped", cropped, "keras-h5", keras2),
    Case("lambda", faded, "keras-h5", keras2, code=FADED, change=without_function),
    Case("lambda-unknown", faded, "keras-h5", keras2, code=OBJECTS, change=without_function),
    Case(
        "lite-names",
        function(named, tf.TensorSpec((2, 4), tf.float32, "zeta"), tf.TensorSpec((2, 4), tf.float32, "alpha")),
        "tflite",
        save=save_lite,
    ),
    Case("lite-several", kinds.dense, "tflite", save=save_several),
    Case("lite-second", kinds.dense, "tflite", save=save_several, key="triple"),
    Case("lite-state", kinds.dense, "tflite", save=save_counting),
    Case("lite-bytes", channels, "tflite", save=save_bytes, verification=ONE_STEP),
    Case(
        "unread",
        function(
            lambda x, _: {"y": tf.tanh(x)}, *(tf.TensorSpec((None, 3), tf.float32, name) for name in ("x", "unread"))
        ),
        "tensorflow-graph",
        inputs=tuple(Input(name=name, shape=["batch", 3]) for name in ("x", "unread")),
        save=frozen,
    ),
    Case("lite-pooled", pooled, "tflite", save=save_bytes),
    Case("lite-pooled-bounded", bounded, "tflite", save=save_bytes),
    *(
        Case(f"custom-{form}-{library.__version__[0]}", build, form, library, code=OBJECTS)
        for form, library, build in (
            ("keras", keras3, custom),
            ("keras-h5", keras3, custom),
            ("keras", keras2, custom),
            ("keras-h5", keras2, plain),
        )
    ),
    kinds.weights("custom-json", custom, keras3, "checkpoint", code=OBJECTS),
    Case("custom-saved", custom, SAVED, keras2),
    Case("custom-unknown", custom, trusted=True),
    Case("custom-untrusted", custom),
    Case("own-class", own("Net"), inputs=GIVEN, code={"objects": ["own_layers:Net", "own_layers:Scale"]}),
    built("Net", "net.weights.h5"),
    built("Net", "net.h5", keras2),
    built("Net", "net", keras2),
    built("Net", "objects", save=save_objects),
    built("Lists", "net.weights.h5"),
    built("Lists", "net.weights.h5", keras2),
    built(
        "Two",
        "net.weights.h5",
        inputs=(Input(name="left", shape=["batch", 4]), Input(name="right", shape=["batch", 3])),
    ),
    built("Leaky", "net.weights.h5"),
    built("Leaky", "wrong.weights.h5", code={"factory": "own_layers:Net"}),
    built("Leaky", "alone.weights.h5", code={}, trusted=True),
)
