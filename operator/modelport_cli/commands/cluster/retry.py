"""`modelport retry`: another attempt of what failed for good, or waits to be tried again."""

from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from modelport.api.base import RETRY_ANNOTATION
from modelport.api.reasons import ADVICE, Reason
from modelport.api.resource import ModelConversion
from modelport_cli import console
from modelport_cli.access.cluster import annotate_resource, connect, read_resource, understand
from modelport_cli.access.following import follow
from modelport_cli.arguments import Context, Name, Namespace
from modelport_cli.errors import CommandError, Exit
from modelport_cli.views.stages import condition, is_current, is_true
from modelport_operator.plan.progress import OF_SPEC, Stage
from modelport_operator.report.checks import QUEUED


def retry(
    name: Name,
    /,
    *,
    wait: Annotated[bool, Parameter(name=("--wait", "-w"), negative="")] = False,
    namespace: Namespace = None,
    context: Context = None,
) -> int:
    """Ask for another attempt of what failed, by the annotation modelport.dev/retry with the time of now.

    Each value asks once: a manifest in git that has it does not try for ever.

        modelport retry pnet --wait -n modelport-demo

    Parameters
    ----------
    name
        The ModelConversion.
    wait
        Show the stages until it is Ready (exit status 0) or Stalled (1).
    """
    cluster = connect(namespace, context)
    resource = understand(read_resource(cluster, name))
    failure = what_to_retry(resource)
    value = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    annotate_resource(cluster, name, RETRY_ANNOTATION, value)
    console.print_line(f"{name}: another attempt of {failure} is asked for")
    if wait:
        return follow(cluster, name, has_begun=lambda seen: _is_asked_for(seen, value))
    console.print_line(f"`modelport get {name} -w` shows how far it is")
    return Exit.DONE


def _is_asked_for(resource: ModelConversion, value: str) -> bool:
    """Whether the operator knows of it: the attempt has begun, or waits for its turn."""
    return resource.status.last_handled_retry_at == value or is_true(resource.status, QUEUED)


def what_to_retry(resource: ModelConversion) -> str:
    """Return stage and reason of what is to be tried again. Raises CommandError where that would change nothing."""
    name, status = resource.metadata.name, resource.status
    failure, ready = status.failure, condition(status, "Ready")
    if resource.spec.suspend:
        message = f"{name} is suspended: nothing is tried"
        raise CommandError(
            message, "Set spec.suspend: false; what failed for good is tried again by `modelport retry` then."
        )
    if not is_current(resource):
        raise CommandError(
            f"{name}: the operator has not looked at the present spec yet", "Wait, or check the operator."
        )
    if failure is None:
        told = f" ({ready.reason}: {ready.message})" if ready else ""
        raise CommandError(f"{name} has nothing to retry: nothing failed{told}")
    if failure.reason in {*OF_SPEC, Reason.NAME_CONFLICT}:
        message = f"{name} has nothing to retry: {failure.reason}: {failure.message}"
        raise CommandError(message, ADVICE[Reason(failure.reason)].hint)
    if failure.stage == Stage.SERVE:
        message = (
            f"{name} has nothing to retry: servers are started again by themselves; {failure.reason}: {failure.message}"
        )
        raise CommandError(message, failure.hint)
    return f"{failure.stage} ({failure.reason})"
