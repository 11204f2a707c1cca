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

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_converter.tasks import last_line

MAIN, INPUTS, OUTPUTS = "main", "input_names", "output_names"
"""Functions of the program: the model, and the names of what it takes and gives, in order; see docs/tvm.md."""
KERNEL = "no_kernel"
PARAMETER = "parameter_{}"
"""Name of a weight, by its number behind the inputs."""
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
    if channels_last:
        module = _with_channels_last(module)
    # weights that are transposed, say, are so once
    folded = relax.transform.FoldConstant()(module)
    lifted = _Lifted(folded)
    main = folded[MAIN]
    body = lifted.visit_expr(main.body)
    folded[MAIN] = relax.Function([*main.params, *lifted.variables], body, main.ret_ty, attrs=main.attrs)
    return Program(_with_names(folded, *names), lifted.values)


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

    What the frontend writes reads whatever memory an index of a request leads to.
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
        """Keep the indices of a choice along an axis within it, and those of any other with fixed lengths."""
        call = super().visit_call_(call)
        if not isinstance(call.op, tvm.ir.Op):
            return call
        if call.op.name == "relax.take" and call.attrs.mode == "fast" and isinstance(call.args[1].ty, relax.TensorType):
            axis = None if call.attrs.axis is None else int(call.attrs.axis)
            return relax.op.take(*call.args, axis=axis, mode="clip")
        return call


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
