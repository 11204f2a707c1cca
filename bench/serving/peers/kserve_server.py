# mypy: ignore-errors
# because what it imports is not installed here
"""ONNX Runtime in KServe's server: runs in KServe's environment, which has nothing of this project.

KServe reads the command line itself (`--http_port` and more); what it does not know comes from the environment.
"""

import os

import onnxruntime
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer


class OnnxRuntime(Model):
    """A model of one input and one output."""

    def __init__(self) -> None:
        super().__init__(os.environ["MODEL_NAME"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        path = os.environ["MODEL_FILE"]
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.ready = True

    def predict(self, payload: InferRequest, *_: object, **__: object) -> InferResponse:
        """Ask the model; answer in the form of the request."""
        (asked,) = payload.inputs
        (told,) = self._session.run(None, {asked.name: asked.as_numpy()})
        output = InferOutput("output", list(told.shape), "FP32")
        output.set_data_from_numpy(told, binary_data=bool(payload.use_binary_outputs))
        return InferResponse(payload.id or "1", self.name, [output])


if __name__ == "__main__":
    ModelServer(workers=1, enable_docs_url=False, access_log_format=None).start([OnnxRuntime()])
