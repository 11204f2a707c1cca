"""`modelport render`: the objects that the operator would make of a manifest."""

import sys
from typing import Literal

import msgspec
from ruamel.yaml import YAML

from modelport.api.resource import ModelConversion
from modelport_cli import console
from modelport_cli.access.cluster import connect
from modelport_cli.access.operators import read_platform
from modelport_cli.arguments import Context, Manifest, Namespace, OperatorNamespace, Values
from modelport_cli.errors import UsageError
from modelport_cli.manifest import load_body
from modelport_cli.previews.edits import apply, namespace_in
from modelport_cli.previews.foreseeing import Foreseen, foresee
from modelport_cli.previews.settings import platform_of
from modelport_operator.facts import Observed

_UNKNOWN_UID = "00000000-0000-0000-0000-000000000000"
_HEADER = "# What the operator makes of {name}. Digests and uids of zeros are not known before."


def render(
    manifest: Manifest,
    /,
    *,
    values: Values = (),
    output: Literal["yaml", "json"] = "yaml",
    operator_namespace: OperatorNamespace = "modelport-system",
    namespace: Namespace = None,
    context: Context = None,
) -> None:
    """Print the Jobs, the Deployment, the Service and all else that the operator would make of a ModelConversion.

    They are for checkers of policies and schemas, such as conftest, kyverno and kubeconform, and by the operator's own plan.

        modelport render pnet.yaml --values images.yaml | conftest test -

    Parameters
    ----------
    manifest
        YAML file with one ModelConversion; - reads the standard input.
    values
        File with values of the chart, such as the images; may be repeated. Not given: the settings of the installed operator.
    output
        What to print.
    operator_namespace
        Namespace of the installed operator.
    """
    body = load_body(manifest)
    place = namespace_in(body, namespace)
    if values:
        platform = platform_of(values)
    else:
        cluster = connect(place, context)
        platform, place = read_platform(cluster, operator_namespace), cluster.namespace
    resource = apply(body, None, namespace=place or "default", origin=str(manifest))
    known = msgspec.structs.replace(resource.metadata, uid=_UNKNOWN_UID, generation=1)
    resource = msgspec.structs.replace(resource, metadata=known)
    foreseen = foresee(resource, Observed(now=0.0), platform)
    _refuse_what_ends_early(resource, foreseen)
    children = foreseen.children()
    if output == "json":
        console.print_json({"apiVersion": "v1", "kind": "List", "items": children})
        return
    print(_HEADER.format(name=f"{resource.metadata.namespace}/{resource.metadata.name}"))
    writer = YAML()
    writer.explicit_start, writer.width = True, sys.maxsize
    writer.dump_all(children, sys.stdout)


def _refuse_what_ends_early(resource: ModelConversion, foreseen: Foreseen) -> None:
    """Raise what keeps the operator from making all of the children."""
    failure, scaled = foreseen.plan.progress.failure, foreseen.plan.autoscaled
    if resource.spec.suspend:
        raise UsageError("spec.suspend: expected false, because nothing is made of what is suspended")
    if foreseen.unknown:
        raise foreseen.unknown
    if failure:
        raise UsageError(f"{failure.reason}: {failure.message}", failure.hint)
    if scaled and scaled.holds is False:
        raise UsageError(f"{scaled.reason}: {scaled.message}")
