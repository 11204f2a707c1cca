"""Write a model as a SavedModel with one signature, `serving_default`, whose names are the model's.

A parameter of a function is called by a word; the signature that is saved with it (`SignatureDef` in meta_graph.proto),
which servers and converters read, has any names.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from modelport.api.reasons import Reason
from modelport.api.status import Signature
from modelport.errors import ModelportError, describe_error, lacks_memory
from modelport_converter.frameworks.tensorflow.model import INPUT, SERVING, Graph, Model, signature_of, trace

FILE = "saved_model.pb"


def save_model(model: Model, asked: Signature, folder: Path) -> None:
    """Write the model with the lengths that were asked of it. Raises ModelportError (ConversionFailed)."""
    fixed = fix_lengths(model, asked)
    save_graph(fixed, trace(fixed), folder)


def save_graph(model: Model, graph: Graph, folder: Path) -> None:
    """Write a model that was traced. Raises ModelportError (ConversionFailed)."""
    names = [each.name for each in model.inputs]
    words = [name if name.isidentifier() else f"{INPUT}{number}" for number, name in enumerate(names)]
    try:
        _save(model, graph, words, folder)
    except Exception as error:  # of no common base
        if lacks_memory(error) or isinstance(error, ModelportError):
            raise
        message = f"TensorFlow does not save the model: {describe_error(error)}"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error
    _rename(folder / FILE, dict(zip(words, names, strict=True)))


def fix_lengths(model: Model, asked: Signature) -> Model:
    """Return the model whose inputs have the lengths that the signature says."""
    shapes = {each.name: each.shape for each in asked.inputs}
    inputs = [msgspec.structs.replace(each, shape=shapes.get(each.name, each.shape)) for each in model.inputs]
    return model._replace(inputs=inputs)


def _save(model: Model, graph: Graph, words: Sequence[str], folder: Path) -> None:
    def answer(**given: tf.Tensor) -> Mapping[str, tf.Tensor]:
        answers = graph.function(*(given[word] for word in words))
        # an output that is an input, or another output, too, has a name of its own
        return {name: tf.identity(each) for name, each in zip(graph.outputs, answers, strict=True)}

    specs = {
        word: tf.TensorSpec(each.shape, each.dtype, word) for word, each in zip(words, signature_of(model), strict=True)
    }
    module = tf.Module()
    module.weights, module.holder = list(graph.function.variables), model.holder
    function = tf.function(answer, autograph=False).get_concrete_function(**specs)
    tf.saved_model.save(module, str(folder), signatures={SERVING: function})


def _rename(path: Path, names: Mapping[str, str]) -> None:
    """Give the signature's inputs their names."""
    if all(word == name for word, name in names.items()):
        return
    saved = SavedModel.FromString(path.read_bytes())
    for graph in saved.meta_graphs:
        inputs = graph.signature_def[SERVING].inputs
        told = {names[word]: type(tensor).FromString(tensor.SerializeToString()) for word, tensor in inputs.items()}
        inputs.clear()
        for name, tensor in told.items():
            inputs[name].CopyFrom(tensor)
    path.write_bytes(saved.SerializeToString())
