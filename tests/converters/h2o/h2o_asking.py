"""Asks models of H2O what their tests ask; run by the Python of the converter's environment, which has the scorer.

`python h2o_asking.py FOLDER`: in each folder of a cell below FOLDER `right.npz` has the question; `found.npz` gets the answers, and
what it refuses goes into `refused`.
"""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from modelport.asking.h2o.scorer import Scorer
from modelport.asking.java import RefusedError
from modelport.errors import ModelportError


def ask_cell(folder: Path) -> None:
    """Answer the question of a cell."""
    (source,) = (folder / "source").iterdir()
    asked = {
        name.removeprefix("in."): each for name, each in np.load(folder / "right.npz").items() if name[:3] == "in."
    }
    try:
        scorer = Scorer("pojo" if source.suffix == ".java" else "mojo", source, threads=2)
        answers = scorer.answer(asked)
    except ModelportError as error:
        (folder / "refused").write_text(f"{error.reason}: {error.message}", encoding="utf-8")
        return
    np.savez(folder / "found.npz", **{k: v.astype(str) if v.dtype.kind == "O" else v for k, v in answers.items()})
    # the same rows many times over: several threads answer, in pieces, and alone
    many = {name: np.concatenate([each] * 200) for name, each in asked.items()}
    for name, array in scorer.answer(many).items():
        assert np.array_equal(array, np.concatenate([answers[name]] * 200), equal_nan=array.dtype.kind == "f"), name
    alone = [scorer.answer({name: each[row : row + 1] for name, each in asked.items()}) for row in range(3)]
    for name, array in answers.items():
        assert np.array_equal(
            array[:3], np.concatenate([each[name] for each in alone]), equal_nan=array.dtype.kind == "f"
        ), name
    wide = scorer.answer({n: e.astype(np.float64) if e.dtype.kind == "f" else e for n, e in asked.items()})
    assert {each.dtype for each in wide.values() if each.dtype.kind == "f"} <= {np.dtype(np.float64)}


def check_process(folder: Path) -> None:
    """A process that was killed is started anew, and a question that the model refuses leaves it as it was."""
    scorer = Scorer("mojo", folder / "source" / "model.zip")
    asked = {
        name.removeprefix("in."): each for name, each in np.load(folder / "right.npz").items() if name[:3] == "in."
    }
    before = scorer.answer(asked)
    first = scorer._process.number
    os.kill(first, signal.SIGKILL)
    time.sleep(0.5)
    again = scorer.answer(asked)
    assert all(np.array_equal(before[name], again[name]) for name in before)
    assert scorer._process.number != first
    try:
        scorer._ask(b"q" + (2**31 - 1).to_bytes(4, "little"))  # more rows than Java's arrays hold
        raise AssertionError("expected a refusal")
    except (RefusedError, MemoryError):
        again = scorer.answer(asked)
    assert all(np.array_equal(before[name], again[name]) for name in before)
    number = scorer._process.number
    scorer._process.end()
    assert not Path(f"/proc/{number}").exists()


if __name__ == "__main__":
    for cell in sorted(Path(sys.argv[1]).glob("*/*")):
        ask_cell(cell)
    check_process(Path(sys.argv[1]) / "gbm-binomial" / "mojo")
