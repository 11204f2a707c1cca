"""Models of LiteRT, written by its schema: nothing in its environment makes some."""

from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from modelport.api.status import Signature
from modelport_server.backends.base import DTYPES
from server.backends.cases import Case, identity_case, identity_of
from server.models import FIRST, MLP, SECOND, features, scores

FILE = "model.tflite"
IDENTIFIER = b"TFL3"


def cases(folder: Path) -> list[Case]:
    """Return identities of all types, and a perceptron."""
    return [_identity(folder / "identity"), _mlp(folder / "mlp")]


class _Writer:
    """One graph; tensors are its inputs and outputs, constants, and what lies between."""

    def __init__(self, signature: Signature) -> None:
        self.graph, self.buffers, self.codes = schema.SubGraphT(), [schema.BufferT()], []
        self.graph.tensors, self.graph.operators = [], []
        self.inputs = [self.tensor(each.name, each.dtype, each.shape) for each in signature.inputs]
        self.outputs = [self.tensor(each.name, each.dtype, each.shape) for each in signature.outputs]
        self.signature = signature

    def tensor(self, name, dtype, shape, content=None):
        made = schema.TensorT()
        made.name, made.type = name, getattr(schema.TensorType, dtype.upper())
        made.shapeSignature = [-1 if isinstance(each, str) else each for each in shape]
        made.shape = [abs(each) for each in made.shapeSignature]
        if content is not None:
            made.buffer = len(self.buffers)
            self.buffers.append(schema.BufferT())
            self.buffers[-1].data = np.frombuffer(content.tobytes(), np.uint8)
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def constant(self, array):
        return self.tensor(f"constant_{len(self.buffers)}", array.dtype.name, array.shape, array)

    def add(self, operator, inputs, outputs, kind=0, options=None):
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, operator)
        made = schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = len(self.codes), inputs, outputs
        made.builtinOptionsType, made.builtinOptions = kind, options
        self.codes.append(code)
        self.graph.operators.append(made)

    def write(self, folder):
        folder.mkdir()
        self.graph.inputs, self.graph.outputs = self.inputs, self.outputs
        model, told = schema.ModelT(), schema.SignatureDefT()
        told.signatureKey, told.subgraphIndex = b"serving_default", 0
        told.inputs, told.outputs = (
            [self._named(each.name, number) for each, number in zip(side, numbers, strict=True)]
            for side, numbers in ((self.signature.inputs, self.inputs), (self.signature.outputs, self.outputs))
        )
        model.version, model.operatorCodes, model.subgraphs = 3, self.codes, [self.graph]
        model.buffers, model.signatureDefs = self.buffers, [told]
        builder = flatbuffers.Builder(0)
        builder.Finish(model.Pack(builder), IDENTIFIER)
        (folder / FILE).write_bytes(bytes(builder.Output()))
        return folder.name, folder, [FILE], self.signature

    @staticmethod
    def _named(name, number):
        made = schema.TensorMapT()
        made.name, made.tensorIndex = name, number
        return made


def _identity(folder):
    writer = _Writer(identity_of(sorted(DTYPES)))
    shape = writer.constant(np.array([-1, 3], np.int32))
    for given, told in zip(writer.inputs, writer.outputs, strict=True):
        writer.add("RESHAPE", [given, shape], [told])
    return identity_case(*writer.write(folder))


def _mlp(folder):
    writer = _Writer(MLP)
    hidden = writer.tensor("hidden", "float32", ["batch", FIRST.shape[1]])
    logits = writer.tensor("logits", "float32", ["batch", SECOND.shape[1]])
    for weights, before, after, activation in (
        (FIRST, writer.inputs[0], hidden, schema.ActivationFunctionType.RELU),
        (SECOND, hidden, logits, schema.ActivationFunctionType.NONE),
    ):
        options = schema.FullyConnectedOptionsT()
        options.fusedActivationFunction = activation
        kind = schema.BuiltinOptions.FullyConnectedOptions
        table = writer.constant(np.ascontiguousarray(weights.T))
        writer.add("FULLY_CONNECTED", [before, table, -1], [after], kind, options)
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    writer.add("SOFTMAX", [logits], writer.outputs, schema.BuiltinOptions.SoftmaxOptions, options)
    questions = ({"features": features(3, 1)}, {"features": features(5, 2)})
    return Case(*writer.write(folder), questions, lambda inputs: {"scores": scores(inputs["features"])}, 1e-5)
