"""MOJOs become ONNX: what genmodel computes, in float64 as it does."""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from modelport.api.reasons import Reason
from modelport.conversion.onnx_options import OnnxOptions
from modelport.errors import ModelportError
from modelport.frameworks.h2o import MOJO
from modelport.steps.handover import read_signature
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.h2o.inputs import find_inputs
from modelport_converter.frameworks.h2o.learned.columns import Slot, find_slots
from modelport_converter.frameworks.h2o.learned.model import Learned
from modelport_converter.frameworks.h2o.reading.archives import open_mojo
from modelport_converter.frameworks.h2o.reading.mojo import read_mojo
from modelport_converter.frameworks.h2o.writing.boosted import open_xgboost
from modelport_converter.frameworks.h2o.writing.clusters import open_kmeans
from modelport_converter.frameworks.h2o.writing.forests import open_drf, open_gbm, open_isolation_forest
from modelport_converter.frameworks.h2o.writing.linear import open_glm
from modelport_converter.frameworks.h2o.writing.networks import open_deep_learning
from modelport_converter.frameworks.h2o.writing.rows import make_rows
from modelport_converter.frameworks.h2o.writing.writer import Write
from modelport_converter.onnx_graphs.graphs import fresh_name
from modelport_converter.tables.graph import TableGraph
from modelport_converter.tables.writing import write_answers
from modelport_converter.tasks import HopTask, find_part

ALGORITHMS: dict[str, Callable[[Learned], Write]] = {
    "gbm": open_gbm,
    "drf": open_drf,
    "isolationforest": open_isolation_forest,
    "xgboost": open_xgboost,
    "glm": open_glm,
    "kmeans": open_kmeans,
    "deeplearning": open_deep_learning,
}


class Opened(NamedTuple):
    """A model that was read."""

    slots: list[Slot]
    width: int
    """Numbers of a row."""
    write: Write


def open_model(path: Path) -> Opened:
    """Read a MOJO. Raises ModelportError (SourceCorrupt, UnsafeSource, ConversionFailed)."""
    mojo = read_mojo(path)
    with open_mojo(path) as files:
        model = Learned(mojo, files)
        if mojo.algorithm not in ALGORITHMS:
            model.refuse("an algorithm that is not written as ONNX")
        try:
            return Opened(find_slots(model), model.width, ALGORITHMS[mojo.algorithm](model))
        except (ValueError, LookupError, struct.error, OverflowError) as error:
            message = f"{path.name:.100}: expected a MOJO of {mojo.algorithm:.40}, found {error!s:.200}"
            raise ModelportError(Reason.SOURCE_CORRUPT, message) from error


def convert(task: HopTask, options: OnnxOptions) -> None:
    """Write what was asked for. Raises ModelportError."""
    opened = open_model(find_part(open_tree(task.model), MOJO))
    columns = [slot.column for slot in opened.slots]
    inputs = find_inputs(columns, task.request.inputs)
    outputs = read_signature(task.asked).outputs or ()
    graph = TableGraph([each.name for each in (*inputs, *outputs)])

    def answers() -> dict[str, str]:
        taken = {column.name for column in columns}
        found = opened.write(make_rows(graph, inputs, opened.slots, opened.width))
        return {fresh_name(name, taken): value for name, value in found.items()}

    write_answers(task, options, inputs, graph, answers)
