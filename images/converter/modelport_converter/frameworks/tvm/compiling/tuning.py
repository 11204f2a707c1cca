"""The search for faster code: MetaSchedule tries programs for each of the model's kernels, and measures them.

All records are kept in a database of two files. Whoever has it goes on where it stopped: a kernel that is in it with as
many programs as are asked for is not measured again, be it of this model or of another one.
"""

import os
import shutil
import time
from pathlib import Path
from typing import Any

import tvm
from tvm import relax
from tvm.ir.utils import derived_object
from tvm.relax.transform import MetaScheduleApplyDatabase
from tvm.s_tir import meta_schedule
from tvm.s_tir.meta_schedule.builder.local_builder import default_build
from tvm.s_tir.meta_schedule.relax_integration import extract_tasks, extracted_tasks_to_tune_contexts
from tvm.support import popen_pool

from modelport.steps.runner import say
from modelport_converter.frameworks.tvm.compiling.importing import Program
from modelport_converter.frameworks.tvm.compiling.linking import export
from modelport_converter.tasks import last_line

LOGGER = "tvm"
WORKLOADS, RECORDS = "database_workload.json", "database_tuning_record.json"
MOST_A_ROUND = 64
"""Programs of a kernel that are measured before the next kernel's turn."""
SEED = 7
STRATEGY = meta_schedule.search_strategy.EvolutionarySearch(population_size=128, init_min_unmeasured=32)
"""A quarter of TVM's default population: most of the time goes into measuring, not into choosing."""
SECONDS_BETWEEN_LINES = 15
# it looks for a worker's own children in /proc, which a sandbox hides; a worker that measures has none
popen_pool.kill_child_processes = lambda _process: None


def tune(program: Program, target: tvm.target.Target, trials: int, known: Path | None, folder: Path) -> tvm.IRModule:
    """Return the module with the fastest programs that were found; the database is in `folder`, `known` an earlier one.

    Records are written as they are made, so that what was measured stays, however this ends.
    """
    folder.mkdir()
    for name in (WORKLOADS, RECORDS):
        if known and (known / name).is_file():
            shutil.copyfile(known / name, folder / name)
    with target:
        kernels = tvm.transform.Sequential(
            [
                relax.transform.DecomposeOpsForInference(),
                relax.transform.CanonicalizeBindings(),
                relax.get_pipeline("zero"),
            ]
        )(program.module)
        _search(kernels, target, trials, folder)
        return MetaScheduleApplyDatabase(str(folder))(kernels)


def _search(kernels: tvm.IRModule, target: tvm.target.Target, trials: int, folder: Path) -> None:
    database = _open_database(folder)
    tasks = extract_tasks(kernels, target)
    done = sum(_count(database, task) for task in tasks)
    left = trials - done
    if left <= 0 or not tasks:
        say(LOGGER, f"{done} programs of {len(tasks)} kernels were measured before")
        return
    say(LOGGER, f"measuring {left} programs of {len(tasks)} kernels" + (f" beside {done} of before" if done else ""))
    contexts, weights = extracted_tasks_to_tune_contexts(tasks, work_dir=str(folder), strategy=STRATEGY, seed=SEED)
    # workers measure one program at a time, with the threads that it is made for
    os.environ["TVM_NUM_THREADS"] = str(int(target.attrs["num-cores"]))
    meta_schedule.tune.tune_tasks(
        tasks=contexts,
        task_weights=weights,
        work_dir=str(folder),
        max_trials_global=left,
        num_trials_per_iter=max(1, min(MOST_A_ROUND, left // len(tasks))),  # each kernel has a turn at least
        builder=_Builder(),
        runner=meta_schedule.runner.LocalRunner(),
        database=database,
        measure_callbacks=[
            meta_schedule.measure_callback.AddToDatabase(),
            meta_schedule.measure_callback.RemoveBuildArtifact(),
            meta_schedule.measure_callback.UpdateCostModel(),
            _Progress(left),
        ],
    )


def _open_database(folder: Path) -> Any:
    """Open the database, or begin another one: the two files of an interrupted search may not belong together."""
    try:
        return meta_schedule.database.JSONDatabase(work_dir=str(folder))
    except Exception as error:  # noqa: BLE001  # TVM's errors have no common base
        say(LOGGER, f"what was measured before cannot be read, and is measured anew: {last_line(error)}")
        for name in (WORKLOADS, RECORDS):
            (folder / name).unlink(missing_ok=True)
        return meta_schedule.database.JSONDatabase(work_dir=str(folder))


def _count(database: Any, task: Any) -> int:
    """Return how many programs of a kernel were measured; others failed."""
    (kernel,) = task.dispatched
    if not database.has_workload(kernel):
        return 0
    return len(database.get_top_k(database.commit_workload(kernel), 1 << 20))


@derived_object
class _Builder(meta_schedule.builder.PyBuilder):
    """Compiles the programs to measure here: TVM's own starts a process, which loads its compiler, for each round of them."""

    def build(self, build_inputs: Any) -> list[Any]:
        """Return the path of each program's library, or why there is none."""
        return [self._build(each) for each in build_inputs]

    def _build(self, given: Any) -> Any:
        try:
            path = export(default_build(given.mod, given.target, None))
        except Exception as error:  # noqa: BLE001  # a program that cannot be compiled is none of the fast ones
            return meta_schedule.builder.BuilderResult(None, str(error))
        return meta_schedule.builder.BuilderResult(path, None)


@derived_object
class _Progress(meta_schedule.measure_callback.PyMeasureCallback):
    """Tells now and then how far the search is."""

    def __init__(self, total: int) -> None:
        super().__init__()
        self.total, self.done, self.told = total, 0, time.monotonic()

    def apply(self, _scheduler: Any, _task: int, candidates: Any, _built: Any, _results: Any) -> None:
        """Count what was measured."""
        self.done += len(candidates)
        if time.monotonic() - self.told > SECONDS_BETWEEN_LINES:
            self.told = time.monotonic()
            say(LOGGER, f"measured {self.done} of {self.total} programs")
