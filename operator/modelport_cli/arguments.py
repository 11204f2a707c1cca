"""Arguments that several commands take, with what a shell completes them to."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.completion import CompletionContext

from modelport.frameworks import FORMATS, SOURCES
from modelport.runtimes import TARGETS


def complete_names(context: CompletionContext) -> list[str]:
    """Return the ModelConversions of the namespace that is named before, or of the kube context's."""
    from modelport_cli.access.cluster import connect, list_resources

    cluster = connect(_given(context, "namespace"), _given(context, "context"))
    return [str(body["metadata"]["name"]) for body in list_resources(cluster)]


def complete_namespaces(context: CompletionContext) -> list[str]:
    """Return the namespaces that the user may list."""
    from modelport_cli.access.cluster import connect, list_namespaces

    return list_namespaces(connect(None, _given(context, "context")))


def complete_contexts(_context: CompletionContext) -> list[str]:
    """Return the contexts of the kubeconfig."""
    from modelport_cli.access.cluster import list_contexts

    return list_contexts()


def complete_sources(_context: CompletionContext) -> dict[str, str]:
    """Return the formats that models come in, and what they are."""
    return {each.name: each.description for each in SOURCES.values()}


def complete_targets(_context: CompletionContext) -> dict[str, str]:
    """Return the formats that models become, and what they are."""
    return {name: FORMATS[name].description for name in TARGETS}


def _given(context: CompletionContext, argument: str) -> str | None:
    value = context.get(argument)
    return value.raw if value else None


Name = Annotated[str, Parameter(completer=complete_names)]
Namespace = Annotated[
    str | None,
    Parameter(
        name=("--namespace", "-n"),
        help="Namespace; the kube context's if not given.",
        completer=complete_namespaces,
    ),
]
Context = Annotated[
    str | None,
    Parameter(help="Context of the kubeconfig; the current one if not given.", completer=complete_contexts),
]
Manifest = Annotated[Path, Parameter(name="FILE", allow_leading_hyphen=True)]
"""A file, or `-`."""
Values = Annotated[tuple[Path, ...], Parameter(negative="", show_default=False)]
OperatorNamespace = Annotated[str, Parameter(completer=complete_namespaces)]
SourceFormat = Annotated[str, Parameter(completer=complete_sources)]
TargetFormat = Annotated[str, Parameter(completer=complete_targets)]
