"""Programs of Paddle 2 and their weights, written byte for byte as Paddle does, without Paddle."""

import struct
from pathlib import Path

import numpy as np

from modelport_converter.frameworks.paddle.reading.schema import ATTRIBUTES, DTYPES, new_program, new_tensor

NUMBERS = {name: number for number, name in DTYPES.items()}
FIELDS = {field: number for number, field in ATTRIBUTES.items()}
KINDS = {bool: "b", int: "i", float: "f", str: "s"}


def program(inputs, outputs, weights, operators):
    """Return a ProgramDesc: inputs and outputs are {name: (dtype, shape)}, operators (kind, inputs, outputs, attributes)."""
    message = new_program()
    block = message.blocks.add(index=0, parent=-1)
    for name, kind in (("feed", 9), ("fetch", 10)):
        block.variables.add(name=name, persistable=True).type.type = kind
    stored = {name: (str(array.dtype), array.shape) for name, array in weights.items()}
    for name, (dtype, shape) in {**inputs, **outputs, **stored}.items():
        variable = block.variables.add(name=name, persistable=name in weights)
        variable.type.type = 7
        variable.type.tensor.tensor.data_type = NUMBERS[dtype]
        variable.type.tensor.tensor.dims.extend(shape)
    feeds = [("feed", {"X": ["feed"]}, {"Out": [name]}, {"col": place}) for place, name in enumerate(inputs)]
    fetches = [("fetch", {"X": [name]}, {"Out": ["fetch"]}, {"col": place}) for place, name in enumerate(outputs)]
    for kind, taken, made, attributes in (*feeds, *operators, *fetches):
        operator = block.operators.add(type=kind)
        for slots, names in ((operator.inputs, taken), (operator.outputs, made)):
            for slot, arguments in names.items():
                slots.add(parameter=slot, arguments=arguments)
        for name, value in attributes.items():
            _attribute(operator.attributes.add(name=name), value)
    return message.SerializeToString()


def _attribute(message, value):
    if isinstance(value, list):
        field = "floats" if value and isinstance(value[0], float) else "ints"
        getattr(message, field).extend(value)
    else:
        field = KINDS[type(value)]
        setattr(message, field, value.encode() if isinstance(value, str) else value)
    message.type = FIELDS[field]


def tensor(array):
    """Return a weight as Paddle stores it."""
    described = new_tensor()
    described.data_type = NUMBERS[str(array.dtype)]
    described.dims.extend(array.shape)
    content = described.SerializeToString()
    return struct.pack("<IQIi", 0, 0, 0, len(content)) + content + array.tobytes()


def combined(weights):
    """Return all weights in one file, by the order of their names."""
    return b"".join(tensor(weights[name]) for name in sorted(weights))


def dense(shape=(-1, 3)):
    """Return program and weights of a dense layer with three inputs and two outputs."""
    random = np.random.default_rng(0)
    weights = {name: random.normal(size=size).astype(np.float32) for name, size in (("w", (3, 2)), ("b", (2,)))}
    operators = [
        ("mul", {"X": ["x"], "Y": ["w"]}, {"Out": ["h"]}, {"x_num_col_dims": 1, "y_num_col_dims": 1}),
        ("elementwise_add", {"X": ["h"], "Y": ["b"]}, {"Out": ["y"]}, {"axis": 1}),
    ]
    inputs, outputs = {"x": ("float32", shape)}, {"y": ("float32", (-1, 2)), "h": ("float32", (-1, 2))}
    return program(inputs, outputs, weights, operators), weights


def write(folder: Path, content: bytes, weights, name="inference"):
    """Write a model in two files, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.pdmodel").write_bytes(content)
    (folder / f"{name}.pdiparams").write_bytes(combined(weights))
    return folder
