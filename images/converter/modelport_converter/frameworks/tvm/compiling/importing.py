"""TVM's frontend: a Relax program of an ONNX graph, its weights apart from it."""

import contextlib
import io
import re
import warnings
from typing import NamedTuple

import onnx
import tvm
from tvm import relax, te
from tvm.ir import GenericConst, StringImm
from tvm.relax.expr_functor import PyExprMutator, mutator
from tvm.relax.frontend.onnx import from_onnx
from tvm.tirx import IntImm
from tvm.tirx import max as largest
from tvm.tirx import min as smallest

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_converter.tasks import last_line

MAIN, INPUTS, OUTPUTS = "main", "input_names", "output_names"
"""Functions of the program: the model, and the names of what it takes and gives, in order; see docs/tvm.md."""
KERNEL = "no_kernel"
PARAMETER = "parameter_{}"
"""Name of a weight, by its number behind the inputs."""
END = 10**8
"""From here on, a bound of a slice means an end of the axis: exporters write 10**9, or the largest integer of a type."""
SMALL = 16
"""Constants of so many elements stay in the program."""


CHANNELS_LAST = {
    "relax.nn.conv1d": ["NWC", "WIO"],
    "relax.nn.conv2d": ["NHWC", "HWIO"],
    # TVM has no code for the transposed one in that layout
    "relax.nn.conv2d_transpose": ["NCHW", "IOHW"],
}
"""Layouts of data and weights in which a search finds fast code: what it turns into vectors, the channels, lies side by side."""

_AT_FAULT = re.compile(r"Error converting operator (\w+)")


class Program(NamedTuple):
    """A model as TVM's compiler takes it."""

    module: tvm.IRModule
    parameters: list[tvm.runtime.Tensor]
    """What `main` takes after the inputs."""


def read_program(model: onnx.ModelProto, *, channels_last: bool) -> Program:
    """Return the program of a graph, its convolutions in their own layout or in `CHANNELS_LAST`.

    Raises ModelportError (ConversionFailed) with the operator that is not read.
    """
    names = [[value.name for value in values] for values in (model.graph.input, model.graph.output)]
    printed = io.StringIO()
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(printed):
            warnings.simplefilter("ignore")
            module = from_onnx(model)
    except Exception as error:  # of no common base; it prints which operator it was
        operator = _AT_FAULT.search(printed.getvalue())
        message = f"TVM does not read {operator[1] if operator else 'the graph'}: {last_line(error)}"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error
    _check_outputs(module[MAIN], names[1])
    if channels_last:
        module = _with_channels_last(module)
    # weights that are transposed, say, are so once
    folded = relax.transform.FoldConstant()(module)
    lifted = _Lifted(folded)
    main = folded[MAIN]
    body = lifted.visit_expr(main.body)
    folded[MAIN] = relax.Function([*main.params, *lifted.variables], body, main.ret_ty, attrs=main.attrs)
    return Program(_with_names(folded, *names), lifted.values)


def _check_outputs(main: relax.Function, names: list[str]) -> None:
    kind = main.ret_ty
    kinds = kind.fields if isinstance(kind, relax.TupleType) and len(names) > 1 else [kind]
    for name, each in zip(names, kinds, strict=True):
        if not isinstance(each, relax.TensorType):
            message = f"TVM gives no tensor as output {name:.100}, but a {type(each).__name__}, such as of Shape; choose another target"
            raise ModelportError(Reason.CONVERSION_FAILED, message)


def _with_channels_last(module: tvm.IRModule) -> tvm.IRModule:
    passes = [
        relax.transform.DecomposeOpsForInference(),
        relax.transform.CanonicalizeBindings(),
        relax.transform.ConvertLayout(CHANNELS_LAST),
        relax.transform.Normalize(),
    ]
    return tvm.transform.Sequential(passes)(module)


