"""What a configuration says: vertices in the order in which their parameters lie, whatever version wrote them.

A MultiLayerNetwork becomes the graph that it is: a chain. A layer is called as its class is since 1.0.0-beta; before,
its name in JSON was another one (LegacyJsonFormat).
"""

from collections.abc import Mapping
from typing import NamedTuple

from modelport_converter.frameworks.dl4j.reading.fields import Fields, corrupt, named

INPUT, OUTPUT = "input", "output"
"""What a sequential network's are called here: it has no names."""
MAX_VERTICES = 100_000
MAX_DEPTH = 16
"""Of layers within layers, as Frozen(LastTimeStep(LSTM))."""
DATA_TYPES = {"FLOAT": "float32", "DOUBLE": "float64", "HALF": "float16"}
LAYERS = {
    "autoEncoder": "AutoEncoder", "convolution": "ConvolutionLayer", "convolution1d": "Convolution1DLayer",
    "gravesLSTM": "GravesLSTM", "gravesBidirectionalLSTM": "GravesBidirectionalLSTM", "output": "OutputLayer",
    "rnnoutput": "RnnOutputLayer", "loss": "LossLayer", "dense": "DenseLayer", "subsampling": "SubsamplingLayer",
    "subsampling1d": "Subsampling1DLayer", "batchNormalization": "BatchNormalization",
    "localResponseNormalization": "LocalResponseNormalization", "embedding": "EmbeddingLayer",
    "activation": "ActivationLayer", "dropout": "DropoutLayer", "GlobalPooling": "GlobalPoolingLayer",
    "zeroPadding": "ZeroPaddingLayer", "zeroPadding1d": "ZeroPadding1DLayer",
    "ElementWiseMult": "ElementWiseMultiplicationLayer",
    "Convolution1D": "Convolution1DLayer", "Convolution2D": "ConvolutionLayer", "Pooling1D": "Subsampling1DLayer",
    "Pooling2D": "SubsamplingLayer",
}  # fmt: skip
PREPROCESSOR, IMPORTED = "PreProcessor", "Preprocessor"
"""How names of their classes end: DL4J's own, and those of networks that came from Keras."""
LAYER_VERTEX = "LayerVertex"
JAVA_BUCKETS = 16
"""Of a new HashSet."""


class Layer(NamedTuple):
    """A layer of a network, or one within another."""

    kind: str
    fields: Fields
    variables: tuple[str, ...] = ()
    """Names of its parameters, as the file lists them."""

    def inner(self, *names: str) -> "Layer":
        """Return the layer within that one of these fields holds."""
        return read_layer(self.fields.inner(*names), self.variables)


class Preprocessor(NamedTuple):
    """What is done with the shape of a layer's input."""

    kind: str
    fields: Fields


class Vertex(NamedTuple):
    """A step of a network: a layer, or what a graph has between layers."""

    name: str
    inputs: tuple[str, ...]
    kind: str
    fields: Fields
    layer: Layer | None = None
    preprocessor: Preprocessor | None = None


class Network(NamedTuple):
    """A network; its vertices are in the order of their parameters, and each stands behind its inputs."""

    is_graph: bool
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    vertices: tuple[Vertex, ...]
    data_type: str
    """That the configuration names; empty in files of before 1.0.0-beta4, whose parameters tell it."""
    has_batch: bool = True
    """Whether a sequential network takes rows for a batch: else it takes all of them for one sequence."""


def read_network(configuration: Fields) -> Network:
    """Return the network. Raises ModelportError (SourceCorrupt)."""
    data_type = configuration.text("dataType")
    if data_type and data_type not in DATA_TYPES:
        raise corrupt(f"{configuration.where}.dataType: expected {', '.join(DATA_TYPES)}, found {data_type:.100}")
    read = _read_graph if "vertices" in configuration else _read_sequence
    return read(configuration, data_type)


def read_layer(fields: Fields, variables: tuple[str, ...] = ()) -> Layer:
    """Return the layer that an object describes."""
    kind, inner = named(fields)
    if inner.where.count(".") > MAX_DEPTH:
        raise corrupt(f"{fields.where:.60}…: expected layers within layers, {MAX_DEPTH} deep at most, found more")
    return Layer(LAYERS.get(kind, kind), inner, variables)


def read_preprocessor(fields: Fields) -> Preprocessor:
    """Return the preprocessor that an object describes."""
    kind, inner = named(fields)
    kind = (kind[:1].upper() + kind[1:]).replace(IMPORTED, PREPROCESSOR)
    return Preprocessor(kind if kind.endswith(PREPROCESSOR) else f"{kind}{PREPROCESSOR}", inner)


