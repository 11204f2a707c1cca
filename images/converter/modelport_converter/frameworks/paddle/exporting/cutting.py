"""Programs without the operators that are written here, and those put back into the model that paddle2onnx makes of the rest.

What a removed operator makes becomes an input of the rest, and what it takes an output, so that paddle2onnx sees a whole
program. In the model the two are joined by the operators' own nodes.
"""

from collections.abc import Iterable, Mapping, MutableSequence, Sequence
from pathlib import Path
from typing import NamedTuple

import onnx

from modelport_converter.frameworks.paddle.exporting.running import export_program
from modelport_converter.frameworks.paddle.files import READERS, Files
from modelport_converter.frameworks.paddle.operators.base import Context, Writer
from modelport_converter.frameworks.paddle.reading.program import Operator, Program, Value
from modelport_converter.frameworks.paddle.reading.schema import DTYPES
from modelport_converter.frameworks.paddle.reading.weights import read_arrays
from modelport_converter.onnx_graphs.graphs import fresh_name, names_of, nodes_of, subgraphs_of
from modelport_converter.onnx_graphs.naming import rename
from modelport_converter.onnx_graphs.writing import IR_VERSION, OPSET, GraphWriter, value_info

ENDS = frozenset({"feed", "fetch", "data", "shadow_output", "combine", "full", "full_int_array", "split"})
"""What is left of a program that is written here as a whole."""


class Cut(NamedTuple):
    """Where a program is cut."""

    operators: tuple[Operator, ...]
    given: tuple[str, ...]
    """Values that they make."""
    wanted: tuple[str, ...]
    """Values that they take, and that the rest makes."""


def write_program(
    files: Files, content: bytes, weights: Path | None, format_name: str, written: Mapping[str, Writer]
) -> onnx.ModelProto:
    """Return the model of a program. Raises ModelportError (ConversionFailed)."""
    program = files.program
    own = [each for each in program.operators if each.kind in written and written[each.kind].is_meant(each, program)]
    if not own:
        model = export_program(content, weights, format_name, files.name, program.kinds)
        return _with_scalars(_with_names(model, [each.name for each in program.outputs]), program)
    cut = _plan(program, own)
    places = {each.place for each in own}
    rest = [each for each in program.operators if each.place not in places and each.kind not in ENDS]
    model = onnx.ModelProto(ir_version=IR_VERSION, opset_import=[onnx.helper.make_opsetid("", OPSET)])
    if rest:
        changed = READERS[format_name].cut(content, files.name, places, cut.given, cut.wanted)
        model = export_program(changed, weights, format_name, files.name, program.inner | {each.kind for each in rest})
        left = READERS[format_name].read_program(changed, files.name)
        model = _with_names(model, [each.name for each in left.outputs])
    _join(model, files, weights, cut, written)
    return _with_scalars(model, program)


def _with_names(model: onnx.ModelProto, names: Sequence[str]) -> onnx.ModelProto:
    """Return the model with outputs of these names: paddle2onnx gives some another one, and the own one to a value within."""
    if len(names) != len(model.graph.output):
        return model
    others = {each.name: name for each, name in zip(model.graph.output, names, strict=True) if each.name != name}
    taken = names_of(model)
    moved = {name: fresh_name(f"{name}_within", taken) for name in others.values() if name in taken}
    rename([model.graph], {**moved, **others})
    for tensor in model.graph.initializer:
        tensor.name = moved.get(tensor.name, tensor.name)
    for value in model.graph.output:
        value.name = others.get(value.name, value.name)
    return model


def _with_scalars(model: onnx.ModelProto, program: Program) -> onnx.ModelProto:
    """Return the model with outputs without axes where the program has them: paddle2onnx knows vectors of one element alone."""
    scalars = {each.name for each in program.outputs if not each.shape}
    if scalars:
        writer = GraphWriter(taken=names_of(model))
        for name in sorted(scalars):
            vector = writer.fresh(name)
            for node in model.graph.node:
                for names in (node.input, node.output):
                    names[:] = [vector if each == name else each for each in names]
            writer.reshape(vector, out=name)
        model.graph.node.extend(writer.nodes)
        model.graph.initializer.extend(writer.weights)
        for each in model.graph.output:
            if each.name in scalars:
                del each.type.tensor_type.shape.dim[:]
    return model


