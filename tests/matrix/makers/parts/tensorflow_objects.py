"""A layer of a user's own: what `code.objects` names. For Keras 2 the import is another."""

import keras


@keras.saving.register_keras_serializable("own")
class Scale(keras.layers.Layer):
    """Multiplies by a learned factor."""

    def __init__(self, power=2, **more):
        super().__init__(**more)
        self.power = power

    def build(self, shape):
        self.factor = self.add_weight(name="factor", shape=(int(shape[-1]),), initializer="ones")

    def call(self, given):
        return given * self.factor**self.power

    def get_config(self):
        return super().get_config() | {"power": self.power}
