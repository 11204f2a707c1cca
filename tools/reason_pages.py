"""The reference page of failure reasons: what each comes from, what to do, how it is seen, and where it is proved."""

import re
from collections.abc import Iterator
from pathlib import Path

from modelport.api.reasons import ADVICE, Reason

ROOT = Path(__file__).resolve().parent.parent
MOST_TESTS = 3
CAUSES: dict[Reason, str] = {
    Reason.INVALID_SPEC: "The spec asks for what the schema cannot rule out, such as an option that no converter has.",
    Reason.NAME_CONFLICT: "An object of somebody else has the name of a Deployment, Service, NetworkPolicy or Job that is needed.",
    Reason.OPERATOR_FAILED: "The operator itself has a fault that this resource brings out.",
    Reason.INPUTS_NEEDED: "The file does not say which inputs the model takes.",
    Reason.SAMPLES_NEEDED: "No samples can be made for an input from what is known of it.",
    Reason.SHAPES_NEEDED: "The target has fixed lengths, and the model's are free.",
    Reason.IMAGE_NOT_CONFIGURED: "The chart's values leave out the image that the conversion or the runtime needs.",
    Reason.SOURCE_NOT_FOUND: "The URI names nothing that is there.",
    Reason.SOURCE_UNREACHABLE: "The host of the URI did not answer, or broke off.",
    Reason.SOURCE_ACCESS_DENIED: "The credentials are missing, wrong, or may not read the source.",
    Reason.DIGEST_MISMATCH: "What was fetched has another digest than the spec gives.",
    Reason.STORE_UNAVAILABLE: "The namespace's store did not answer.",
    Reason.STORE_ACCESS_DENIED: "The store refuses the credentials of Secret modelport-store.",
    Reason.STORE_NOT_CONFIGURED: "The namespace has no Secret modelport-store.",
    Reason.UNSAFE_SOURCE: "An archive or a file leads outside of the source, or would run code or fill the machine when it is opened.",
    Reason.UNTRUSTED_SOURCE: "The model comes with code, and the spec does not trust it.",
    Reason.UNKNOWN_FORMAT: "Nothing that Modelport reads looks like these files.",
    Reason.UNSUPPORTED_FORMAT: "The format is known, but not read: at all, or in this version of it.",
    Reason.AMBIGUOUS_FORMAT: "The files look like models of several formats.",
    Reason.SOURCE_CORRUPT: "The file is not what its format says, mostly because it was cut off.",
    Reason.WEIGHTS_MISMATCH: "Names or shapes of the weights are not those of the model that the code builds.",
    Reason.FACTORY_FAILED: "The code that builds the model could not be imported, or raised an error.",
    Reason.CONVERSION_FAILED: "The converter cannot express what the message names, or failed on it.",
    Reason.NON_DETERMINISTIC: "The source model gave two answers to one question.",
    Reason.NUMERICALLY_UNSTABLE: "Tiny changes of the inputs change the source model's answers by more than the limit.",
    Reason.RUNTIME_UNSUPPORTED: "The server's runtime refuses the converted model.",
    Reason.VERIFICATION_FAILED: "An output of the converted model is farther from the source's than its limit.",
    Reason.VERIFICATION_INCONCLUSIVE: "The answers hardly depend on the samples, so that equal answers prove nothing.",
    Reason.OUT_OF_MEMORY: "A container took more memory than its limit.",
    Reason.DEADLINE_EXCEEDED: "The Job took longer than conversion.timeoutSeconds.",
    Reason.STORAGE_EXCEEDED: "A pod wrote more than its volume or its ephemeral storage holds.",
    Reason.EVICTED: "The node sent the pod away, for want of resources or to be drained.",
    Reason.IMAGE_PULL_FAILED: "The node cannot pull an image.",
    Reason.UNSCHEDULABLE: "No node has what the pod asks for.",
    Reason.QUOTA_EXCEEDED: "A ResourceQuota of the namespace leaves no room for the pod or the Job.",
    Reason.POD_REFUSED: "An admission rule, or a Secret or ConfigMap that is missing, keeps the pod from being made.",
    Reason.STEP_CRASHED: "A step that opens no model ended without saying why.",
    Reason.CONVERTER_CRASHED: "A step that opens the model was ended by a signal, or left no result that can be read.",
    Reason.SERVER_CRASHED: "The server ended instead of answering.",
    Reason.GOLDEN_MISMATCH: "Before it takes requests, a server must answer as it did when it was verified, and this one did not.",
    Reason.ROLLOUT_OVERDUE: "The Deployment made no progress for its deadline.",
    Reason.KEDA_NOT_INSTALLED: "Something but CPU and memory is to say how many pods there are, and the cluster has no ScaledObjects.",
    Reason.PROMETHEUS_NOT_CONFIGURED: "requestsInFlight or queueSize is to say how many pods there are, and the operator was told of no Prometheus.",
    Reason.METRICS_UNAVAILABLE: "The autoscaler reports that it cannot have its metrics.",
    Reason.AUTOSCALER_FAILED: "The autoscaler reports anything else that keeps it from scaling, or was paused by an annotation.",
}
"""What brings a reason about; `make generate` fails where one is missing."""
AUTOSCALING = frozenset(
    {
        Reason.KEDA_NOT_INSTALLED,
        Reason.PROMETHEUS_NOT_CONFIGURED,
        Reason.METRICS_UNAVAILABLE,
        Reason.AUTOSCALER_FAILED,
    }
)
"""Reasons that the condition Autoscaled has; Ready has them only where no pod answers, and nothing would wake one."""
SERVING = AUTOSCALING | {
    Reason.NAME_CONFLICT,
    Reason.SERVER_CRASHED,
    Reason.GOLDEN_MISMATCH,
    Reason.ROLLOUT_OVERDUE,
}
"""Reasons that no conversion ends with, so that the metric of conversions does not count them."""
_ALSO_ELSEWHERE = (
    ", while there is no pod; while pods answer, the resource is Ready, and condition Autoscaled alone tells it"
)


