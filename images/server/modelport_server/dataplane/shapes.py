"""What a signature and its verified lengths say about tensors: which requests are taken, which answers are right."""

from collections.abc import Mapping, Sequence

from modelport.api.reasons import Reason
from modelport.api.status import Tensor
from modelport.errors import ModelportError
from modelport.storage.manifests import Lengths
from modelport_server.errors import BadRequestError, InferenceError
from modelport_server.protocol.datatypes import BY_DTYPE, datatype_of
from modelport_server.protocol.messages import Parameters, TensorMetadata
from modelport_server.protocol.payloads import Array


class Expected:
    """An input or output; everything that a request asks of it is worked out once."""

    __slots__ = ("_limits", "_numpy", "_shape", "datatype", "name")

    def __init__(self, tensor: Tensor, lengths: Mapping[str, Lengths]) -> None:
        """Take what the manifest says. Raises ModelportError for element types that have no place in the protocol."""
        datatype = BY_DTYPE.get(tensor.dtype)
        if datatype is None:
            message = f"{tensor.name}: expected an element type of {', '.join(BY_DTYPE)}, found {tensor.dtype:.64}"
            raise ModelportError(Reason.RUNTIME_UNSUPPORTED, message)
        self.name, self.datatype = tensor.name, datatype
        self._shape: tuple[int | str, ...] = tuple(tensor.shape)
        self._numpy = datatype.numpy
        self._limits = [(name, limits) for name, limits in lengths.items() if name in tensor.shape]

    def metadata(self) -> TensorMetadata:
        """Describe the tensor; limits of free dimensions are parameters, because shapes have no place for them."""
        shape = [length if isinstance(length, int) else -1 for length in self._shape]
        parameters: Parameters = {}
        if -1 in shape:
            parameters["shape"] = self._described()
        for name, limits in self._limits:
            parameters[f"{name}.min"] = limits.min
            if limits.max is not None:
                parameters[f"{name}.max"] = limits.max
        return TensorMetadata(name=self.name, datatype=self.datatype.name, shape=shape, parameters=parameters)

    def check_given(self, shape: Sequence[int], lengths: dict[str, int]) -> None:
        """Compare an input's lengths; `lengths` of free dimensions are the same in all inputs. Raises BadRequestError."""
        fits = len(shape) == len(self._shape)
        for length, dimension in zip(shape, self._shape, strict=False):
            if length < 0:
                fits = False
            elif isinstance(dimension, int):
                fits = fits and length == dimension
            elif dimension not in lengths:
                lengths[dimension] = length
            elif lengths[dimension] != length:
                message = f"dimension {dimension} is {lengths[dimension]} in another place, found {length}"
                raise BadRequestError(f"inputs[{self.name}].shape: {message}")
        if not fits:
            raise BadRequestError(f"inputs[{self.name}].shape: expected {self._described()}, found {shape}"[:500])
        for name, limits in self._limits:
            self._check_limits(name, lengths[name], limits)

    def check_told(self, array: Array, lengths: Mapping[str, int]) -> None:
        """Compare an output with the lengths of its request. Raises InferenceError: rows that are missing are no answer."""
        found: tuple[int, ...] = array.shape
        fits = len(found) == len(self._shape)
        if fits:
            for axis, dimension in enumerate(self._shape):
                length = found[axis]
                if isinstance(dimension, int):
                    fits = fits and length == dimension
                elif length != lengths.get(dimension, length):
                    fits = False
        if array.dtype is not self._numpy and datatype_of(array) is not self.datatype:
            fits = False
        if not fits:
            expected = f"{self.datatype.name} {self._described(lengths)}"
            told = f"expected {expected}, found {datatype_of(array).name} {list(found)}"
            raise InferenceError(
                f"outputs[{self.name}]: the model answers otherwise than its signature says: {told}"[:500]
            )

    def _check_limits(self, name: str, length: int, limits: Lengths) -> None:
        if length < limits.min:
            told = f"expected at least {limits.min}, found {length}: shorter ones were not verified"
        elif limits.max is not None and length > limits.max:
            told = f"expected at most {limits.max}, found {length}: the model was verified up to {limits.max}"
        else:
            return
        raise BadRequestError(f"inputs[{self.name}].shape: dimension {name}: {told}")

    def _described(self, lengths: Mapping[str, int] | None = None) -> str:
        known = lengths or {}
        words = (str(known.get(each, each) if isinstance(each, str) else each) for each in self._shape)
        return f"[{', '.join(words)}]"
