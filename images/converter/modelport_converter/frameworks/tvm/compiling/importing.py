"""TVM's frontend: a Relax program of an ONNX graph, its weights apart from it."""

import contextlib
import io
import warnings
from typing import NamedTuple

import onnx
import tvm
from tvm import relax
from tvm.ir import GenericConst, StringImm
from tvm.relax.expr_functor import PyExprMutator, mutator
from tvm.relax.frontend.onnx import from_onnx

MAIN, INPUTS, OUTPUTS = "main", "input_names", "output_names"
"""Functions of the program: the model, and the names of what it takes and gives, in order; see docs/tvm.md."""
PARAMETER = "parameter_{}"
"""Name of a weight, by its number behind the inputs."""
SMALL = 16
"""Constants of so many elements stay in the program."""


class Program(NamedTuple):
    """A model as TVM's compiler takes it."""

    module: tvm.IRModule
    parameters: list[tvm.runtime.Tensor]
    """What `main` takes after the inputs."""


def read_program(model: onnx.ModelProto) -> Program:
    """Return the program of a graph. Raises what the frontend raises."""
    names = [[value.name for value in values] for values in (model.graph.input, model.graph.output)]
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # it prints what it then raises
        warnings.simplefilter("ignore")
        module = from_onnx(model)
    # weights that are transposed, say, are so once
    folded = relax.transform.FoldConstant()(module)
    lifted = _Lifted(folded)
    main = folded[MAIN]
    body = lifted.visit_expr(main.body)
    folded[MAIN] = relax.Function([*main.params, *lifted.variables], body, main.ret_ty, attrs=main.attrs)
    return Program(_with_names(folded, *names), lifted.values)


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
    builder = relax.BlockBuilder(module)
    for name, values in ((INPUTS, inputs), (OUTPUTS, outputs)):
        with builder.function(name, params=[]):
            builder.emit_func_output(relax.Tuple([StringImm(value) for value in values]))
    return builder.finalize()
