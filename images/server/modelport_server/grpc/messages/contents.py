"""Elements of a tensor in a typed field of its message, one of eight, instead of as raw bytes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from modelport_server.errors import BadRequestError
from modelport_server.grpc.messages import schema
from modelport_server.protocol.datatypes import Datatype
from modelport_server.protocol.payloads import Array
from modelport_server.strings import strings, to_string

FIELDS: Mapping[str, str] = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""Fields by datatype; FP16 and BF16 have none."""
_WIDE = {"int_contents": np.dtype(np.int32), "uint_contents": np.dtype(np.uint32)}
"""Types of fields that are wider than some elements in them."""


class TypedPayload:
    """The field `contents` of an input."""

    __slots__ = ("_contents",)
    is_for_a_thread = False

    def __init__(self, contents: Any) -> None:
        """Take an InferTensorContents."""
        self._contents = contents

    def read(self, datatype: Datatype, shape: list[int], count: int, field: str) -> Array:
        """Return the elements. Raises BadRequestError."""
        name = FIELDS.get(datatype.name)
        if name is None:
            raise BadRequestError(f"{field}.contents: expected raw_input_contents, which alone hold {datatype.name}")
        for found, _ in self._contents.ListFields():
            if found.name != name:
                raise BadRequestError(f"{field}.contents: expected {name} for {datatype.name}, found {found.name}")
        values = getattr(self._contents, name)
        if len(values) != count:
            told = f"expected {count} elements for shape {shape}, found {len(values)}"
            raise BadRequestError(f"{field}.contents.{name}: {told}"[:500])
        if datatype.is_string:
            return strings([to_string(value) for value in values])
        kind = datatype.numpy
        array = np.fromiter(values, _WIDE.get(name, kind), count)
        if array.dtype == kind:
            return array
        narrow = array.astype(kind)
        if not np.array_equal(narrow, array):
            limits = np.iinfo(kind)
            told = f"expected numbers of {datatype.name}, from {limits.min} to {limits.max}, found one beyond"
            raise BadRequestError(f"{field}.contents.{name}: {told}")
        return narrow


NONE = TypedPayload(schema.message("inference.InferTensorContents")())
"""Of an input without the field."""
