"""SavedModels that are served as they are: of one graph that answers, by the signature that was asked."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from tensorflow.core.framework.tensor_shape_pb2 import TensorShapeProto
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from modelport.api.status import Signature
from modelport_converter.frameworks.tensorflow.graphs.saved_models import INTERNAL
from modelport_converter.frameworks.tensorflow.model import COMPILED, SERVING, nodes_of

PARTS = ("saved_model.pb", "variables", "assets", "fingerprint.pb", "keras_metadata.pb")
"""What lies in the folder of a SavedModel, and is a part of it."""


def copy_saved_model(path: Path, asked: Signature, folder: Path) -> bool:
    """Copy the SavedModel of a file; return whether it is what was asked, and need not be written anew."""
    saved = SavedModel.FromString(path.read_bytes())
    if len(saved.meta_graphs) != 1 or not _is_served(saved.meta_graphs[0], asked):
        return False
    folder.mkdir()
    for name in PARTS:
        part = path.parent / name
        if part.is_dir():
            shutil.copytree(part, folder / name)
        elif part.is_file():
            shutil.copyfile(part, folder / name)
    return True


def _is_served(graph: MetaGraphDef, asked: Signature) -> bool:
    """Whether a server finds the signature that was asked, with its names and lengths, and nothing is to be compiled."""
    signatures = {name: each for name, each in graph.signature_def.items() if not name.startswith(INTERNAL)}
    told = signatures.get(SERVING) or (next(iter(signatures.values())) if len(signatures) == 1 else None)
    if told is None or any(
        COMPILED in each.attr for each in (*nodes_of(graph.graph_def), *graph.graph_def.library.function)
    ):
        return False
    has_names = set(told.outputs) == {each.name for each in asked.outputs}
    has_names &= set(told.inputs) == {each.name for each in asked.inputs}
    return has_names and all(_fits(told.inputs[each.name].tensor_shape, each.shape) for each in asked.inputs)


def _fits(told: TensorShapeProto, shape: Sequence[int | str]) -> bool:
    """Whether a tensor's free lengths are those of the signature."""
    lengths = [None if each.size < 0 else each.size for each in told.dim]
    return told.unknown_rank or lengths == [None if isinstance(each, str) else each for each in shape]
