"""Resolve the dependencies of the development environment, of every image, of makers and of the benchmark's peers: `make lock`.

Locks are lists of `name==version` with hashes and without addresses, so that they hold for any index. PyTorch has
two: its CPU build is on no index but its own and needs nothing more, the index's build needs all of CUDA.

What is locked stays while it fits, whatever the index has by now: a date alone does not hold it, for an index may
show late what was uploaded before. `make lock UPGRADE="numpy torch"` moves those packages, `make lock UPGRADE=1` all.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = str(Path(sys.executable).parent / "uv")
CUDA = "-cuda"
"""How a list of what is there for devices of their own is called, torch first."""
TORCH_CPU = "torch==2.13.0+cpu"
TORCH_CPU_HASH = "sha256:6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"  # cp311, x86-64
APART = "--no-deps"
"""Of a part of an image, `NAME.PART.in`, which uses what the rest of the image has."""
IMAGE = ("--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28")
DEVELOPMENT = ("--universal", "--python-version", "3.11", "--all-extras", "--group", "dev", "--group", "docs")
HEADER = "# Made by `make lock` from {source}. Do not edit.\n"


def compile_lock(lock: Path, source: Path, *options: str) -> str:
    """Return the lock of a list of requirements; what it locks already stays where it may."""
    command = [UV, "pip", "compile", "--quiet", "--generate-hashes", "--no-annotate", "--no-header"]
    subprocess.run([*command, *upgrade(), *options, f"--output-file={lock}", source], cwd=ROOT, check=True)
    return lock.read_text()


def upgrade() -> list[str]:
    """Return uv's options for what may move: the packages named as arguments, all of them by `1`."""
    names = sys.argv[1:]
    return ["--upgrade"] if names == ["1"] else [f"--upgrade-package={name}" for name in names]


def write(lock: Path, source: Path, text: str) -> None:
    """Write a lock."""
    lock.write_text(HEADER.format(source=source.relative_to(ROOT)) + text)
    print(lock.relative_to(ROOT))


def entries(lock: str) -> dict[str, str]:
    """Return the entries of a lock by package."""
    return {found.split("==")[0]: found for found in re.findall(r"^[a-z0-9].*(?:\n    .*)*", lock, re.MULTILINE)}


def lock_torch(source: Path) -> None:
    """Write two alternative locks: the index's build with all that it needs, and the CPU build, which needs no more."""
    lock, framework = source.with_suffix(".txt"), source.stem.removesuffix(CUDA)
    beside = source.with_name(f"{framework}.txt")
    others = entries(beside.read_text())
    whole = entries(compile_lock(lock, source, *IMAGE, f"--constraint={beside}"))
    own = {name: entry for name, entry in whole.items() if name not in others}
    asked = entries(source.read_text())
    more = [entry for name, entry in own.items() if name in asked and name != "torch"]
    write(lock, source, "\n".join(own.values()) + "\n")
    cpu = [f"{TORCH_CPU} \\\n    --hash={TORCH_CPU_HASH}", *more]
    write(source.with_name(f"{framework}-cpu.txt"), source, "\n".join(cpu) + "\n")


def main() -> None:
    """Write all locks."""
    sources = {ROOT / "requirements.lock": (ROOT / "pyproject.toml", DEVELOPMENT)}
    patterns = ("images/*/locks/*.in", "bench/*/locks/*.in", "tests/*/locks/*.in")
    for source in sorted(path for pattern in patterns for path in ROOT.glob(pattern)):
        if not source.stem.endswith(CUDA):
            sources[source.with_suffix(".txt")] = source, (*IMAGE, APART) if "." in source.stem else IMAGE
    for lock, (source, options) in sources.items():
        write(lock, source, compile_lock(lock, source, *options))
    for source in sorted(ROOT.glob(f"images/*/locks/*{CUDA}.in")):
        lock_torch(source)


if __name__ == "__main__":
    main()
