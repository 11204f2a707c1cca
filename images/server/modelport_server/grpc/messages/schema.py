"""Classes of the protocol's messages.

They live in a pool of their own: clients in the same process register the same names in the default one.
"""

from importlib.resources import files
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_POOL = DescriptorPool()
for _file in FileDescriptorSet.FromString(
    files("modelport_server.protocol").joinpath("inference.protoset").read_bytes()
).file:
    _POOL.Add(_file)


def message(name: str) -> Any:
    """Return the class of a message, by its full name."""
    return GetMessageClass(_POOL.FindMessageTypeByName(name))
