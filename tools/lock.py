"""Resolve the dependencies of the development environment, of every image and of the benchmark's peers: `make lock`.

Locks are lists of `name==version` with hashes and without addresses, so that they hold for any index. PyTorch has
two: its CPU build is on no index but its own and needs nothing more, the index's build needs all of CUDA.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = str(Path(sys.executable).parent / "uv")
TORCH_CPU = "torch==2.13.0+cpu"
TORCH_CPU_HASH = "sha256:6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"  # cp311, x86-64
IMAGE = ("--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28")
DEVELOPMENT = ("--universal", "--python-version", "3.11", "--all-extras", "--group", "dev")
HEADER = "# Made by `make lock` from {source}. Do not edit.\n"


def compile_lock(source: Path, *options: str) -> str:
    """Return the lock of a list of requirements."""
    command = [UV, "pip", "compile", "--quiet", "--upgrade", "--generate-hashes", "--no-annotate", "--no-header"]
    return subprocess.run(
        [*command, *options, str(source)], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def write(path: Path, source: Path, lock: str) -> None:
    """Write a lock."""
    path.write_text(HEADER.format(source=source.relative_to(ROOT)) + lock)
    print(path.relative_to(ROOT))


def entries(lock: str) -> dict[str, str]:
    """Return the entries of a lock by package."""
    return {found.split("==")[0]: found for found in re.findall(r"^[a-z0-9].*(?:\n    .*)*", lock, re.MULTILINE)}


def lock_torch(source: Path) -> None:
    """Write two alternative locks: the index's build with all that it needs, and the CPU build, which needs no more."""
    others = entries(source.with_name("pytorch.txt").read_text())
    whole = {name: entry for name, entry in entries(compile_lock(source, *IMAGE)).items() if name not in others}
    write(source.with_suffix(".txt"), source, "\n".join(whole.values()) + "\n")
    cpu = [f"{TORCH_CPU} \\\n    --hash={TORCH_CPU_HASH}", whole["torchvision"]]
    write(source.with_name("pytorch-cpu.txt"), source, "\n".join(cpu) + "\n")


def main() -> None:
    """Write all locks."""
    write(ROOT / "requirements.lock", ROOT / "pyproject.toml", compile_lock(ROOT / "pyproject.toml", *DEVELOPMENT))
    for source in sorted([*ROOT.glob("images/*/locks/*.in"), *ROOT.glob("bench/*/locks/*.in")]):
        if source.stem != "pytorch-cuda":
            write(source.with_suffix(".txt"), source, compile_lock(source, *IMAGE))
    lock_torch(ROOT / "images/converter/locks/pytorch-cuda.in")


if __name__ == "__main__":
    main()
