"""Preprocessors: what DL4J does with axes between layers of different kinds.

Where time and batch become one axis, time comes first in it: DL4J reshapes in order f.
"""

from collections.abc import Callable

from modelport_converter.frameworks.dl4j.reading.fields import Fields
from modelport_converter.frameworks.dl4j.reading.layouts import is_last
from modelport_converter.frameworks.dl4j.reading.networks import Preprocessor, read_preprocessor
from modelport_converter.frameworks.dl4j.writing.graph import Graph, Value, expect_rank, refused

IMAGE = ("numChannels", "inputHeight", "inputWidth")
VOLUME = ("numChannels", "inputDepth", "inputHeight", "inputWidth")
FORMAT = "rnnDataFormat"


def preprocess(graph: Graph, preprocessor: Preprocessor, value: Value) -> Value:
    """Return the input of a layer behind its preprocessor."""
    if preprocessor.kind not in WRITERS:
        where = preprocessor.fields.where
        raise refused(where, f"a preprocessor {preprocessor.kind:.80} is not converted; train the model without it")
    return WRITERS[preprocessor.kind](graph, preprocessor.fields, value)


def _flatten(graph: Graph, fields: Fields, value: Value) -> Value:
    expect_rank(value, fields.where, 2, 4, 5)
    return Value(graph.add("Flatten", value.name, axis=1), 2) if value.rank > 2 else value  # noqa: PLR2004


def _image(graph: Graph, fields: Fields, value: Value) -> Value:
    expect_rank(value, fields.where, 2, 4)
    if value.rank == 4:  # noqa: PLR2004
        return value
    shape = [fields.length(each) for each in IMAGE]
    return Value(graph.add("Reshape", value.name, graph.lengths(-1, *shape)), 4)


def _volume(graph: Graph, fields: Fields, value: Value) -> Value:
    expect_rank(value, fields.where, 2, 5)
    if value.rank == 5:  # noqa: PLR2004
        return value
    shape = [fields.length(each) for each in VOLUME]
    if not fields.flag("isNCDHW", default=True):
        shape = [*shape[1:], shape[0]]
    return Value(graph.add("Reshape", value.name, graph.lengths(-1, *shape)), 5)


def rows_of_time(graph: Graph, fields: Fields, value: Value) -> Value:
    """[batch, features, time] as [time · batch, features]."""
    expect_rank(value, fields.where, 2, 3)
    if value.rank == 2:  # noqa: PLR2004
        return value
    first = graph.transpose(value.name, *((1, 0, 2) if is_last(fields, FORMAT) else (2, 0, 1)))
    shape = graph.add("Concat", graph.lengths(-1), graph.length(first, 2), axis=0)
    return Value(graph.add("Reshape", first, shape), 2)


def time_of_rows(graph: Graph, fields: Fields, value: Value) -> Value:
    """[time · batch, features] as [batch, features, time]."""
    expect_rank(value, fields.where, 2)
    parts = graph.lengths(-1), graph.length(graph.first_input, 0), graph.length(value.name, 1)
    first = graph.add("Reshape", value.name, graph.add("Concat", *parts, axis=0))
    return Value(graph.transpose(first, *((1, 0, 2) if is_last(fields, FORMAT) else (1, 2, 0))), 3)


def _time_of_images(graph: Graph, fields: Fields, value: Value) -> Value:
    expect_rank(value, fields.where, 4)
    return time_of_rows(graph, fields, Value(graph.add("Flatten", value.name, axis=1), 2))


def _images_of_time(graph: Graph, fields: Fields, value: Value) -> Value:
    expect_rank(value, fields.where, 3)
    return _image(graph, fields, rows_of_time(graph, fields, value))


def _reshaped(graph: Graph, fields: Fields, value: Value) -> Value:
    """Rows in another shape, in order c; the file tells it with a batch, which does not count, or without."""
    given = fields.lengths("targetShape", len(fields.items("targetShape")))
    shape = given[1:] if fields.flag("hasMiniBatchDimension", default=False) else given
    return Value(graph.reshape(value.name, -1, *shape), len(shape) + 1)


def _permuted(graph: Graph, fields: Fields, value: Value) -> Value:
    given = fields.integers("permutationIndices", len(fields.items("permutationIndices")))
    order = (0, *given) if len(given) + 1 == value.rank else given
    if sorted(order) != list(range(value.rank)) or order[0]:
        message = f"permutationIndices: expected an order of the axes behind the batch of {value.rank}, found {given}"
        raise refused(fields.where, message)
    return Value(graph.transpose(value.name, *order), value.rank)


def _flattened(graph: Graph, fields: Fields, value: Value) -> Value:
    return Value(graph.reshape(value.name, 0, fields.length("depth") * fields.length("tsLength")), 2)


def _each(graph: Graph, fields: Fields, value: Value) -> Value:
    for number, item in enumerate(fields.items("inputPreProcessors")):
        value = preprocess(graph, read_preprocessor(Fields(item, f"{fields.where}.{number}")), value)
    return value


WRITERS: dict[str, Callable[[Graph, Fields, Value], Value]] = {
    "Cnn3DToFeedForwardPreProcessor": _flatten,
    "CnnToFeedForwardPreProcessor": _flatten,
    "CnnToRnnPreProcessor": _time_of_images,
    "ComposableInputPreProcessor": _each,
    "FeedForwardToCnn3DPreProcessor": _volume,
    "FeedForwardToCnnPreProcessor": _image,
    "FeedForwardToRnnPreProcessor": time_of_rows,
    "KerasFlattenRnnPreProcessor": _flattened,
    "PermutePreProcessor": _permuted,
    "ReshapePreProcessor": _reshaped,
    "RnnToCnnPreProcessor": _images_of_time,
    "RnnToFeedForwardPreProcessor": rows_of_time,
}
