"""Files of installed packages that an image leaves out: what its lock installs, and what it runs is a part of.

A line of a list is a pattern of paths below the folder of packages (`*` stands for `/`, too); one with `!` before it keeps
what a line above it leaves out. What `#` begins is a comment.

Folders of tests are left out without being asked for. Images run this file alone, in the layer that installs the packages:
`python3 leaving_out.py FOLDER [LIST]`.
"""

import fnmatch
import os
import shutil
import sys
from pathlib import Path

KEEP = "!"
TESTS = "tests"
IMPORTED = ("theano/tests",)
"""Folders of tests that their packages themselves import."""


def leave_out_tests(folder: Path) -> None:
    """Remove the folders of tests that packages bring."""
    for path, folders, _ in os.walk(folder):
        if TESTS in folders and not f"{path}/{TESTS}".endswith(IMPORTED):
            folders.remove(TESTS)
            shutil.rmtree(Path(path) / TESTS)


def leave_out(patterns: Path, folder: Path) -> int:
    """Remove the files that the list leaves out, and folders that are empty then; return how many bytes that was.

    Raises OSError, or ValueError for a line that no file has: another version of the package is as large as before.
    """
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if not path.is_dir()}
    left_out: set[str] = set()
    for line in patterns.read_text().splitlines():
        pattern = line.partition("#")[0].strip()
        if not pattern:
            continue
        paths = pattern.removeprefix(KEEP)
        meant = set(fnmatch.filter(files, paths))
        if not meant:
            raise ValueError(f"{patterns.name}: expected files of {paths}, found none in {folder}")
        left_out = left_out - meant if pattern.startswith(KEEP) else left_out | meant
    size = 0
    for name in left_out:
        size += files[name].lstat().st_size
        files[name].unlink()
    for path, _, _ in os.walk(folder, topdown=False):
        if not any(Path(path).iterdir()):
            Path(path).rmdir()
    return size


if __name__ == "__main__":
    try:
        given, *lists = map(Path, sys.argv[1:])
        leave_out_tests(given)
        for each in lists:
            leave_out(each, given)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")
