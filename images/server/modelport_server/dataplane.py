"""The data plane: from tensors of the protocol to answers, whatever transport brought them."""

import asyncio
import math
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from modelport import __version__
from modelport.api import Signature, Tensor
from modelport_server.backends import Infer, Tensors
from modelport_server.calls import Call, clock
from modelport_server.errors import BadRequestError, InferenceError, NotFoundError
from modelport_server.protocol.datatypes import BY_DTYPE
from modelport_server.protocol.messages import InputTensor, ModelMetadata, ServerMetadata, TensorMetadata
from modelport_server.protocol.payloads import Array

VERSION = "1"
"""A resource serves one artifact at a time; the artifact's digest is in the manifest, not in the protocol's version."""
EXTENSIONS = ["binary_tensor_data"]


Outputs = list[tuple[str, Array]]


class Runner(Protocol):
    """What decides when and where the model runs."""

    def run_now(self, inputs: Tensors, call: Call) -> Tensors | None:
        """Run the model if that is done at once; None if it has to wait. Raises as `run` does."""

    async def run(self, inputs: Tensors, call: Call) -> Tensors:
        """Run the model. Raises RequestError, and what the model raises."""


class DataPlane:
    """One loaded model."""

    def __init__(self, *, name: str, platform: str, signature: Signature, runner: Runner) -> None:
        """Serve a model under a name."""
        self.name = name
        self._platform, self._signature, self._runner = platform, signature, runner
        self._inputs = {tensor.name: tensor for tensor in signature.inputs}
        self._datatypes = {tensor.name: BY_DTYPE[tensor.dtype] for tensor in signature.inputs}
        self._outputs = [tensor.name for tensor in signature.outputs]

    def model_metadata(self) -> ModelMetadata:
        """Describe the model."""
        return ModelMetadata(
            name=self.name,
            versions=[VERSION],
            platform=self._platform,
            inputs=[_metadata(tensor) for tensor in self._signature.inputs],
            outputs=[_metadata(tensor) for tensor in self._signature.outputs],
        )

    def check_model(self, name: str, version: str | None) -> None:
        """Raise NotFoundError for another model or version."""
        if name != self.name:
            raise NotFoundError(f"model {name[:64]}: expected {self.name}, which is the only one here")
        if version not in {None, VERSION}:
            raise NotFoundError(f"version {version!s:.64}: expected {VERSION}, which is the only one of model {name}")

    def read(self, inputs: Sequence[InputTensor], wanted: Sequence[str], call: Call) -> "Question":
        """Return a question for the wanted outputs, or for all. Raises RequestError."""
        names = self._wanted(wanted)
        for tensor in inputs:
            if tensor.payload.is_for_a_thread:
                return Question(self, names, inputs, None, call)
        tensors = self._read(inputs)
        call.decoded = clock()
        return Question(self, names, inputs, tensors, call)

    def run(self, question: "Question") -> Outputs | Coroutine[Any, Any, Outputs]:
        """Return the outputs if it takes no time worth waiting, else what waits. Raises RequestError."""
        if question.tensors is None:
            return self._read_and_run(question)
        outputs = self._runner.run_now(question.tensors, question.call)
        return self._run(question, question.tensors) if outputs is None else _of(outputs, question.names)

    async def _read_and_run(self, question: "Question") -> Outputs:
        tensors = await asyncio.to_thread(self._read, question.inputs)
        question.call.decoded = clock()
        return await self._run(question, tensors)

    async def _run(self, question: "Question", tensors: Tensors) -> Outputs:
        return _of(await self._runner.run(tensors, question.call), question.names)

    def _read(self, inputs: Sequence[InputTensor]) -> Tensors:
        tensors: Tensors = {}
        lengths: dict[str, int] = {}
        for tensor in inputs:
            name, shape = tensor.name, tensor.shape
            expected = self._inputs.get(name)
            if expected is None:
                raise BadRequestError(f"inputs[{name[:64]}]: expected one of {', '.join(self._inputs)}")
            if name in tensors:
                raise BadRequestError(f"inputs[{name}]: expected once, found twice")
            known = self._datatypes[name]
            if tensor.datatype != known.name:
                raise BadRequestError(f"inputs[{name}].datatype: expected {known.name}, found {tensor.datatype[:32]}")
            _check_shape(expected, shape, lengths)
            count = math.prod(shape)
            elements = tensor.payload.read(known, shape, count, f"inputs[{name}]")
            try:
                tensors[name] = elements.reshape(shape)
            except (ValueError, OverflowError) as error:  # no elements, and lengths that no array can have
                raise BadRequestError(f"inputs[{name}].shape: expected lengths of an array, found {shape}") from error
        if len(tensors) != len(self._inputs):
            missing = [name for name in self._inputs if name not in tensors]
            raise BadRequestError(f"inputs: expected {', '.join(self._inputs)}, found no {', '.join(missing)}")
        return tensors

    def _wanted(self, wanted: Sequence[str]) -> Sequence[str]:
        if not wanted:
            return self._outputs
        for name in wanted:
            if name not in self._outputs:
                raise BadRequestError(f"outputs[{name[:64]}]: expected one of {', '.join(self._outputs)}")
        if len(set(wanted)) != len(wanted):
            raise BadRequestError("outputs: expected each name once")
        return wanted


