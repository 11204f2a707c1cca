"""Paths that failed for a reason of their own: another one may do. The same for the operator and for `modelport run`."""

from collections.abc import Sequence

import msgspec

from modelport.api.reasons import ADVICE, Reason
from modelport.api.status import Failure, RefusedPath
from modelport.jobs.requests import Hop

MAX_MESSAGE = 512
MAX_PATH = 256
MAX_ALL = 1000
"""Characters that a status takes of a refusal's message, its path, and the message about all of them."""
_OF_A_PATH = frozenset(
    {Reason.CONVERSION_FAILED, Reason.RUNTIME_UNSUPPORTED, Reason.SHAPES_NEEDED, Reason.VERIFICATION_FAILED}
)
"""What another converter or target may not share; all else is about the source, the spec or the machine."""


def is_of_path(failure: Failure) -> bool:
    """Whether the way failed, and not the source: its converters, or their result before the gate."""
    return failure.reason in _OF_A_PATH and (failure.step.startswith("hop-") or failure.step in {"try", "judge"})


def name_path(hops: Sequence[Hop]) -> list[str]:
    """Return the formats on the way, with the converter where there are several between the same two."""
    return [hops[0].source, *(f"{hop.target} by {hop.by}" if hop.by else hop.target for hop in hops)] if hops else []


def refuse(hops: Sequence[Hop], failure: Failure, *, key: str, inputs_key: str) -> RefusedPath:
    """Return what is remembered of a path that failed."""
    return _remember(" → ".join(name_path(hops)), failure, key=key, inputs_key=inputs_key)


def refuse_image(image: str, failure: Failure, *, key: str) -> RefusedPath:
    """Return what is remembered of a server image that did not pass for an artifact that another one serves."""
    return _remember(f"served by {image}", failure, key=key, inputs_key="")


def _remember(path: str, failure: Failure, *, key: str, inputs_key: str) -> RefusedPath:
    return RefusedPath(
        key=key,
        inputs_key=inputs_key,
        path=f"{path:.{MAX_PATH}}",
        reason=failure.reason,
        message=f"{failure.message:.{MAX_MESSAGE}}",
    )


def recall(refused: RefusedPath, *, stage: str) -> Failure:
    """Return the failure that is remembered of a path."""
    hint = ADVICE[Reason(refused.reason)].hint
    return Failure(key=refused.key, stage=stage, reason=refused.reason, message=refused.message, hint=hint)


def tell_all(refused: Sequence[RefusedPath], last: Failure, path: Sequence[str]) -> Failure:
    """Return the failure of all paths: that of the best one, and why the others did not do either."""
    if not refused:
        return last
    best, others = refused[0], refused[1:]
    told = [best.message, *(f"{each.path}: {each.message:.100}" for each in others)]
    message = "; ".join([*told, f"{' → '.join(path)}: {last.message:.100}"])[:MAX_ALL]
    return msgspec.structs.replace(last, reason=best.reason, message=message, hint=ADVICE[Reason(best.reason)].hint)
