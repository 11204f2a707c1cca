"""The two Jobs of a conversion, Import and Convert, step by step on this machine.

The requests, keys and facts are the operator's own functions (`modelport.requests`, `modelport.outcomes`); here is the
order, and what stands for images and pods.
"""

import platform
import time
from typing import NamedTuple, TypeVar

import msgspec

from modelport import requests
from modelport.api import ModelConversion, SourceStatus
from modelport.contract import (
    ArtifactFacts,
    ConvertRequest,
    ImportRequest,
    ModelportError,
    SourceFacts,
    StepResult,
    VerificationFacts,
)
from modelport.outcomes import artifact_status, source_status, verification_status
from modelport.planning import find_path
from modelport.reasons import Reason
from modelport.runtimes import runtime_for
from modelport_cli.console import progress
from modelport_cli.local.assembly import Progress, make_failure
from modelport_cli.local.environments import find_recipe, prepare
from modelport_cli.local.packages import import_folder
from modelport_cli.local.processes import StepProcess, run_step
from modelport_cli.local.workspace import Workspace, write_source_credentials

CPU_LEVEL = "local"
"""Evidence of a local run is about this machine and is never reused."""
Facts = TypeVar("Facts")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class Plan(NamedTuple):
    """What a Convert Job does."""

    hop_images: list[str]
    server_image: str
    path: list[str]
    inputs_key: str
    request: ConvertRequest


def plan_conversion(resource: ModelConversion, source: SourceStatus) -> Plan:
    """Return the Convert Job for an imported source. Raises ModelportError for what the schema cannot tell."""
    hop_images = [converter.image for converter in find_path(source.format, resource.spec.target.format)]
    server_image = runtime_for(resource.spec.target.format).image
    images = {name: find_recipe(name).reference for name in {*hop_images, server_image}}
    hops = requests.hops(resource, source.format, images)
    machine = platform.machine()
    inputs = requests.inputs_key(resource, source, hops, _ARCHITECTURES.get(machine, machine))
    artifact = requests.artifact_key(inputs, hops)
    request = requests.convert_request(
        resource,
        source,
        path=hops,
        artifact=artifact,
        verification=requests.verification_key(resource, artifact, images[server_image], CPU_LEVEL),
    )
    return Plan(hop_images, server_image, [source.format, *(hop.target for hop in hops)], inputs, request)


class Job(NamedTuple):
    """A Job while it runs."""

    name: str
    request: str
    workspace: Workspace
    deadline: float

    def run(self, step: str, image: str, *, moves: str = "nothing") -> StepResult:
        """Run one step in the environment of its image. Raises StepError."""
        program = "modelport_server" if image.startswith("server-") else "modelport_converter"
        process = StepProcess(
            step=step,
            command=[str(prepare(find_recipe(image))), "-P", "-m", program, step],
            request=self.request,
            job=self.workspace.job(self.name),
            credentials=self.workspace.credentials(moves=moves),
            scratch=self.workspace.scratch,
            code=import_folder(),
            network=moves == "source",
        )
        with progress(f"{self.name} {step} ({image})"):
            return run_step(process, deadline=self.deadline)


class Conversion:
    """One local conversion, and what it has come to."""

    def __init__(self, resource: ModelConversion, workspace: Workspace) -> None:
        self._resource = resource
        self._workspace = workspace
        self._key = requests.source_key(resource)
        self._stage = "Import"
        self._progress = Progress()

    def run(self) -> Progress:
        """Import, convert and verify; a failure that a user can act on becomes part of what is returned."""
        try:
            source = self._progress.source = self._import()
            self._stage = "Convert"
            plan = plan_conversion(self._resource, source)
            self._key = plan.request.artifact_key
            self._progress.path = plan.path
            self._convert(plan)
        except ModelportError as error:
            self._progress.failure = make_failure(error, stage=self._stage, key=self._key)
        return self._progress

    def _job(self, name: str, request: ImportRequest | ConvertRequest, images: list[str]) -> Job:
        for image in images:  # building an environment is no part of the Job's time, as pulling an image is not
            prepare(find_recipe(image))
        deadline = time.monotonic() + self._resource.spec.conversion.timeout_seconds
        return Job(name, msgspec.json.encode(request).decode(), self._workspace, deadline)

    def _import(self) -> SourceStatus:
        source = self._resource.spec.source
        secrets = {"source": source.secret_ref, "code": source.code.secret_ref if source.code else None}
        write_source_credentials(self._workspace, [role for role, secret in secrets.items() if secret])
        job = self._job("import", requests.import_request(self._resource), [requests.MOVER_IMAGE])
        job.run("fetch", requests.MOVER_IMAGE, moves="source")
        job.run("inspect", requests.MOVER_IMAGE)
        kept = job.run("keep", requests.MOVER_IMAGE, moves="store")
        return source_status(_expect(kept.source, SourceFacts), key=self._key, uri=source.uri)

    def _convert(self, plan: Plan) -> None:
        job = self._job("convert", plan.request, [*plan.hop_images, plan.server_image])
        job.run("stage", requests.MOVER_IMAGE, moves="store")
        for number, image in enumerate(plan.hop_images, start=1):
            job.run(f"hop-{number}", image)
        self._stage = "Verify"
        evidence = _expect(job.run("verify", plan.server_image).verification, VerificationFacts)
        self._progress.verification = verification_status(evidence, key=plan.request.verification_key)
        self._stage = "Convert"
        stored = _expect(job.run("publish", requests.MOVER_IMAGE, moves="store").artifact, ArtifactFacts)
        self._progress.artifact = artifact_status(
            stored, key=plan.request.artifact_key, inputs_key=plan.inputs_key, format_name=plan.path[-1]
        )


def _expect(facts: Facts | None, kind: type[Facts]) -> Facts:
    if facts is None:
        raise ModelportError(Reason.STEP_CRASHED, f"expected {kind.__name__} in the step's result, found none")
    return facts
