"""Names, order, element types and shapes of answers: what must be equal before numbers can be compared."""

from collections.abc import Iterator, Mapping, Sequence

from modelport.api.reasons import Reason
from modelport.api.status import Signature, Tensor
from modelport.errors import ModelportError
from modelport.verification.answers import Tried
from modelport.verification.arrays import Array, Tensors
from modelport.verification.reference import Reference, Sample


def check_structure(reference: Reference, tried: Tried, signature: Signature, counting: Mapping[str, int] = {}) -> None:
    """Raise ModelportError if answers cannot be compared.

    ConversionFailed: the source model's own answers contradict the signature; VerificationFailed: the converted
    model's do, or are not of the same number, names, order, types and shapes. Shapes of edges are left to be compared,
    as is whether there is an answer to them, and the length of the axis that `counting` says, by output.
    """
    if len(tried.samples) != len(reference.samples):
        found = f"{len(tried.samples)} of {len(reference.samples)} samples"
        raise ModelportError(
            Reason.VERIFICATION_FAILED, f"expected answers of the converted model to all samples, found {found}"
        )
    for number, (sample, answers) in enumerate(zip(reference.samples, tried.samples, strict=True)):
        where = f"sample {number} ({_shapes(sample.inputs[0])})"
        for contradiction in _contradictions(sample, signature):
            message = f"{where}: the signature contradicts the source model: {contradiction}"
            raise ModelportError(Reason.CONVERSION_FAILED, message)
        if len(answers) != len(sample.outputs):
            message = f"{where}: expected answers to {len(sample.outputs)} calls, found {len(answers)}"
            raise ModelportError(Reason.VERIFICATION_FAILED, message)
        for expected, given in zip(sample.outputs, answers, strict=True):
            free: Mapping[str, int | None] = dict.fromkeys(expected) if sample.is_edge else counting
            ours, theirs = (_describe(each, free) for each in (expected, given))
            if ours != theirs and not (sample.is_edge and not given):
                differing = _from_first_difference(ours, theirs)
                message = f"{where}: expected outputs {differing[0]!s:.180}, found {differing[1]!s:.180}"
                message += _tell_data_lengths(expected, given, signature)
                raise ModelportError(Reason.VERIFICATION_FAILED, message)


def dtype_name(array: Array) -> str:
    """Return the element type as a signature names it."""
    return "string" if array.dtype.kind in "OUS" else str(array.dtype)


def _describe(tensors: Tensors, free: Mapping[str, int | None]) -> list[str]:
    return [f"{name} {dtype_name(each)}{_lengths(each, free.get(name, -1))}" for name, each in tensors.items()]


def _lengths(array: Array, free: int | None) -> str:
    """Return the shape in which an axis may have any length; all of them, if it is None."""
    if free is None:
        return f" of {array.ndim} axes"
    return f"[{', '.join('any' if axis == free else str(length) for axis, length in enumerate(array.shape))}]"


def _tell_data_lengths(expected: Tensors, given: Tensors, signature: Signature) -> str:
    """Say which length is wrong that is none of the inputs' lengths: exporters keep those of one sample."""
    shapes = {each.name: each.shape for each in signature.outputs}
    of_inputs = {length for each in signature.inputs for length in each.shape}
    for name, array in expected.items():
        other = given.get(name)
        if other is None or other.ndim != array.ndim or len(shapes.get(name, ())) != array.ndim:
            return ""
        for axis, (length, wanted, found) in enumerate(zip(shapes[name], array.shape, other.shape, strict=True)):
            if wanted != found and isinstance(length, str) and length not in of_inputs:
                return f"; axis {axis} of {name} is as long as the inputs' numbers say, and the conversion has lost how"
    return ""


def _from_first_difference(ours: Sequence[str], theirs: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    start = next((i for i, (one, other) in enumerate(zip(ours, theirs, strict=False)) if one != other), 0)
    return ours[start : start + 3], theirs[start : start + 3]


def _contradictions(sample: Sample, signature: Signature) -> Iterator[str]:
    for inputs, outputs in zip(sample.inputs, sample.outputs, strict=True):
        bound: dict[str, int] = {}
        if [each.name for each in signature.outputs] != list(outputs):
            yield f"outputs {[each.name for each in signature.outputs]!s:.150} expected, {list(outputs)!s:.150} found"
            return
        described = [(each, inputs[each.name]) for each in signature.inputs if each.name in inputs]
        described += [(each, outputs[each.name]) for each in signature.outputs]
        for tensor, array in described:
            yield from _contradiction(tensor, array, bound)


def _contradiction(tensor: Tensor, array: Array, bound: dict[str, int]) -> Iterator[str]:
    fits = tensor.dtype == dtype_name(array) and len(tensor.shape) == array.ndim
    if fits:
        for wanted, length in zip(tensor.shape, array.shape, strict=True):
            fits &= length == (bound.setdefault(wanted, length) if isinstance(wanted, str) else wanted)
    if not fits:
        known = ", ".join(f"{name} = {length}" for name, length in bound.items() if name in tensor.shape)
        yield (
            f"{tensor.name} {tensor.dtype}{tensor.shape} expected{' with ' + known if known else ''}, "
            f"{dtype_name(array)}{list(array.shape)} found"
        )


def _shapes(tensors: Tensors) -> str:
    return ", ".join(f"{name} {list(each.shape)}" for name, each in tensors.items())[:120]
