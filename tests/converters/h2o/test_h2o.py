"""Models of H2O answer as H2O itself did, by its scorer; what is no model of its own is refused by name."""

import io
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

from converters.h2o.mojos import INI, mojo, pipeline, pojo
from matrix.sources import MAKERS_BY_FRAMEWORK, make
from modelport.api.reasons import Reason
from modelport.asking.h2o.scorer import Column
from modelport.conversion.detection import detect
from modelport.errors import ModelportError
from modelport.frameworks import SOURCES
from modelport.storage.trees import open_tree
from modelport_cli.local.environments import find_recipe, prepare
from modelport_converter.frameworks.h2o.inputs import find_hints, find_inputs
from modelport_converter.frameworks.h2o.inspect import inspect
from modelport_converter.frameworks.h2o.reading.mojo import read_mojo
from modelport_converter.frameworks.h2o.reading.pojo import find_thresholds

ROOT = Path(__file__).parents[3]
TASKS = ("binomial", "multinomial", "regression")
POJOS = {
    "gbm": "regression",
    "drf": "multinomial",
    "xgboost": "binomial",
    "glm": "regression",
    "deeplearning": "regression",
}
"""The task of each algorithm whose model is asked as a POJO."""
CELLS = [
    *(f"{name}-{task}/{'pojo' if task == own else 'mojo'}" for name, own in POJOS.items() for task in TASKS),
    *("gbm-offset/mojo", "glm-offset/mojo", "isolation-forest/mojo"),
]
"""Each algorithm by each of its tasks, and in both forms; the matrix has both forms of all."""
SERVED = ("gbm-offset/mojo", "gbm-regression/pojo", "kmeans/mojo")


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """Return a folder with the cells and the scorer's answers to their questions."""
    root = tmp_path_factory.mktemp("cells")
    made = make(MAKERS_BY_FRAMEWORK["h2o"], [*CELLS, *SERVED])  # all by one server of H2O's
    for cell in CELLS:
        assert (made[cell] / "cell.json").exists(), (made[cell] / "error").read_text()
        shutil.copytree(made[cell], root / cell)
    paths = os.pathsep.join(str(ROOT / part) for part in ("operator", "images/converter"))
    command = [prepare(find_recipe("converter-h2o")), Path(__file__).with_name("h2o_asking.py"), root]
    ended = subprocess.run(command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return root


@pytest.mark.converters
@pytest.mark.packages
@pytest.mark.timeout(1800)  # the first one trains all
@pytest.mark.parametrize("cell", CELLS)
def test_the_scorer_answers_as_h2o_did_for_missing_values_unknown_levels_and_offsets(asked, cell):
    assert not (asked / cell / "refused").exists(), (asked / cell / "refused").read_text()
    with np.load(asked / cell / "right.npz") as right, np.load(asked / cell / "found.npz") as found:
        wanted = [right[name] for name in sorted(right) if name.startswith("out.")]
        assert len(found) == len(wanted)
        for array, expected in zip(found.values(), wanted, strict=True):
            assert array.shape == expected.shape
            if array.dtype.kind == "U":
                assert array.tolist() == expected.tolist()
            else:
                np.testing.assert_allclose(
                    array, expected, rtol=2e-7, atol=2e-7
                )  # a POJO of XGBoost's computes in float32


@pytest.mark.converters
@pytest.mark.packages
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("cell", SERVED)
def test_a_model_is_verified_to_be_served(run, cell):
    (folder,) = make(MAKERS_BY_FRAMEWORK["h2o"], [cell]).values()
    (source,) = (folder / "source").iterdir()
    kind = f"h2o-{cell.rpartition('/')[2]}"
    spec = {"uri": f"s3://models/{source.name}", **({"trust": "Trusted"} if kind == "h2o-pojo" else {})}
    manifest = {"spec": {"source": spec, "target": {"format": kind}}, "metadata": {"name": "cell"}}
    status = run({"apiVersion": "modelport.dev/v1alpha1", "kind": "ModelConversion", **manifest}, source)
    assert status.get("failure") is None
    assert status["source"]["format"] == kind


# --- files, looked at without Java ------------------------------------------------------------------------------------


def refusal(folder, format_name="h2o-mojo"):
    paths = list(open_tree(folder).paths)
    with pytest.raises(ModelportError) as caught:
        inspect(folder, paths, format_name)
    return caught.value.reason, caught.value.message


def found_in(folder):
    found = detect(open_tree(folder), SOURCES.values())
    return found and found[0].name


@pytest.mark.parametrize(
    ("name", "content", "format_name"),
    [
        ("model.zip", mojo(), "h2o-mojo"),
        ("any name", mojo(), "h2o-mojo"),
        ("Model.java", pojo(), "h2o-pojo"),
        ("Other.java", b"public class Other extends Thing {}", None),
        ("GBM_1", b"\x1c\xed\x093.46.0.6\x01\xff", "h2o-mojo"),
        ("mojo.zip", pipeline(), "h2o-mojo"),
    ],
)
def test_a_model_is_known_by_its_content(tmp_path, name, content, format_name):
    (tmp_path / name).write_bytes(content)
    assert found_in(tmp_path) == format_name


def test_a_mojo_that_was_unpacked_is_known(tmp_path):
    with zipfile.ZipFile(io.BytesIO(mojo())) as archive:
        archive.extractall(tmp_path / "model")
    assert found_in(tmp_path) == "h2o-mojo"
    inspect(tmp_path, list(open_tree(tmp_path).paths), "h2o-mojo")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            b"\x1c\xed\x093.46.0.6\x01\xff",
            "found the state of a cluster (h2o.saveModel); give what h2o.download_mojo writes",
        ),
        (pipeline(), "found a MOJO of Driverless AI; give a model of H2O-3"),
    ],
)
def test_other_files_of_h2o_are_refused_by_name(tmp_path, content, told):
    (tmp_path / "model.zip").write_bytes(content)
    reason, message = refusal(tmp_path)
    assert reason is Reason.CONVERSION_FAILED
    assert told in message


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"n_columns": "9"}, "4 names where n_columns = 9"),
        ({"n_features": "5"}, "n_features = 5 of 4 columns"),
        ({"n_features": "many"}, "n_features = many"),
        ({"algo": None, "algorithm": None}, "no algo"),
        ({"category": None}, "no category"),
    ],
)
def test_a_description_that_is_not_whole_is_told(tmp_path, changes, told):
    (tmp_path / "model.zip").write_bytes(mojo(changes))
    reason, message = refusal(tmp_path)
    assert reason is Reason.SOURCE_CORRUPT
    assert told in message


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"domains/d000.txt": b"red\n"}, "1 levels in domains/d000.txt where model.ini says 2"),
        ({"domains/d000.txt": None}, "domains/d000.txt"),
        ({"domains/d000.txt": b"\xff\xfe\n\xff\n"}, "found 'utf-8' codec"),
        ({"model.ini": INI.encode().replace(b"[domains]", b"[other]")}, "7 names where n_columns = 4"),
    ],
)
def test_files_that_are_not_whole_are_told(tmp_path, files, told):
    (tmp_path / "model.zip").write_bytes(mojo({}, files))
    reason, message = refusal(tmp_path)
    assert reason is Reason.SOURCE_CORRUPT
    assert told in message


