"""`modelport describe`: a page about one resource."""

from datetime import UTC, datetime

from modelport_cli import console
from modelport_cli.access.cluster import connect, read_resource, understand
from modelport_cli.access.objects import list_children, list_events
from modelport_cli.arguments import Context, Name, Namespace
from modelport_cli.views.description import children_of, description


def describe(name: Name, /, *, namespace: Namespace = None, context: Context = None) -> None:
    """Show all there is to know of a ModelConversion: what `get` shows, conditions, steps, children, troubles, Events.

        modelport describe pnet -n modelport-demo

    Parameters
    ----------
    name
        The ModelConversion.
    """
    cluster = connect(namespace, context)
    body = read_resource(cluster, name)
    resource = understand(body)
    children = children_of(list_children(cluster, name), uid=resource.metadata.uid)
    events = list_events(cluster, [resource.metadata.uid, *(child["metadata"]["uid"] for child in children)])
    console.print_table(description(resource, body, children, events, now=datetime.now(UTC)))
