"""Step stage: bring from the store what the Job works on, proved by the digests in the request, which are fetch's.

Archives are unpacked here, so that what a digest stands for needs no witness. A stranger packed them and this container
holds the store's credentials: it goes into the sandbox once it needs the store no more.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelport.jobs.requests import ConvertRequest
from modelport.jobs.results import StepResult
from modelport.steps.handover import ARTIFACT
from modelport.steps.runner import Context, say
from modelport.steps.sandbox import enter_sandbox
from modelport.storage.archives import unpack
from modelport.storage.artifacts import download_artifact
from modelport.storage.files import relative_parts
from modelport.storage.manifests import MANIFEST, source_folder
from modelport.storage.sources import find_archive, read_manifest, rename
from modelport.storage.store import Store, open_store, read_credentials
from modelport_converter.frameworks import is_packed
from modelport_converter.steps.tuning import fetch_tuning
from modelport_converter.tasks import TUNING


def stage(context: Context) -> StepResult:
    """Bring what was imported into a folder by role, and the artifact where a stored one is verified."""
    request = context.request
    assert isinstance(request, ConvertRequest)
    store = open_store(read_credentials(context.credentials("store")))
    archives = {
        role: _bring(store, digest, request.names.get(role), context.out / role)
        for role, digest in request.digests.items()
    }
    if request.artifact_digest:
        target = context.out / ARTIFACT
        download_artifact(store, key=request.artifact_key, digest=request.artifact_digest, target=target)
    for hop in request.hops:
        if hop.tuning:
            say(
                context.name,
                f"{fetch_tuning(store, hop.tuning, context.out / TUNING)} files of earlier tuning are here",
            )
    enter_sandbox()
    for role, archive in archives.items():
        if role == "requirements":
            from modelport_converter.code.wheels import unpack_wheels  # only here, because few models need any

            with _emptied(context.out / role) as packed:
                say(context.name, f"unpacked {', '.join(unpack_wheels(packed, context.out / role))}")
        elif archive and is_packed(role, archive, request.source_format):
            with _emptied(archive.parent) as packed:
                unpack(packed / archive.name, archive.parent)
    say(context.name, "the files are here")
    return StepResult(step=context.name)


def _bring(store: Store, digest: str, name: str | None, target: Path) -> Path | None:
    """Bring what is kept under a digest, by the name that is asked for; return the path of what is to be unpacked."""
    folder = source_folder(digest)
    manifest = read_manifest(store.read(f"{folder}/{MANIFEST}"), digest, store.uri)
    named = rename(manifest, name)
    target.mkdir()
    for file, place in zip(manifest.files, named.files, strict=True):
        store.fetch(f"{folder}/files", file, target.joinpath(*relative_parts(place.path)))
    archive = find_archive(named)
    return None if archive is None else target / archive


@contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """Empty a folder for what is in the archives that were in it; give the folder that they are in meanwhile."""
    packed = folder.rename(folder.with_name(f"{folder.name}.packed"))
    folder.mkdir()
    yield packed
    shutil.rmtree(packed)
