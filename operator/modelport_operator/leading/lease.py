"""What a Lease says and who may have it: pure functions of the record, an identity, and the time that is given.

A record expires by when this process saw it change last, on its own monotonic clock. The times in it are for people:
clocks of two machines differ.
"""

from typing import NamedTuple

import msgspec

JITTER = 1.2
"""Each pause is up to so many times the retry period, so that candidates do not come together."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """How a Lease is kept, in seconds; a leader gives up before others may take over."""

    duration: int = 15
    """Others may take a Lease that was not renewed for so long."""
    deadline: float = 10.0
    """A leader that could not renew for so long leads no more."""
    retry: float = 2.0
    """Between two attempts to take or to renew."""

    def __post_init__(self) -> None:
        """Check the order. Raises ValueError, which msgspec tells as a ValidationError."""
        if not self.duration > self.deadline > JITTER * self.retry > 0:
            raise ValueError(
                f"expected lease duration > renew deadline > {JITTER} * retry period > 0, "
                f"found {self.duration}, {self.deadline:g} and {self.retry:g} s"
            )


class Record(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The spec of a coordination.k8s.io/v1 Lease, as far as elections go."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Sight(NamedTuple):
    """A record, and since when it is known to be so: seconds of the monotonic clock."""

    record: Record
    since: float


def look(before: Sight | None, record: Record, now: float) -> Sight:
    """Return what is known after a look at `record`."""
    return before if before and before.record == record else Sight(record, now)


def may_take(sight: Sight, identity: str, now: float) -> bool:
    """Whether this identity may write itself into the Lease: it is free, its own, or its holder is silent for too long."""
    holder = sight.record.holder_identity
    return not holder or holder == identity or now >= sight.since + (sight.record.lease_duration_seconds or 0)


def held(before: Record, identity: str, terms: Terms, *, at: str) -> Record:
    """Return the record of a Lease that this identity takes or renews; `at` is a time in RFC 3339."""
    goes_on = before.holder_identity == identity
    transitions = before.lease_transitions or 0
    return Record(
        holder_identity=identity,
        lease_duration_seconds=terms.duration,
        acquire_time=(before.acquire_time if goes_on else None) or at,
        renew_time=at,
        lease_transitions=transitions if goes_on else transitions + 1,
    )


def released(before: Record, *, at: str) -> Record:
    """Return the record of a Lease that its holder gives back, so that another need not wait."""
    return msgspec.structs.replace(before, holder_identity="", lease_duration_seconds=1, renew_time=at)
