"""`modelport run`: the same steps as on a cluster, as processes of this machine."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from cyclopts import Parameter

from modelport.api.resource import ModelConversion
from modelport.api.spec import Location
from modelport.api.status import Status
from modelport.storage.store import URI_KEY, open_store
from modelport_cli import console
from modelport_cli.artifacts import save_artifact
from modelport_cli.errors import Exit, UsageError
from modelport_cli.local.assembly import make_status
from modelport_cli.local.isolation import Wanted
from modelport_cli.local.jobs import Conversion
from modelport_cli.local.workspace import Workspace, open_workspace
from modelport_cli.manifest import load_resource
from modelport_cli.views import failure_lines, limit_lines, refused_lines, verification_view

AnyLocation = TypeVar("AnyLocation", bound=Location)


def run(
    manifest: Path,
    /,
    *,
    output: Path,
    source: Path | None = None,
    code: Path | None = None,
    data: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
    work: Path | None = None,
    isolation: Wanted = "auto",
) -> int:
    """Convert and verify without a cluster, in one isolated environment per image.

    The environments are built once, from the images' lock files, in your cache. Steps that open a model's files, or run
    code that comes with it (trust: Trusted), see no files of yours, no network and no processes, by bubblewrap or
    Landlock; the first line says which, or that there is neither.

    Parameters
    ----------
    manifest
        YAML file with one ModelConversion; file: URIs are relative to it.
    output
        Folder for the artifact, which `modelport serve` takes; must not exist or be empty.
    source
        File or folder to take instead of spec.source.uri.
    code
        File or folder to take instead of spec.source.code.uri.
    data
        File or folder with samples of your own, to take instead of spec.verification.data.uri.
    json
        Print the status as JSON, as the operator would write it.
    work
        Folder to keep the steps' files and logs in; a temporary one if not given.
    isolation
        What there is (auto), an error where there is none (required), or none of it: the model has your rights.
    """
    resource = load_resource(manifest)
    resource = use_local_files(resource, manifest.resolve().parent, source=source, code=code, data=data)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UsageError(f"--output {output}: expected a folder that does not exist or is empty")
    with open_workspace(work) as workspace:
        status = convert(resource, workspace, output, isolation)
    if json:
        console.stdout.out(msgspec.json.encode(status).decode())
    else:
        _print_status(status, output, is_judged=resource.spec.verification.policy == "Enforce")
    return Exit.FAILED if status.failure else Exit.DONE


def convert(resource: ModelConversion, workspace: Workspace, output: Path, isolation: Wanted) -> Status:
    """Return the status after a run, whose artifact is in `output` if all went well."""
    progress = Conversion(resource, workspace, isolation).run()
    artifact = progress.artifact
    if artifact:
        save_artifact(
            open_store({URI_KEY: workspace.store_uri}), key=artifact.key, digest=artifact.digest, folder=output
        )
        progress.artifact = msgspec.structs.replace(artifact, uri=output.resolve().as_uri() + "/")
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return make_status(progress, generation=resource.metadata.generation, now=now)


def use_local_files(
    resource: ModelConversion, folder: Path, *, source: Path | None, code: Path | None, data: Path | None = None
) -> ModelConversion:
    """Return the resource with absolute file: URIs: of the given paths, or relative to the manifest's folder."""
    replace, spec = msgspec.structs.replace, resource.spec
    if code is not None and spec.source.code is None:
        raise UsageError("--code: the manifest has no spec.source.code, which says what to call in it")
    located = _locate(spec.source, folder, source)
    if spec.source.code:
        located = replace(located, code=_locate(spec.source.code, folder, code))
    verification = spec.verification
    if data or verification.data:
        samples = verification.data or Location(uri="file:")
        verification = replace(verification, data=_locate(samples, folder, data))
    return replace(resource, spec=replace(spec, source=located, verification=verification))


def _locate(location: AnyLocation, folder: Path, given: Path | None) -> AnyLocation:
    if given is None and not location.uri.startswith("file:"):
        return location
    written = location.uri.removeprefix("file:")
    if written.startswith("//"):
        written = written.removeprefix("//")
    path = given.resolve() if given else (folder / written).resolve()
    if not path.exists():
        raise UsageError(
            f"{path}: no such file or folder",
            "Name the model with --source, its code with --code, samples with --data.",
        )
    return msgspec.structs.replace(location, uri=path.as_uri() + ("/" if path.is_dir() else ""))


def _print_status(status: Status, output: Path, *, is_judged: bool) -> None:
    if status.failure:
        console.print_error("\n".join(failure_lines(status.failure)))
        return
    assert status.artifact is not None
    assert status.verification is not None
    console.print_table(verification_view(status.verification))
    for line in (*refused_lines(status), *limit_lines(status.verification)):
        print(line)
    print()
    verdict = "agree" if is_judged else "were compared, and judged by nobody (policy Report)"
    print(f"{' → '.join(status.path)}: {status.verification.samples} samples {verdict}")
    print(f"artifact {status.artifact.digest} in {output}")
    print(f"next: modelport serve {output}")
