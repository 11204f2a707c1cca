"""Products with vectors: ONNX Runtime joins a transpose with the product behind it, wrongly where the other operand is a vector."""

from modelport_converter.frameworks.paddle.operators.base import Context, Writer, attribute
from modelport_converter.frameworks.paddle.reading.program import Operator, Program

TURNS = (("X", ("transpose_x", "trans_x", "transpose_X")), ("Y", ("transpose_y", "trans_y", "transpose_Y")))
"""Operands, and the attributes that say that their last two axes change places; a vector has none."""


def write_product(context: Context) -> None:
    """Write a product of matrices: a vector is one row, or one column."""
    writer, names, added = context.writer, [], []
    for (slot, told), place in zip(TURNS, (0, 1), strict=True):
        name, rank = writer.weight(context.operand(slot)), len(context.value(slot).shape)
        if rank == 1:
            name = writer.add("Unsqueeze", name, writer.lengths(place))
            added.append(place - 2)
        elif context.attribute(*told, default=False):
            name = writer.transpose(name, *range(rank - 2), rank - 1, rank - 2)
        names.append(name)
    product = writer.add("MatMul", *names)
    factor = float(context.attribute("alpha", default=1.0))
    product = product if factor == 1 else writer.add("Mul", product, factor)
    writer.add("Squeeze", product, writer.lengths(*added), out=context.out())


def _has_vector(operator: Operator, program: Program) -> bool:
    values = [program.values.get(next(iter(operator.inputs.get(slot, ())), "")) for slot, _ in TURNS]
    is_turned = any(attribute(operator, *told, default=False) for _, told in TURNS)
    return is_turned and any(each is not None and len(each.shape) == 1 for each in values)


WRITERS = {kind: Writer(write_product, _has_vector) for kind in ("matmul", "matmul_v2")}
