"""H2O's own scorer answers for models of H2O."""

import numpy as np

from modelport.api.reasons import Reason
from modelport.asking.h2o.scorer import Scorer
from modelport.asking.java import RefusedError
from modelport.errors import ModelportError
from modelport.frameworks.h2o import INI, MOJO
from modelport.storage.trees import open_tree
from modelport.verification.source.model import Source
from modelport_converter.frameworks.h2o.inputs import MISSING, Thresholds, find_hints, find_inputs
from modelport_converter.frameworks.h2o.reading.pojo import find_thresholds, read_pojo
from modelport_converter.tasks import SourceTask, find_part


def open_source(task: SourceTask) -> Source:
    """Load the model in a process of Java. Raises ModelportError."""
    is_mojo = task.request.source_format == MOJO
    path = find_part(open_tree(task.model), task.request.source_format)
    scorer = Scorer("mojo" if is_mojo else "pojo", path.parent if path.name == INI else path)
    columns = scorer.description.columns
    try:
        thresholds: Thresholds = scorer.find_thresholds()
    except RefusedError as error:  # what loads need not be whole: a tree is looked at when it is asked
        message = f"{path.name:.100}: expected trees that H2O's scorer can follow, found: {error!s:.200}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    if not is_mojo:
        found = find_thresholds(read_pojo(path))
        thresholds = {column.name: found.get(number, ()) for number, column in enumerate(columns)}
    inputs = find_inputs(columns, task.request.inputs)
    hints = find_hints(columns, inputs, thresholds, has_missing=_takes_missing(scorer))
    return Source(inputs, scorer.answer, hints=hints)


def _takes_missing(scorer: Scorer) -> bool:
    """Whether missing values are answered: not by a GLM that skipped rows with some."""
    row = {
        column.name: np.array([[0.0 if column.offset else np.nan]] if column.domain is None else [[MISSING]], object)
        for column in scorer.description.columns
    }
    try:
        scorer.answer(row)
    except RefusedError:
        return False
    return True
