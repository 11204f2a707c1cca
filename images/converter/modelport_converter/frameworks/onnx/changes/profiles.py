"""What readers of ONNX document that they take: `options.profile`.

MATLAB: the pages of `importNetworkFromONNX` and `importONNXFunction` in the documentation of Deep Learning Toolbox. All of
their releases since 2022 take operator sets 6 to 14 and version 7 of the format; newer ones take more.
"""

from typing import NamedTuple

import onnx

from modelport.conversion.onnx_options import PROFILE_OPSETS
from modelport_converter.onnx_graphs.graphs import nodes_of


class Profile(NamedTuple):
    """What a reader takes."""

    reader: str
    opset: int
    """The newest operator set."""
    ir_version: int
    """The newest version of the format."""
    operators: frozenset[str]
    """Of the default domain, that it documents."""

    def describe_unknown(self, model: onnx.ModelProto) -> str:
        """Return what to tell of operators that the reader does not document; nothing where it knows all."""
        used = {
            node.op_type if node.domain in {"", "ai.onnx"} else f"{node.domain}.{node.op_type}"
            for node in nodes_of(model)
        }
        unknown = sorted(used - self.operators)
        return f"{self.reader} does not document that it reads {', '.join(unknown)}" if unknown else ""


PROFILES = {
    "matlab": Profile(
        reader="MATLAB",
        opset=PROFILE_OPSETS["matlab"],
        ir_version=7,
        operators=frozenset(
            [
                "Abs",
                "Add",
                "And",
                "ArgMax",
                "AveragePool",
                "BatchNormalization",
                "Cast",
                "Ceil",
                "Clip",
                "Compress",
                "Concat",
                "Constant",
                "ConstantOfShape",
                "Conv",
                "ConvTranspose",
                "Cos",
                "CumSum",
                "DepthToSpace",
                "Div",
                "Dropout",
                "Elu",
                "Equal",
                "Erf",
                "Exp",
                "Expand",
                "EyeLike",
                "Flatten",
                "Floor",
                "GRU",
                "Gather",
                "Gemm",
                "GlobalAveragePool",
                "GlobalMaxPool",
                "Greater",
                "Hardmax",
                "Identity",
                "If",
                "InstanceNormalization",
                "LRN",
                "LSTM",
                "LeakyRelu",
                "Less",
                "LessOrEqual",
                "Log",
                "LogSoftmax",
                "Loop",
                "MatMul",
                "Max",
                "MaxPool",
                "Mean",
                "Min",
                "Mod",
                "Mul",
                "Neg",
                "NonMaxSuppression",
                "NonZero",
                "Not",
                "OneHot",
                "Or",
                "PRelu",
                "Pad",
                "Pow",
                "RandomUniform",
                "Range",
                "Reciprocal",
                "ReduceMax",
                "ReduceMean",
                "ReduceMin",
                "ReduceProd",
                "ReduceSum",
                "Relu",
                "Reshape",
                "Resize",
                "RoiAlign",
                "Round",
                "Scan",
                "Scatter",
                "ScatterElements",
                "SequenceAt",
                "Shape",
                "Sigmoid",
                "Sign",
                "Slice",
                "Softmax",
                "Softplus",
                "SpaceToDepth",
                "Split",
                "SplitToSequence",
                "Sqrt",
                "Squeeze",
                "Sub",
                "Sum",
                "Tanh",
                "Tile",
                "TopK",
                "Transpose",
                "Unsqueeze",
                "Upsample",
                "Where",
            ]
        ),
    ),
}
