"""Transformers that project a table, or choose among its columns."""

from typing import Any

import numpy as np
from sklearn import decomposition, feature_selection, random_projection

from modelport_converter.frameworks.tabular.sklearn.transforming.scaling import row, table_of
from modelport_converter.frameworks.tabular.writer import Writer, dense
from modelport_converter.tables.frames import Frame


def _project(_writer: Writer, estimator: Any, frame: Frame) -> Frame:
    graph, value = frame.graph, frame.numbers()
    components = dense(estimator.components_)
    mean = getattr(estimator, "mean_", None)
    value = graph.add("MatMul", value, components.T.copy())
    if mean is not None:  # in the order of the library's own: the product first
        value = graph.add("Sub", value, row(mean) @ components.T)
    if isinstance(estimator, (decomposition.PCA, decomposition.IncrementalPCA)) and estimator.whiten:
        scale = np.sqrt(estimator.explained_variance_)
        value = graph.add("Div", value, row(np.maximum(scale, np.finfo(scale.dtype).eps)))
    return table_of(frame, value, len(components))


def _choose(_writer: Writer, estimator: Any, frame: Frame) -> Frame:
    return frame.select([int(each) for each in np.flatnonzero(estimator.get_support())])


SELECTORS = (
    feature_selection.SelectKBest, feature_selection.SelectPercentile, feature_selection.SelectFromModel,
    feature_selection.VarianceThreshold, feature_selection.RFE, feature_selection.RFECV, feature_selection.SelectFpr,
    feature_selection.SelectFdr, feature_selection.SelectFwe, feature_selection.SequentialFeatureSelector,
    feature_selection.GenericUnivariateSelect,
)  # fmt: skip
PROJECTIONS = (
    decomposition.PCA, decomposition.IncrementalPCA, decomposition.TruncatedSVD, decomposition.FastICA,
    random_projection.GaussianRandomProjection, random_projection.SparseRandomProjection,
)  # fmt: skip
TRANSFORMERS = {**dict.fromkeys(PROJECTIONS, _project), **dict.fromkeys(SELECTORS, _choose)}
