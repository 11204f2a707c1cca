"""Long sums in float64: TVM's compiler adds one product after the other, which over thousands of them loses digits.

Other runtimes sum in blocks, and so do not lose them. Where a model's answers show it, its long sums are computed wide.
"""

import math

import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator
from tvm.tirx import IntImm

from modelport_converter.frameworks.tvm.compiling.importing import MAIN, Program

LONG = 256
"""Products of a sum from which on it is computed wide."""
NARROW, WIDE = "float32", "float64"
CONVOLUTIONS = {
    "relax.nn.conv1d": relax.op.nn.conv1d,
    "relax.nn.conv2d": relax.op.nn.conv2d,
    "relax.nn.conv3d": relax.op.nn.conv3d,
}
REDUCTIONS = {"relax.sum": relax.op.sum, "relax.mean": relax.op.mean, "relax.variance": relax.op.variance}


def widen_sums(program: Program) -> Program | None:
    """Return the program with its long sums in float64; None if it has none."""
    module = tvm.IRModule(dict(program.module.functions.items()))
    widened = _Widened(module)
    module[MAIN] = widened.visit_expr(module[MAIN])
    return Program(module, program.parameters) if widened.count else None


@mutator
class _Widened(PyExprMutator):
    def __init__(self, module: tvm.IRModule) -> None:
        super().__init__(module)
        self.count = 0

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        """Widen one operation."""
        call = super().visit_call_(call)
        wide = self._widened(call) if isinstance(call.op, tvm.ir.Op) else None
        if wide is None:
            return call
        self.count += 1
        return relax.op.astype(self.builder_.emit(wide), NARROW)

    def _widened(self, call: relax.Call) -> relax.Expr | None:
        name, attributes = call.op.name, call.attrs
        if not call.args or not isinstance(call.args[0].ty, relax.TensorType) or str(call.args[0].ty.dtype) != NARROW:
            return None
        lengths = _lengths(call.args[0])
        if name in CONVOLUTIONS and math.prod(_lengths(call.args[1])[1:]) >= LONG:
            return CONVOLUTIONS[name](
                *call.args,
                attributes.strides,
                attributes.padding,
                attributes.dilation,
                attributes.groups,
                attributes.data_layout,
                attributes.kernel_layout,
                attributes.out_layout,
                WIDE,
            )
        if name == "relax.matmul" and lengths and lengths[-1] >= LONG:
            return relax.op.matmul(*call.args, out_dtype=WIDE)
        if name in REDUCTIONS and math.prod(_reduced(lengths, attributes.axis)) >= LONG:
            wide = self.builder_.emit(relax.op.astype(call.args[0], WIDE))
            axes = None if attributes.axis is None else [int(axis) for axis in attributes.axis]
            return REDUCTIONS[name](wide, axes, bool(attributes.keepdims))
        return None


def _lengths(value: relax.Expr) -> list[int]:
    """Return the lengths of a value's axes, a free one as long as any."""
    shape = value.ty.shape
    values = shape.values if isinstance(shape, relax.ShapeExpr) else []
    return [int(each) if isinstance(each, IntImm) else LONG for each in values]


def _reduced(lengths: list[int], axes: list[int] | None) -> list[int]:
    return lengths if axes is None else [lengths[int(axis)] for axis in axes]
