"""The prototxt: which layers take part in an answer, whatever generation of Caffe wrote it."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf import text_format

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport_converter.frameworks.caffe.reading.schema import ENUMS, new_architecture
from modelport_converter.frameworks.caffe.reading.words import find_unknown

MAX_BYTES = 16 << 20
MAX_LAYERS = 20_000
OLD_NAMES = {
    "ABSVAL": "AbsVal", "ARGMAX": "ArgMax", "BNLL": "BNLL", "HDF5_DATA": "HDF5Data", "HDF5_OUTPUT": "HDF5Output",
    "IM2COL": "Im2col", "LRN": "LRN", "MVN": "MVN", "RELU": "ReLU", "SOFTMAX_LOSS": "SoftmaxWithLoss", "TANH": "TanH",
}  # fmt: skip
"""Types that V2 does not write as words with capitals (upgrade_proto.cpp)."""
READS_DATA = re.compile(r"(\w*Data|DataBatch|Data\w*Layer)$")
NEEDS_LABELS = re.compile(r"(\w*Loss\w*|Accuracy|DetectionEvaluate)$")
SOLVER = re.compile(r"^\s*(base_lr|lr_policy|solver_mode|max_iter)\s*:", re.MULTILINE)
ENGINE = re.compile(r"\bengine[ \t]*:[ \t]*(?:\w+|\"\w*\")")
"""What computes a layer: an enumeration here, a string in Intel's dialect; it changes no answer."""
UNKNOWN_FIELD = re.compile(r'Message type "\w+\.(\w+)" has no field named "([^"]+)"')


class Layer(NamedTuple):
    """One layer, in the words of the newest generation."""

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    message: Any
    """All that the text says of it; parameters are its fields `<kind>_param`."""
    unknown: tuple[str, ...] = ()
    """Parameters that no dialect here has."""


class Architecture(NamedTuple):
    """What the text says."""

    inputs: dict[str, tuple[int, ...] | None]
    """Declared shapes; None: only a name."""
    layers: tuple[Layer, ...]
    is_filtered: bool
    """Whether some take no part in phase TEST, or in an answer."""
    ended: tuple[str, ...]
    """Names of those that compare answers with labels, at the end, and are left out."""


def read_architecture(path: Path) -> Architecture:
    """Return the net that answers: phase TEST, as Caffe filters it.

    Raises ModelportError: SourceCorrupt for text that is no net, ConversionFailed for a solver, a net for training, or
    one of the first generation.
    """
    content = path.read_bytes()[: MAX_BYTES + 1]
    if len(content) > MAX_BYTES:
        raise _corrupt(path, f"at most {MAX_BYTES} bytes of text", "more; weights belong into the caffemodel")
    net, unknown = _parse(path, content.decode("utf-8-sig", errors="replace"))
    if net.layer and net.layers:
        raise _corrupt(path, "layers of one generation", "blocks named layer and layers side by side")
    if len(net.layer) + len(net.layers) > MAX_LAYERS:
        raise _corrupt(path, f"at most {MAX_LAYERS} layers", f"{len(net.layer) + len(net.layers)}")
    known = (*_new_layers(net), *_old_layers(net))
    every = [each._replace(unknown=told) for each, told in zip(known, unknown, strict=True)]
    layers = [each for each in every if _takes_part(each.message, net.state)]
    inputs = _declared(path, net)
    for layer in layers:
        if layer.type == "Input":
            inputs |= _shapes_of(path, layer.name, layer.tops, layer.message.input_param.shape)
    if not inputs or _reads_data(layers):
        for each in _reads_data(every)[:1]:
            raise _training(path, each, "reads data of its own")
    return _answering(path, inputs, layers, every)


def _reads_data(layers: Sequence[Layer]) -> list[Layer]:
    return [each for each in layers if READS_DATA.match(each.type) or (each.type == "Python" and not each.bottoms)]


def _answering(
    path: Path, inputs: dict[str, tuple[int, ...] | None], layers: Sequence[Layer], every: Sequence[Layer]
) -> Architecture:
    """Return what computes an answer: without layers at the end that compare it with labels, and without their inputs."""
    ends = [each for each in layers if NEEDS_LABELS.match(each.type)]
    computing = tuple(each for each in layers if each.type != "Input" and not NEEDS_LABELS.match(each.type))
    read = {bottom for each in computing for bottom in each.bottoms}
    for each in ends:
        if read & set(each.tops):
            raise _training(path, each, "compares with labels for another layer")
    labels = {bottom for each in ends for bottom in each.bottoms} - read
    inputs = {name: shape for name, shape in inputs.items() if name not in labels}
    if not computing:
        raise _corrupt(path, "a net with layers that compute", "none")
    if not inputs:
        raise _corrupt(path, "an input (`input:` or a layer of type Input)", "none")
    is_filtered = bool(ends) or len(layers) < len(every)
    return Architecture(inputs, computing, is_filtered, tuple(each.name for each in ends))


