"""Opens models of tables, each format by its own."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from modelport.jobs.requests import ConvertRequest
from modelport.storage.trees import open_tree
from modelport_converter.frameworks.tabular.boosters.files import open_lightgbm, open_xgboost
from modelport_converter.tables.table import Table
from modelport_converter.tasks import find_part

FILES = {"xgboost": open_xgboost, "lightgbm": open_lightgbm}


def open_table(request: ConvertRequest, folder: Path, seen: Mapping[str, Sequence[str]] = {}) -> Table:
    """Return the model; `seen` are texts of the samples, where its file has none. Raises ModelportError."""
    path = find_part(open_tree(folder), request.source_format)
    if request.source_format in FILES:
        return FILES[request.source_format](path)
    if request.source_format == "catboost":
        from modelport_converter.frameworks.tabular.boosters.catboost_trees import open_catboost

        return open_catboost(path, seen)
    from modelport_converter.frameworks.tabular.opening import pickles  # with all of scikit-learn

    opening = pickles.open_pickle if request.source_format == "sklearn" else pickles.open_skops
    return opening(request, path, seen)
