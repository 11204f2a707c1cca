"""`modelport logs`: what the steps of a conversion, or its servers, have printed."""

import time
from collections.abc import Iterator
from threading import Thread
from typing import Annotated

from cyclopts import Parameter

from modelport.api.resource import ModelConversion
from modelport_cli import console
from modelport_cli.access.cluster import Cluster, connect, read_resource, understand
from modelport_cli.access.logs import Log, list_server_logs, list_step_logs
from modelport_cli.access.objects import list_jobs, read_log
from modelport_cli.arguments import Context, Name, Namespace
from modelport_cli.errors import CommandError, Exit, UsageError
from modelport_cli.views.stages import is_ready, is_stalled

_LOOK_AGAIN = 1.0
"""Seconds between looks for new pods."""
_MOVES = "Jobs are kept for an hour after their end, if operator.jobTTLSeconds of the chart does not say otherwise."


def logs(
    name: Name,
    /,
    *,
    step: str | None = None,
    serving: Annotated[bool, Parameter(negative="")] = False,
    previous: Annotated[bool, Parameter(name=("--previous", "-p"), negative="")] = False,
    follow: Annotated[bool, Parameter(name=("--follow", "-f"), negative="")] = False,
    namespace: Namespace = None,
    context: Context = None,
) -> int:
    """Print the logs of a conversion's steps, in their order, or of its servers; each line with where it is from.

    Where the pods are gone, the end of the log of what failed comes from the status, and a line on stderr says so.

        modelport logs pnet --step hop-1 -f -n modelport-demo

    Parameters
    ----------
    name
        The ModelConversion.
    step
        One step alone, such as fetch, ask, hop-1, try or judge.
    serving
        The logs of the servers instead.
    previous
        Of the attempt before the present one.
    follow
        Go on with what comes, until the present spec is Ready or Stalled, or until Ctrl-C with --serving.
    """
    if previous and follow:
        raise UsageError("--previous: expected no --follow with it, because what was before has ended")
    cluster = connect(namespace, context)
    resource = understand(read_resource(cluster, name))
    if serving:
        return _show_servers(cluster, resource, step, previous=previous, follow=follow)
    if follow:
        return _follow_steps(cluster, resource, step)
    found = [log for log in _step_logs(cluster, resource, step, previous=previous) if log.has_begun]
    for log in found:
        _print(cluster, log)
    if not found:
        _print_remembered(resource, step, previous=previous)
    return Exit.DONE


def _step_logs(cluster: Cluster, resource: ModelConversion, step: str | None, *, previous: bool = False) -> list[Log]:
    objects = list_jobs(cluster, resource.metadata.name)
    return list(list_step_logs(objects, uid=resource.metadata.uid, step=step, previous=previous))


def _print(cluster: Cluster, log: Log, *, follow: bool = False) -> None:
    for line in read_log(cluster, log.pod, log.container, follow=follow, previous=log.previous):
        _print_line(log.label, line)


def _print_until_gone(cluster: Cluster, log: Log) -> None:
    try:
        _print(cluster, log, follow=True)
    except CommandError as error:  # others go on
        console.print_line(error.message)


def _print_line(label: str, line: str) -> None:
    # what a model prints must not speak to the terminal
    print(f"{label} | {''.join(each for each in line if each == chr(9) or each.isprintable())}", flush=True)


def _print_remembered(resource: ModelConversion, step: str | None, *, previous: bool) -> None:
    """Print what the status keeps of the log of what failed. Raises CommandError if it keeps nothing."""
    status, name = resource.status, resource.metadata.name
    kept = {each.key: each for each in (*status.failures, *([status.failure] if status.failure else []))}
    told = [each for each in kept.values() if each.log_tail and step in {None, each.step}]
    if previous or not told:
        what = f"step {step}" if step else "its steps"
        raise CommandError(
            f"{name} has no {'earlier ' if previous else ''}logs of {what}: no such pod is there", _MOVES
        )
    console.print_line(f"{name}: the pods are gone; this is the end of the log, as the status keeps it")
    for failure in told:
        for line in failure.log_tail.splitlines():
            _print_line(f"{failure.stage.lower()}/{failure.step}", line)


def _follow_steps(cluster: Cluster, resource: ModelConversion, step: str | None) -> int:
    """Print what the steps say, one after the other as they wait for each other, until nothing more comes."""
    seen: set[tuple[str, str]] = set()
    while True:
        # what was there before the resource was found at its end is all there is
        resource = understand(read_resource(cluster, resource.metadata.name))
        for log in _unseen(_step_logs(cluster, resource, step), seen):
            _print(cluster, log, follow=True)
            seen.add(log.key)
        if is_ready(resource):
            return Exit.DONE
        if is_stalled(resource):
            if not seen:
                _print_remembered(resource, step, previous=False)
            return Exit.FAILED
        time.sleep(_LOOK_AGAIN)


def _unseen(logs: list[Log], seen: set[tuple[str, str]]) -> Iterator[Log]:
    """Yield the logs that are not printed yet, up to the first one that has not begun."""
    for log in logs:
        if not log.has_begun:
            return
        if log.key not in seen:
            yield log


def _show_servers(
    cluster: Cluster, resource: ModelConversion, step: str | None, *, previous: bool, follow: bool
) -> int:
    name = resource.metadata.name
    found = list(list_server_logs(list_jobs(cluster, name), step=step, previous=previous))
    begun = [log for log in found if log.has_begun]
    if not (begun or (follow and found)):
        message = f"{name} has no {'earlier ' if previous else ''}logs of servers: no such pod is there"
        raise CommandError(message, f"`modelport describe {name}` shows what there is.")
    if not follow:
        for log in begun:
            _print(cluster, log)
        return Exit.DONE
    return _follow_servers(cluster, name, step)


def _follow_servers(cluster: Cluster, name: str, step: str | None) -> int:
    """Print what the servers say, all at once, with those that come later, until none is there any more."""
    readers: dict[tuple[str, str], Thread] = {}
    while True:
        found = list(list_server_logs(list_jobs(cluster, name), step=step, previous=False))
        for log in found:
            if log.has_begun and log.key not in readers:
                readers[log.key] = Thread(target=_print_until_gone, args=(cluster, log), daemon=True)
                readers[log.key].start()
        if not found and not any(reader.is_alive() for reader in readers.values()):
            return Exit.DONE
        time.sleep(_LOOK_AGAIN)
