"""Layers and models of a user's own, of Keras 3; the tests have them of Keras 2, too. None of it is a test."""

import keras
import numpy as np
import tensorflow as tf

LEAK = np.random.standard_normal(3).astype("float32")  # noqa: NPY002  # in no file


class Scale(keras.layers.Layer):
    """Multiplies by a weight, and by a number in its configuration."""

    def __init__(self, by=2.0, **more):
        super().__init__(**more)
        self.by = by

    def build(self, shape):
        self.gain = self.add_weight(shape=(shape[-1],), initializer="ones", name="gain")

    def call(self, x):
        return x * self.gain * self.by

    def get_config(self):
        return super().get_config() | {"by": self.by}


@keras.utils.register_keras_serializable(package="Own")
class Shift(Scale):
    """Is registered."""

    def call(self, x):
        return x + self.gain * self.by


def swirl(x):
    return x * keras.activations.sigmoid(x * 1.5)


faded = lambda x: keras.activations.relu(x * 0.5, max_value=2.0)  # noqa: E731  # as many write what they name


class Net(keras.Model):
    """A class of its own: layers in a list, a metric, and two outputs."""

    def __init__(self, width=4, **more):
        super().__init__(**more)
        self.first = keras.layers.Dense(width)
        self.geometric = [Scale(), Scale(3.0)]
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.normal = keras.layers.BatchNormalization()

    def call(self, x, training=None):
        hidden = self.normal(self.first(x), training=training)
        for each in self.geometric:
            hidden = each(hidden)
        return hidden, tf.reduce_sum(hidden, -1)

    def get_config(self):
        return {"width": 4}


class Lists(keras.Model):
    """Layers in lists of lists."""

    def __init__(self, **more):
        super().__init__(**more)
        self.blocks = [[keras.layers.Dense(4), keras.layers.Dense(4)], [keras.layers.Dense(4)]]

    def call(self, x):
        for each in (layer for row in self.blocks for layer in row):
            x = each(x)
        return x


class Two(keras.Model):
    """Takes a dict, and gives one."""

    def __init__(self, **more):
        super().__init__(**more)
        self.dense = keras.layers.Dense(3)

    def call(self, inputs):
        return {"sum": self.dense(inputs["left"]) + inputs["right"]}


class Leaky(Two):
    """Has numbers that no file holds."""

    def call(self, x):
        return self.dense(x) + LEAK
