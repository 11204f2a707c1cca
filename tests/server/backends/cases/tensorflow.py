"""Models of TensorFlow."""

from pathlib import Path

import numpy as np
import tensorflow as tf

from modelport.api.status import Signature, Tensor
from modelport_server.backends.base import DTYPES
from server.backends.cases import Case, identity_case, identity_of, values
from server.models import FIRST, MLP, SECOND, features, scores

WORDS = ["", "ü1", "ü2"]


def cases(folder: Path) -> list[Case]:
    """Return a perceptron, identities of all types, files of JPEG, a loop, a table of words, and what has no axis."""
    return [each(folder / each.__name__) for each in (_mlp, _identity, _jpeg, _loop, _words, _whole)]


def _save(folder, signature, answer, module=None, name="serving_default"):
    """Save what answers tensors by name; return the case's first parts."""
    specs = {
        each.name: tf.TensorSpec(
            [None if isinstance(length, str) else length for length in each.shape], each.dtype, each.name
        )
        for each in signature.inputs
    }
    function = tf.function(lambda **given: answer(given)).get_concrete_function(**specs)
    tf.saved_model.save(module or tf.Module(), str(folder), signatures={name: function})
    files = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
    return folder.name, folder, files, signature


def _mlp(folder):
    module = tf.Module()
    module.first, module.second = tf.Variable(FIRST), tf.Variable(SECOND)

    def answer(given):
        return {"scores": tf.nn.softmax(tf.nn.relu(given["features"] @ module.first) @ module.second)}

    saved = _save(folder, MLP, answer, module, name="score")  # the only one
    questions = ({"features": features(3, 1)}, {"features": features(3, 2)})
    return Case(*saved, questions, lambda inputs: {"scores": scores(inputs["features"])}, 1e-5)


def _identity(folder):
    signature = identity_of(sorted(DTYPES))
    return identity_case(
        *_save(folder, signature, lambda given: {f"{name}_out": tensor for name, tensor in given.items()})
    )


def _jpeg(folder):
    """Decode files of JPEG, which come as strings that are no text: how large the images are, and how bright."""
    signature = Signature(
        inputs=[Tensor(name="file", dtype="string", shape=["batch"])],
        outputs=[
            Tensor(name="bright", dtype="float32", shape=["batch"]),
            Tensor(name="size", dtype="int32", shape=["batch", 3]),
        ],
    )

    def look_at(content):
        return tf.cond(
            tf.io.is_jpeg(content),
            lambda: _measure(tf.io.decode_jpeg(content)),
            lambda: _measure(tf.zeros([0, 0, 0], tf.uint8)),
        )

    def answer(given):
        bright, size = tf.map_fn(look_at, given["file"], fn_output_signature=(tf.float32, tf.int32))
        return {"bright": bright, "size": size}

    saved = _save(folder, signature, answer)
    images = [np.full((8, 16, 3), 99, np.uint8), np.full((24, 8, 1), 200, np.uint8)]
    files = [tf.io.encode_jpeg(each).numpy() for each in images]
    known = {
        each.decode(errors="surrogateescape"): [part.numpy() for part in _measure(tf.io.decode_jpeg(each))]
        for each in files
    }
    assert [round(float(bright)) for bright, _ in known.values()] == [99, 200]
    first, second = known
    questions = tuple({"file": np.array(each, object)} for each in ([first, second], [second, second]))
    none = np.float32(0), np.zeros(3, np.int32)

    def right(inputs):
        found = [known.get(each, none) for each in inputs["file"]]
        return {"bright": np.stack([each[0] for each in found]), "size": np.stack([each[1] for each in found])}

    return Case(*saved, questions, right, 1e-3)


def _measure(image):
    """Return how bright an image is, 0 where it has no pixels, and its lengths."""
    bright = tf.math.divide_no_nan(tf.reduce_sum(tf.cast(image, tf.float32)), tf.cast(tf.size(image), tf.float32))
    return bright, tf.shape(image)


def _loop(folder):
    """Steps of a loop over a free axis, with weights within."""
    signature = _signature(("series", "float32", ["batch", "time", 3]), ("state", "float32", ["batch", 3]))
    module = tf.Module()
    module.weights = tf.Variable(np.diag([0.5, 0.25, 2]).astype(np.float32))

    def answer(given):
        series = given["series"]
        return {
            "state": tf.while_loop(
                lambda step, _: step < tf.shape(series)[1],
                lambda step, state: (step + 1, state @ module.weights + series[:, step]),
                (0, tf.zeros_like(series[:, 0])),
            )[1]
        }

    def right(inputs):
        state = np.zeros_like(inputs["series"][:, 0])
        for step in range(inputs["series"].shape[1]):
            state = state * np.float32([0.5, 0.25, 2]) + inputs["series"][:, step]
        return {"state": state}

    questions = tuple({"series": np.stack([values("float32", seed)] * length, 1)} for seed, length in ((1, 2), (2, 5)))
    return Case(*_save(folder, signature, answer, module), questions, right, 1e-3)


def _words(folder):
    signature = _signature(("word", "string", ["n", 3]), ("number", "int64", ["n", 3]))
    module = tf.Module()
    initializer = tf.lookup.KeyValueTensorInitializer(WORDS, list(range(len(WORDS))), value_dtype=tf.int64)
    module.table = tf.lookup.StaticHashTable(initializer, -1)

    def right(inputs):
        return {"number": np.vectorize(lambda each: WORDS.index(each) if each in WORDS else -1)(inputs["word"])}

    words = np.array([["ü1", "", "ü3"], ["ü2", "ü1", "x"]], object)
    saved = _save(folder, signature, lambda given: {"number": module.table.lookup(given["word"])}, module)
    return Case(*saved, ({"word": words}, {"word": words[::-1].copy()}), right)


def _whole(folder):
    """Answers without an axis."""
    signature = Signature(
        inputs=[Tensor(name="x", dtype="float32", shape=["n", 3]), Tensor(name="word", dtype="string", shape=["n", 3])],
        outputs=[
            Tensor(name="first", dtype="string", shape=[]),
            Tensor(name="sum", dtype="float32", shape=[]),
        ],
    )

    def answer(given):
        return {
            "first": given["word"][0, 0],
            "sum": tf.reduce_sum(given["x"]),
        }

    def right(inputs):
        return {
            "first": np.array(inputs["word"][0, 0], object),
            "sum": np.array(inputs["x"].sum(), np.float32),
        }

    questions = tuple({"x": values("float32", seed), "word": values("string", seed)} for seed in (1, 2))
    return Case(*_save(folder, signature, answer), questions, right)


def _signature(given, told):
    (name, dtype, shape), (output, made, answered) = given, told
    return Signature(
        inputs=[Tensor(name=name, dtype=dtype, shape=shape)],
        outputs=[Tensor(name=output, dtype=made, shape=answered)],
    )