def test_a_description_is_read(tmp_path):
    (tmp_path / "model.zip").write_bytes(
        mojo({"escape_domain_values": "true"}, {"domains/d000.txt": b"a\\\\b\\nc\nr\xc3\xb6t\n"})
    )
    read = read_mojo(tmp_path / "model.zip")
    assert read.features == ("age", "colour")
    assert read.offset == "shift"
    assert (read.algorithm, read.category) == ("gbm", "Binomial")
    assert read.domains == {1: ("a\\b\nc", "röt"), 3: ("no", "yes")}


def test_thresholds_of_a_pojo_are_read():
    found = find_thresholds(
        b"(data[2 /* visits */] < 5.5f ? a : (Double.isNaN(data[1]) || data[1 /* x */] < -5.7E-4f ? b : c))"
    )
    assert found == {2: (5.5,), 1: (-5.7e-4,)}


# --- inputs -----------------------------------------------------------------------------------------------------------


def test_each_column_is_an_input_and_many_are_two():
    columns = [Column("age"), Column("colour", ("red", "blue")), Column("shift", offset=True)]
    inputs = find_inputs(columns, [])
    assert [(each.name, each.dtype, each.shape) for each in inputs] == [
        ("age", "float32", ["batch", 1]),
        ("colour", "string", ["batch", 1]),
        ("shift", "float32", ["batch", 1]),
    ]
    hints = find_hints(columns, inputs, {"age": (1.5,)})
    assert hints["colour"].strings[:2] == ("blue", "red")
    assert "" in hints["colour"].strings
    assert hints["age"].thresholds == ((1.5,),)
    assert hints["age"].missing
    assert not hints["shift"].missing  # an answer without its offset is none
    many = [*(Column(f"n{number}") for number in range(60)), *(Column(f"t{number}", ("a",)) for number in range(9))]
    assert [(each.name, each.dtype, each.shape) for each in find_inputs(many, [])] == [
        ("numbers", "float32", ["batch", 60]),
        ("texts", "string", ["batch", 9]),
    ]


def test_declared_inputs_are_the_columns():
    columns = [Column("age"), Column("colour", ("red", "blue"))]
    wide = [each._replace() if hasattr(each, "_replace") else each for each in find_inputs(columns, [])]
    assert find_inputs(columns, wide) == wide
    with pytest.raises(
        ModelportError, match=r"expected each column as \[batch, 1\]: age \(numbers\), colour \(string\); found age"
    ):
        find_inputs(columns, wide[:1])
