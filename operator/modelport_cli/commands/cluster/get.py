"""`modelport get`: resources as a table, one resource's stages, or its progress until it is Ready or Stalled."""

from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import Parameter

from modelport_cli import console
from modelport_cli.access.cluster import Body, Cluster, connect, list_resources, read_resource, understand
from modelport_cli.access.following import follow
from modelport_cli.arguments import Context, Name, Namespace
from modelport_cli.errors import Exit, UsageError
from modelport_cli.views.stages import age
from modelport_cli.views.status import resource_view

_COLUMNS = ("NAME", "SOURCE", "TARGET", "READY", "REASON", "ERROR", "URL", "AGE")


def get(
    name: Name | None = None,
    /,
    *,
    watch: Annotated[bool, Parameter(name=("--watch", "-w"), negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
    namespace: Namespace = None,
    context: Context = None,
) -> int:
    """List the ModelConversions of a namespace, or show the stages of one.

        modelport get pnet -w -n modelport-demo

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
        return follow(cluster, str(name), as_json=json)
    if name is not None:
        _show(read_resource(cluster, name), as_json=json)
    else:
        _show_all(cluster, as_json=json)
    return Exit.DONE


def _show(body: Body, *, as_json: bool) -> None:
    if as_json:
        console.print_json(body)
    else:
        console.print_table(resource_view(understand(body)))


def _show_all(cluster: Cluster, *, as_json: bool) -> None:
    bodies = list_resources(cluster)
    if as_json:
        console.print_json({"apiVersion": "v1", "kind": "List", "items": bodies})
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