def _plan(program: Program, own: Iterable[Operator]) -> Cut:
    operators = tuple(own)
    given = {
        name: None
        for each in operators
        for names in each.outputs.values()
        for name in names
        if name in program.values and program.values[name].dtype in DTYPES.values()
    }
    known = {each.name for each in program.weights} | set(program.fed) | set(given) | set(program.constants)
    known |= {name for name, value in program.values.items() if value.name in known}
    known |= set(program.fetched)
    taken = {name: None for each in operators for names in each.inputs.values() for name in names}
    used = {name for each in program.operators for names in each.inputs.values() for name in names}
    used |= set(program.fetched)
    return Cut(
        operators, tuple(name for name in given if name in used), tuple(name for name in taken if name not in known)
    )


def _join(model: onnx.ModelProto, files: Files, weights: Path | None, cut: Cut, written: Mapping[str, Writer]) -> None:
    program, graph = files.program, model.graph
    writer = GraphWriter(taken={*names_of(model), *cut.given, *cut.wanted, *(each.name for each in program.outputs)})
    outputs = dict(zip(program.fetched, program.outputs, strict=True))
    # what the rest gives has the output's name already; what is made here gets it
    names = {**program.fed, **{name: value.name for name, value in outputs.items()}}
    taken = {
        program.values[name].name
        for each in cut.operators
        for slot in each.inputs.values()
        for name in slot
        if name in program.values
    }
    stored = {each.name for each in program.weights} & taken
    arrays = dict(read_arrays(weights, program.weights, frozenset(stored))) if weights else {}
    for operator in cut.operators:
        writer.scope = operator.kind
        written[operator.kind].write(Context(writer, operator, program, names, arrays))
    graph.node.extend(writer.nodes)
    graph.initializer.extend(writer.weights)
    for name in cut.given:  # where it is no output, nodes know it by its own name
        names.setdefault(name, name)
    declared = {each.name: each for each in (*graph.input, *graph.output)}
    _declare(graph.input, program.inputs, declared)
    _declare(graph.output, program.outputs, declared)
    for node in graph.node:
        node.input[:] = [names.get(name, name) if name in cut.given else name for name in node.input]
    _sort(graph)
    _leave_out_unused(model)


def _leave_out_unused(model: onnx.ModelProto) -> None:
    """Take away weights that no node reads: paddle2onnx writes those of removed operators, too."""
    read = {name for node in nodes_of(model) for name in node.input} | {each.name for each in model.graph.output}
    kept = [each for each in model.graph.initializer if each.name in read]
    if len(kept) < len(model.graph.initializer):
        copies = [onnx.TensorProto.FromString(each.SerializeToString()) for each in kept]
        del model.graph.initializer[:]
        model.graph.initializer.extend(copies)


def _declare(
    values: MutableSequence[onnx.ValueInfoProto],
    wanted: Iterable[Value],
    declared: Mapping[str, onnx.ValueInfoProto],
) -> None:
    """Let inputs or outputs be those of the program, in its order, as the rest declares them where it has them."""
    infos = [declared.get(each.name) or value_info(each.name, each.dtype, _shape(each)) for each in wanted]
    copies = [onnx.ValueInfoProto.FromString(each.SerializeToString()) for each in infos]
    del values[:]
    values.extend(copies)


def _shape(value: Value) -> list[int | str]:
    return [length if length >= 0 else f"{value.name}_{axis}" for axis, length in enumerate(value.shape)]


def _sort(graph: onnx.GraphProto) -> None:
    """Put nodes behind those whose values they take."""
    made = {name for node in graph.node for name in node.output if name}
    waiting, done, ordered = list(graph.node), set[str](), list[onnx.NodeProto]()
    while waiting:
        ready = [node for node in waiting if _needs(node) & made <= done]
        if not ready:
            ordered += waiting
            break
        ordered += ready
        done |= {name for node in ready for name in node.output}
        chosen = set(map(id, ready))
        waiting = [node for node in waiting if id(node) not in chosen]
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in ordered]
    del graph.node[:]
    graph.node.extend(copies)


def _needs(node: onnx.NodeProto) -> set[str]:
    found, open_nodes = set[str](), [node]
    while open_nodes:
        each = open_nodes.pop()
        found.update(filter(None, each.input))
        open_nodes += [inner for inner_graph in subgraphs_of([each]) for inner in inner_graph.node]
    return found
