"""`modelport run`: the same steps as on a cluster, as processes of this machine."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from modelport_cli.local.conversion import convert_here, use_local_files
from modelport_cli.local.isolation import Wanted
from modelport_cli.manifest import load_resource


def run(
    manifest: Path,
    /,
    *,
    output: Path,
    source: Path | None = None,
    code: Path | None = None,
    requirements: Path | None = None,
    calibration: Path | None = None,
    data: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
    work: Path | None = None,
    isolation: Wanted = "auto",
) -> int:
    """Convert and verify without a cluster, in one isolated environment per image.

    The environments are built once, from the images' lock files, in your cache. Steps that open a model's files, or run
    code that comes with it (trust: Trusted), see no files of yours, no network and no processes, by bubblewrap or
    Landlock; the first line says which, or that there is neither.

        modelport run pnet.yaml --output artifact

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
    requirements
        Wheel, archive or folder of wheels to take instead of spec.source.code.requirements.uri.
    calibration
        File or folder with samples for int8, to take instead of spec.target.calibration.uri.
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
    resource = use_local_files(
        resource,
        manifest.resolve().parent,
        source=source,
        code=code,
        requirements=requirements,
        calibration=calibration,
        data=data,
    )
    return convert_here(resource, output=output, work=work, isolation=isolation, is_json=json)
