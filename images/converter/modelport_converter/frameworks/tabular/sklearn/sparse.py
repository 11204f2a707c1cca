"""Which transformers of scikit-learn give sparse tables, whose zeros XGBoost takes for missing numbers."""

from typing import Any

from sklearn import compose, feature_extraction, impute, pipeline, preprocessing

from modelport_converter.frameworks.tabular.sklearn.combining import DROPPED, NOTHING, steps_of
from modelport_converter.frameworks.tabular.sklearn.transforming.projecting import SELECTORS

KEEPING = (
    preprocessing.StandardScaler, preprocessing.MaxAbsScaler, preprocessing.RobustScaler, preprocessing.Normalizer,
    preprocessing.Binarizer, preprocessing.PolynomialFeatures, preprocessing.QuantileTransformer, impute.SimpleImputer,
    *SELECTORS,
)  # fmt: skip
"""They give what they get."""
TEXTS = (
    feature_extraction.text.CountVectorizer,
    feature_extraction.text.TfidfTransformer,
    feature_extraction.text.HashingVectorizer,
)


def leaves_zeros_out(estimator: Any, is_sparse: bool) -> bool:  # noqa: PLR0911  # one for each kind
    """Return whether what an estimator makes of a table is sparse; `is_sparse` says whether the table is."""
    if isinstance(estimator, compose.ColumnTransformer):
        return bool(estimator.sparse_output_)
    if isinstance(estimator, preprocessing.OneHotEncoder):
        return bool(estimator.sparse_output) and not _gives_frames(estimator)
    if isinstance(estimator, preprocessing.KBinsDiscretizer):
        return str(estimator.encode) == "onehot"
    if isinstance(estimator, preprocessing.FunctionTransformer):
        return is_sparse
    if isinstance(estimator, pipeline.Pipeline):
        for step in steps_of(estimator):
            is_sparse = leaves_zeros_out(step, is_sparse)
        return is_sparse
    if isinstance(estimator, pipeline.FeatureUnion):
        return any(
            is_sparse if part == NOTHING else leaves_zeros_out(part, is_sparse)
            for _, part in estimator.transformer_list
            if part not in (DROPPED, None)
        )
    return isinstance(estimator, TEXTS) or (is_sparse and isinstance(estimator, KEEPING))


def _gives_frames(estimator: Any) -> bool:
    """Whether it is set to give tables of pandas, which are not sparse."""
    return str(getattr(estimator, "_sklearn_output_config", {}).get("transform", "default")) != "default"
