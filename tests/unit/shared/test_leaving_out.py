"""Files that an image leaves out of its packages: those of the patterns, but for those that a later line keeps."""

import subprocess
import sys

import pytest

from modelport.storage.packages import leaving_out
from modelport.storage.packages.leaving_out import leave_out

FILES = ("tool/__init__.py", "tool/lib/compiler.so", "tool/lib/runtime.so", "tool/src/deep/a.c", "other/__init__.py")


@pytest.fixture
def packages(tmp_path):
    for name in FILES:
        (tmp_path / "packages" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "packages" / name).write_text(name)
    return tmp_path / "packages"


def patterns(folder, *lines):
    (folder / "tool.without").write_text("".join(f"{line}\n" for line in lines))
    return folder / "tool.without"


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_what_a_later_line_keeps_stays(tmp_path, packages):
    size = leave_out(
        patterns(tmp_path, "# all but the runtime", "tool/*", "", "!tool/lib/runtime.so  # runs"), packages
    )
    assert names(packages) == ["other/__init__.py", "tool/lib/runtime.so"]
    assert size == sum(len(name) for name in FILES if name.startswith("tool") and "runtime" not in name)
    assert not (packages / "tool" / "src").exists(), "empty folders go, too"


@pytest.mark.parametrize("line", ["tool/lib/nothing.so", "!tool/lib/nothing.so"])
def test_a_line_without_files_is_refused(tmp_path, packages, line):
    with pytest.raises(ValueError, match=r"tool.without: expected files of tool/lib/nothing.so, found none"):
        leave_out(patterns(tmp_path, line), packages)
    assert len(names(packages)) == len(FILES)


def test_images_run_the_file_alone(tmp_path, packages):
    command = [sys.executable, "-I", leaving_out.__file__, packages, patterns(tmp_path, "tool/*", "missing/*")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr.startswith("error: tool.without: expected files of missing/*")) == (1, True)
    patterns(tmp_path, "tool/*")
    assert subprocess.run(command, check=False).returncode == 0
    assert names(packages) == ["other/__init__.py"]


def test_folders_of_tests_go_unless_their_package_imports_them(tmp_path):
    for name in ("torch/tests/big.py", "torch/ops/tests/data.npz", "theano/tests/__init__.py", "theano/gof/tests/x.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    command = [sys.executable, "-I", leaving_out.__file__, tmp_path]
    assert subprocess.run(command, check=False).returncode == 0
    assert names(tmp_path) == ["theano/tests/__init__.py"]
