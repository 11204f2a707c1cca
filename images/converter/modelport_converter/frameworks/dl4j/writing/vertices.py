"""What a graph has between its layers (nn/graph/vertex/impl of DL4J)."""

from collections.abc import Callable, Mapping, Sequence

from modelport_converter.frameworks.dl4j.reading.fields import Fields, named
from modelport_converter.frameworks.dl4j.reading.networks import Vertex, read_preprocessor
from modelport_converter.frameworks.dl4j.writing.graph import Graph, Value, expect_rank, refused
from modelport_converter.frameworks.dl4j.writing.recurrent import reverse_time, take_last
from modelport_converter.frameworks.dl4j.writing.reshaping import preprocess

ELEMENTWISE = {"Add": "Sum", "Average": "Mean", "Max": "Max", "Product": "Mul", "Subtract": "Sub"}
L2_EPSILON = 1e-8
Values = Mapping[str, Value]


def write_vertex(graph: Graph, vertex: Vertex, values: Values) -> Value:
    """Return the output of a vertex that is no layer. Raises ModelportError (ConversionFailed)."""
    inputs = [values[name] for name in vertex.inputs]
    if vertex.kind == "DuplicateToTimeSeriesVertex":
        return _duplicate(graph, vertex.fields, inputs, values)
    return _write(graph, vertex.kind, vertex.fields, inputs)


def _write(graph: Graph, kind: str, fields: Fields, inputs: Sequence[Value]) -> Value:
    if kind not in WRITERS or not inputs:
        raise refused(fields.where, f"a vertex {kind:.80} of {len(inputs)} inputs is not converted; replace it")
    if kind not in {"ElementWiseVertex", "MergeVertex", "StackVertex", "L2Vertex"} and len(inputs) > 1:
        raise refused(fields.where, f"expected one input of a {kind:.80}, found {len(inputs)}")
    return WRITERS[kind](graph, fields, inputs)


def _merge(graph: Graph, fields: Fields, inputs: Sequence[Value]) -> Value:
    rank = inputs[0].rank
    for each in inputs:
        expect_rank(each, fields.where, rank)
    axis = fields.integer("mergeAxis", default=1)
    if axis >= rank:
        raise refused(fields.where, f"mergeAxis: expected an axis below {rank}, found {axis}")
    return Value(graph.add("Concat", *(each.name for each in inputs), axis=axis), rank)


def _elementwise(graph: Graph, fields: Fields, inputs: Sequence[Value]) -> Value:
    kind = fields.text("op")
    if kind not in ELEMENTWISE or (kind == "Subtract" and len(inputs) != 2):  # noqa: PLR2004
        raise refused(fields.where, f"op {kind:.40} of {len(inputs)} inputs is not converted")
    rank, names = max(each.rank for each in inputs), [each.name for each in inputs]
    if len(names) == 1:
        return inputs[0]
    if kind != "Product":
        return Value(graph.add(ELEMENTWISE[kind], *names), rank)
    product = names[0]
    for name in names[1:]:
        product = graph.add("Mul", product, name)
    return Value(product, rank)


def _scale(graph: Graph, fields: Fields, inputs: Sequence[Value]) -> Value:
    return Value(graph.add("Mul", inputs[0].name, graph.numbers(fields.number("scaleFactor"))), inputs[0].rank)


def _shift(graph: Graph, fields: Fields, inputs: Sequence[Value]) -> Value:
    return Value(graph.add("Add", inputs[0].name, graph.numbers(fields.number("shiftFactor", 0.0))), inputs[0].rank)


def _subset(graph: Graph, fields: Fields, inputs: Sequence[Value]) -> Value:
    expect_rank(inputs[0], fields.where, 2, 3, 4)
    first, last = fields.integer("from"), fields.integer("to")
    return Value(graph.slice(inputs[0].name, 1, first, last + 1), inputs[0].rank)


def _stack(graph: Graph, fields: Fields, inputs: Sequence[Value]) -> Value:
    for each in inputs:
        expect_rank(each, fields.where, inputs[0].rank)
    return Value(graph.add("Concat", *(each.name for each in inputs), axis=0), inputs[0].rank)


def _unstack(graph: Graph, fields: Fields, inputs: Sequence[Value]) -> Value:
    """Rows of one of the parts, all of them of one length."""
    expect_rank(inputs[0], fields.where, 2, 3, 4)
    number, count = fields.integer("from"), fields.length("stackSize")
    rows = graph.add("Div", graph.length(inputs[0].name, 0), graph.lengths(count))
    start, end = (graph.add("Mul", rows, graph.lengths(each)) for each in (number, number + 1))
    return Value(graph.add("Slice", inputs[0].name, start, end, graph.lengths(0)), inputs[0].rank)


