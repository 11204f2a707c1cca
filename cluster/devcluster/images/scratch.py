"""OCI archives of images that are one static binary, written without any image builder.

The cluster's own images (pause and CoreDNS), and those of the engines, are made this way, so that `up` neither waits for
buildah nor needs a Dockerfile. The bytes depend on the binary alone, so its digest is stable.
"""

import hashlib
import io
import json
import platform
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from devcluster.images.containers import image_names, import_archive, pin_image
from devcluster.paths import Paths

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


def provide_scratch_image(binary: Path, reference: str, paths: Paths) -> None:
    """Make sure that containerd has the binary as an image, and that the kubelet leaves it where the disk runs full."""
    if reference not in image_names(paths):
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "image.tar"
            write_scratch_image(binary, reference, archive)
            import_archive(paths, archive)
    pin_image(paths, reference)  # no registry has it


def write_scratch_image(binary: Path, reference: str, archive: Path) -> None:
    """Write an archive with the binary as /NAME, run as an unprivileged user."""
    name = reference.rpartition("/")[2].partition(":")[0]
    layer = _tar({name: binary.read_bytes()}, mode=0o755)
    config = _json(
        {
            "architecture": _architecture(),
            "os": "linux",
            "config": {"Entrypoint": [f"/{name}"], "User": "65532:65532"},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor(_CONFIG, config),
            "layers": [_descriptor(_LAYER, layer)],
        }
    )
    named = {"io.containerd.image.name": reference, "org.opencontainers.image.ref.name": reference}
    described = {**_descriptor(_MANIFEST, manifest), "annotations": named}
    blobs = {f"blobs/sha256/{_digest(b)[7:]}": b for b in (layer, config, manifest)}
    archive.write_bytes(
        _tar(
            {
                "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
                "index.json": _json({"schemaVersion": 2, "manifests": [described]}),
                **blobs,
            },
            mode=0o644,
        )
    )


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def _tar(files: dict[str, bytes], mode: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
