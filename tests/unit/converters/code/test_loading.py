"""Code by name, however people lay it out; packages whose `__init__` fails in a process that has less than theirs."""

import pickle
import sys

import pytest

from modelport.api.reasons import Reason
from modelport.errors import ModelportError
from modelport.jobs.requests import CodeRequest
from modelport_converter.code.loading import (
    call_factory,
    find_object,
    find_objects,
    list_left_out,
    stand_in,
    without_failing_packages,
)
from modelport_converter.code.paths import extend_import_path, fresh_imports

NET = "class Net:\n    def __init__(self, size=1):\n        self.size = size\n"


@pytest.fixture
def lay(tmp_path, monkeypatch):
    """Lay out code and requirements, and put them on the import path of this test alone."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    before = set(sys.modules)

    def lay_out(files, requirements=None, path=None):
        for folder, given in (("code", files), ("requirements", requirements or {})):
            for name, content in given.items():
                place = tmp_path / folder / name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(content)
        code = CodeRequest(path=path)
        extend_import_path(code, tmp_path / "code", tmp_path / "requirements")
        return tmp_path / "code"

    yield lay_out
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("files", "path", "module"),
    [
        (["net1.py"], None, "net1"),
        (["net2/deep/net.py"], None, "net2.deep.net"),
        (["README.md", "src/net3/__init__.py", "src/net3/net.py"], None, "net3.net"),
        (["repo-main/net4/__init__.py", "repo-main/net4/net.py", "repo-main/README.md"], None, "net4.net"),
        (["repo-1.0/setup.py", "repo-1.0/src/net5/net.py"], None, "net5.net"),
        (["repo-main/setup.py", "repo-main/python/lib/net6.py"], "python/lib", "net6"),
        (["repo-main/setup.py", "repo-main/lib/net7.py"], "repo-main/lib", "net7"),
        (["net8/__init__.py", "net8/net.py"], None, "net8.net"),
    ],
)
def test_modules_are_found_however_a_repository_is_laid_out(lay, files, path, module):
    lay({name: NET if name.rpartition("/")[2].startswith("net") else "" for name in files}, path=path)
    assert call_factory(CodeRequest(factory=f"{module}:Net", arguments={"size": 3})).size == 3


def test_modules_of_a_package_are_not_found_without_it(lay):
    """They would hide modules of the image: many packages have a `types.py`."""
    lay({"alone/__init__.py": "", "alone/net_of_alone.py": NET})
    with pytest.raises(ModelportError, match="No module named 'net_of_alone'"):
        find_object("net_of_alone:Net")


@pytest.mark.parametrize("path", ["../elsewhere", "/etc", "absent", "net.py"])
def test_a_path_that_is_no_folder_of_the_code_is_told(lay, tmp_path, path):
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(ModelportError, match=r"code.path: expected a folder inside the code") as refused:
        lay({"net.py": NET}, path=path)
    assert refused.value.reason is Reason.FACTORY_FAILED


def test_code_comes_before_the_image_and_requirements_after_it(lay):
    lay({"json/__init__.py": "", "wave.py": "x = 'code'"}, {"numpy/__init__.py": "", "needed.py": "x = 'needed'"})
    import numpy  # noqa: ICN001

    sys.modules.pop("wave", None)
    assert find_object("wave:x") == "code"
    assert find_object("needed:x") == "needed"
    assert "requirements" not in numpy.__file__
    sys.modules.pop("wave", None)


@pytest.mark.parametrize(
    "fault", ["import absent_package", "from . import absent", "raise OSError('no GPU')", "exit(3)"]
)
def test_a_module_is_loaded_alone_where_its_package_fails(lay, capfd, fault):
    name = f"failing_{len(fault)}"
    lay(
        {
            f"{name}/__init__.py": f"from .deep.net import Net\nfrom . import readers\nfrom .plain import part\n{fault}\n",
            f"{name}/readers.py": "",
            f"{name}/deep/__init__.py": "from ..tools.boxes import area\n",
            f"{name}/deep/net.py": f"from {name}.tools.boxes import area\n{NET}",
            f"{name}/plain/part.py": "",
            f"{name}/tools/__init__.py": "import another_absent\n",
            f"{name}/tools/boxes.py": "def area(): return 4\n",
        }
    )
    assert find_object(f"{name}.deep.net:area")() == 4
    log = capfd.readouterr().err
    assert f"{name}/__init__.py is left out, because it fails:" in log
    assert f"{name}.tools/__init__.py is left out" in log
    assert f"{name}.deep/__init__" not in log


def test_what_fails_after_all_names_the_first_cause(lay):
    lay({"first/__init__.py": "import absent_one", "first/net.py": "import absent_two"})
    with pytest.raises(ModelportError, match="absent_two") as refused:
        call_factory(CodeRequest(factory="first.net:Net"))
    assert (
        "before it, first/__init__.py is left out, because it fails: ModuleNotFoundError: No module named 'absent_one'"
        in (refused.value.message)
    )
    assert refused.value.message.startswith("factory first.net:Net: ")


def test_what_a_factory_lacks_names_the_cause_of_the_package_that_it_names(lay):
    lay(
        {
            "seventh/__init__.py": "import absent_seven",
            "seventh/net.py": "import eighth\ndef build(): return eighth.SIZE\n",
            "eighth/__init__.py": "import absent_eight\nSIZE = 3\n",
        }
    )
    with pytest.raises(ModelportError, match=r"'eighth' has no attribute 'SIZE'; before it, eighth.*absent_eight"):
        call_factory(CodeRequest(factory="seventh.net:build"))


def test_a_lambda_is_found_by_the_name_that_files_have(lay):
    lay({"ninth.py": "half = lambda x: x / 2\nother = lambda x: x\n"})
    assert find_objects(CodeRequest(objects=("ninth:half",)))["<lambda>"](4) == 2
    assert set(find_objects(CodeRequest(objects=("ninth:half", "ninth:other")))) == {"half", "other"}


def test_what_only_the_failing_package_itself_gives_is_told(lay):
    lay({"second/__init__.py": "import absent_three\nclass Net: pass\n"})
    with pytest.raises(ModelportError, match=r"has no attribute 'Net'.*absent_three"):
        find_object("second:Net")


def test_code_whose_own_fallback_works_is_left_as_it_is(lay, capfd):
    lay(
        {
            "third/__init__.py": "try:\n    from .fast import run\nexcept ImportError:\n    def run(): return 'slow'\n",
            "third/fast/__init__.py": "import absent_four",
        }
    )
    assert find_object("third:run")() == "slow"
    assert "left out" not in capfd.readouterr().err


def test_what_a_pickle_refers_to_is_found_alone_too(lay):
    lay({"pickled/__init__.py": "import absent_six", "pickled/net.py": NET})
    found = without_failing_packages(lambda: pickle.loads(b"cpickled.net\nNet\n."))
    assert found is find_object("pickled.net:Net")
    assert [each for each in list_left_out() if "pickled" in each] == [
        "pickled/__init__.py is left out, because it fails: ModuleNotFoundError: No module named 'absent_six'"
    ]


def test_packages_of_the_image_are_never_left_bare(lay, tmp_path):
    elsewhere = tmp_path / "elsewhere" / "broken_of_the_image"
    elsewhere.mkdir(parents=True)
    (elsewhere / "__init__.py").write_text("raise OSError('broken')")
    (elsewhere / "part.py").write_text("")
    sys.path.append(str(elsewhere.parent))
    lay({"net9.py": "import broken_of_the_image.part"})
    with pytest.raises(ModelportError, match="OSError: broken"):
        find_object("net9:Net")


def test_what_a_module_draws_is_drawn_anew_with_fresh_imports(lay):
    folder = lay(
        {"spaces/drawn.py": "x = object()", "bare/__init__.py": "import absent_five", "bare/drawn.py": "x = object()"}
    )
    for place in ("spaces.drawn:x", "bare.drawn:x"):
        first = find_object(place)
        assert find_object(place) is first
        with fresh_imports(folder):
            from_package = without_failing_packages(lambda name=place: __import__(name[:-2], fromlist=["x"]).x)
            assert from_package is find_object(place)
            assert from_package is not first
        assert find_object(place) is first


def test_objects_are_found_under_their_own_names(lay):
    lay({"layers/__init__.py": "", "layers/own.py": f"{NET}def swish(x): return x\nNet.Inner = Net\n"})
    found = find_objects(CodeRequest(objects=["layers.own:swish", "layers.own:Net.Inner"]))
    assert list(found) == ["swish", "Inner"]
    with pytest.raises(ModelportError, match=r"code.objects layers.own:Absent: AttributeError"):
        find_objects(CodeRequest(objects=["layers.own:Absent"]))


def test_modules_stand_in_for_the_script(lay):
    """Names of the step's own `__main__` are none of the script's."""
    lay({"train.py": f"{NET}def helper(): return 1\nORDER = 2\n", "more.py": "class ORDER: pass\n"})
    ours = sys.modules["__main__"]
    stand_in(None)
    assert not hasattr(sys.modules["__main__"], "__file__")
    stand_in(CodeRequest(modules=["train", "more"]))
    main = sys.modules["__main__"]
    assert main is not ours
    assert (main.Net.__name__, main.helper(), main.ORDER.__name__) == ("Net", 1, "ORDER")
    with pytest.raises(ModelportError, match=r"code.modules absent: .*No module named 'absent'"):
        stand_in(CodeRequest(modules=["absent"]))
