# mypy: ignore-errors
# because what it imports is not installed here
"""ONNX Runtime in MLServer: runs in MLServer's environment, which has nothing of this project."""

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class OnnxRuntime(MLModel):
    """A model of one input and one output."""

    async def load(self) -> bool:
        """Load the model with one thread."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        path = self._settings.parameters.uri
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Ask the model."""
        (asked,) = payload.inputs
        (told,) = self._session.run(None, {asked.name: NumpyCodec.decode_input(asked)})
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("output", told)])
