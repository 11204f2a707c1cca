"""Models of H2O, trained here on a table with categories, missing values, weights and an offset; MOJOs and POJOs of them.

`python h2o_cells.py PACKAGES FOLDER CELL…`, by a Python of its own (tests/matrix/locks). H2O is a server of Java, which is
started here for this process alone: on the loopback address, and without the sockets by which its nodes would find others.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import h2o
import numpy as np
import pandas as pd
from cells import Cell, make_all
from h2o import estimators
from h2o.exceptions import H2OConnectionError

ROWS, ASKED = 600, 12
SECONDS = 300
NUMBERS, TEXTS = ("age", "income", "visits"), ("colour", "town")
FEATURES = [*NUMBERS, *TEXTS]
OFFSET, WEIGHTS = "shift", "weight"
RESPONSES = {"binomial": "bought", "multinomial": "kind", "regression": "amount"}
LABELLED = ("binomial", "multinomial")


class Model(NamedTuple):
    """How one is trained."""

    make: Callable[..., Any]
    options: dict[str, Any]
    task: str = ""
    """The key of its response; nothing: it has none."""
    more: Mapping[str, str] = MappingProxyType({})
    """Columns with another part."""
    is_answered: bool = True
    """Whether H2O itself answers with all that its scorer does."""


TREES = {"seed": 1, "ntrees": 10, "max_depth": 4}
NET = {"seed": 1, "hidden": [8, 5], "epochs": 4, "reproducible": True}
FAMILIES = {"binomial": "binomial", "multinomial": "multinomial", "regression": "gaussian"}
ALGORITHMS: dict[str, Callable[[str], tuple[Callable[..., Any], dict[str, Any]]]] = {
    "gbm": lambda _: (estimators.H2OGradientBoostingEstimator, TREES),
    "drf": lambda _: (estimators.H2ORandomForestEstimator, TREES),
    "xgboost": lambda _: (estimators.H2OXGBoostEstimator, TREES),
    "glm": lambda task: (estimators.H2OGeneralizedLinearEstimator, {"seed": 1, "family": FAMILIES[task]}),
    "deeplearning": lambda _: (estimators.H2ODeepLearningEstimator, NET),
}
FOREST = {"seed": 1, "ntrees": 10}
MODELS = {
    **{f"{name}-{task}": Model(*make(task), task) for name, make in ALGORITHMS.items() for task in RESPONSES},
    "gbm-offset": Model(
        estimators.H2OGradientBoostingEstimator,
        {**TREES, "distribution": "poisson"},
        "regression",
        {"offset_column": OFFSET, "weights_column": WEIGHTS},
    ),
    "glm-offset": Model(
        estimators.H2OGeneralizedLinearEstimator,
        {"family": "binomial"},
        "binomial",
        {"offset_column": OFFSET, "weights_column": WEIGHTS},
    ),
    "gbm-defaults": Model(estimators.H2OGradientBoostingEstimator, {"seed": 1}, "binomial"),  # for bench/jvm
    "isolation-forest": Model(estimators.H2OIsolationForestEstimator, FOREST),
    "kmeans": Model(estimators.H2OKMeansEstimator, {"seed": 1, "k": 3}, is_answered=False),
}


def table(rows: int, seed: int) -> pd.DataFrame:
    """Return a table whose numbers are float32, with some of them missing; a missing text is empty."""
    random = np.random.default_rng(seed)
    numbers = {
        "age": random.uniform(18, 90, rows),
        "income": random.lognormal(10, 1, rows),
        "visits": random.integers(0, 12, rows),
    }
    found = pd.DataFrame({name: np.asarray(each, np.float32) for name, each in numbers.items()})
    found["colour"] = random.choice(["red", "green", "blue", "ultra violet"], rows)
    found["town"] = random.choice([f"Örtchen {number}" for number in range(40)], rows)
    part = found["town"].str.removeprefix("Örtchen ").astype(int) % 3
    score = 0.05 * (found["age"] - 50) + np.log(found["income"]) - 10 + 0.3 * found["visits"] - part
    score += 1.5 * (found["colour"] == "red")
    found["bought"] = np.where(score + random.normal(size=rows) > 1, "yes", "no")
    found["kind"] = np.where(score > 2, "high", np.where(score > 0, "middle", "low"))
    found["amount"] = np.exp(score / 3)
    found[WEIGHTS] = random.integers(1, 4, rows).astype(np.float32)
    found[OFFSET] = (random.normal(size=rows) / 10).astype(np.float32)
    for name in ("age", "income"):
        found.loc[random.random(rows) < 0.1, name] = np.nan
    found.loc[random.random(rows) < 0.1, "colour"] = ""
    return found


def frame(content: pd.DataFrame) -> Any:
    """Return a table as H2O has it."""
    types = dict.fromkeys([*TEXTS, "bought", "kind"], "enum")
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        content.to_csv(file.name, index=False)
        return h2o.import_file(file.name, col_types=types)


@cache
def training() -> Any:
    """Return the rows that all are trained on."""
    return frame(table(ROWS, 5))


def question() -> pd.DataFrame:
    """Return rows that were not trained on, and levels that nobody knows."""
    asked = table(ASKED, 11)
    asked.loc[1, "town"] = "a town of elsewhere"
    asked.loc[2, ["age", "income", "colour"]] = [np.nan, np.nan, ""]
    return asked


@cache
def trained(name: str) -> Any:
    model = MODELS[name]
    made = model.make(**model.options, **model.more)
    made.train(x=FEATURES, y=RESPONSES.get(model.task), training_frame=training())
    return made


def answers(name: str, asked: pd.DataFrame) -> list[Any]:
    """Return what H2O answers, in the form of its scorer's outputs."""
    model = MODELS[name]
    if not model.is_answered:
        return []
    found = trained(name).predict(frame(asked)).as_data_frame()
    if model.task in LABELLED:
        return [found["predict"].to_numpy(str), found.drop(columns="predict").to_numpy(np.float32)]
    return [found[column].to_numpy(np.float32) for column in found.columns]


