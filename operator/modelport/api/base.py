"""Base of the resource's types, and the scalars in them.

Names are camelCase on the wire and snake_case here. Every string, list and map has a maximum: the cost budget of the
spec's CEL rules is computed from them, and a status stays small. Docstrings and descriptions are what `kubectl explain` prints.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

GROUP = "modelport.dev"

VERSION = "v1alpha1"

API_VERSION = f"{GROUP}/{VERSION}"

KIND = "ModelConversion"

PLURAL = "modelconversions"

REFRESH_ANNOTATION = f"{GROUP}/refresh"
"""Annotation of the user's: a new value resolves a mutable source URI once more."""

RETRY_ANNOTATION = f"{GROUP}/retry"
"""Annotation of the user's: a new value, by convention the time, asks for another attempt of what failed."""

DIGEST_PATTERN = "^sha256:[0-9a-f]{64}$"

NAME_PATTERN = "^[a-z]([-a-z0-9]{0,50}[a-z0-9])?$"


class Object(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    """Base of all types of the resource: immutable, and strict about unknown fields."""


class StatusPart(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Base of the types of the status: unknown fields, written by another version, are passed over."""


Digest = Annotated[str, Meta(pattern=DIGEST_PATTERN, max_length=71)]

Uri = Annotated[str, Meta(min_length=1, max_length=1024)]

TensorName = Annotated[str, Meta(min_length=1, max_length=128)]

QUANTITY_PATTERN = r"^\+?([0-9]+\.?[0-9]*|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]+)?$"
"""As Kubernetes reads quantities (apimachinery's resource.ParseQuantity), but for a minus: nothing here may be below zero."""

Quantity = Annotated[
    Annotated[str, Meta(pattern=QUANTITY_PATTERN, max_length=32)] | Annotated[int, Meta(ge=0)],
    Meta(extra_json_schema={"x-kubernetes-int-or-string": True}),
]

Dtype = Literal[
    "bool",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "int8",
    "int16",
    "int32",
    "int64",
    "bfloat16",
    "float16",
    "float32",
    "float64",
    "string",
]
"""Element types of inputs and outputs; complex numbers have no place in the serving protocol."""

Dimension = Annotated[str | int, Meta(extra_json_schema={"x-kubernetes-int-or-string": True})]
"""A fixed length, or the name of a free dimension; the same name stands for the same length everywhere."""

InputDimension = Annotated[str, Meta(pattern="^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)] | Annotated[int, Meta(ge=1)]
"""A dimension as a user writes it; models themselves have stranger names."""
