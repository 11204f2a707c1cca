"""Resolve the dependencies of the development environment and of every image, and write their locks: `make lock`.

Locks are lists of `name==version` with hashes and without addresses, so that they hold for any index. PyTorch needs
more: its CPU build is on no index but its own, so the lock of torch takes that wheel's hash beside those of the index,
and what the index's build needs beyond it stands in a lock of its own.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = str(Path(sys.executable).parent / "uv")
TORCH_CPU_WHEEL = "sha256:6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"  # 2.13.0+cpu, cp311
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
    """Write two locks: torch itself, and what the index's build of it needs beside the image's other packages."""
    alone = entries(compile_lock(source, *IMAGE, "--no-deps"))
    alone["torch"] += f" \\\n    --hash={TORCH_CPU_WHEEL}"
    write(source.with_suffix(".txt"), source, "\n".join(alone.values()) + "\n")
    others = entries(source.with_name("pytorch.txt").read_text())
    whole = entries(compile_lock(source, *IMAGE))
    needed = [entry for name, entry in whole.items() if name not in alone and name not in others]
    write(source.with_name("pytorch-cuda.txt"), source, "\n".join(needed) + "\n")


def main() -> None:
    """Write all locks."""
    write(ROOT / "requirements.lock", ROOT / "pyproject.toml", compile_lock(ROOT / "pyproject.toml", *DEVELOPMENT))
    for source in sorted(ROOT.glob("images/*/locks/*.in")):
        if source.stem != "pytorch-torch":
            write(source.with_suffix(".txt"), source, compile_lock(source, *IMAGE))
    lock_torch(ROOT / "images/converter/locks/pytorch-torch.in")


if __name__ == "__main__":
    main()
