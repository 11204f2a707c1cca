"""From what serving should consist of, and what it does consist of, to what is to be done."""

from collections.abc import Iterator
from typing import NamedTuple

from modelport_operator.facts import LiveObject, Observed
from modelport_operator.plan.serving.objects import OBJECTS
from modelport_operator.plan.serving.scaling import HPA, scaler_of
from modelport_operator.plan.serving.served import Body, Served


class Difference(NamedTuple):
    """An object as it is, as it should be, or both."""

    kind: str
    name: str
    live: LiveObject | None
    body: Body | None


def taken_names(served: Served, observed: Observed) -> list[str]:
    """Return the foreign objects, such as 'Service web', that have the name of one that is wanted."""
    wanted = {each.kind for each in OBJECTS if each.follows_rollout or each.make(served)}
    return [each for each in observed.foreign if each.partition(" ")[0] in wanted]


def differences(name: str, served: Served | None, observed: Observed) -> Iterator[Difference]:
    """Yield what is to be created, changed (it is there, and should be) or deleted (it is there alone)."""
    live = observed.live
    if served is None:
        yield from (Difference(each.kind, name, live[each.kind], None) for each in OBJECTS if each.kind in live)
        return
    if served.rollout is None and served.deployment is None:
        return  # there is nothing to reach, to scale or to keep yet
    for each in OBJECTS:
        if each.kind in observed.lacking or (each.follows_rollout and served.rollout is None):
            continue
        body, found = each.make(served), live.get(each.kind)
        if body is None and found is None:
            continue
        if body and found and each.is_applied(served, body, found):
            continue
        made = body if found else each.begin(served, body) if body else None
        yield Difference(each.kind, name, found, made)


def wanted_replicas(served: Served) -> int | None:
    """Return what `spec.replicas` of the Deployment is to be; None: that is an autoscaler's to say.

    A HorizontalPodAutoscaler never leaves zero by itself.
    """
    scaling, live = served.serving.autoscaling, served.deployment
    if scaling is None:
        return served.serving.least_replicas
    stands_still = live is not None and live.wanted == 0 and scaler_of(scaling) == HPA
    return scaling.min_replicas if stands_still else None
