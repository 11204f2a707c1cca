"""What an edit comes to, as lines."""

from collections.abc import Iterator

from modelport_cli.previews.changes import Difference


def change_lines(found: Difference) -> Iterator[str]:
    """Yield what differs and what would be done."""
    name = f"{found.namespace}/{found.name}"
    yield f"{name}: {'this would be done' if found.changes else 'nothing would be done'}"
    for change in found.changes:
        only = ", if the bytes are not the same as before" if change.if_bytes_differ else ""
        yield f"  {change.act:<8} {change.detail}{only}"
    if found.fields:
        yield f"because of {', '.join(found.fields)}" if found.changes else f"by {', '.join(found.fields)}"
