"""The two Jobs of a conversion, Import and Convert, on this machine.

Requests, containers, keys and facts are the operator's own functions (`modelport.requests`, `.jobs`, `.outcomes`); here
is what stands for images and pods.
"""

import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from modelport.api.reasons import Reason
from modelport.api.resource import ModelConversion
from modelport.api.status import SourceStatus
from modelport.errors import ModelportError
from modelport.frameworks import FRAMEWORKS
from modelport.jobs import keys, planning
from modelport.jobs.containers import TRY, Container, containers_of
from modelport.jobs.outcomes import artifact_status, source_status, verification_status
from modelport.jobs.refusals import is_of_path, name_path, refuse, tell_all
from modelport.jobs.requests import ConvertRequest, Hop, ImportRequest
from modelport.jobs.results import ArtifactFacts, SourceFacts, StepResult, VerificationFacts
from modelport.runtimes import RUNTIMES
from modelport_cli.console import print_line, progress
from modelport_cli.local.assembly import RunFacts, make_failure
from modelport_cli.local.environments import find_recipe, installation, prepare
from modelport_cli.local.isolation import View, Wanted, choose
from modelport_cli.local.packages import import_folder, import_paths
from modelport_cli.local.processes import StepError, StepProcess, start
from modelport_cli.local.workspace import Workspace, write_source_credentials

CPU_LEVEL = "local"
"""Evidence of a local run is about this machine and is never reused."""
Facts = TypeVar("Facts")
Note = Callable[[str, StepResult], None]
"""Is told a container's name and what its last step left."""
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_VERIFYING = {TRY, "judge"}


class Plan(NamedTuple):
    """What a Convert Job does."""

    images: dict[str, str]
    """References by name."""
    inputs_key: str
    request: ConvertRequest


def plan_conversions(resource: ModelConversion, source: SourceStatus) -> list[Plan]:
    """Return a Convert Job for each path of an imported source, the best first.

    Raises ModelportError for what the schema cannot tell.
    """
    images = _references(*(each.image for known in (FRAMEWORKS, RUNTIMES) for each in known.values()))
    return [_plan(resource, source, hops, images) for hops in planning.paths(resource, source.format, images)]


def _plan(resource: ModelConversion, source: SourceStatus, hops: list[Hop], images: dict[str, str]) -> Plan:
    machine = platform.machine()
    inputs = keys.inputs_key(resource, source, hops, _ARCHITECTURES.get(machine, machine))
    artifact = keys.artifact_key(inputs, hops)
    evidence = keys.verification_key(
        resource,
        artifact=artifact,
        server_image=planning.server_image(resource.spec.target.format, images),
        cpu_level=CPU_LEVEL,
    )
    request = planning.convert_request(resource, source, path=hops, artifact=artifact, verification=evidence)
    return Plan(images, inputs, request)


def _references(*names: str) -> dict[str, str]:
    return {name: find_recipe(name).reference for name in names}


