"""Folders as transformers writes them: config.json, and weights for the class of transformers that it names.

transformers fills what is missing with random numbers, and says so in a log at most: every missing, unexpected and
reshaped weight refuses here. The weights are read by what reads all others, too; nothing comes from a network.
"""

import inspect
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import torch

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_MODULES_CACHE": tempfile.mkdtemp(prefix="modules-")}  # before its import
import transformers

from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.errors import ModelportError, lacks_memory
from modelport.jobs.requests import ConvertRequest
from modelport.steps.runner import say
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.pytorch.building.loading import draw_from
from modelport_converter.frameworks.pytorch.building.state import settle
from modelport_converter.frameworks.pytorch.forms.base import Loaded
from modelport_converter.frameworks.pytorch.weights.state_dicts import list_names, read_stored
from modelport_converter.tasks import find_part, last_line

transformers.utils.logging.set_verbosity_error()  # what matters refuses
transformers.utils.logging.disable_progress_bar()
LOGGER = "transformers"
MANY_LAYERS = 1000
"""As many may share a few weights."""
Made = type[transformers.PreTrainedModel]


class Named(torch.nn.Module):
    """The model, with its inputs in a row: transformers' own order has more of them, and other ones between."""

    def __init__(self, model: torch.nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self._names = names

    def forward(self, *inputs: torch.Tensor) -> Any:
        """Return what the model answers."""
        return self.model(**dict(zip(self._names, inputs, strict=True)))


def load(request: ConvertRequest, folder: Path, code: Path, seed: int) -> Loaded:  # noqa: ARG001  # as all forms
    """Build the model that the configuration describes, and load its weights. Raises ModelportError."""
    tree = open_tree(folder)
    path = find_part(tree, request.source_format, "config")
    weights = read_stored(find_part(tree, request.source_format, "weights"))
    draw_from(seed)
    try:
        config = transformers.AutoConfig.from_pretrained(
            path.parent, local_files_only=True, trust_remote_code=request.trusted
        )
        _check_layers(path, config, len(weights))
        made = _find_class(path, config, is_trusted=request.trusted)
        # keys and values of the past are states that nobody feeds back; attention in plain operators exports as it is,
        # and so do experts whose weights are gathered, where tokens that are sorted by expert do not
        for each in (config, *vars(config).values()):
            if isinstance(each, transformers.PretrainedConfig):
                each.use_cache = False
        plain = {"experts_implementation": "batched_mm"} if made._can_set_experts_implementation() else {}  # noqa: SLF001
        model, told = made.from_pretrained(
            None, config=config, state_dict=weights, output_loading_info=True, attn_implementation="eager", **plain
        )
    except ModelportError:
        raise
    except Exception as error:  # transformers' have no common base
        if lacks_memory(error):
            raise
        message = f"{path.name}: transformers {transformers.__version__} does not build the model: {last_line(error)}"
        raise ModelportError(Reason.FACTORY_FAILED, message) from error
    _check_account(type(model).__name__, told)
    say(LOGGER, f"{type(model).__name__} of transformers {transformers.__version__}, {len(weights)} weights")
    settle(model)
    inputs = request.inputs or find_inputs(model)
    _check_names(model, inputs)
    return Loaded(Named(model, [each.name for each in inputs]), inputs)


def find_inputs(model: transformers.PreTrainedModel) -> list[Input]:
    """Return the inputs that every model of its kind takes, as its configuration describes them.

    Raises ModelportError (InputsNeeded) if the one that it cannot do without is not among those that are known.
    """
    taken = _parameters(model)
    known = _known_inputs(model.config, has_tokens="input_ids" in taken)
    found = [known[name] for name in taken if name in known]
    if model.main_input_name not in {each.name for each in found}:
        message = (
            f"{type(model).__name__}: expected spec.source.inputs, because shapes of {model.main_input_name} are not in"
            f" config.json; such as [{{name: {model.main_input_name}, shape: [batch, …]}}] of {', '.join(taken):.200}"
        )
        raise ModelportError(Reason.INPUTS_NEEDED, message)
    return found


def _check_layers(path: Path, config: transformers.PretrainedConfig, tensors: int) -> None:
    """Refuse more layers than there can be, which would be built until the memory or the time is at its end."""
    for name, value in vars(config).items():
        if "layer" in name and isinstance(value, int) and value > max(MANY_LAYERS, tensors):
            message = f"{path.name}: expected at most as many layers as there are weights, {tensors}; found {name} {value:.3g}"
            raise ModelportError(Reason.SOURCE_CORRUPT, message)


def _find_class(path: Path, config: transformers.PretrainedConfig, *, is_trusted: bool) -> Made:
    named = (config.architectures or [None])[0]
    remote = {**getattr(config, "auto_map", {})} if is_trusted else {}  # inspect saw none
    own = next((each for each in remote.values() if str(each).rpartition(".")[2] == named), remote.get("AutoModel"))
    if own:
        from transformers.dynamic_module_utils import get_class_from_dynamic_module

        made = get_class_from_dynamic_module(own, path.parent, local_files_only=True)
    elif named is None:
        made = transformers.AutoModel._model_mapping[type(config)]  # noqa: SLF001  # what AutoModel takes
    else:
        made = getattr(transformers, named, None)
    if not (isinstance(made, type) and issubclass(made, transformers.PreTrainedModel)):
        message = (
            f"{path.name}: architectures names {named!s:.100}, which transformers {transformers.__version__} has not"
        )
        raise ModelportError(Reason.FACTORY_FAILED, message)
    return made


def _check_account(name: str, told: Mapping[str, Any]) -> None:
    groups = {
        "missing": sorted(told["missing_keys"]),
        "unexpected": sorted(told["unexpected_keys"]),
        "reshaped": sorted(str(each) for each in told["mismatched_keys"]),
        "not taken": sorted(map(str, told.get("error_msgs", ()))),
    }
    found = "; ".join(f"{len(each)} {what}: {list_names(each)}" for what, each in groups.items() if each)
    if found:
        raise ModelportError(Reason.WEIGHTS_MISMATCH, f"the weights are not those of {name}: {found}"[:500])


def _check_names(model: torch.nn.Module, inputs: Sequence[Input]) -> None:
    unknown = [each.name for each in inputs if each.name not in _parameters(model)]
    if unknown:
        taken = ", ".join(_parameters(model))
        message = f"spec.source.inputs: {type(model).__name__} has no {', '.join(unknown):.100}; it takes {taken:.300}"
        raise ModelportError(Reason.INPUTS_NEEDED, message)


def _parameters(model: torch.nn.Module) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [name for name, each in inspect.signature(model.forward).parameters.items() if each.kind in kinds]


def _known_inputs(config: transformers.PretrainedConfig, *, has_tokens: bool) -> dict[str, Input]:
    seen = getattr(config, "vision_config", None) or config
    tokens = ["input_ids", "attention_mask"]
    if getattr(config, "type_vocab_size", 0):
        tokens.append("token_type_ids")
    # what is not made of tokens may take a mask of its patches, and does without
    found = [Input(name=name, dtype="int64", shape=["batch", "sequence"]) for name in tokens if has_tokens]
    found += [Input(name="input_values", shape=["batch", "length"])]
    if config.is_encoder_decoder:
        found += [Input(name="decoder_input_ids", dtype="int64", shape=["batch", "decoder_sequence"])]
    channels = getattr(seen, "num_channels", None)
    if isinstance(channels, int):
        found += [Input(name="pixel_values", shape=["batch", channels, *_image_size(seen)])]
    return {each.name: each for each in found}


def _image_size(config: transformers.PretrainedConfig) -> list[int | str]:
    size = getattr(config, "image_size", None)
    if isinstance(size, int):
        return [size, size]
    return list(msgspec.convert(size, tuple[int, int])) if isinstance(size, (list, tuple)) else ["height", "width"]
