"""Programs of torch.export: a graph, whose inputs, lengths and limits are in the file."""

import logging
from pathlib import Path
from typing import cast

import torch

from modelport.api.base import Dtype
from modelport.api.reasons import Reason
from modelport.api.spec import Input
from modelport.asking.pytorch.called import Called, open_program
from modelport.asking.pytorch.programs import find_code
from modelport.errors import ModelportError, lacks_memory
from modelport.jobs.requests import ConvertRequest
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.pytorch.building.state import settle
from modelport_converter.frameworks.pytorch.forms.base import Loaded
from modelport_converter.frameworks.pytorch.weights.signatures import read_signature
from modelport_converter.tasks import find_part, last_line

logging.getLogger("torch.export").setLevel(logging.CRITICAL)  # it logs what it raises, with a traceback


def load(request: ConvertRequest, folder: Path, code: Path, seed: int) -> Loaded:  # noqa: ARG001  # as all forms
    """Load the program. Raises ModelportError: UntrustedSource, SourceCorrupt."""
    path = find_part(open_tree(folder), request.source_format)
    if not request.trusted and (run := find_code(path)):  # inspect saw none
        raise ModelportError(Reason.UNTRUSTED_SOURCE, f"{path.name}: opening it would run {', '.join(run):.300}")
    told = read_signature(path)
    try:
        program = open_program(path)
        model = Called(program)
    except Exception as error:  # what the reader meets in a damaged file has no common base
        if lacks_memory(error):
            raise
        message = f"{path.name}: expected a program that torch {torch.__version__} loads, found: {last_line(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    settle(model)
    own, stated = [each.name for each in told.inputs], [each.name for each in request.inputs]
    if stated and (len(stated) != len(own) or (set(stated) == set(own) and stated != own)):
        message = f"spec.source.inputs: the program takes {', '.join(own):.200} in this order, found {', '.join(stated):.200}; leave them out, the file tells them"
        raise ModelportError(Reason.INPUTS_NEEDED, message)
    inputs = [Input(name=each.name, dtype=cast("Dtype", each.dtype), shape=list(each.shape)) for each in told.inputs]
    limits = {} if request.inputs else told.limits
    return Loaded(model, request.inputs or inputs, limits, program, is_traceable=False)
