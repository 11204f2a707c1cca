"""Which layer of a prototxt makes each answer: OpenCV is asked by names of layers, and Caffe's users know those of blobs."""

import re
from functools import cache
from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

DETECTIONS, SILENCE = "DetectionOutput", "Silence"
WORDS = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|#[^\n]*|\bround_mode\s*:\s*(\w+)")
"""What may hold any words, and the one of BVLC's dialect that OpenCV calls otherwise."""
FLOOR = ("FLOOR", "1")
FIELDS = {
    "Layer": ("name", "type", "bottom*", "top*"),
    "OldLayer": ("name", "bottom*", "top*"),
    "Net": ("input*", "layer*:Layer", "layers*:OldLayer"),
}
"""Fields of caffe.proto that tell where blobs come from and go to; `*`: any number of them."""


class Answer(NamedTuple):
    """Where a blob comes from that no layer takes."""

    layer: str
    number: int
    """Among the layer's tops."""
    is_detections: bool


def find_answers(text: str) -> tuple[list[str], dict[str, Answer]]:
    """Return the inputs of a net, and its answers by blob: what no layer takes, else what Silence does.

    Raises text_format.ParseError.
    """
    net = text_format.Parse(text, _net()(), allow_unknown_field=True)
    inputs, answers, silenced = list(net.input), dict[str, Answer](), dict[str, Answer]()
    for layer in (*net.layer, *net.layers):
        kind = getattr(layer, "type", "")
        if kind == "Input":
            inputs += layer.top
            continue
        for blob in layer.bottom:
            taken = answers.pop(blob, None)
            if taken and kind == SILENCE:
                silenced[blob] = taken
        for number, blob in enumerate(layer.top):
            answers[blob] = Answer(layer.name, number, kind == DETECTIONS)
    return inputs, answers or silenced


def to_opencv(text: str) -> str:
    """Return the text with what both dialects have in the words of OpenCV's."""

    def put(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0]
        return f"ceil_mode: {'false' if found[1] in FLOOR else 'true'}"

    return WORDS.sub(put, text)


@cache
def _net() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="blobs.proto", package="blobs")
    for name, fields in FIELDS.items():
        message = file.message_type.add(name=name)
        for at, field in enumerate(fields, 1):
            told, _, kind = field.partition(":")
            added = message.field.add(name=told.removesuffix("*"), number=at)
            many = told.endswith("*")
            added.label = added.LABEL_REPEATED if many else added.LABEL_OPTIONAL
            added.type = added.TYPE_MESSAGE if kind else added.TYPE_STRING
            if kind:
                added.type_name = f".blobs.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("blobs.Net"))