class Question:
    """A request that fits the model, and its run."""

    __slots__ = ("_error", "_outputs", "_plane", "call", "inputs", "names", "tensors")

    def __init__(
        self,
        plane: DataPlane,
        names: Sequence[str],
        inputs: Sequence[InputTensor],
        tensors: Tensors | None,
        call: Call,
    ) -> None:
        """Ask for the outputs `names`; tensors are None while the inputs are still to be read, by a thread."""
        self._plane, self.names, self.inputs, self.tensors, self.call = plane, names, inputs, tensors, call
        self._outputs: Outputs | Coroutine[Any, Any, Outputs] = []
        self._error: Exception | None = None

    def run(self) -> None:
        """Run the model, or begin to."""
        try:
            self._outputs = self._plane.run(self)
        except Exception as error:  # noqa: BLE001 - raised where the result is asked for
            self._error = error

    def result(self) -> Outputs | Coroutine[Any, Any, Outputs]:
        """Return what the run gave, or what waits for it. Raises RequestError."""
        if self._error is not None:
            raise self._error
        return self._outputs

    async def outputs(self) -> Outputs:
        """Run the model and wait for it. Raises RequestError."""
        self.run()
        outputs = self.result()
        return outputs if isinstance(outputs, list) else await outputs


def _of(outputs: Tensors, names: Sequence[str]) -> Outputs:
    return [(name, outputs[name]) for name in names]


def guarded(infer: Infer) -> Infer:
    """Return what runs the model and raises InferenceError for whatever the runtime raises."""

    def guard(inputs: Tensors) -> Tensors:
        try:
            return infer(inputs)
        except Exception as error:  # runtimes' errors have no common base
            told = (str(error).splitlines() or [type(error).__name__])[0]
            raise InferenceError(f"the model fails on this request: {told[:300]}") from error

    return guard


def server_metadata(config: dict[str, Any]) -> ServerMetadata:
    """Tell about the server and how it is configured, whether a model is ready or not."""
    return ServerMetadata(name="modelport", version=__version__, extensions=EXTENSIONS, parameters=config)


def _check_shape(expected: Tensor, shape: list[int], lengths: dict[str, int]) -> None:
    """Compare lengths; the same name of a free dimension stands for the same length in all inputs."""
    fits = len(shape) == len(expected.shape)
    for length, dimension in zip(shape, expected.shape, strict=False):
        if length < 0:
            fits = False
        elif isinstance(dimension, int):
            fits = fits and length == dimension
        elif lengths.setdefault(dimension, length) != length:
            message = f"dimension {dimension} is {lengths[dimension]} in another place, found {length}"
            raise BadRequestError(f"inputs[{expected.name}].shape: {message}")
    if not fits:
        wanted = ", ".join(str(dimension) for dimension in expected.shape)
        raise BadRequestError(f"inputs[{expected.name}].shape: expected [{wanted}], found {shape}"[:500])


def _metadata(tensor: Tensor) -> TensorMetadata:
    shape = [length if isinstance(length, int) else -1 for length in tensor.shape]
    return TensorMetadata(name=tensor.name, datatype=BY_DTYPE[tensor.dtype].name, shape=shape)
