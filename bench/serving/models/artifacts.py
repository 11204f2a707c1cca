"""Artifacts of ONNX models, as step judge leaves them; the tests of the server write theirs with it too."""

from pathlib import Path
from typing import Any

import msgspec

from modelport.api.status import Signature
from modelport.storage.files import describe, list_tree
from modelport.storage.manifests import GOLDEN, MANIFEST, MODEL, ArtifactManifest, ReferenceFacts
from modelport.verification.verdict.golden import Golden, write_golden


def write_artifact(folder: Path, model: bytes, signature: Signature, golden: list[Golden], **more: Any) -> Path:
    """Write an artifact into a new folder; return it. `more` are further fields of the manifest."""
    (folder / MODEL).mkdir(parents=True)
    (folder / MODEL / "model.onnx").write_bytes(model)
    write_golden(folder / GOLDEN, golden)
    files = [describe(folder, path) for path in list_tree(folder)]
    manifest = ArtifactManifest(
        key="0" * 32,
        format="onnx",
        runtime="onnxruntime",
        source_digest=f"sha256:{'0' * 64}",
        source_format="onnx",
        path=["onnx"],
        signature=signature,
        files=files,
        reference=ReferenceFacts(digest=f"sha256:{'0' * 64}", samples=len(golden), version=1),
        **more,
    )
    (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    return folder
