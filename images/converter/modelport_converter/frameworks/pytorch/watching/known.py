"""What is known of tensors, by the memory that they share, which it does not keep alive."""

from typing import Generic, TypeVar

import torch
from torch.multiprocessing.reductions import StorageWeakRef

Fact = TypeVar("Fact")


class Known(Generic[Fact]):
    """One fact for each tensor and all its views, until their memory is given back."""

    def __init__(self) -> None:
        self._facts: dict[int, tuple[StorageWeakRef, Fact]] = {}

    def forget(self) -> None:
        """Know nothing any more."""
        self._facts.clear()

    def note(self, tensor: torch.Tensor, fact: Fact) -> None:
        """Remember a fact of a tensor, in place of what was known."""
        storage = _storage(tensor)
        if storage is not None:
            self._facts[storage.data_ptr()] = (StorageWeakRef(storage), fact)

    def of(self, tensor: object) -> Fact | None:
        """Return what is known of a tensor, if anything."""
        storage = _storage(tensor)
        found = None if storage is None else self._facts.get(storage.data_ptr())
        # the same place may be another tensor's by now
        return None if found is None or found[0].expired() else found[1]


def _storage(tensor: object) -> torch.UntypedStorage | None:
    if not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided or tensor.is_nested:
        return None
    storage = tensor.untyped_storage()
    return storage if storage.data_ptr() else None
