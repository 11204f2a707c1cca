"""Writes estimators of scikit-learn into a graph: each by a function for its very class, because a subclass may do otherwise."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.verification.arrays import Array
from modelport_converter.tables.answers import TRANSFORMED, Answers
from modelport_converter.tables.frames import Frame

Transform = Callable[["Writer", Any, Frame], Frame]
Predict = Callable[["Writer", Any, Frame], Answers]


class Writer(NamedTuple):
    """What writes estimators that have others within, too."""

    transformers: Mapping[type, Transform]
    predictors: Mapping[type, Predict]
    otherwise: Callable[[Any, Frame], Answers]
    """Writes what has no function here, by a library."""
    leaves_zeros_out: Callable[[Any, bool], bool]
    """Says whether an estimator's `transform` gives a sparse table, and where it does only of one: of whether it gets one."""

    def transform(self, estimator: Any, frame: Frame) -> Frame:
        """Return what an estimator's `transform` makes of a table. Raises ModelportError (ConversionFailed)."""
        if type(estimator) in self.transformers:
            made = self.transformers[type(estimator)](self, estimator, frame)
        else:
            (value,) = self.otherwise(estimator, frame).values()
            made = Frame.of(frame.graph, value, _width_behind(estimator, frame))
        return made._replace(is_sparse=self.leaves_zeros_out(estimator, frame.is_sparse))

    def predict(self, estimator: Any, frame: Frame) -> Answers:
        """Return what a model answers: label with probabilities or scores, or a prediction, or the table transformed."""
        if type(estimator) in self.predictors:
            return self.predictors[type(estimator)](self, estimator, frame)
        if type(estimator) in self.transformers:
            return {TRANSFORMED: self.transform(estimator, frame).numbers()}
        return self.otherwise(estimator, frame)


def _width_behind(estimator: Any, frame: Frame) -> int:
    names = getattr(estimator, "get_feature_names_out", None)
    try:
        return len(names()) if names else frame.width
    except (AttributeError, ValueError, TypeError):
        return frame.width


def dense(array: Any) -> Array:
    """Return what an estimator learned, as float64; of sparse tables it is sparse."""
    return np.asarray(array.toarray() if hasattr(array, "toarray") else array, np.float64)


def refuse(estimator: Any, what: str, instead: str) -> ModelportError:
    """Return the error that names an estimator and what of it is not converted."""
    return ModelportError(Reason.CONVERSION_FAILED, f"{type(estimator).__name__}: {what}; {instead}")
