"""Estimators that were pickled, by pickle or joblib, and those of skops, which trusts types by name."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sklearn
import skops.io
import xgboost

from modelport.api.reasons import Reason
from modelport.errors import ModelportError, lacks_memory
from modelport.frameworks.tabular import SCHEMA
from modelport.jobs.requests import ConvertRequest
from modelport_converter.code.loading import stand_in, tell, without_failing_packages
from modelport_converter.frameworks.tabular.boosters.wrappers import complete
from modelport_converter.frameworks.tabular.opening.versions import (
    OWN,
    check_class,
    estimators_in,
    find_version,
    find_version_in,
    load_pickle,
    mend,
)
from modelport_converter.frameworks.tabular.sklearn.opened import open_estimator
from modelport_converter.tables.table import Table
from modelport_converter.tasks import last_line

TRUSTED_PACKAGES = ("sklearn.", "numpy.", "scipy.", "xgboost.", "lightgbm.", "catboost.", "builtins.", "collections.")


def open_pickle(request: ConvertRequest, path: Path, seen: Mapping[str, Sequence[str]]) -> Table:
    """Unpickle an estimator, which runs what the file says. Raises ModelportError."""
    if not request.trusted:  # no such Job is planned
        raise ModelportError(Reason.UNTRUSTED_SOURCE, f"{path.name}: opening it runs code that comes with it")
    stand_in(request.code)
    try:
        content = without_failing_packages(lambda: load_pickle(path))
    except ModelportError:
        raise
    except (ImportError, AttributeError) as error:
        version = find_version(path)
        told = f" by scikit-learn {version[0]}.{version[1]}, here is {sklearn.__version__}" if version else ""
        message = f"{path.name}, written{told}: what it refers to is not there: {tell(error):.200}; give the code that defines it as source.code, or save it by versions that match"
        raise ModelportError(Reason.FACTORY_FAILED, message) from error
    except xgboost.core.XGBoostError as error:
        message = f"{path.name}: XGBoost {xgboost.__version__} does not read what is pickled, of an older version or damaged; load it with its own, and give what save_model writes as model.json"
        raise ModelportError(Reason.CONVERSION_FAILED, message) from error
    except Exception as error:  # whatever its code raises
        if lacks_memory(error):
            raise
        message = f"{path.name}: expected a pickled estimator, found: {last_line(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    return _opened(path, _chosen(request, path, content), seen)


def open_skops(request: ConvertRequest, path: Path, seen: Mapping[str, Sequence[str]]) -> Table:
    """Load an estimator of types that skops trusts, or of any where the source is trusted. Raises ModelportError."""
    try:
        found = skops.io.get_untrusted_types(file=path)
        foreign = [] if request.trusted else [each for each in found if not each.startswith(TRUSTED_PACKAGES)]
        if foreign:
            message = f"{path.name}: opening it would import what skops does not trust: {', '.join(foreign):.300}"
            raise ModelportError(Reason.UNTRUSTED_SOURCE, message)  # noqa: TRY301  # told as it is
        content = skops.io.load(path, trusted=found)
        _check_version(path, content)
    except ModelportError:
        raise
    except Exception as error:  # what it raises on damaged files is no list that ends
        if lacks_memory(error):
            raise
        message = f"{path.name}: expected an estimator of skops, found: {last_line(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error
    return _opened(path, _chosen(request, path, content), seen)


def _opened(path: Path, estimator: Any, seen: Mapping[str, Sequence[str]]) -> Table:
    try:
        for each in estimators_in(estimator):
            complete(each)
        return open_estimator(estimator, seen)
    except Exception as error:  # whatever is not there in an estimator that was never fitted
        if lacks_memory(error) or isinstance(error, ModelportError):
            raise
        message = f"{path.name}: expected a fitted estimator, found {type(estimator).__name__}: {last_line(error)}"
        raise ModelportError(Reason.SOURCE_CORRUPT, message) from error


def _check_version(path: Path, content: Any) -> None:
    """Refuse estimators that another version of scikit-learn wrote, unless they are right here. Raises ModelportError."""
    with zipfile.ZipFile(path) as archive:
        version = find_version_in(archive.read(SCHEMA))
    if version is not None and version != OWN:
        for estimator in estimators_in(content):
            check_class(type(estimator), version)
            mend(estimator, version)


def _chosen(request: ConvertRequest, path: Path, content: Any) -> Any:
    """Return the estimator in a file, or the one in its dicts and lists that `checkpoint.key` names."""
    key = (request.checkpoint and request.checkpoint.key) or ""
    for part in key.split(".") if key else ():
        try:
            content = content[int(part)] if isinstance(content, (list, tuple)) else content[part]
        except (LookupError, TypeError, ValueError) as error:
            there = ", ".join(map(str, content)) if isinstance(content, dict) else type(content).__name__
            message = f"checkpoint.key {key}: no {part!r} in the file; it has {there:.200}"
            raise ModelportError(Reason.WEIGHTS_MISMATCH, message) from error
    if not (hasattr(content, "predict") or hasattr(content, "transform")):
        inside = f" of {', '.join(map(str, content)):.200}" if isinstance(content, dict) else ""
        message = f"{path.name}: expected an estimator, found {type(content).__name__}{inside}; name one inside with checkpoint.key"
        raise ModelportError(Reason.WEIGHTS_MISMATCH, message)
    return content
