"""A whole conversion on this machine: from a resource to an artifact in a folder, and what is printed about it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

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
from modelport_cli.views.status import failure_lines, limit_lines, refused_lines, verification_view

AnyLocation = TypeVar("AnyLocation", bound=Location)


def convert_here(
    resource: ModelConversion, *, output: Path, work: Path | None, isolation: Wanted, is_json: bool
) -> Exit:
    """Convert and verify, print the result, and return the exit status. Raises UsageError for an output that is there."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UsageError(f"--output {output}: expected a folder that does not exist or is empty")
    with open_workspace(work) as workspace:
        status = _convert(resource, workspace, output, isolation)
    if is_json:
        console.stdout.out(msgspec.json.encode(status).decode())
    else:
        _print_status(status, output, is_judged=resource.spec.verification.policy == "Enforce")
    return Exit.FAILED if status.failure else Exit.DONE


def _convert(resource: ModelConversion, workspace: Workspace, output: Path, isolation: Wanted) -> Status:
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


def use_local_files(
    resource: ModelConversion,
    folder: Path,
    *,
    source: Path | None,
    code: Path | None,
    requirements: Path | None = None,
    calibration: Path | None = None,
    data: Path | None = None,
) -> ModelConversion:
    """Return the resource with absolute file: URIs: of the given paths, or relative to the manifest's folder."""
    replace, spec = msgspec.structs.replace, resource.spec
    if code is not None and spec.source.code is None:
        raise UsageError("--code: the manifest has no spec.source.code, which says what to call in it")
    if requirements is not None and spec.source.code is None:
        raise UsageError("--requirements: the manifest has no spec.source.code, which needs them")
    located = _locate(spec.source, folder, source)
    if spec.source.code:
        given = _locate(spec.source.code, folder, code)
        given = replace(given, requirements=_locate_optional(given.requirements, folder, requirements))
        located = replace(located, code=given)
    target = replace(spec.target, calibration=_locate_optional(spec.target.calibration, folder, calibration))
    verification = replace(spec.verification, data=_locate_optional(spec.verification.data, folder, data))
    return replace(resource, spec=replace(spec, source=located, target=target, verification=verification))


def _locate_optional(location: Location | None, folder: Path, given: Path | None) -> Location | None:
    """Return where something is that need be stated nowhere."""
    return _locate(location or Location(uri="file:"), folder, given) if location or given else None


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
            "Name the model with --source, its code with --code, wheels with --requirements, samples with --calibration or --data.",
        )
    return msgspec.structs.replace(location, uri=path.as_uri() + ("/" if path.is_dir() else ""))
