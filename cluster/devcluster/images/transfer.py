"""The way of an image from buildah's storage to containerd: uncompressed, and only what is missing there.

buildah compresses what it writes as an OCI archive whatever it is told, and containerd would unpack it again at once:
that was most of the time. Its `dir:` transport does not compress; an OCI layout is the same files with other names.
Layers that containerd has, the base above all, are left out.
"""

import hashlib
import json
import tempfile
from pathlib import Path

from devcluster.errors import CommandFailedError
from devcluster.images.containers import ctr, ctr_command, name_image
from devcluster.machine.commands import run
from devcluster.paths import Paths

_STREAM = 'set -o pipefail; folder=$1; shift; tar --create --directory="$folder" . | "$@"'
_NAME = "io.containerd.image.name"  # where `ctr images import` looks for the name


def transfer_image(tag: str, paths: Paths) -> str:
    """Bring a built image to containerd; return its digest. Pods find it by the tag and by the digest."""
    with tempfile.TemporaryDirectory(prefix="modelport-image-", dir=paths.state) as folder:
        layout = Path(folder)
        run(["buildah", "push", "--quiet", "--disable-compression", tag, f"dir:{layout}"])
        digest = make_layout(layout, tag)
        try:
            _leave_out(layout, set(ctr(paths, "content", "list", "--quiet").split()))
            _import(layout, paths)
        except CommandFailedError:  # a layer was collected between the list and the import: send all of them
            run(["buildah", "push", "--quiet", "--disable-compression", tag, f"dir:{layout}"])
            make_layout(layout, tag)
            _import(layout, paths)
    name_image(paths, tag, [f"{tag.rpartition(':')[0]}@{digest}"])
    return digest


def make_layout(folder: Path, tag: str) -> str:
    """Turn a folder that buildah wrote into an OCI layout; return the manifest's digest."""
    content = (folder / "manifest.json").read_bytes()
    manifest = json.loads(content)
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    digest = digest_of(content)
    (folder / "manifest.json").rename(blobs / _hexadecimal(digest))
    for blob in {_hexadecimal(part["digest"]) for part in (manifest["config"], *manifest["layers"])}:
        (folder / blob).rename(blobs / blob)
    entry = {"mediaType": manifest["mediaType"], "digest": digest, "size": len(content), "annotations": {_NAME: tag}}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    return digest


def digest_of(content: bytes) -> str:
    """Return the digest under which registries and containerd know the content."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _hexadecimal(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _leave_out(layout: Path, present: set[str]) -> None:
    for blob in (layout / "blobs" / "sha256").iterdir():
        if f"sha256:{blob.name}" in present:
            blob.unlink()


def _import(layout: Path, paths: Paths) -> None:
    run(["bash", "-c", _STREAM, "import", str(layout), *ctr_command(paths, "images", "import", "-")])
