"""`modelport diff`: what an edit would make the operator do."""

import sys
import time
import traceback
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec

from modelport.api.base import KIND
from modelport_cli import console
from modelport_cli.access.cluster import Body, Cluster, connect, understand
from modelport_cli.access.objects import list_lacking, list_objects
from modelport_cli.access.operators import read_platform
from modelport_cli.arguments import Context, Manifest, Namespace, OperatorNamespace, Values
from modelport_cli.errors import FORESEEN, CommandError, Exit, UsageError, describe
from modelport_cli.manifest import load_body, read_documents
from modelport_cli.previews.changes import Difference, Edit, compare
from modelport_cli.previews.edits import apply, namespace_in
from modelport_cli.previews.observing import observe
from modelport_cli.previews.settings import platform_of, unknown_platform
from modelport_cli.previews.telling import change_lines
from modelport_operator.platforms import Platform


def diff(
    manifest: Manifest,
    /,
    *,
    live: Path | None = None,
    values: Values = (),
    output: Literal["text", "json"] = "text",
    operator_namespace: OperatorNamespace = "modelport-system",
    namespace: Namespace = None,
    context: Context = None,
) -> int:
    """Say what an edit of a ModelConversion would make the operator do: nothing, or what is done anew.

    It is the operator's own plan of the manifest, beside its plan of the live resource. As `kubectl diff` does, it ends
    with 0 where nothing would be done, 1 where something would, and more than 1 where it failed.

        modelport diff pnet.yaml -n modelport-demo
        kubectl get mconv,jobs,deploy,svc -o yaml > live.yaml && modelport diff pnet.yaml --live live.yaml

    Parameters
    ----------
    manifest
        YAML file with one ModelConversion; - reads the standard input.
    live
        File with what `kubectl get -o yaml` printed of the resource, and of its Jobs and what serves it if they are to count;
        no cluster is asked.
    values
        File with values of the chart that the operator was installed with; may be repeated. Not given: the settings of the
        installed operator, or its defaults with --live.
    output
        What to print.
    operator_namespace
        Namespace of the installed operator.
    """
    with _unlike_a_difference():
        body = load_body(manifest)
        place = namespace_in(body, namespace)
        if live:
            platform = platform_of(values) if values else unknown_platform()
            found = _compare(body, manifest, _saved(live), namespace=place, platform=platform)
        else:
            cluster = connect(place, context)
            platform = platform_of(values) if values else _platform(cluster, operator_namespace)
            with console.progress(f"Reading namespace {cluster.namespace}"):
                objects, lacking = list_objects(cluster, str(body["metadata"]["name"])), list_lacking(cluster)
            found = _compare(body, manifest, objects, namespace=cluster.namespace, platform=platform, lacking=lacking)
        if output == "json":
            console.print_json(found)
        else:
            print("\n".join(change_lines(found)))
        return Exit.DIFFERS if found.changes else Exit.DONE


def _saved(live: Path) -> list[Body]:
    """Return the objects in a file of `kubectl get -o yaml`."""
    objects = [each for document in read_documents(live) for each in _flat(msgspec.to_builtins(document))]
    if not any(each.get("kind") == KIND for each in objects):
        raise UsageError(f"{live}: expected a {KIND}, found none", f"`kubectl get {KIND.lower()} -o yaml` prints it.")
    return objects


def _flat(document: Any) -> list[Body]:
    """Return the objects in a document, which may be a list of them."""
    if not isinstance(document, dict):
        return []
    return document["items"] if str(document.get("kind", "")).endswith("List") else [document]


def _platform(cluster: Cluster, operator_namespace: str) -> Platform:
    """Return the installed operator's settings; who may not read them gets its defaults, which mostly say the same."""
    try:
        return read_platform(cluster, operator_namespace)
    except CommandError as error:
        console.print_line(f"taking the defaults of the operator, because of {error.message}; --values names others")
        return unknown_platform()


def _compare(
    body: Body,
    manifest: Path,
    objects: list[Body],
    *,
    namespace: str | None,
    platform: Platform,
    lacking: Collection[str] = (),
) -> Difference:
    name = body["metadata"]["name"]
    found = next((each for each in objects if each.get("kind") == KIND and each["metadata"]["name"] == name), None)
    place = namespace or (found or {}).get("metadata", {}).get("namespace") or "default"
    edited = apply(body, found, namespace=place, origin=str(manifest))
    live = understand(found) if found else None
    observed = observe(objects, name=name, uid=edited.metadata.uid, now=time.time(), lacking=lacking)
    return compare(Edit(live, edited, observed, platform))


@contextmanager
def _unlike_a_difference() -> Iterator[None]:
    """Let no failure end with the exit status of a difference."""
    try:
        yield
    except FORESEEN as error:
        ending = describe(error)
        raise CommandError(ending.message, ending.hint, max(ending.status, Exit.USAGE)) from error
    except Exception:  # noqa: BLE001 a defect of ours, whose traceback Python ends with 1
        traceback.print_exc()
        sys.exit(Exit.USAGE)
