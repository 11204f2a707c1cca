"""Following a resource until the present spec is Ready or Stalled: live on a terminal, by lines elsewhere."""

import time
from collections.abc import Callable, Iterator

from rich.live import Live

from modelport.api.resource import ModelConversion
from modelport_cli import console
from modelport_cli.access.cluster import Body, Cluster, understand, watch_resource
from modelport_cli.errors import Exit
from modelport_cli.views.stages import condition, is_ready, is_stalled, list_stages
from modelport_cli.views.status import failure_lines, stage_line, stages_view


def follow(
    cluster: Cluster, name: str, *, as_json: bool = False, has_begun: Callable[[ModelConversion], bool] | None = None
) -> int:
    """Show progress until the present spec is Ready (exit status 0) or Stalled (1); `has_begun` says from when on."""
    started = time.monotonic()
    watcher = _watch_terminal if console.stderr.is_terminal else _watch_lines
    body = watcher(_since(watch_resource(cluster, name), has_begun))
    resource = understand(body)
    if as_json:
        console.print_json(body)
    if is_ready(resource):
        console.print_line(f"{name} is ready after {time.monotonic() - started:.1f} s")
        return Exit.DONE
    failure, stalled = resource.status.failure, condition(resource.status, "Stalled")
    if failure:
        console.print_error("\n".join(failure_lines(failure)))
    else:
        console.print_error(f"{stalled.reason}: {stalled.message}" if stalled else f"{name} is stalled")
    return Exit.FAILED


def _since(bodies: Iterator[Body], has_begun: Callable[[ModelConversion], bool] | None) -> Iterator[Body]:
    return (body for body in bodies if has_begun is None or has_begun(understand(body)))


def _watch_terminal(bodies: Iterator[Body]) -> Body:
    with Live(console=console.stderr, refresh_per_second=8) as live:
        for body in bodies:
            resource = understand(body)
            live.update(stages_view(list_stages(resource)))
            if is_ready(resource) or is_stalled(resource):
                return body
    raise AssertionError  # the watch never ends by itself


def _watch_lines(bodies: Iterator[Body]) -> Body:
    shown: set[str] = set()
    for body in bodies:
        resource = understand(body)
        for line in map(stage_line, list_stages(resource)):
            if line not in shown:
                console.print_line(line)
                shown.add(line)
        if is_ready(resource) or is_stalled(resource):
            return body
    raise AssertionError  # the watch never ends by itself
