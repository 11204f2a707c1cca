"""A model as TensorFlow functions: what every format of TensorFlow comes down to."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple, cast, get_args

import tensorflow as tf

from modelport.api.base import Dtype
from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.errors import ModelportError

PRECISIONS: tuple[Dtype, ...] = ("bfloat16", "float16", "float32", "float64")
RANDOM = re.compile("(Stateless|Stateful)?(Random|TruncatedNormal|Multinomial|ParameterizedTruncated|StandardNormal)")
"""How operators begin that draw numbers."""
WRITING = re.compile(
    "Assign|Resource(Scatter|Apply)|Scatter(Add|Sub|Update|NdUpdate)$|(Lookup|Mutable)Table(Insert|Import)"
)
"""How operators begin that change what the next call sees."""

REACHING = {"ReadFile", "WriteFile", "MatchingFiles", "PyFunc", "PyFuncStateless", "EagerPyFunc", "LoadLibrary"}
"""Operators that read files of the machine, write them, or run Python."""
INPUT = "modelport_input_"
"""How the inputs of a graph are called, with their positions: no layer is called so."""
LOOPS = {"While", "StatelessWhile", "LoopCond"}


class Model(NamedTuple):
    """A model that answers tensors with tensors."""

    inputs: Sequence[Input]
    call: Callable[[Sequence[tf.Tensor]], Mapping[str, tf.Tensor]]
    """From the inputs in order to the outputs by name."""
    variables: Sequence[tf.Variable]


class Graph(NamedTuple):
    """A model as a graph."""

    function: tf.types.experimental.PolymorphicFunction
    """From the inputs in order to the outputs in order, traced once."""
    outputs: Sequence[str]
    """Their names."""
    nodes: Sequence[tf.compat.v1.NodeDef]
    """Its own, and those of all functions that it calls."""


def trace(model: Model) -> Graph:
    """Return the model as a graph whose free dimensions are free."""
    names: list[str] = []

    def answer(*tensors: tf.Tensor) -> list[tf.Tensor]:
        answers = model.call(tensors)
        names[:] = answers
        return list(answers.values())

    function = tf.function(answer, input_signature=signature_of(model), autograph=False)
    graph = function.get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(node for inner in graph.library.function for node in inner.node_def)]
    return Graph(function, names, nodes)


def signature_of(model: Model) -> list[tf.TensorSpec]:
    """Return the specifications of the inputs; names are by position, because TensorFlow allows fewer letters."""
    return [
        tf.TensorSpec(
            [None if isinstance(length, str) else length for length in each.shape], each.dtype, f"{INPUT}{number}"
        )
        for number, each in enumerate(model.inputs)
    ]


def read_inputs(specs: Mapping[str, tf.TensorSpec], given: Sequence[Input]) -> list[Input]:
    """Return the model's inputs; what the user says about one of them by name comes first.

    Raises ModelportError: InvalidSpec for a name that the model does not have, ConversionFailed for a type that cannot
    be served, InputsNeeded for a tensor without a rank that the user does not describe.
    """
    said = {each.name: each for each in given}
    unknown = set(said) - set(specs)
    if unknown:
        message = f"spec.source.inputs: the model has no input {', '.join(sorted(unknown)):.200}"
        raise ModelportError(Reason.INVALID_SPEC, f"{message}; it has {', '.join(specs):.200}")
    return [said.get(name) or _read_input(name, spec) for name, spec in specs.items()]


def find_random(nodes: Sequence[tf.compat.v1.NodeDef]) -> list[str]:
    """Return the nodes that draw random numbers, by name and operator."""
    return [f"{node.name} ({node.op})" for node in nodes if RANDOM.match(node.op)]


def refuse_states(nodes: Sequence[tf.compat.v1.NodeDef]) -> None:
    """Raise ModelportError (ConversionFailed) for a model that changes variables when it is asked.

    Its next answer follows from them, and a graph without states would answer each call as the first one.
    """
    writing = [node.name for node in nodes if WRITING.match(node.op)]
    if writing:
        message = (
            f"{', '.join(writing):.200}: expected a model whose answers follow from its inputs alone, found one that"
            " changes variables when it is asked; build it without stateful=True, or with its state as input and output"
        )
        raise ModelportError(Reason.CONVERSION_FAILED, message)


def has_loops(nodes: Sequence[tf.compat.v1.NodeDef]) -> bool:
    """Whether a model runs some operators again and again, as recurrent layers do."""
    return any(node.op in LOOPS for node in nodes)


def refuse_reaching(name: str, graphs: Iterable[tf.compat.v1.GraphDef]) -> None:
    """Raise ModelportError (UnsafeSource) for graphs of a file that reach out of it, some when they are loaded."""
    nodes = (
        node for graph in graphs for node in chain(graph.node, *(each.node_def for each in graph.library.function))
    )
    found = dict.fromkeys(f"{node.name} ({node.op})" for node in nodes if node.op in REACHING)
    if found:
        message = f"{name}: expected a graph of numbers, found {', '.join(found):.300}, which would reach out of it"
        raise ModelportError(Reason.UNSAFE_SOURCE, message)


def find_precision(nodes: Sequence[tf.compat.v1.NodeDef]) -> Dtype:
    """Return the coarsest floating-point type in a graph."""
    found = set(_types(nodes))
    return next((each for each in PRECISIONS if each in found), "float32")


def _types(nodes: Sequence[tf.compat.v1.NodeDef]) -> Iterator[str]:
    for attribute in (value for node in nodes for value in node.attr.values()):
        for each in (attribute.type, *attribute.list.type):
            if each:
                yield tf.dtypes.as_dtype(each).name


def _read_input(name: str, spec: tf.TensorSpec) -> Input:
    if not isinstance(spec, tf.TensorSpec) or spec.dtype.name not in get_args(Dtype):
        found = spec.dtype.name if isinstance(spec, tf.TensorSpec) else type(spec).__name__
        message = f"input {name:.100}: expected a tensor of {', '.join(get_args(Dtype))}; found {found}"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    if spec.shape.rank is None:
        message = f"input {name:.100}: expected a tensor with a rank, found none; state it in inputs"
        raise ModelportError(Reason.INPUTS_NEEDED, message)
    shape = [
        # a first axis that nobody named is a batch: the same length for all inputs
        ("batch" if axis == 0 else f"{name}_{axis}") if length is None else length
        for axis, length in enumerate(spec.shape.as_list())
    ]
    return Input(name=name, dtype=cast("Dtype", spec.dtype.name), shape=shape)
