"""Paths that failed for a reason of their own: another one may do. The same for the operator and for `modelport run`."""

from collections.abc import Sequence

import msgspec

from modelport.api.reasons import ADVICE, Reason
from modelport.api.status import Failure, RefusedPath
from modelport.jobs.requests import Hop

MAX_MESSAGE = 512
_OF_A_PATH = frozenset({Reason.CONVERSION_FAILED, Reason.RUNTIME_UNSUPPORTED, Reason.VERIFICATION_FAILED})
"""What another converter or target may not share; all else is about the source, the spec or the machine."""


def is_of_path(failure: Failure) -> bool:
    """Whether the way failed, and not the source: its converters, or their result before the gate."""
    return failure.reason in _OF_A_PATH and (failure.step.startswith("hop-") or failure.step in {"try", "judge"})


def name_path(hops: Sequence[Hop]) -> list[str]:
    """Return the formats on the way, with the converter where there are several between the same two."""
    return [hops[0].source, *(f"{hop.target} by {hop.by}" if hop.by else hop.target for hop in hops)] if hops else []


def refuse(hops: Sequence[Hop], failure: Failure, *, key: str) -> RefusedPath:
    """Return what is remembered of a path that failed."""
    message = f"{failure.message:.{MAX_MESSAGE}}"
    return RefusedPath(key=key, path=" → ".join(name_path(hops)), reason=failure.reason, message=message)


def tell_all(refused: Sequence[RefusedPath], last: Failure, path: Sequence[str]) -> Failure:
    """Return the failure of all paths: that of the best one, and why the others did not do either."""
    if not refused:
        return last
    best, others = refused[0], refused[1:]
    told = [best.message, *(f"{each.path}: {each.message:.100}" for each in others)]
    message = "; ".join([*told, f"{' → '.join(path)}: {last.message:.100}"])
    return msgspec.structs.replace(last, reason=best.reason, message=message, hint=ADVICE[Reason(best.reason)].hint)
