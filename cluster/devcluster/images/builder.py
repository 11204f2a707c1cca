"""Building with buildah, without any daemon or registry, and handing images to our containerd.

No registry serves the base image here: debootstrap makes it, under its public name, so the Dockerfiles stay as anybody
would write them. What the host needs to reach its package indexes (certificates, pip's configuration, a folder of
wheels) is mounted into the build and never becomes part of an image.
"""

import hashlib
import os
import tempfile
import threading
from contextlib import AbstractContextManager
from pathlib import Path

from devcluster.images.containers import image_names
from devcluster.images.declarations import (
    WHEELS_VARIABLE,
    Image,
    content_key,
    context_folder,
    input_files,
    stage_context,
)
from devcluster.images.transfer import transfer_image
from devcluster.machine.commands import run
from devcluster.machine.locks import locked
from devcluster.machine.progress import step
from devcluster.machine.side_by_side import Start, Task, Tasks, side_by_side
from devcluster.paths import REPOSITORY, Paths

BASE = "docker.io/library/debian:bookworm-slim"
_SUITE = "bookworm"
# In the base already, so that the Dockerfiles' own installation finds nothing left to do.
_BASE_PACKAGES = ("ca-certificates", "python3-minimal", "python3", "python3-venv")
_APT = 'Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";\n'
"""Settings of apt: as in the public image, it keeps no index of all packages, of 75 MB, in the layers that install some."""
_LEFT_OUT = (
    "var/cache/apt/*",
    "var/lib/apt/lists/*",
    "usr/share/doc/*",
    "usr/share/man/*",
    "usr/share/locale/*",
    "dev/*",
)
_TAG = "modelport-base"
_PLACES = threading.BoundedSemaphore(max(3, os.cpu_count() or 1))
"""So many are built at once: one that waits for a download leaves the processor to others, and more only take memory."""


def build_images(paths: Paths, images: list[Image]) -> dict[str, str]:
    """Return the images' references by digest, having built and imported what was missing."""
    with images_locked(paths), side_by_side() as start:
        tasks = start_images(start, paths, images, packages=[], containerd=[])
    return {name: task.result() for name, task in tasks.items()}


def images_locked(paths: Paths) -> AbstractContextManager[None]:
    """Hold the images for this command alone."""
    return locked(paths.cache / "locks" / "images", "the images")


def start_images(
    start: Start, paths: Paths, images: list[Image], *, packages: Tasks, containerd: Tasks
) -> dict[str, Task]:
    """Start to build what is missing once the packages are there, and to import it once containerd runs.

    The tasks' results are the images' references by digest.
    """
    base = packages
    if not all(is_recorded(image, paths) for image in images):
        base = [start("the base image", _provide_base, paths, after=packages)]
    built: dict[Image, Task] = {}
    firsts: dict[str, Task] = {}
    for image in sorted(
        images, key=_weigh
    ):  # what those of one Dockerfile share is made by the first, which is the smallest
        before = [firsts[image.dockerfile]] if image.dockerfile in firsts else base
        built[image] = start(image.name, _build_unrecorded, image, paths, after=before)
        firsts.setdefault(image.dockerfile, built[image])
    return {
        image.name: start(image.name, _import, image, paths, after=[task, *containerd]) for image, task in built.items()
    }


def _weigh(image: Image) -> int:
    """Return the size of an image's locks, which grows with what is installed."""
    return sum((REPOSITORY / file).stat().st_size for file in input_files(image) if "locks" in file.parts)


def is_recorded(image: Image, paths: Paths) -> bool:
    """Whether the image, as it is now, was built and imported before."""
    return _record(image, paths).exists()


def _build_unrecorded(image: Image, paths: Paths) -> None:
    if not is_recorded(image, paths):
        _build_missing(image, paths)


def _import(image: Image, paths: Paths) -> str:
    record = _record(image, paths)
    if record.exists():
        reference = f"{image.repository}@{record.read_text().strip()}"
        if reference in image_names(paths):
            return reference
    tag = _build_missing(image, paths)
    with step(f"importing image {image.name}"):
        digest = transfer_image(tag, paths)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(digest)
    return f"{image.repository}@{digest}"