def save_mojo(model: Any, path: Path) -> None:
    model.download_mojo(str(path))


def save_pojo(model: Any, path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        model.download_pojo(folder, get_genmodel_jar=False)
        (source,) = Path(folder).glob("*.java")
        path.write_bytes(source.read_bytes())


FORMS: dict[str, tuple[str, dict[str, Any], Callable[[Any, Path], None]]] = {
    "mojo": ("model.zip", {}, save_mojo),
    "pojo": ("Model.java", {"trust": "Trusted"}, save_pojo),
}


def find(name: str, form: str) -> Callable[[Cell], None]:
    def make(cell: Cell) -> None:
        ending, told, save = FORMS[form]
        save(trained(name), cell.source(ending))
        rows = question()
        columns = [*FEATURES, *([OFFSET] if OFFSET in MODELS[name].more.values() else [])]
        asked = {each: rows[each].to_numpy(str if each in TEXTS else np.float32)[:, None] for each in columns}
        cell.done(told, asked, answers(name, rows))

    return make


@contextmanager
def server() -> Iterator[None]:
    """Start H2O, and end it."""
    jar = Path(h2o.__file__).parent / "backend" / "bin" / "h2o.jar"
    with tempfile.TemporaryDirectory() as folder:
        command = ["java", "-Xmx2G", f"-Djava.io.tmpdir={folder}", "-jar", str(jar), "-name", Path(folder).name]
        command += [
            "-ip",
            "127.0.0.1",
            "-web_ip",
            "127.0.0.1",
            "-baseport",
            "54400",
            "-disable_net",
            "-ice_root",
            folder,
        ]
        with (Path(folder) / "log").open("w+b") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
            try:
                connect(process, Path(folder) / "log")
                h2o.no_progress()
                yield
            finally:
                process.kill()
                process.wait()


def connect(process: Any, log: Path) -> None:
    """Wait for the server. Raises RuntimeError with what it says."""
    for _ in range(SECONDS * 2):
        text = log.read_text(errors="replace")
        found = (
            text.rpartition("REST traffic on ")[2].partition("\n")[0].strip().rstrip("/")
            if "REST traffic on " in text
            else ""
        )
        if found and "Cloud of size 1 formed" in text:
            with suppress(H2OConnectionError):  # on a busy machine it takes longer than its client waits
                h2o.connect(url=found, verbose=False, strict_version_check=False)
                return
        if process.poll() is not None:
            break
        time.sleep(0.5)
    raise RuntimeError(f"H2O does not start: {log.read_text(errors='replace')[-1000:]}")


if __name__ == "__main__":
    with server():
        make_all(find, Path(sys.argv[2]), sys.argv[3:])
