"""The data plane: from tensors of the protocol to answers, whatever transport brought them."""

import asyncio
import math
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Protocol

from modelport import __version__
from modelport.api.status import Signature
from modelport.storage.manifests import Lengths
from modelport.verification.arrays import Tensors
from modelport_server.dataplane.calls import Call, clock
from modelport_server.dataplane.shapes import Expected
from modelport_server.errors import BadRequestError, NotFoundError
from modelport_server.protocol.messages import InputTensor, ModelMetadata, ServerMetadata
from modelport_server.protocol.payloads import Array
from modelport_server.strings import is_text

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

    def __init__(
        self,
        *,
        name: str,
        platform: str,
        signature: Signature,
        lengths: Mapping[str, Lengths],
        takes_bytes: bool,
        runner: Runner,
    ) -> None:
        """Serve a model under a name, for the lengths of free dimensions that were verified.

        Without `takes_bytes`, elements of BYTES must be text. Raises ModelportError.
        """
        self.name = name
        self._platform, self._takes_bytes, self._runner = platform, takes_bytes, runner
        self._inputs = {tensor.name: Expected(tensor, lengths) for tensor in signature.inputs}
        self._outputs = {tensor.name: Expected(tensor, {}) for tensor in signature.outputs}
        self._all = list(self._outputs.values())

    def model_metadata(self) -> ModelMetadata:
        """Describe the model."""
        return ModelMetadata(
            name=self.name,
            versions=[VERSION],
            platform=self._platform,
            inputs=[expected.metadata() for expected in self._inputs.values()],
            outputs=[expected.metadata() for expected in self._outputs.values()],
        )

    def check_model(self, name: str, version: str | None) -> None:
        """Raise NotFoundError for another model or version."""
        if name != self.name:
            raise NotFoundError(f"model {name[:64]}: expected {self.name}, which is the only one here")
        if version not in {None, VERSION}:
            raise NotFoundError(f"version {version!s:.64}: expected {VERSION}, which is the only one of model {name}")

    def read(self, inputs: Sequence[InputTensor], wanted: Sequence[str], call: Call) -> "Question":
        """Return a question for the wanted outputs, or for all. Raises RequestError."""
        question = Question(self, self._wanted(wanted), inputs, call)
        for tensor in inputs:
            if tensor.payload.is_for_a_thread:
                return question
        question.tensors = self._read(inputs, question.lengths)
        call.decoded = clock()
        return question

    def run(self, question: "Question") -> Outputs | Coroutine[Any, Any, Outputs]:
        """Return the outputs if it takes no time worth waiting, else what waits. Raises RequestError."""
        if question.tensors is None:
            return self._read_and_run(question)
        outputs = self._runner.run_now(question.tensors, question.call)
        return self._run(question, question.tensors) if outputs is None else self._told(outputs, question)

    async def _read_and_run(self, question: "Question") -> Outputs:
        tensors = await asyncio.to_thread(self._read, question.inputs, question.lengths)
        question.call.decoded = clock()
        return await self._run(question, tensors)

    async def _run(self, question: "Question", tensors: Tensors) -> Outputs:
        return self._told(await self._runner.run(tensors, question.call), question)

    def _told(self, outputs: Tensors, question: "Question") -> Outputs:
        told: Outputs = []
        for expected in question.wanted:
            name = expected.name
            array = outputs[name]
            expected.check_told(array, question.lengths)
            told.append((name, array))
        return told

    def _read(self, inputs: Sequence[InputTensor], lengths: dict[str, int]) -> Tensors:
        tensors: Tensors = {}
        for tensor in inputs:
            name, shape = tensor.name, tensor.shape
            expected = self._inputs.get(name)
            if expected is None:
                raise BadRequestError(f"inputs[{name[:64]}]: expected one of {', '.join(self._inputs)}")
            if name in tensors:
                raise BadRequestError(f"inputs[{name}]: expected once, found twice")
            known = expected.datatype
            if tensor.datatype != known.name:
                raise BadRequestError(f"inputs[{name}].datatype: expected {known.name}, found {tensor.datatype[:32]}")
            expected.check_given(shape, lengths)
            count = math.prod(shape)
            elements = tensor.payload.read(known, shape, count, f"inputs[{name}]")
            if known.is_string and not self._takes_bytes and not all(map(is_text, elements.tolist())):
                told = "expected strings of UTF-8, which are all that the model's runtime takes, found other bytes"
                raise BadRequestError(f"inputs[{name}]: {told}")
            try:
                tensors[name] = elements.reshape(shape)
            except (ValueError, OverflowError) as error:  # no elements, and lengths that no array can have
                raise BadRequestError(f"inputs[{name}].shape: expected lengths of an array, found {shape}") from error
        if len(tensors) != len(self._inputs):
            missing = [name for name in self._inputs if name not in tensors]
            raise BadRequestError(f"inputs: expected {', '.join(self._inputs)}, found no {', '.join(missing)}")
        return tensors

    def _wanted(self, wanted: Sequence[str]) -> list[Expected]:
        if not wanted:
            return self._all
        for name in wanted:
            if name not in self._outputs:
                raise BadRequestError(f"outputs[{name[:64]}]: expected one of {', '.join(self._outputs)}")
        if len(set(wanted)) != len(wanted):
            raise BadRequestError("outputs: expected each name once")
        return [self._outputs[name] for name in wanted]


class Question:
    """A request that fits the model, and its run."""

    __slots__ = ("_error", "_outputs", "_plane", "call", "inputs", "lengths", "tensors", "wanted")

    def __init__(self, plane: DataPlane, wanted: list[Expected], inputs: Sequence[InputTensor], call: Call) -> None:
        """Ask for the outputs `wanted`."""
        self._plane, self.wanted, self.inputs, self.call = plane, wanted, inputs, call
        self.tensors: Tensors | None = None
        """The inputs; None while they are still to be read, by a thread."""
        self.lengths: dict[str, int] = {}
        """Of the free dimensions, as the inputs have them."""
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


def server_metadata(config: dict[str, Any]) -> ServerMetadata:
    """Tell about the server and how it is configured, whether a model is ready or not."""
    return ServerMetadata(name="modelport", version=__version__, extensions=EXTENSIONS, parameters=config)