def _build_missing(image: Image, paths: Paths) -> str:
    """Return the tag of the image, built if buildah has none."""
    tag = f"{image.repository}:{content_key(image, _base_key())}"
    if not _is_built(tag):
        _provide_base(paths)
        with _PLACES, step(f"building image {image.name}"):
            _build(image, tag, paths)
    return tag


def _record(image: Image, paths: Paths) -> Path:
    """Return the file with the image's digest, known once it was imported."""
    return paths.cache / "images" / f"{image.name}-{content_key(image, _base_key())}"


def _build(image: Image, tag: str, paths: Paths) -> None:
    with context_folder() as folder:
        context = Path(folder)
        stage_context(image, context)
        arguments = [word for name, value in image.args for word in ("--build-arg", f"{name}={value}")]
        run(
            [
                *_buildah("bud", "--isolation", "chroot", "--network", "host", "--pull-never", "--layers"),
                *_mounts(context),
                *arguments,
                *("--tag", tag, "--file", str(context / image.dockerfile), str(context)),
            ],
            log=paths.logs / f"image-{image.name}.log",
        )


def _mounts(context: Path) -> list[str]:
    """Mount what the host has and the build may need: certificates, pip's and uv's settings, wheels."""
    settings = context / ".uv.toml"
    settings.write_text("native-tls = true\n")
    wheels = wheels_folder()
    pairs = [
        (Path("/etc/ssl/certs"), "/etc/ssl/certs:O"),  # an overlay: Java's package writes its own there
        (Path("/etc/pip.conf"), "/etc/pip.conf:ro"),
        (settings, "/etc/uv/uv.toml:ro"),
        (wheels, "/wheels:ro"),
    ]
    return [word for source, target in pairs if source.exists() for word in ("--volume", f"{source}:{target}")]


def wheels_folder() -> Path:
    """Return the folder of wheels to prefer over the index; there need not be one."""
    return Path(os.environ.get(WHEELS_VARIABLE) or REPOSITORY.parent / "shared" / "wheels").resolve()


def _provide_base(paths: Paths) -> None:
    marked = f"localhost/{_TAG}:{_base_key()}"
    if _is_built(marked):
        return
    archive = paths.cache / "base" / f"{_SUITE}-{_base_key()}.tar"
    if not archive.exists():
        with step(f"making the base image {BASE} with debootstrap"):
            _bootstrap(archive, paths)
    with step("loading the base image"):
        container = run(_buildah("from", "scratch")).strip()
        try:
            run(_buildah("add", "--quiet", container, str(archive), "/"))
            run(
                _buildah(
                    "config", "--cmd", "bash", "--env", "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", container
                )
            )
            run(_buildah("commit", "--quiet", "--disable-compression", container, BASE))
            run(_buildah("tag", BASE, marked))
        finally:
            run(_buildah("rm", container))


def _bootstrap(archive: Path, paths: Paths) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="modelport-base-", dir=paths.state) as folder:
        root = Path(folder) / "root"
        packages = ",".join(_BASE_PACKAGES)
        run(
            ["debootstrap", "--variant=minbase", f"--include={packages}", _SUITE, str(root)],
            log=paths.logs / "debootstrap.log",
        )
        (root / "etc" / "apt" / "apt.conf.d" / "docker-clean").write_text(_APT)
        unfinished = archive.with_suffix(".new")
        excludes = [f"--exclude=./{pattern}" for pattern in _LEFT_OUT]
        run(["tar", "--create", f"--file={unfinished}", f"--directory={root}", "--one-file-system", *excludes, "."])
        unfinished.rename(archive)


def _base_key() -> str:
    return hashlib.sha256(",".join((_SUITE, *_BASE_PACKAGES, _APT, *_LEFT_OUT)).encode()).hexdigest()[:12]


def _is_built(tag: str) -> bool:
    return tag in run(_buildah("images", "--format", "{{.Name}}:{{.Tag}}")).split()


def _buildah(*arguments: str) -> list[str]:
    return ["buildah", *arguments]
