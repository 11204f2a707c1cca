"""Fields that a prototxt says and no dialect here has, by layer: where they may change an answer, the layer is refused."""

import re
from itertools import pairwise

from modelport_converter.frameworks.caffe.reading.schema import PARAMETERS, TEXT

TOKEN = re.compile(r"""\s+|\#[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[\w.+-]+|.""")
"""Words of protocol buffers as text: space, comments, strings, names and numbers; any other character alone."""
LAYERS = {"Layer", "OldLayer"}
CHECKED = {*PARAMETERS, "Suppression"}
HARMLESS = {"transform_param", "loss_param"}
"""What says how a net is trained."""


def find_unknown(text: str) -> list[tuple[str, ...]]:
    """Return the unknown parameters of each layer, in order: a block of them, or a field of one."""
    fields = {message: _types(told) for message, told in TEXT.items()}
    within, opened, found = ["Net"], "", list[list[str]]()
    tokens = [each[0] for each in TOKEN.finditer(text) if not each[0].isspace() and not each[0].startswith("#")]
    for token, after in pairwise([*tokens, ""]):
        if token in {"{", "<"}:
            within.append(opened)
            if within in (["Net", each] for each in LAYERS):
                found.append([])
        elif token in {"}", ">"}:
            if len(within) > 1:
                within.pop()
        elif after in {":", "{", "<"} and (token[0].isalnum() or token[0] == "_"):
            opened = fields.get(within[-1], {}).get(token, "")
            if opened or not found:
                continue
            if within[-1] in CHECKED:
                found[-1].append(f"{within[-1]}_param.{token}")
            elif within[-1] in LAYERS and token.endswith("_param") and token not in HARMLESS:
                found[-1].append(token)
    return [tuple(each) for each in found]


def _types(told: str) -> dict[str, str]:
    """Return the type of each field, without whether it may stand often."""
    pairs = (field.partition(":") for field in told.split())
    return {name: kind.removesuffix("*") for name, _, kind in pairs}
