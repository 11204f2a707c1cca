"""Work side by side: what needs something begins when that is done, and the first failure ends the rest.

Downloads, compilers and what writes to the disk each leave to the others what they do not need.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

from devcluster.machine.commands import end_all
from devcluster.machine.progress import coming

_THREADS = 32  # more than there are tasks: one that waits for others holds its thread
Task = Future[Any]
Tasks = Sequence[Task]
Start = Callable[..., Task]


@contextmanager
def side_by_side() -> Iterator[Start]:
    """Yield `start(name, function, *arguments, after=tasks)`; leave when all that was started has ended.

    Raises what the first task that failed raised. `name` is for the lines that say what is still to come.
    """
    tasks: list[Task] = []
    with ThreadPoolExecutor(_THREADS) as threads:

        def start(name: str, function: Callable[..., Any], *arguments: Any, after: Tasks = ()) -> Task:
            def follow() -> Any:
                with coming(name):
                    for task in after:
                        task.result()
                return function(*arguments)

            tasks.append(threads.submit(follow))
            return tasks[-1]

        try:
            yield start
            for task in wait(tasks, return_when=FIRST_EXCEPTION).done:
                task.result()
        except BaseException:
            end_all()
            raise
