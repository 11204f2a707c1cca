"""Names of inputs and outputs beside a graph that has none: a file of JSON within PyTorch's own archives, or beside code."""

import msgspec

FILE = "modelport.json"
"""`_extra_files` of torch.jit.save and `extra_files` of torch.export.save take it."""


class Names(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The inputs are positional arguments in this order, the outputs the tensors of the answer in this order."""

    inputs: list[str]
    outputs: list[str]

    def encode(self) -> str:
        """Return the file's content."""
        return msgspec.json.encode(self).decode()


def decode(content: str | bytes) -> Names:
    """Return what a file says. Raises ValueError."""
    return msgspec.json.decode(content, type=Names)
