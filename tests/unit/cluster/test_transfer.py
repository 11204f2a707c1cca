"""What buildah writes becomes an OCI layout that names the image by its manifest's digest."""

import hashlib
import json
from pathlib import Path

from devcluster.images.scratch import write_scratch_image
from devcluster.images.transfer import digest_of, make_layout

TAG = "localhost/modelport/store:abc"


def test_layout(tmp_path: Path) -> None:
    config, layer = digest_of(b"config"), digest_of(b"layer")
    manifest = {"mediaType": "m", "config": {"digest": config}, "layers": [{"digest": layer}, {"digest": layer}]}
    content = json.dumps(manifest).encode()
    (tmp_path / "manifest.json").write_bytes(content)
    (tmp_path / config[7:]).write_bytes(b"config")
    (tmp_path / layer[7:]).write_bytes(b"layer")

    assert make_layout(tmp_path, TAG) == digest_of(content)

    for blob in (tmp_path / "blobs/sha256").iterdir():
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.name
    (entry,) = json.loads((tmp_path / "index.json").read_text())["manifests"]
    assert entry["digest"] == digest_of(content)
    assert entry["size"] == len(content)
    assert entry["annotations"] == {"io.containerd.image.name": TAG}


def test_scratch_image_is_reproducible(tmp_path: Path) -> None:
    binary = tmp_path / "pause"
    binary.write_bytes(b"program")
    for name in ("first.tar", "second.tar"):
        write_scratch_image(binary, "localhost/pause:1", tmp_path / name)
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()
