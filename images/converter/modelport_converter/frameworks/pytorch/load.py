"""A PyTorch model: loaded strictly, and asked once; ask and the first hop share it."""

import importlib
import inspect
from pathlib import Path
from typing import NamedTuple

import torch

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.jobs.requests import ConvertRequest
from modelport.steps.runner import say
from modelport_converter.frameworks.pytorch.answering import Asker, probe
from modelport_converter.frameworks.pytorch.building.torchvision_shim import install
from modelport_converter.frameworks.pytorch.forms.base import Loaded

SMALL_BYTES = 4 << 20
LOGGER = "torch"


class Opened(NamedTuple):
    """A model that answers."""

    loaded: Loaded
    asker: Asker
    """Has asked once, to see what the model does with its inputs."""


_FORMS = {
    "pytorch-state-dict": "factories",
    "safetensors": "factories",
    "huggingface": "huggingface",
    "torchscript": "scripts",
    "pytorch-export": "programs",
    "pytorch-module": "pickled",
}
"""Modules by format; each is loaded where it is asked for: transformers takes seconds."""
_opened: dict[Path, Opened] = {}
"""By the folder of the weights: ask and the first hop run one after the other in one process."""


def open_model(request: ConvertRequest, model: Path, code: Path) -> Opened:
    """Return the model of a folder of weights, built at most once. Raises ModelportError."""
    if model not in _opened:
        loaded = load_model(request, model, code, seed=0)
        _limit_threads(loaded.model)
        _check_arguments(loaded)
        _opened[model] = Opened(
            loaded, probe(loaded.model, loaded.inputs, {**loaded.dimensions, **request.dimensions}, code)
        )
    return _opened[model]


def load_model(request: ConvertRequest, folder: Path, code: Path, seed: int) -> Loaded:
    """Build the model with this seed, and load its weights. Raises ModelportError."""
    if install():
        say(LOGGER, "torchvision's extension does not load beside this torch; its operators are declared here")
    form = importlib.import_module(f"{__package__}.forms.{_FORMS[request.source_format]}")
    loaded: Loaded = form.load(request, folder, code, seed)
    return loaded


def _limit_threads(model: torch.nn.Module) -> None:
    # threads of a small model wait for one another, spinning, longer than they work; where other containers want the
    # same cores, PNet took seven times as long with two threads as with one
    if sum(parameter.nbytes for parameter in model.parameters()) < SMALL_BYTES:
        torch.set_num_threads(1)


def _check_arguments(loaded: Loaded) -> None:
    model, inputs = loaded.model, loaded.inputs
    strings = [each.name for each in inputs if each.dtype == "string"]
    if strings:
        message = f"input {', '.join(strings)[:200]}: expected numbers, which PyTorch's tensors hold; found strings"
        raise ModelportError(Reason.INVALID_SPEC, message)
    try:
        taken = inspect.signature(model.forward)
        taken.bind(*inputs)
    except TypeError as error:
        message = (
            f"{type(model).__name__}.forward does not take the {len(inputs)} inputs of spec.source.inputs: {error}"
        )
        raise ModelportError(Reason.INPUTS_NEEDED, message) from error
    except ValueError:
        return  # a forward without a readable signature: the first question tells
    _check_order([each.name for each in inputs], list(taken.parameters), type(model).__name__)


def _check_order(stated: list[str], taken: list[str], name: str) -> None:
    """Refuse inputs that have the parameters' own names, and would be given for others, by their positions."""
    if set(stated) <= set(taken) and stated != taken[: len(stated)]:
        message = (
            f"spec.source.inputs: {name}.forward takes {', '.join(taken):.150} in this order, found {', '.join(stated):.150};"
            " state its first ones in their order, and have code give the others"
        )
        raise ModelportError(Reason.INPUTS_NEEDED, message)