def _distance(graph: Graph, fields: Fields, inputs: Sequence[Value]) -> Value:
    """Return the Euclidean distance of two inputs: [batch, 1]."""
    if len(inputs) != 2:  # noqa: PLR2004
        raise refused(fields.where, f"expected two inputs of an L2Vertex, found {len(inputs)}")
    difference = graph.add("Flatten", graph.add("Sub", inputs[0].name, inputs[1].name), axis=1)
    return Value(graph.add("ReduceL2", difference, axes=[1], keepdims=1), 2)


def _normalize(graph: Graph, fields: Fields, inputs: Sequence[Value]) -> Value:
    """Return x / max(‖x‖, eps), the norm over all axes behind the batch, or over those that the vertex names."""
    rank = inputs[0].rank
    given = fields.items("dimension") if "dimension" in fields else None
    axes = fields.integers("dimension", len(given)) if given else tuple(range(1, rank))
    if axes != tuple(range(1, rank)):
        raise refused(fields.where, f"dimension: expected all axes behind the batch, found {axes}; leave it out")
    norm = graph.add("ReduceL2", inputs[0].name, axes=axes, keepdims=1)
    floor = graph.add("Max", norm, graph.numbers(fields.number("eps", L2_EPSILON)))
    return Value(graph.add("Div", inputs[0].name, floor), rank)


def _reshape(graph: Graph, fields: Fields, inputs: Sequence[Value]) -> Value:
    shape = [int(each) if isinstance(each, int) else 0 for each in fields.items("newShape")]
    order = fields.text("reshapeOrder", "c")
    if order != "c" or not shape or any(each == 0 or each < -1 for each in shape) or shape.count(-1) > 1:
        raise refused(fields.where, f"expected a shape in order c, found {shape!s:.80} in order {order:.10}")
    return Value(graph.add("Reshape", inputs[0].name, graph.lengths(*shape)), len(shape))


def _cut_first(graph: Graph, fields: Fields, inputs: Sequence[Value]) -> Value:
    expect_rank(inputs[0], fields.where, 4)
    return Value(graph.slice(graph.slice(inputs[0].name, 2, 1), 3, 1), 4)


def _preprocessor(graph: Graph, fields: Fields, inputs: Sequence[Value]) -> Value:
    return preprocess(graph, read_preprocessor(fields.inner("preProcessor")), inputs[0])


def _last_step(graph: Graph, fields: Fields, inputs: Sequence[Value]) -> Value:
    expect_rank(inputs[0], fields.where, 3)
    return Value(take_last(graph, inputs[0].name, 2), 2)


def _reverse(graph: Graph, fields: Fields, inputs: Sequence[Value]) -> Value:
    expect_rank(inputs[0], fields.where, 3)
    return Value(reverse_time(graph, inputs[0].name, 2), 3)


def _duplicate(graph: Graph, fields: Fields, inputs: Sequence[Value], values: Values) -> Value:
    """Return a vector at each time of an input of the network."""
    source = values.get(fields.text("inputName"))
    if source is None or len(inputs) != 1:
        raise refused(fields.where, f"inputName: expected an input, found {fields.text('inputName')!a:.80}")
    expect_rank(source, fields.where, 3)
    expect_rank(inputs[0], fields.where, 2)
    shape = graph.add("Concat", graph.lengths(1, 1), graph.length(source.name, 2), axis=0)
    return Value(graph.add("Expand", graph.add("Unsqueeze", inputs[0].name, graph.lengths(2)), shape), 3)


def _frozen(graph: Graph, fields: Fields, inputs: Sequence[Value]) -> Value:
    kind, inner = named(fields.inner("underlying"))
    return _write(graph, kind, inner, inputs)


WRITERS: dict[str, Callable[[Graph, Fields, Sequence[Value]], Value]] = {
    "ElementWiseVertex": _elementwise,
    "FrozenVertex": _frozen,
    "L2NormalizeVertex": _normalize,
    "L2Vertex": _distance,
    "LastTimeStepVertex": _last_step,
    "MergeVertex": _merge,
    "PoolHelperVertex": _cut_first,
    "PreprocessorVertex": _preprocessor,
    "ReshapeVertex": _reshape,
    "ReverseTimeSeriesVertex": _reverse,
    "ScaleVertex": _scale,
    "ShiftVertex": _shift,
    "StackVertex": _stack,
    "SubsetVertex": _subset,
    "UnstackVertex": _unstack,
}
