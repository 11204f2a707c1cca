"""Asks the steps of mutated files, each case in a process of its own with limits; run by a converter's Python.

`python -m fuzz.worker '{…}'` prints a line of JSON for each case. Stage `inspect` runs the step itself, in the image that
moves bytes: unpacking, detection, scan and parse. Stage `whole` runs ask and the first hop of what inspect lets pass, in the
framework's image.
"""

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import msgspec

from builders import convert_request
from fuzz.cases import make_case, read_files
from fuzz.structured import CANARY
from modelport.api.reasons import Reason
from modelport.conversion.detection import detect
from modelport.errors import ModelportError, lacks_memory
from modelport.frameworks import CONVERTERS, FORMATS, SOURCES
from modelport.jobs.requests import ConvertRequest, Hop, ImportRequest
from modelport.steps.runner import Context, printable
from modelport.steps.sandbox import enter_sandbox
from modelport.storage.files import describe_tree, list_tree, tree_digest
from modelport.storage.manifests import SourceManifest
from modelport.storage.trees import FolderTree
from modelport_converter import frameworks

LOG, AT, SCRATCH = "log", "at", "scratch"
"""What a case's process prints, the step that it is at, and where it runs."""
UNFIT = frozenset({Reason.STEP_CRASHED, Reason.CONVERTER_CRASHED, Reason.DEADLINE_EXCEEDED, Reason.INVALID_SPEC})
"""Reasons that no file deserves."""


class Limits(NamedTuple):
    """What a case may take beyond what its process has when it begins."""

    bytes: int
    cpu_seconds: int
    seconds: int


LIMITS = {"inspect": Limits(1 << 30, 20, 120), "whole": Limits(4 << 30, 120, 400)}


class Plan(msgspec.Struct):
    """What a worker is told."""

    stage: str
    format: str
    seed: int
    first: int
    count: int
    """Of cases; of stage `whole`, those that inspect lets pass."""
    seeds: list[str]
    failures: str
    only: bool = False


def main(plan: Plan) -> None:
    """Run the cases, and print what came of each."""
    folders = [Path(each) for each in plan.seeds]
    seeds = [read_files(folder) for folder in folders]
    told = msgspec.json.decode((folders[0] / "cell.json").read_bytes())
    run = prepare(plan, told, folders[0] / "code")
    reached, number = 0, plan.first
    while reached < plan.count and number < plan.first + 40 * plan.count:
        files = make_case(plan.format, plan.seed, number, seeds)
        outcome = attempt(plan, number, files, run)
        print(json.dumps(outcome), flush=True)
        reached += plan.stage == "inspect" or outcome["step"] != "inspect" or plan.only
        number += 1


def prepare(plan: Plan, told: dict[str, Any], code: Path) -> Callable[[Path], None]:
    """Load what the stage needs, once, and return what runs a case in its folder."""
    if plan.stage == "inspect":
        from modelport_converter.steps.inspect import inspect

        frameworks._module(plan.format, "inspect")  # imported before the fork
        request = ImportRequest(locations={}, format=None, trusted=False)
        return lambda folder: run_inspect(inspect, request, folder)
    from modelport_converter.steps.ask import ask
    from modelport_converter.steps.hop import hop

    wanted = whole_request(plan.format, told)
    frameworks.prepare_source(plan.format)
    frameworks.prepare_hop(wanted, 1)
    return lambda folder: run_whole(wanted, (ask, hop), folder, code)


def run_inspect(inspect: Callable[[Context], object], request: ImportRequest, folder: Path) -> None:
    fetched = folder / "fetch" / "out"
    files = describe_tree(fetched / "source")
    digest = files[0].digest if len(files) == 1 else tree_digest(files)
    manifest = SourceManifest(digest=digest, files=files)
    (fetched / "locations.json").write_bytes(msgspec.json.encode({"source": manifest}))
    (folder / "inspect" / "out").mkdir(parents=True)
    enter_sandbox()
    inspect(Context("inspect", request, folder, folder))


def whole_request(format_name: str, told: dict[str, Any]) -> ConvertRequest:
    """Return the request that the operator would make of a seed's manifest."""
    converter = min(
        (each for each in CONVERTERS.values() if each.source == format_name),
        key=lambda each: (each.target != "onnx", each.cost),  # source code of H2O's comes to no ONNX model
    )
    hop = Hop(converter=converter.name, source=format_name, target=converter.target, image="i", options={})
    fields = {name: told[name] for name in ("inputs", "dimensions") if name in told}
    if code := told.get("code"):
        fields["code"] = {"factory": code["factory"], "arguments": code.get("arguments", {})}
    request = convert_request(
        source_format=format_name, target_format=converter.target, hops=[hop], trusted=told.get("trust") == "Trusted"
    )
    return msgspec.convert(msgspec.to_builtins(request) | fields, ConvertRequest)


