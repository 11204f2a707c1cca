"""A program: what a pickle asks for, with names; the same one is asked and converted."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.jobs.requests import ConvertRequest
from modelport.storage.trees import open_tree
from modelport.verification.arrays import Array
from modelport_converter.frameworks.mxnet.theano.library import theano
from modelport_converter.frameworks.mxnet.theano.reading.foreign import Foreign, name_of
from modelport_converter.frameworks.mxnet.theano.reading.lasagne import is_layer, outputs_of
from modelport_converter.frameworks.mxnet.theano.reading.modernising import modernise, own_type
from modelport_converter.frameworks.mxnet.theano.reading.unpickling import Function, read_pickle
from modelport_converter.tasks import find_part

FORMAT = "theano-function"
MAX_NODES = 100_000
OUTPUTS = ("outputs", "output", "y", "Y", "out", "l_out", "network", "net", "prediction", "predictions")
"""Keys of a pickled dict that say what is the output, where there are several variables."""


class Program(NamedTuple):
    """A graph of Theano 1.0."""

    inputs: Mapping[str, Any]
    """Variables by their names, in order."""
    outputs: Mapping[str, Any]


def read_program(request: ConvertRequest, folder: Path) -> Program:
    """Return the program of a trusted source. Raises ModelportError."""
    path = find_part(open_tree(folder), FORMAT)
    if not request.trusted:  # no such Job is planned
        raise ModelportError(Reason.UNTRUSTED_SOURCE, f"{path.name}: opening it runs code that comes with it")
    key = (request.checkpoint and request.checkpoint.key) or ""
    return named_program(_chosen(read_pickle(path), key, path.name), path.name)


def named_program(content: Any, name: str) -> Program:
    """Return the program of a pickle's content; `name` is the file's. Raises ModelportError."""
    try:
        program = _program_of(content, name)
    except (AttributeError, KeyError, TypeError, IndexError, AssertionError) as error:
        message = f"{name}: expected a graph of Theano 0.7 to 1.0, found one that lacks a part: {error!r:.200}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    _check(program, name)
    return program


def _chosen(content: Any, key: str, name: str) -> Any:
    """Return what is meant: the function, output variables, or layers."""
    for part in key.split(".") if key else ():
        if isinstance(content, dict) and part in content:
            content = content[part]
        elif isinstance(content, (list, tuple)) and part.isdigit() and int(part) < len(content):
            content = content[int(part)]
        else:
            there = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
            raise ModelportError(Reason.WEIGHTS_MISMATCH, f"checkpoint.key {key}: no {part!r} in {name}: {there:.200}")
    if isinstance(content, dict):
        found = {str(key): each for key, each in content.items() if _is_model(each)}
        named = [key for key in OUTPUTS if key in found]
        functions = [key for key, each in found.items() if isinstance(each, Function)]
        choice = named or functions or list(found)
        if len(choice) != 1 and not named:
            _refuse(name, f"{len(found)} functions or variables in a dict ({', '.join(found):.200})")
        return found[choice[0]]
    several = [each for each in content if isinstance(each, Function)] if isinstance(content, (list, tuple)) else []
    if len(several) > 1:
        _refuse(name, f"{len(several)} functions in a list, of which one is meant")
    if several:
        return several[0]
    return content


def _is_model(thing: Any) -> bool:
    several = isinstance(thing, (list, tuple)) and bool(thing) and all(map(_is_model, thing))
    return several or isinstance(thing, (Function, theano.gof.Variable)) or is_layer(thing)


def _refuse(name: str, found: str) -> NoReturn:
    message = (
        f"{name}: expected one theano.function, output variables, or a Lasagne layer, found {found}; name it with "
        "checkpoint.key"
    )
    raise ModelportError(Reason.CONVERSION_FAILED, message)


def _program_of(content: Any, name: str) -> Program:
    if isinstance(content, Function):
        return _of_function(content, name)
    given = list(content) if isinstance(content, (list, tuple)) else [content]
    if given and all(map(is_layer, given)):
        given = outputs_of(given)
    if not given or not all(isinstance(each, theano.gof.Variable) for each in given):
        what = next((each for each in given if not isinstance(each, theano.gof.Variable)), None)
        _refuse(name, "arrays alone, which say nothing of a graph" if isinstance(what, np.ndarray) else name_of(what))
    return _of_variables(given)


def _of_function(function: Function, name: str) -> Program:
    maker = function.maker
    if maker.outputs is None:
        _refuse(name, "a function without outputs")
    known: dict[Any, Any] = {}
    inputs = []
    for index, each in enumerate(maker.inputs):
        stored = getattr(each, "value", None)
        if each.implicit or hasattr(stored, "storage") or hasattr(each.variable, "container"):
            known[each.variable] = _shared(each, function.values[index])
            known[each.variable].tag.is_updated = each.update is not None
        else:
            known[each.variable] = _input(each.variable, each.name)
            inputs.append(known[each.variable])
    several = isinstance(maker.outputs, (list, tuple))
    outputs = [getattr(each, "variable", each) for each in (maker.outputs if several else [maker.outputs])]
    keys = getattr(maker, "output_keys", None) or [None] * len(outputs)
    made = modernise(outputs, known)
    read = set(theano.gof.graph.inputs(made))
    updated = [each.variable for each in maker.inputs if each.update is not None and known[each.variable] in read]
    if updated:
        _refuse_updates(name, [str(each.name or each.type) for each in updated])
    return _named(inputs, made, keys)


def _refuse_updates(name: str, updated: list[str]) -> NoReturn:
    message = (
        f"{name}: the function changes {len(updated)} shared variables each time that its outputs follow from "
        f"({', '.join(updated):.150}): it trains, draws numbers, or keeps a state; pickle the one that predicts, made "
        "without updates (in Lasagne: get_output(…, deterministic=True))"
    )
    raise ModelportError(Reason.CONVERSION_FAILED, message)


def _shared(each: Any, value: Any) -> Any:
    """Return a shared variable with the value that the function held."""
    kind, variable = own_type(each.variable), each.variable
    if not isinstance(kind, theano.tensor.TensorType):
        return variable  # a random state, or a container: whoever meets it refuses it
    content = variable.container.storage[0] if value is None else value
    return make_shared(np.asarray(content, kind.dtype), kind, variable.name)


def make_shared(array: Array, kind: Any, name: str | None) -> Any:
    """Return a shared variable of a type."""
    return theano.shared(array, name=name, broadcastable=kind.broadcastable, borrow=True)


def _input(variable: Any, name: str | None) -> Any:
    return own_type(variable)(name or variable.name)


def _of_variables(outputs: list[Any]) -> Program:
    roots = [
        each
        for each in theano.gof.graph.inputs(outputs)
        if not hasattr(each, "container") and not hasattr(each, "data")
    ]
    known = {each: _input(each, None) for each in roots}
    inputs = list(known.values())
    return _named(inputs, modernise(outputs, known), [None] * len(outputs))


def _named(inputs: list[Any], outputs: list[Any], keys: Iterable[Any]) -> Program:
    taken: set[str] = set()
    given = {_name(each.name, f"input_{index}", taken): each for index, each in enumerate(inputs)}
    made = {
        _name(key or each.name, f"output_{index}", taken): each
        for index, (each, key) in enumerate(zip(outputs, keys, strict=True))
    }
    return Program(given, made)


def _name(wish: Any, otherwise: str, taken: set[str]) -> str:
    name = str(wish) if wish and str(wish) not in taken and str(wish).isidentifier() else otherwise
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _check(program: Program, name: str) -> None:
    if not program.inputs or not program.outputs:
        _refuse(name, f"{len(program.inputs)} inputs and {len(program.outputs)} outputs")
    for role, variables in (("input", program.inputs), ("output", program.outputs)):
        for key, each in variables.items():
            if isinstance(each.type, Foreign) or not isinstance(each.type, theano.tensor.TensorType):
                message = f"{role} {key}: expected a tensor, found {each.type}: it has no type in ONNX"
                raise ModelportError(Reason.CONVERSION_FAILED, message)
            if each.dtype.startswith("complex"):
                message = f"{role} {key}: complex numbers have no type in ONNX; split them into two"
                raise ModelportError(Reason.CONVERSION_FAILED, message)
    nodes = theano.gof.graph.io_toposort(list(program.inputs.values()), list(program.outputs.values()))
    if len(nodes) > MAX_NODES:
        message = f"{name}: {len(nodes)} operators; at most {MAX_NODES} are converted"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
