"""Theano's pickles are looked at, opcode by opcode; nothing in them is called."""

from pathlib import Path

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.frameworks.mxnet.theano import SUCCESSORS, read_modules
from modelport.steps.runner import say
from modelport.storage.trees import FolderTree
from modelport_converter.tasks import find_part

LOGGER = "theano"


def inspect(folder: Path, paths: list[str], format_name: str) -> None:
    """Check that it is one whole pickle, of Theano. Raises ModelportError."""
    path = find_part(FolderTree(folder, tuple(paths)), format_name)
    modules = set[str]()
    try:
        with path.open("rb") as file:
            modules.update(read_modules(file, path.stat().st_size))
    except (ValueError, IndexError, OverflowError) as error:
        message = f"{path.name}: expected a whole pickle, found: {error!s:.200}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    successor = next((each for each in sorted(modules) if each.startswith(SUCCESSORS)), None)
    if successor:
        message = (
            f"{path.name}: {successor} is of a successor of Theano (Theano-PyMC, Aesara, PyTensor), whose classes are "
            "others; build the model with Theano 1.0, load its weights, and pickle that theano.function"
        )
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    told = sorted({each.partition(".")[0] for each in modules})
    say(LOGGER, f"opening it calls what it names in {', '.join(told):.200}, which trust: Trusted allows")