def _parse(path: Path, text: str) -> tuple[Any, list[tuple[str, ...]]]:
    """Return the message, and of each layer the parameters that no dialect here has."""
    text = ENGINE.sub("", text)
    try:
        net = text_format.Parse(text, new_architecture())
    except (text_format.ParseError, RecursionError, ValueError) as error:
        unknown = UNKNOWN_FIELD.search(str(error))
        if unknown is None:
            raise _corrupt(path, "a net as text (prototxt)", f"{error!s:.200}") from error
        if unknown[1] == "Net" and SOLVER.search(text):
            message = (
                f"{path.name}: found a solver, which says how a net is trained; give the deploy prototxt of the net"
            )
            raise ModelportError(Reason.CONVERSION_FAILED, message) from error
    else:
        return net, [()] * (len(net.layer) + len(net.layers))
    try:
        net = text_format.Parse(text, new_architecture(), allow_unknown_field=True)
    except (text_format.ParseError, RecursionError, ValueError) as error:
        raise _corrupt(path, "a net as text (prototxt)", f"{error!s:.200}") from error
    told, count = find_unknown(text), len(net.layer) + len(net.layers)
    if len(told) != count:
        raise _corrupt(path, f"{count} blocks of layers", f"{len(told)}")
    return net, told


def _new_layers(net: Any) -> Iterator[Layer]:
    for each in net.layer:
        yield Layer(each.name, each.type, tuple(each.bottom), tuple(each.top), each)


def _old_layers(net: Any) -> Iterator[Layer]:
    names = {number: name for name, number in ENUMS["Old"].items()}
    for each in net.layers:
        if each.HasField("layer"):
            message = (
                f"layer {each.layer.name:.60}: found the first generation of Caffe (layers {{ layer {{ … }} }}); "
                "bring both files to the newest by Caffe's upgrade_net_proto_text and upgrade_net_proto_binary"
            )
            raise ModelportError(Reason.CONVERSION_FAILED, message)
        old = names.get(each.type, "NONE")
        name = OLD_NAMES.get(old) or "".join(word.capitalize() for word in old.split("_"))
        yield Layer(each.name, name, tuple(each.bottom), tuple(each.top), each)


def _takes_part(message: Any, state: Any) -> bool:
    """Return whether Caffe has the layer in a net of phase TEST (Net::FilterNet)."""
    if message.include:
        return any(_meets(rule, state) for rule in message.include)
    return not any(_meets(rule, state) for rule in message.exclude)


def _meets(rule: Any, state: Any) -> bool:
    stages = set(state.stage)
    return not (
        (rule.HasField("phase") and rule.phase != ENUMS["Phase"]["TEST"])
        or (rule.HasField("min_level") and state.level < rule.min_level)
        or (rule.HasField("max_level") and state.level > rule.max_level)
        or not set(rule.stage) <= stages
        or set(rule.not_stage) & stages
    )


def _declared(path: Path, net: Any) -> dict[str, tuple[int, ...] | None]:
    """Return the inputs that stand outside of layers."""
    if net.input_dim:
        if len(net.input_dim) != 4 * len(net.input):
            raise _corrupt(path, f"input_dim four times for each of {len(net.input)} inputs", f"{len(net.input_dim)}")
        dims = list(net.input_dim)
        return {name: tuple(dims[4 * number : 4 * number + 4]) for number, name in enumerate(net.input)}
    return _shapes_of(path, "input", tuple(net.input), net.input_shape)


def _shapes_of(path: Path, name: str, tops: tuple[str, ...], shapes: Any) -> dict[str, tuple[int, ...] | None]:
    found = [tuple(each.dim) for each in shapes]
    if len(found) not in {0, 1, len(tops)}:
        raise _corrupt(path, f"layer {name:.60}: one shape, or one for each of {len(tops)} inputs", f"{len(found)}")
    if not found:
        return dict.fromkeys(tops)
    return dict(zip(tops, found if len(found) == len(tops) else found * len(tops), strict=True))


def _training(path: Path, layer: Layer, what: str) -> ModelportError:
    message = (
        f"{path.name}: layer {layer.name:.60} ({layer.type:.60}) {what}, so this net is for training and "
        "testing; give its deploy prototxt, which begins with an Input layer and ends with the answers"
    )
    return ModelportError(Reason.CONVERSION_FAILED, message)


def _corrupt(path: Path, expected: str, found: str) -> ModelportError:
    return ModelportError(Reason.SOURCE_CORRUPT, f"{path.name}: expected {expected}, found {found}")
