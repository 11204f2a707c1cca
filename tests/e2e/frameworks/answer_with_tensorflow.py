"""Ask a model of TensorFlow in its own framework: `answer_with_tensorflow.py FORMAT PATH OUT` writes inputs and outputs.

Runs in converter-tensorflow's environment, and imports nothing of Modelport's.
"""

import sys

import numpy as np
import tensorflow as tf


def ask_keras(path: str) -> tuple[dict, dict]:
    """Ask a whole model of Keras 2."""
    import tf_keras

    model = tf_keras.models.load_model(path, compile=False)
    inputs = {each.name: draw([1, *each.shape[1:]]) for each in model.inputs}
    answers = model(list(inputs.values()) if len(inputs) > 1 else next(iter(inputs.values())), training=False)
    answers = answers if isinstance(answers, list) else [answers]
    return inputs, dict(zip(model.output_names, answers, strict=True))


def ask_saved_model(path: str) -> tuple[dict, dict]:
    """Ask the signature that is served by default."""
    signature = tf.saved_model.load(path).signatures["serving_default"]
    specs = signature.structured_input_signature[1]
    inputs = {name: draw([1, *spec.shape[1:]]) for name, spec in specs.items()}
    return inputs, signature(**{name: tf.constant(value) for name, value in inputs.items()})


def draw(shape: list[int]) -> np.ndarray:
    """Return numbers as of sound, or of an image."""
    return np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)


ASKED = {"keras-h5": ask_keras, "tensorflow-saved-model": ask_saved_model}

if __name__ == "__main__":
    _, form, path, out = sys.argv
    asked, answered = ASKED[form](path)
    np.savez(
        out,
        **{f"in:{name}": each for name, each in asked.items()},
        **{f"out:{name}": np.asarray(each) for name, each in answered.items()},
    )
