"""The data plane: from a request of the protocol to its answer, whatever transport brought it."""

from modelport import __version__
from modelport.api import Tensor
from modelport_server.artifact import Artifact
from modelport_server.backends import Backend, Tensors
from modelport_server.errors import BadRequestError, InferenceError, NotFoundError
from modelport_server.protocol.messages import (
    InferenceRequest,
    InferenceResponse,
    ModelMetadata,
    ServerMetadata,
    TensorMetadata,
)
from modelport_server.protocol.tensors import NAMES, to_array, to_tensor

VERSION = "1"
"""A resource serves one artifact at a time; the artifact's digest is in the manifest, not in the protocol's version."""

SERVER = ServerMetadata(name="modelport", version=__version__, extensions=[])
"""What the protocol tells about the server, whether a model is ready or not."""


class DataPlane:
    """One loaded model."""

    def __init__(self, *, name: str, artifact: Artifact, backend: Backend) -> None:
        """Serve `artifact` under a name."""
        self._name = name
        self._signature, self._backend = artifact.manifest.signature, backend
        self._inputs = {tensor.name: tensor for tensor in self._signature.inputs}
        self._outputs = [tensor.name for tensor in self._signature.outputs]

    def model_metadata(self) -> ModelMetadata:
        """Describe the model."""
        return ModelMetadata(
            name=self._name,
            versions=[VERSION],
            platform=self._backend.platform,
            inputs=[_metadata(tensor) for tensor in self._signature.inputs],
            outputs=[_metadata(tensor) for tensor in self._signature.outputs],
        )

    def check_model(self, name: str, version: str | None) -> None:
        """Raise NotFoundError for another model or version."""
        if name != self._name:
            raise NotFoundError(f"model {name[:64]}: expected {self._name}, which is the only one here")
        if version not in {None, VERSION}:
            raise NotFoundError(f"version {version!s:.64}: expected {VERSION}, which is the only one of model {name}")

    def infer(self, request: InferenceRequest) -> InferenceResponse:
        """Answer a request. Raises BadRequestError, InferenceError."""
        inputs = self._read(request)
        wanted = self._wanted(request)
        outputs = self.run(inputs)
        return InferenceResponse(
            model_name=self._name,
            model_version=VERSION,
            id=request.id,
            parameters=request.parameters,
            outputs=[to_tensor(name, outputs[name]) for name in wanted],
        )

    def run(self, inputs: Tensors) -> Tensors:
        """Run the model on inputs that fit. Raises InferenceError."""
        try:
            return self._backend.infer(inputs)
        except Exception as error:  # runtimes' errors have no common base
            told = (str(error).splitlines() or [type(error).__name__])[0]
            raise InferenceError(f"the model fails on this request: {told[:300]}") from error

    def _read(self, request: InferenceRequest) -> Tensors:
        tensors: Tensors = {}
        lengths: dict[str, int] = {}
        for tensor in request.inputs:
            expected = self._inputs.get(tensor.name)
            if expected is None:
                raise BadRequestError(f"inputs[{tensor.name[:64]}]: expected one of {', '.join(self._inputs)}")
            if tensor.name in tensors:
                raise BadRequestError(f"inputs[{tensor.name}]: expected once, found twice")
            if tensor.datatype != NAMES.get(expected.dtype):
                raise BadRequestError(
                    f"inputs[{tensor.name}].datatype: expected {NAMES.get(expected.dtype)}, found {tensor.datatype[:32]}"
                )
            _check_shape(expected, tensor.shape, lengths)
            tensors[tensor.name] = to_array(tensor)
        missing = [name for name in self._inputs if name not in tensors]
        if missing:
            raise BadRequestError(f"inputs: expected {', '.join(self._inputs)}, found no {', '.join(missing)}")
        return tensors

    def _wanted(self, request: InferenceRequest) -> list[str]:
        wanted = [output.name for output in request.outputs] or self._outputs
        for name in wanted:
            if name not in self._outputs:
                raise BadRequestError(f"outputs[{name[:64]}]: expected one of {', '.join(self._outputs)}")
        if len(set(wanted)) != len(wanted):
            raise BadRequestError("outputs: expected each name once")
        return wanted


def _check_shape(expected: Tensor, shape: list[int], lengths: dict[str, int]) -> None:
    """Compare lengths; the same name of a free dimension stands for the same length in all inputs."""
    fits = len(shape) == len(expected.shape)
    for length, dimension in zip(shape, expected.shape, strict=False):
        if isinstance(dimension, int):
            fits = fits and length == dimension
        elif lengths.setdefault(dimension, length) != length:
            message = f"dimension {dimension} is {lengths[dimension]} in another place, found {length}"
            raise BadRequestError(f"inputs[{expected.name}].shape: {message}")
    if not fits:
        wanted = ", ".join(str(dimension) for dimension in expected.shape)
        raise BadRequestError(f"inputs[{expected.name}].shape: expected [{wanted}], found {shape}"[:500])


def _metadata(tensor: Tensor) -> TensorMetadata:
    shape = [length if isinstance(length, int) else -1 for length in tensor.shape]
    return TensorMetadata(name=tensor.name, datatype=NAMES.get(tensor.dtype, tensor.dtype), shape=shape)