def run_whole(
    request: ConvertRequest,
    steps: tuple[Callable[[Context], object], ...],
    folder: Path,
    code: Path,
) -> None:
    """Detect and scan as inspect does, ask and convert."""
    staged = folder / "stage" / "out"
    staged.mkdir(parents=True)
    (folder / "fetch" / "out" / "source").rename(staged / "source")
    if code.exists():
        shutil.copytree(code, staged / "code")
    enter_sandbox()
    paths = list_tree(staged / "source")
    found = detect(FolderTree(staged / "source", tuple(paths)), SOURCES.values())
    if found is None or found[0].name != request.source_format:
        raise ModelportError(Reason.UNKNOWN_FORMAT, "another format, or none")
    try:
        frameworks.inspect_model(request.source_format, staged / "source", paths)
    except ModelportError as error:
        if error.reason != Reason.UNTRUSTED_SOURCE or not request.trusted:
            raise
    for name, step in zip(("ask", "hop-1"), steps, strict=True):
        (folder / AT).write_text(name)
        (folder / name / "out").mkdir(parents=True)
        step(Context(name, request, folder, folder))


# --- one case in a process of its own ---------------------------------------------------------------------------------


def attempt(plan: Plan, number: int, files: dict[str, bytes], run: Callable[[Path], None]) -> dict[str, Any]:
    """Return what came of a case: its step, its reason (nothing: success), and a fault where it ended otherwise."""
    started = time.monotonic()
    with case_folder(files) as folder:
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            _run(plan, folder, run, writing)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            written = pipe.read()
        _, status = os.waitpid(child, 0)
        step = (folder / AT).read_text() if (folder / AT).exists() else "inspect"
        outcome = {"number": number, "step": step, "reason": "", "message": "", "fault": ""}
        outcome |= json.loads(written) if written else {}
        if os.WIFSIGNALED(status):
            _judge_signal(plan, outcome, signal.Signals(os.WTERMSIG(status)).name)
        runs_code = FORMATS[plan.format].executes_code and plan.stage == "whole"
        if not runs_code and (found := [path for path in folder.rglob(CANARY) if "source" not in path.parts]):
            outcome["fault"] = f"made {found[0].relative_to(folder)}: code was run, or a path led out"
        outcome["seconds"] = round(time.monotonic() - started, 2)
        if outcome["fault"]:
            _keep(plan, number, files, outcome, folder / LOG)
    return outcome


@contextmanager
def case_folder(files: dict[str, bytes]) -> Iterator[Path]:
    """Give a folder with the files of a case where fetch leaves them; it is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="case-", ignore_cleanup_errors=True) as folder:
        for name, content in files.items():
            path = Path(folder) / "fetch" / "out" / "source" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (Path(folder) / SCRATCH).mkdir()
        yield Path(folder)


def _run(plan: Plan, folder: Path, run: Callable[[Path], None], writing: int) -> NoReturn:
    """Run a case, tell its outcome, and end the process."""
    outcome: dict[str, str] = {}
    try:
        log = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(folder / SCRATCH)
        _limit(LIMITS[plan.stage])
        run(folder)
    except BaseException as error:  # noqa: BLE001  # what a step ends with is what is looked for
        outcome = _judge(plan, error)
        traceback.print_exc()
    sys.stderr.flush()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(json.dumps(outcome).encode())
    os._exit(0)


def _limit(limits: Limits) -> None:
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + limits.bytes,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_seconds,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(limits.seconds)


def _judge(plan: Plan, error: BaseException) -> dict[str, str]:
    """Return reason and message of an error, and the fault where it is none that a user can act on."""
    told = printable(f"{type(error).__name__}: {error}")[:500]
    if lacks_memory(error):
        # of a whole conversion a typed refusal; a look at a small file must not come to it
        fault = "took too much memory" if plan.stage == "inspect" else ""
        return {"reason": "OutOfMemory", "message": told, "fault": fault}
    if isinstance(error, ModelportError):
        fault = "an unfit reason" if error.reason in UNFIT else ""
        fault = fault or ("a message of more than 500 characters" if len(error.message) > 500 else "")
        return {"reason": str(error.reason), "message": printable(error.message)[:500], "fault": fault}
    return {"reason": "StepCrashed", "message": told, "fault": "an error without a reason"}


def _judge_signal(plan: Plan, outcome: dict[str, Any], name: str) -> None:
    outcome["reason"], outcome["message"] = f"StepCrashed by {name}", ""
    if name in ("SIGXCPU", "SIGALRM", "SIGKILL"):
        outcome["fault"] = "took too much time"
    elif plan.stage == "inspect":  # a framework that crashes is told with stage and signal; a look must not crash
        outcome["fault"] = f"ended by {name}"


def _keep(plan: Plan, number: int, files: dict[str, bytes], outcome: dict[str, Any], log: Path) -> None:
    kept = Path(plan.failures) / f"{plan.format}-{plan.stage}-{plan.seed}-{number}"
    shutil.rmtree(kept, ignore_errors=True)
    for name, content in files.items():
        path = kept / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (kept / "outcome.json").write_text(json.dumps(outcome, indent=1))
    (kept / LOG).write_bytes(log.read_bytes()[-100_000:] if log.exists() else b"")


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=Plan))
