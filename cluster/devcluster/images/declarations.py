"""The project's images: built from their Dockerfiles once per content, known by digest.

images/images.json says what there is and which files each image is made of. Exactly these files are the build context,
so their hash is an honest key: the same key is never built twice.
"""

import glob
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from devcluster.errors import InvalidInputError
from devcluster.paths import REPOSITORY

DECLARATIONS = REPOSITORY / "images" / "images.json"
WHEELS_VARIABLE = "MODELPORT_WHEELS"
"""Names a folder of wheels to prefer over the index, or a page that lists such wheels."""
CPU_LOCK = "-cpu.txt"
"""How the lock of a build of torch for CPUs ends."""
REPOSITORY_PREFIX = "localhost/modelport"


@dataclass(frozen=True)
class Image:
    """One image as it is declared."""

    name: str
    dockerfile: str
    base: str
    args: tuple[tuple[str, str], ...]
    inputs: tuple[str, ...]

    @property
    def repository(self) -> str:
        """Its name on the embedded cluster, without tag or digest."""
        return f"{REPOSITORY_PREFIX}/{self.name}"


def declared_images(names: tuple[str, ...] = (), file: Path = DECLARATIONS) -> list[Image]:
    """Return the images, all or those with the names given. Raises InvalidInputError for an unknown name."""
    declared = json.loads(file.read_text())["images"]
    unknown = [name for name in names if name not in declared]
    if unknown:
        raise InvalidInputError(f"expected images of {file}: {', '.join(sorted(declared))}; found {', '.join(unknown)}")
    return [_image(name, declared[name]) for name in sorted(declared) if not names or name in names]


def _image(name: str, declaration: Mapping[str, object]) -> Image:
    args = declaration.get("args", {})
    inputs = declaration["inputs"]
    dockerfile = str(declaration["dockerfile"])
    assert isinstance(args, dict)
    assert isinstance(inputs, list)
    return Image(
        name=name,
        dockerfile=dockerfile,
        base=str(declaration["base"]),
        args=tuple(sorted((args | _wheels_page(inputs)).items())),
        inputs=tuple(inputs),
    )


def _wheels_page(inputs: list[str]) -> dict[str, str]:
    """Return the build argument for images with torch, which is on a page of wheels, if the user names one."""
    page = os.environ.get(WHEELS_VARIABLE, "")
    takes = "://" in page and any(name.endswith(CPU_LOCK) for name in inputs)
    return {"WHEELS": page} if takes else {}


def input_files(image: Image, root: Path = REPOSITORY) -> list[Path]:
    """Return the files that the image is made of, in order, relative to `root`. Every pattern must match."""
    found = {Path(image.dockerfile)}
    for pattern in image.inputs:
        matches = [Path(match) for match in glob.glob(pattern, root_dir=root, recursive=True)]  # noqa: PTH207
        files = [path for path in matches if (root / path).is_file() and not _is_compiled(path)]
        if not files:
            raise InvalidInputError(
                f"image {image.name}: expected files for {pattern!r} of images/images.json, found none"
            )
        found.update(files)
    return sorted(found)


def _is_compiled(path: Path) -> bool:
    """Tell whether a file was made from others on this machine: images make their own."""
    return "__pycache__" in path.parts or path.suffix == ".so"


def content_key(image: Image, base_key: str, root: Path = REPOSITORY) -> str:
    """Return the hash of all that the image follows from."""
    digest = hashlib.sha256(json.dumps([image.name, image.dockerfile, image.args, image.base, base_key]).encode())
    for file in input_files(image, root):
        content = (root / file).read_bytes()
        digest.update(f"\0{file}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def stage_context(image: Image, target: Path, root: Path = REPOSITORY) -> None:
    """Copy the files of the image, and nothing else, to `target`."""
    for file in input_files(image, root):
        copy = target / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / file, copy)


def context_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a new folder for a build context."""
    return tempfile.TemporaryDirectory(prefix="modelport-context-")


def render_catalogue(references: Mapping[str, str]) -> str:
    """Return the chart's values with the images, as JSON (which is YAML)."""
    return json.dumps({"images": dict(sorted(references.items()))}, indent=2) + "\n"