@mutator
class _Lifted(PyExprMutator):
    """Puts variables in the place of large constants, and keeps indices within what they choose from.

    What the frontend writes reads whatever memory an index of a request leads to, sets memory aside for as many rows as
    the end of a slice says, and finds no largest element among the smallest numbers there are.
    """

    def __init__(self, module: tvm.IRModule) -> None:
        super().__init__(module)
        self.variables: list[relax.Var] = []
        self.values: list[tvm.runtime.Tensor] = []

    def visit_generic_const_(self, op: GenericConst) -> relax.Expr:
        """Take a constant out."""
        if not isinstance(op.value, tvm.runtime.Tensor) or op.value.numpy().size <= SMALL:
            return op
        self.variables.append(relax.Var(PARAMETER.format(len(self.variables)), op.ty))
        self.values.append(op.value)
        return self.variables[-1]

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        """Keep indices, and the bounds of slices, within the axis that they choose from."""
        call = super().visit_call_(call)
        if not isinstance(call.op, tvm.ir.Op):
            return call
        if call.op.name == "relax.take" and call.attrs.mode == "fast" and isinstance(call.args[1].ty, relax.TensorType):
            axis = None if call.attrs.axis is None else int(call.attrs.axis)
            return relax.op.take(*call.args, axis=axis, mode="clip")
        if call.op.name in ("relax.argmax", "relax.argmin"):  # -1 where all elements are what it begins with
            return relax.op.maximum(self.builder_.emit(call), relax.const(0, call.ty.dtype))
        if call.op.name == "relax.strided_slice":
            return self._bounded(call)
        return call

    def _bounded(self, call: relax.Call) -> relax.Call:
        """Keep the bounds of a slice within free axes, whatever their length."""
        free, rest = _bounds_of(call)
        if not free:
            return call
        data = call.args[0]
        if rest:
            data = self.builder_.emit(relax.op.strided_slice(data, *map(list, zip(*rest, strict=True))))
        axes, _, _, steps = map(list, zip(*free, strict=True))
        lengths = call.args[0].ty.shape.values
        starts, ends = zip(*(_within(lengths[axis], start, end) for axis, start, end, _ in free), strict=True)
        return relax.op.strided_slice(data, axes, starts, ends, steps, assume_inbound=True)


def _bounds_of(call: relax.Call) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Return axis, start, end and step of a slice: of free axes that are read forwards, and of all others."""
    fields = [list(each) for each in call.args[1:5]]
    shape = call.args[0].ty.shape
    if not isinstance(shape, relax.ShapeExpr) or not all(
        isinstance(each, IntImm) for field in fields for each in field
    ):
        return [], []
    free: list[tuple[int, ...]] = []
    rest: list[tuple[int, ...]] = []
    for bounds in zip(*(map(int, field) for field in fields), strict=True):
        axis, _, _, step = bounds
        (rest if step < 0 or isinstance(shape.values[axis], IntImm) else free).append(bounds)
    return free, rest


def _within(length: tvm.ir.Expr, start: int, end: int) -> tuple[tvm.ir.Expr, tvm.ir.Expr]:
    """Return the bounds of a slice as numbers within an axis; its end is not before its start."""

    def clamped(bound: int) -> tvm.ir.Expr:
        if bound >= END:
            return length
        return smallest(IntImm("int64", bound), length) if bound >= 0 else largest(length + bound, IntImm("int64", 0))

    return clamped(start), largest(clamped(end), clamped(start))


def _with_names(module: tvm.IRModule, inputs: list[str], outputs: list[str]) -> tvm.IRModule:
    # without any kernel, as of a model that only reshapes, TVM's exporter writes C, which nobody here compiles
    given = te.placeholder((1,), "float32", "given")
    kernel = te.create_prim_func([given, te.compute((1,), lambda index: given[index])])
    module[KERNEL] = kernel.with_attr("global_symbol", KERNEL)
    builder = relax.BlockBuilder(module)
    for name, values in ((INPUTS, inputs), (OUTPUTS, outputs)):
        with builder.function(name, params=[]):
            builder.emit_func_output(relax.Tuple([StringImm(value) for value in values]))
    return builder.finalize()
