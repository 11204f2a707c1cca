"""What holds for every status that is written; checked on every report that the tests make."""

from collections.abc import Callable, Iterator

from modelport.api.status import Condition, Status
from modelport.jobs.outcomes import NOT_ENFORCED

Rule = Callable[[dict[str, Condition], Status, int], bool]


def _holds(conditions: dict[str, Condition], name: str) -> bool:
    return name in conditions and conditions[name].status == "True"


RULES: tuple[tuple[str, Rule], ...] = (
    ("Ready is there", lambda found, _status, _generation: "Ready" in found),
    (
        "Ready is not True while Reconciling or Stalled",
        lambda found, _status, _generation: (
            not (_holds(found, "Ready") and (_holds(found, "Reconciling") or _holds(found, "Stalled")))
        ),
    ),
    (
        "never both Reconciling and Stalled",
        lambda found, _status, _generation: not ("Reconciling" in found and "Stalled" in found),
    ),
    (
        "what is abnormal is absent rather than False",
        lambda found, _status, _generation: all(
            _holds(found, name) for name in ("Reconciling", "Stalled", "Queued") if name in found
        ),
    ),
    (
        "observedGeneration is set, and not ahead",
        lambda _found, status, generation: 0 <= status.observed_generation <= generation,
    ),
    (
        "each condition has the generation of the status",
        lambda found, status, _generation: all(
            each.observed_generation == status.observed_generation for each in found.values()
        ),
    ),
    (
        "a failure is told where something failed, and only there",
        lambda found, status, _generation: (status.failure is not None) or "Stalled" not in found,
    ),
    (
        "reasons and messages are given",
        lambda found, _status, _generation: all(each.reason and each.message for each in found.values()),
    ),
    (
        "what is Ready is verified, unless errors are only reported",
        lambda found, _status, _generation: (
            not _holds(found, "Ready")
            or _holds(found, "Verified")
            or ("Verified" in found and found["Verified"].reason == NOT_ENFORCED)
        ),
    ),
    (
        "what is Ready without pods is woken by what says that it would",
        lambda found, _status, _generation: (
            "Autoscaled" not in found
            or _holds(found, "Autoscaled")
            or not (_holds(found, "Ready") and found["Ready"].reason == "ScaledToZero")
        ),
    ),
    (
        "what is verified was judged",
        lambda found, status, _generation: (
            not _holds(found, "Verified") or (status.verification is not None and bool(status.verification.judged))
        ),
    ),
)


def violations(status: Status, *, generation: int, old: Status | None = None) -> Iterator[str]:
    """Yield the rules that `status` breaks."""
    found = {condition.type: condition for condition in status.conditions}
    if len(found) != len(status.conditions):
        yield "a condition is there twice"
    for words, rule in RULES:
        if not rule(found, status, generation):
            yield words
    for before in old.conditions if old else ():
        now = found.get(before.type)
        moved = now is not None and now.last_transition_time != before.last_transition_time
        if now is not None and moved and now.status == before.status:
            yield f"lastTransitionTime of {before.type} changes only with its status"