def page(notice: str) -> str:
    """Return the page."""
    return "\n".join([*_head(notice), *(line for reason in ADVICE for line in _section(reason)), ""])


def _head(notice: str) -> list[str]:
    rows = [f"| [`{reason}`](#{reason.lower()}) | {_again(reason)} | {CAUSES[reason]} |" for reason in ADVICE]
    return [
        f"<!-- {notice} -->",
        "# Failure reasons",
        "",
        "A reason stands in the conditions, in Events, in `status.failure.reason` and in metrics. Where the operator",
        "tries again by itself, the resource is Reconciling with reason ProgressingWithRetry; otherwise it is Stalled.",
        "",
        "| reason | tried again | what it comes from |",
        "|---|---|---|",
        *rows,
    ]


def _section(reason: Reason) -> list[str]:
    return [
        "",
        f"## {reason}",
        "",
        CAUSES[reason],
        "",
        f"- What to do: {ADVICE[reason].hint}",
        f"- Tried again: {_again(reason)}",
        f"- Alert on: `{_expression(reason)}`{_ALSO_ELSEWHERE if reason in AUTOSCALING else ''}",
        f"- Tested by: {', '.join(f'`{path}`' for path in proofs_of(reason)[:MOST_TESTS])}",
    ]


def _again(reason: Reason) -> str:
    return "yes" if ADVICE[reason].retryable else "no"


def _expression(reason: Reason) -> str:
    """Return what is above 0 when it happens, in Prometheus."""
    outcome = "retried" if ADVICE[reason].retryable else "failed"
    if reason in SERVING and ADVICE[reason].retryable:
        return 'modelport_resources{state="Reconciling"}'
    if reason in SERVING:
        return f'modelport_resource_stalled{{reason="{reason}"}}'
    return f'increase(modelport_conversions_total{{outcome="{outcome}",reason="{reason}"}}[15m])'


def proofs_of(reason: Reason) -> list[str]:
    """Return the files of tests that name a reason, those on a cluster first."""
    named = re.compile(rf'\bReason\.{reason.name}\b|"{reason}"')
    found = [path for path in _tests() if named.search(path.read_text(encoding="utf-8"))]
    names = sorted(path.relative_to(ROOT).as_posix() for path in found)
    return sorted(names, key=lambda name: not name.startswith("tests/e2e"))


def _tests() -> Iterator[Path]:
    yield from (path for path in (ROOT / "tests").rglob("*.py") if "__pycache__" not in path.parts)