def _read_sequence(configuration: Fields, data_type: str) -> Network:
    items = configuration.items("confs")
    if not 0 < len(items) <= MAX_VERTICES:
        raise corrupt(f"{configuration.where}.confs: expected 1 to {MAX_VERTICES} layers, found {len(items)}")
    preprocessors = configuration.inner("inputPreProcessors") if "inputPreProcessors" in configuration else None
    vertices: list[Vertex] = []
    for number, item in enumerate(items):
        layer = _read_conf(Fields(item, f"layer {number}"))
        key, before = str(number), vertices[-1].name if vertices else INPUT
        given = preprocessors is not None and key in preprocessors
        preprocessor = read_preprocessor(preprocessors.inner(key)) if preprocessors and given else None
        name = OUTPUT if number == len(items) - 1 else f"layer{number}"
        vertices.append(Vertex(name, (before,), LAYER_VERTEX, layer.fields, layer, preprocessor))
    has_batch = all(Fields(item, "layer").flag("miniBatch", default=True) for item in items)
    return Network(False, (INPUT,), (OUTPUT,), tuple(vertices), data_type, has_batch)


def _read_conf(conf: Fields) -> Layer:
    variables = tuple(conf.texts("variables")) if "variables" in conf else ()
    return read_layer(conf.inner("layer"), variables)


def _read_graph(configuration: Fields, data_type: str) -> Network:
    inputs = tuple(configuration.texts("networkInputs"))
    outputs = tuple(configuration.texts("networkOutputs"))
    found, edges = configuration.inner("vertices"), configuration.inner("vertexInputs")
    names = tuple(found.names())
    where = configuration.where
    if not inputs or not outputs or len(names) > MAX_VERTICES:
        raise corrupt(f"{where}: expected inputs, outputs and at most {MAX_VERTICES} vertices, found {len(names)}")
    if len({*inputs, *names}) != len(inputs) + len(names):
        raise corrupt(f"{where}: expected each input and vertex by a name of its own, found one twice")
    sources = {name: tuple(edges.texts(name)) if name in edges else () for name in names}
    for name in (*outputs, *(each for given in sources.values() for each in given)):
        if name not in found and name not in inputs:
            raise corrupt(f"{where}: expected a vertex or input {name!a:.100}, found none")
    order = _stored_order(configuration, {*inputs, *names}) or sort_vertices(inputs, sources)
    seen = set(inputs)
    for name in order:
        if not seen.issuperset(sources.get(name, ())):
            raise corrupt(
                f"{where}: expected vertices in an order without circles, found {name!a:.100} before its inputs"
            )
        seen.add(name)
    vertices = [_read_vertex(name, found.inner(name), sources[name]) for name in order if name not in inputs]
    return Network(True, inputs, outputs, tuple(vertices), data_type)


def _read_vertex(name: str, fields: Fields, inputs: tuple[str, ...]) -> Vertex:
    kind, inner = named(fields)
    if kind != LAYER_VERTEX:
        return Vertex(name, inputs, kind, inner)
    preprocessor = read_preprocessor(inner.inner("preProcessor")) if "preProcessor" in inner else None
    return Vertex(name, inputs, kind, inner, _read_conf(inner.inner("layerConf")), preprocessor)


def _stored_order(configuration: Fields, names: set[str]) -> list[str]:
    """Return the order that newer versions write, nothing for older ones."""
    if "topologicalOrderStr" not in configuration or "topologicalOrder" not in configuration:
        return []
    order = configuration.texts("topologicalOrderStr")
    if len(order) != len(names) or set(order) != names:
        raise corrupt(f"{configuration.where}.topologicalOrderStr: expected each input and vertex once")
    return order


def sort_vertices(inputs: tuple[str, ...], sources: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the order of Kahn's algorithm, as ComputationGraph.topologicalSortOrder finds it: by numbers, ascending.

    Inputs have the first numbers, then vertices, as the file lists them. What becomes ready at once comes in the order of
    Java's HashSet of those numbers, which is by remainder.
    """
    names = [*inputs, *sources]
    numbers = {name: number for number, name in enumerate(names)}
    open_inputs = {name: set(given) for name, given in sources.items()}
    followers: dict[str, set[str]] = {name: set() for name in names}
    for name, given in sources.items():
        for each in given:
            followers[each].add(name)
    ready = [name for name in names if not open_inputs.get(name)]
    order: list[str] = []
    for name in ready:  # which grows
        order.append(name)
        for follower in _as_java_does(followers[name], numbers):
            open_inputs[follower].discard(name)
            if not open_inputs[follower]:
                ready.append(follower)
    if len(order) != len(names):
        raise corrupt("vertices: expected a graph without circles, found one")
    return order


def _as_java_does(names: set[str], numbers: Mapping[str, int]) -> list[str]:
    """Return names in the order of a HashSet of their numbers: by the bucket of its table, which is at most 3/4 full."""
    buckets = JAVA_BUCKETS
    while len(names) > buckets * 3 // 4:
        buckets *= 2
    return sorted(names, key=lambda name: (numbers[name] % buckets, numbers[name]))