class Conversion:
    """One local conversion, and what it has come to."""

    def __init__(self, resource: ModelConversion, workspace: Workspace, isolation: Wanted = "auto") -> None:
        self._resource = resource
        self._workspace = workspace
        self._isolation = choose(prepare(find_recipe(planning.MOVER_IMAGE)), isolation)
        print_line(self._isolation.told)
        self._key = keys.source_key(resource)
        self._stage = "Import"
        self._facts = RunFacts()

    def run(self) -> RunFacts:
        """Import, convert and verify; a failure that a user can act on becomes part of what is returned."""
        try:
            source = self._facts.source = self._import()
            self._stage = "Convert"
            for number, plan in enumerate(plans := plan_conversions(self._resource, source), start=1):
                try:
                    self._convert(plan, number)
                    break
                except StepError as error:
                    self._refuse(plan, error, is_last=number == len(plans))
        except ModelportError as error:
            self._facts.failure = make_failure(error, stage=self._stage, key=self._key)
        return self._facts

    def _import(self) -> SourceStatus:
        located = keys.locations(self._resource)
        write_source_credentials(self._workspace, [role for role, each in located.items() if each.secret_ref])
        results: dict[str, StepResult] = {}
        request, images = planning.import_request(self._resource), _references(planning.MOVER_IMAGE)
        self._run("import", request, images, results.__setitem__)
        facts = _expect(results["keep"].source, SourceFacts)
        return source_status(facts, key=self._key, uri=self._resource.spec.source.uri)

    def _refuse(self, plan: Plan, error: StepError, *, is_last: bool) -> None:
        """Remember a path that failed for a reason of its own; raise any other error."""
        hops, refused = plan.request.hops, self._facts.refused
        failure = make_failure(error, stage=self._stage, key=self._key)
        if not is_of_path(failure):
            raise error
        if not is_last:
            refused.append(refuse(hops, failure, key=self._key, inputs_key=plan.inputs_key))
            print_line(f"{refused[-1].path} fails, the next path is tried: {failure.reason}: {failure.message}")
            return
        self._facts.failure = tell_all(refused, failure, name_path(hops))

    def _convert(self, plan: Plan, number: int) -> None:
        self._stage, self._key = "Convert", plan.request.artifact_key
        self._facts.path = name_path(plan.request.hops)

        def note(name: str, result: StepResult) -> None:
            if name == "judge":
                evidence = _expect(result.verification, VerificationFacts)
                self._facts.verification = verification_status(
                    evidence, key=plan.request.verification_key, judged_by=plan.request.verification
                )
            if name == "publish":
                self._facts.artifact = artifact_status(
                    _expect(result.artifact, ArtifactFacts),
                    key=plan.request.artifact_key,
                    inputs_key=plan.inputs_key,
                    format_name=plan.request.target_format,
                )

        self._run("convert" if number == 1 else f"convert-{number}", plan.request, plan.images, note)

    def _run(self, job: str, request: ImportRequest | ConvertRequest, images: Mapping[str, str], note: Note) -> None:
        """Run a Job: start all its containers, and wait for one after the other. Raises StepError."""
        named = {reference: name for name, reference in images.items()}
        containers = containers_of(request, images)
        # building an environment is no part of the Job's time, as pulling an image is not
        pythons = {each.image: prepare(find_recipe(named[each.image])) for each in containers}
        content = msgspec.json.encode(request).decode()
        deadline = time.monotonic() + self._resource.spec.conversion.timeout_seconds
        with start([self._process(job, content, each, pythons[each.image]) for each in containers]) as running:
            for container, process in zip(containers, running, strict=True):
                if self._stage != "Import":
                    self._stage = "Verify" if container.name in _VERIFYING else "Convert"
                with progress(f"{job} {', '.join(container.steps)} ({named[container.image]})"):
                    result = process.wait(deadline=deadline)
                note(container.name, result)

    def _process(self, job: str, request: str, container: Container, python: Path) -> StepProcess:
        moves = "nothing" if not container.holds else "store" if "store" in container.holds else "source"
        code = import_folder()
        process = StepProcess(
            steps=container.steps,
            command=[str(python), "-P", "-m", container.module, *container.steps],
            request=request,
            job=self._workspace.job(job),
            credentials=self._workspace.credentials(moves=moves),
            scratch=self._workspace.scratch(container.name),
            code=code,
            network=moves == "source",
        )
        if container.holds:  # it moves bytes with the user's credentials, and opens none of them
            return process
        volumes = [process.job / step for step in container.reads]
        view = View([*installation(python), *import_paths(code), *volumes], process.folders)
        return process._replace(command=self._isolation.wrap(view, process.command))


def _expect(facts: Facts | None, kind: type[Facts]) -> Facts:
    if facts is None:
        raise ModelportError(Reason.STEP_CRASHED, f"expected {kind.__name__} in the step's result, found none")
    return facts
