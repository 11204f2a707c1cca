"""`modelport get`: resources as a table, one resource's stages, or its progress until it is Ready or Stalled."""

import time
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from rich.live import Live

from modelport.api.resource import ModelConversion, parse
from modelport_cli import console
from modelport_cli.access.cluster import (
    Body,
    Cluster,
    Context,
    Namespace,
    connect,
    list_resources,
    read_resource,
    watch_resource,
)
from modelport_cli.errors import CommandError, Exit, UsageError
from modelport_cli.views.stages import condition, is_ready, is_stalled, list_stages
from modelport_cli.views.status import failure_lines, resource_view, stage_line, stages_view

_COLUMNS = ("NAME", "SOURCE", "TARGET", "READY", "REASON", "ERROR", "URL", "AGE")


def get(
    name: str | None = None,
    /,
    *,
    watch: Annotated[bool, Parameter(name=("--watch", "-w"), negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
    namespace: Namespace = None,
    context: Context = None,
) -> int:
    """List the ModelConversions of a namespace, or show the stages of one.

    Parameters
    ----------
    name
        The ModelConversion to show; all are listed if none is named.
    watch
        Show the stages live until it is Ready (exit status 0) or Stalled (1).
    json
        Print the objects of the API instead.
    """
    if watch and name is None:
        raise UsageError("--watch: expected the NAME of one ModelConversion")
    cluster = connect(namespace, context)
    if watch:
        return _follow(cluster, str(name), as_json=json)
    if name is not None:
        _show(read_resource(cluster, name), as_json=json)
    else:
        _show_all(cluster, as_json=json)
    return Exit.DONE


def _show(body: Body, *, as_json: bool) -> None:
    if as_json:
        _print_json(body)
    else:
        console.print_table(resource_view(understand(body)))


def _show_all(cluster: Cluster, *, as_json: bool) -> None:
    bodies = list_resources(cluster)
    if as_json:
        _print_json({"apiVersion": "v1", "kind": "List", "items": bodies})
        return
    if not bodies:
        console.print_line(f"No ModelConversions in namespace {cluster.namespace}.")
        return
    table = console.plain_table(*_COLUMNS)
    for body in bodies:
        table.add_row(*columns(body, now=datetime.now(UTC)))
    console.print_table(table)


def columns(body: Body, *, now: datetime) -> tuple[str, ...]:
    """Return what `kubectl get mconv` prints of a resource."""
    status: dict[str, Any] = body.get("status", {})
    ready: dict[str, Any] = next((each for each in status.get("conditions", []) if each["type"] == "Ready"), {})
    return (
        body["metadata"]["name"],
        status.get("source", {}).get("format") or body["spec"]["source"].get("format", ""),
        body["spec"].get("target", {}).get("format", ""),
        ready.get("status", "Unknown"),
        ready.get("reason", ""),
        status.get("verification", {}).get("maxAbsoluteError", ""),
        status.get("serving", {}).get("url", ""),
        age(datetime.fromisoformat(body["metadata"]["creationTimestamp"]), now),
    )


def age(since: datetime, now: datetime) -> str:
    """Return a duration as kubectl writes it: the largest unit that fits twice, or one smaller."""
    seconds = max(0, int((now - since).total_seconds()))
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"


def understand(body: Body) -> ModelConversion:
    """Return the resource that the API server sent; another version's schema may have more than we know."""
    try:
        return parse(body)
    except msgspec.ValidationError as error:
        message = f"{body['metadata']['name']}: this version does not understand the resource ({error})"
        raise CommandError(message, "Use the command line of the installed version, or --json.") from error


def _follow(cluster: Cluster, name: str, *, as_json: bool) -> int:
    """Show progress until the present spec is Ready or Stalled."""
    started = time.monotonic()
    watcher = _watch_terminal if console.stderr.is_terminal else _watch_lines
    body = watcher(cluster, name)
    resource = understand(body)
    if as_json:
        _print_json(body)
    if is_ready(resource):
        console.print_line(f"{name} is ready after {time.monotonic() - started:.1f} s")
        return Exit.DONE
    failure, stalled = resource.status.failure, condition(resource.status, "Stalled")
    if failure:
        console.print_error("\n".join(failure_lines(failure)))
    else:
        console.print_error(f"{stalled.reason}: {stalled.message}" if stalled else f"{name} is stalled")
    return Exit.FAILED


def _watch_terminal(cluster: Cluster, name: str) -> Body:
    with Live(console=console.stderr, refresh_per_second=8) as live:
        for body in watch_resource(cluster, name):
            resource = understand(body)
            live.update(stages_view(list_stages(resource)))
            if is_ready(resource) or is_stalled(resource):
                return body
    raise AssertionError  # the watch never ends by itself


def _watch_lines(cluster: Cluster, name: str) -> Body:
    shown: set[str] = set()
    for body in watch_resource(cluster, name):
        resource = understand(body)
        for line in map(stage_line, list_stages(resource)):
            if line not in shown:
                console.print_line(line)
                shown.add(line)
        if is_ready(resource) or is_stalled(resource):
            return body
    raise AssertionError  # the watch never ends by itself


def _print_json(value: object) -> None:
    console.stdout.out(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
