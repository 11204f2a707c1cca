"""A model as TensorFlow functions: what every format of TensorFlow comes down to."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import NamedTuple, cast, get_args

import tensorflow as tf

from modelport.api.base import Dtype
from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.asking.litert.naming import name_output
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
OUTPUT = "modelport_output_"
INPUT = "modelport_input_"
"""How the inputs of a graph are called, with their positions: no layer is called so."""
SERVING = "serving_default"
COMPILED = "_XlaMustCompile"
"""Attribute of what XLA is to compile as a whole."""
LOOPS = {"While", "StatelessWhile", "LoopCond"}


class Model(NamedTuple):
    """A model that answers tensors with tensors."""

    inputs: Sequence[Input]
    call: Callable[[Sequence[tf.Tensor]], Mapping[str, tf.Tensor]]
    """From the inputs in order to the outputs by name."""
    variables: Sequence[tf.Variable]
    holder: object = None
    """What its tables and files live as long as, and are saved with."""


def make_model(
    inputs: Sequence[Input],
    call: Callable[[Sequence[tf.Tensor]], Mapping[str, tf.Tensor]],
    variables: Sequence[tf.Variable],
    holder: object = None,
) -> Model:
    """Return a model whose outputs have names of their own."""
    taken = {each.name for each in inputs}

    def answer(tensors: Sequence[tf.Tensor]) -> Mapping[str, tf.Tensor]:
        return {name_output(name, taken): tensor for name, tensor in call(tensors).items()}

    return Model(inputs, answer, variables, holder)


class Graph(NamedTuple):
    """A model as a graph."""

    function: tf.types.experimental.ConcreteFunction
    """From the inputs in order to the outputs in order."""
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
    if any(COMPILED in node.attr for node in nodes_of(graph)):
        with _inlined():
            function = tf.function(answer, input_signature=signature_of(model), autograph=False)
            graph = function.get_concrete_function().graph.as_graph_def()
    return Graph(function.get_concrete_function(), names, list(nodes_of(graph)))


@contextmanager
def _inlined() -> Iterator[None]:
    """Have functions that are to be compiled, as Keras has grouped convolutions be, traced into what calls them."""
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def inline_compiled(graph: tf.compat.v1.GraphDef) -> bool:
    """Mark no function of a graph as one to be compiled, which nothing would look into; return whether there was one."""
    marked = [each.attr for each in (*nodes_of(graph), *graph.library.function) if COMPILED in each.attr]
    for attributes in marked:
        del attributes[COMPILED]
    return bool(marked)


def nodes_of(graph: tf.compat.v1.GraphDef) -> Iterator[tf.compat.v1.NodeDef]:
    """Return the nodes of a graph, and of all functions in it."""
    return chain(graph.node, *(each.node_def for each in graph.library.function))


def signature_of(model: Model) -> list[tf.TensorSpec]:
    """Return the specifications of the inputs; names are by position, because TensorFlow allows fewer letters."""
    return [
        tf.TensorSpec(
            [None if isinstance(length, str) else length for length in each.shape], each.dtype, f"{INPUT}{number}"
        )
        for number, each in enumerate(model.inputs)
    ]


def pick_signature(signatures: Collection[str], name: str | None) -> str:
    """Return the signature of this name, else the only one, else the one to serve. Raises ModelportError."""
    wanted = name or (SERVING if SERVING in signatures or len(signatures) != 1 else next(iter(signatures)))
    if wanted in signatures:
        return wanted
    if not signatures:
        message = "expected a signature, which tells inputs and outputs, found none; save it with signatures="
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    message = (
        f"spec.source.checkpoint.key: expected a signature, one of {', '.join(signatures):.200}; found {wanted:.60}"
    )
    raise ModelportError(Reason.INVALID_SPEC, message)


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
    found = {name: _read_input(name, spec, said.get(name)) for name, spec in specs.items()}
    return list(found.values())


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


def refuse_reaching(name: str, nodes: Iterable[tf.compat.v1.NodeDef]) -> None:
    """Raise ModelportError (UnsafeSource) for nodes that reach out of the file, some when they are loaded."""
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


def _read_input(name: str, spec: tf.TypeSpec, said: Input | None) -> Input:
    if not isinstance(spec, tf.TensorSpec) or spec.dtype.name not in get_args(Dtype):
        found = spec.dtype.name if isinstance(spec, tf.TensorSpec) else type(spec).__name__
        message = f"input {name:.100}: expected a dense tensor of {', '.join(get_args(Dtype))}; found {found}"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    if said:
        return said
    if spec.shape.rank is None:
        message = f"input {name:.100}: expected a tensor with a rank, found none; state it in inputs"
        raise ModelportError(Reason.INPUTS_NEEDED, message)
    shape = [
        # a first axis that nobody named is a batch: the same length for all inputs
        ("batch" if axis == 0 else f"{name}_{axis}") if length is None else length
        for axis, length in enumerate(spec.shape.as_list())
    ]
    return Input(name=name, dtype=cast("Dtype", spec.dtype.name), shape=shape)
