"""The ModelConversion as a whole: the CRD is generated from it (`modelport.crd`), the operator reads it."""

from typing import Any

import msgspec

from modelport.api.base import API_VERSION, KIND
from modelport.api.spec import Spec
from modelport.api.status import Status, read_status


class Metadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The part of ObjectMeta that Modelport reads."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    annotations: dict[str, str] = {}
    deletion_timestamp: str | None = None


class ModelConversion(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Converts a machine-learning model to another format, proves that the result gives the same answers, and serves it."""

    api_version: str = API_VERSION
    kind: str = KIND
    metadata: Metadata
    spec: Spec
    status: Status = Status()


def parse(body: dict[str, Any]) -> ModelConversion:
    """Return the resource in `body`, a decoded manifest; numbers written as text are accepted.

    Raises msgspec.ValidationError with the path of the wrong field.
    """
    resource = msgspec.convert({**body, "status": {}}, ModelConversion, strict=False)
    return msgspec.structs.replace(resource, status=read_status(body.get("status")))
