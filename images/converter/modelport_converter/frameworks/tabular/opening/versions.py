"""Pickles of other versions of scikit-learn than the image's, of which it makes wrong answers, or crashes, without a word.

What is right of them was measured with pickles of 0.24, 1.0, 1.3, 1.5 and 1.7: an estimator is opened if files of its
version, or of an older one among these, answered as where they were written. All else is refused before it is made.
"""

import lzma
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import sklearn
from joblib.numpy_pickle import NumpyUnpickler
from joblib.numpy_pickle_utils import _validate_fileobject_and_memmap
from sklearn.base import BaseEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression

from modelport.api.reasons import Reason
from modelport.errors import ModelportError

WRITTEN = re.compile(rb'_sklearn_version[^0-9]{1,24}?(\d+)\.(\d+)(?:\.|rc|\.dev|["\x94q\\])', re.DOTALL)
"""The version behind the key that each estimator's state ends with, in any protocol of pickle, and in skops' JSON."""
BLOCK, OVERLAP = 1 << 20, 64
MAX_DEPTH = 12
Version = tuple[int, int]
OLDEST: Mapping[Version, str] = {
    (0, 24): "Pipeline FeatureUnion StandardScaler MinMaxScaler RobustScaler Normalizer Binarizer KBinsDiscretizer "
    "PowerTransformer QuantileTransformer PCA SelectKBest LinearRegression Ridge Lasso ElasticNet HuberRegressor "
    "SGDRegressor SGDClassifier LogisticRegression LinearDiscriminantAnalysis LinearSVC SVC NuSVC SVR MLPClassifier "
    "MLPRegressor LabelBinarizer LabelEncoder KMeans GaussianMixture GaussianProcessRegressor TransformedTargetRegressor",
    (1, 0): "GaussianNB PolynomialFeatures OneVsRestClassifier",
    (1, 3): "FunctionTransformer ColumnTransformer OneHotEncoder SimpleImputer DecisionTreeRegressor "
    "RandomForestRegressor IsolationForest ExtraTreeRegressor AdaBoostRegressor CalibratedClassifierCV GridSearchCV "
    "IsotonicRegression _SigmoidCalibration _CalibratedClassifier",
    (1, 5): "DecisionTreeClassifier ExtraTreeClassifier RandomForestClassifier ExtraTreesClassifier BaggingClassifier "
    "StackingClassifier VotingClassifier",
    (1, 7): "AdaBoostClassifier OrdinalEncoder",
}
"""By version, the estimators whose pickles are right from it on."""
RIGHT_SINCE = {name: version for version, names in OLDEST.items() for name in names.split()}
OWN: Version = tuple(map(int, sklearn.__version__.split(".")[:2]))  # type: ignore[assignment]  # of two


def find_version(path: Path) -> Version | None:
    """Return the version of scikit-learn that wrote a pickle, by its bytes alone; the oldest if there are several."""
    found = [(int(each[1]), int(each[2])) for block in _blocks(path) for each in WRITTEN.finditer(block)]
    return min(found, default=None)


def find_version_in(text: bytes) -> Version | None:
    """Return the version of scikit-learn that wrote what is described in a text."""
    return min(((int(each[1]), int(each[2])) for each in WRITTEN.finditer(text)), default=None)


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield a file's bytes, unpacked as joblib unpacks them; each block has the end of the one before."""
    end = b""
    with path.open("rb") as file, _validate_fileobject_and_memmap(file, str(path), None) as (content, _):
        while True:
            try:
                block = content.read(BLOCK)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
                return  # what is damaged is told where it is opened
            if not block:
                return
            yield end + block
            end = (end + block)[-OVERLAP:]


def load_pickle(path: Path) -> Any:
    """Return what is pickled. Raises ModelportError (ConversionFailed) for estimators that other versions wrote."""
    version = find_version(path)
    with path.open("rb") as file, _validate_fileobject_and_memmap(file, str(path), None) as (content, _):
        opened = _Unpickler(version, str(path), content, ensure_native_byte_order=True).load()
    if version is not None and version != OWN:
        for estimator in estimators_in(opened):
            mend(estimator, version)
    return opened


class _Unpickler(NumpyUnpickler):
    def __init__(self, version: Version | None, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._version = version

    def find_class(self, module: str, name: str) -> Any:
        found = super().find_class(module, name)
        if self._version is not None and isinstance(found, type) and issubclass(found, BaseEstimator):
            check_class(found, self._version)
        return found


def check_class(kind: type, version: Version) -> None:
    """Raise ModelportError (ConversionFailed) unless pickles of an estimator of that version are right here."""
    if version == OWN or not kind.__module__.startswith("sklearn."):
        return
    if not RIGHT_SINCE.get(kind.__name__, OWN) <= version < OWN:
        _refuse(kind.__name__, version)


def mend(estimator: Any, version: Version) -> None:
    """Give an estimator what later versions have it learn. Raises ModelportError for what they compute otherwise."""
    if isinstance(estimator, SimpleImputer) and hasattr(estimator, "_fit_dtype"):
        estimator._fill_dtype = vars(estimator).get("_fill_dtype", estimator._fit_dtype)  # noqa: SLF001  # both the statistics' own
    if isinstance(estimator, LogisticRegression):
        several = vars(estimator).get("multi_class", "auto")
        if several not in ("auto", "deprecated", "warn") or (
            estimator.solver == "liblinear" and len(estimator.classes_) > 2  # noqa: PLR2004  # two are the same
        ):
            _refuse(f"LogisticRegression(multi_class={several!r}, solver={estimator.solver!r})", version)


def _refuse(what: str, version: Version) -> NoReturn:
    own, wrote = (".".join(map(str, each)) for each in (OWN, version))
    message = (
        f"{what:.100}: scikit-learn {wrote} wrote it, and {own}, which is here, may answer otherwise: train it with {own}, "
        f"or have skl2onnx convert it beside {wrote}, and give the ONNX model"
    )
    raise ModelportError(Reason.CONVERSION_FAILED, message)


def estimators_in(found: Any, depth: int = 0) -> Iterator[Any]:
    """Yield the estimators in an object."""
    if depth > MAX_DEPTH:
        return
    if isinstance(found, BaseEstimator):
        yield found
        found = list(vars(found).values())
    elif isinstance(found, dict):
        found = list(found.values())
    elif hasattr(found, "estimator") and hasattr(found, "calibrators"):
        found = [found.estimator]
    if isinstance(found, (list, tuple)):
        for each in found:
            yield from estimators_in(each, depth + 1)
