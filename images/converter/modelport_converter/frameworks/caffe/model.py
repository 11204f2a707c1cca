"""The two files of a Caffe model together, as one net."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.errors import ModelportError
from modelport.storage.trees import FolderTree
from modelport_converter.frameworks.caffe.layers.base import MAX_COUNT, Shape
from modelport_converter.frameworks.caffe.layers.net import Net, build_net
from modelport_converter.frameworks.caffe.reading.architecture import read_architecture
from modelport_converter.frameworks.caffe.reading.weights import read_weights
from modelport_converter.tasks import find_part, has_part

FORMAT = "caffe"
BATCH = "batch"


class Model(NamedTuple):
    """A model, and where it lies."""

    architecture: Path
    weights: Path
    net: Net
    is_filtered: bool
    """Whether the text has layers that take no part in an answer."""


def open_model(tree: FolderTree, given: Sequence[Input]) -> Model:
    """Return the model; what the user says of an input takes the place of what the prototxt declares.

    Raises ModelportError.
    """
    for part, what in (("architecture", "the deploy prototxt"), ("weights", "the caffemodel with the weights")):
        if not has_part(tree, FORMAT, part):
            found = ", ".join(tree.paths) or "no file"
            message = f"source: expected {what}, found {found:.300}; give both files, in one folder or archive"
            raise ModelportError(Reason.SOURCE_CORRUPT, message)
    paths = find_part(tree, FORMAT, "architecture"), find_part(tree, FORMAT, "weights")
    architecture = read_architecture(paths[0])
    ways = _ways(architecture.inputs, given)
    net = build_net(architecture, read_weights(paths[1]), ways)
    return Model(*paths, net, architecture.is_filtered)


def _ways(declared: dict[str, tuple[int, ...] | None], given: Sequence[Input]) -> dict[str, tuple[Shape, ...]]:
    """Return the shapes of each input: with a free batch, and with the one that is declared."""
    said = {each.name: each for each in given}
    unknown = set(said) - set(declared)
    if unknown:
        message = f"spec.source.inputs: the model has no input {', '.join(sorted(unknown))[:200]}"
        raise ModelportError(Reason.INVALID_SPEC, f"{message}; it has {', '.join(declared)[:200]}")
    shapes = {name: _shape(name, shape, said.get(name)) for name, shape in declared.items()}
    firsts = {shape[0] for shape in shapes.values() if shape}
    is_free = len(firsts) == 1 and all(shapes.values()) and not any(each.shape for each in said.values())
    if not is_free:
        return {name: (shape,) for name, shape in shapes.items()}
    return {name: ((BATCH, *shape[1:]), shape) for name, shape in shapes.items()}


def _shape(name: str, declared: tuple[int, ...] | None, said: Input | None) -> Shape:
    shape: Shape | None = tuple(said.shape) if said else declared
    if said and said.dtype != "float32":
        message = (
            f"spec.source.inputs: {name:.60}: expected float32, which all of Caffe's blobs are, found {said.dtype}"
        )
        raise ModelportError(Reason.INVALID_SPEC, message)
    if shape is None:
        message = f"input {name:.60}: expected a shape in the prototxt (input_param or input_shape), found none"
        raise ModelportError(Reason.INPUTS_NEEDED, message)
    lengths = [each for each in shape if not isinstance(each, str)]
    if not shape or any(isinstance(each, str) for each in shape[1:]):
        message = f"input {name:.60}: expected numbers behind a free batch, found {list(shape)!s:.100}"
        raise ModelportError(Reason.INPUTS_NEEDED, message)
    if any(not 1 <= each <= MAX_COUNT for each in lengths):
        message = f"input {name:.60}: expected lengths of at least 1, found {list(shape)!s:.100}; state it in inputs"
        raise ModelportError(Reason.INPUTS_NEEDED, message)
    return shape
