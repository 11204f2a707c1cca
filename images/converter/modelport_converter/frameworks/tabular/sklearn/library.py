"""What skl2onnx converts, where we have nothing of our own: one estimator at a time, on numbers of float64."""

from typing import Any

import numpy as np
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import DoubleTensorType, StringTensorType

from modelport.api.reasons import Reason
from modelport.errors import ModelportError, lacks_memory
from modelport_converter.frameworks.tabular.writer import refuse
from modelport_converter.onnx_graphs.writing import ML_OPSET_WITHOUT_TREES, OPSET
from modelport_converter.tables.answers import LABEL, PREDICTION, PROBABILITIES, SCORES, TRANSFORMED, Answers
from modelport_converter.tables.frames import Frame
from modelport_converter.tables.graph import TableGraph
from modelport_converter.tasks import last_line

TABLE = "table"
NEIGHBOURS = "KNeighbors"
KNOWN = frozenset(
    {
        "BernoulliNB", "CategoricalNB", "ComplementNB", "GaussianNB", "GaussianProcessRegressor",
        "IncrementalPCA", "KMeans", "KNeighborsClassifier", "KNeighborsRegressor", "KernelPCA", "MiniBatchKMeans",
        "MultinomialNB", "NeighborhoodComponentsAnalysis", "NuSVC", "PLSRegression", "QuadraticDiscriminantAnalysis",
        "QuantileTransformer", "SGDOneClassSVM", "SVC", "TfidfTransformer",
    }
)  # fmt: skip
"""What skl2onnx converts so that random tables are answered alike. Of others labels, scores or words were wrong."""


def write_by_library(estimator: Any, frame: Frame) -> Answers:
    """Return what a model answers. Raises ModelportError (ConversionFailed) that names it."""
    name = type(estimator).__name__
    if name not in KNOWN or not type(estimator).__module__.startswith("sklearn."):
        message = f"{name:.100}: it is no estimator that is converted; docs/tabular.md tells which are"
        raise ModelportError(Reason.CONVERSION_FAILED, message)
    if name.startswith(NEIGHBOURS) and estimator.weights not in (None, "uniform"):  # which skl2onnx leaves out
        raise refuse(estimator, f"weights={estimator.weights!s:.50} is not converted", "use weights='uniform'")
    graph = frame.graph
    is_text = all(block.is_text for block in frame.blocks)
    kind = StringTensorType if is_text else DoubleTensorType
    value = graph.side_by_side([block.value for block in frame.blocks]) if is_text else frame.numbers()
    options = {"zipmap": False} if hasattr(estimator, "classes_") else {}
    try:
        made = convert_sklearn(
            estimator,
            initial_types=[(TABLE, kind([None, frame.width]))],
            target_opset={"": OPSET, "ai.onnx.ml": ML_OPSET_WITHOUT_TREES},
            options={id(estimator): options} if options else None,
        )
    except Exception as error:  # of no common base
        if lacks_memory(error):
            raise
        message = f"{name}: skl2onnx does not convert it: {last_line(error):.200}"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error
    if name.startswith(NEIGHBOURS):
        graph.caveats.append("of neighbours that are equally far, others may count")
    values = graph.insert(made, {TABLE: value})
    if hasattr(estimator, "classes_"):
        numbers = PROBABILITIES if hasattr(estimator, "predict_proba") else SCORES
        return dict(zip((LABEL, numbers), [values[0], graph.cast(values[1], np.float64)], strict=False))
    if hasattr(estimator, "predict"):
        names = (LABEL, SCORES) if _gives_labels(estimator) else (PREDICTION,)
        return dict(
            zip(
                names, [_as_float64(graph, each, name) for name, each in zip(names, values, strict=False)], strict=False
            )
        )
    return {TRANSFORMED: graph.cast(values[0], np.float64)}


def _as_float64(graph: TableGraph, value: str, name: str) -> str:
    return graph.cast(value, np.int64 if name == LABEL else np.float64)


def _gives_labels(estimator: Any) -> bool:
    return getattr(estimator, "_estimator_type", "") in ("clusterer", "outlier_detector") or hasattr(
        estimator, "fit_predict"
    )
