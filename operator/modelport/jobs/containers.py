"""The containers of a Job, in order: the same for the operator's pods and for the processes of `modelport run`.

A step is a container, but for consecutive steps of one image that open the model: they share one, and with it the
framework and the loaded model. Which credentials a container holds and whose volumes it reads is decided here, too.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from modelport.api.reasons import Reason
from modelport.jobs.planning import MOVER_IMAGE, ask_image, server_image
from modelport.jobs.requests import ConvertRequest, ImportRequest, JobRequest

TRY = "try"
MOVING = frozenset({"fetch", "keep", "stage", "publish"})
"""Steps that move bytes and compute nothing."""


class Container(NamedTuple):
    """One container: steps that run one after the other."""

    steps: tuple[str, ...]
    image: str
    reads: tuple[str, ...] = ()
    """Steps whose volumes it sees, read-only."""
    holds: tuple[str, ...] = ()
    """Roles of the credentials that it sees."""
    opens_model: bool = False
    computes: bool = False
    """Whether it needs the room that a model or its answers need."""

    @property
    def name(self) -> str:
        """Its last step, which others wait for."""
        return self.steps[-1]

    @property
    def module(self) -> str:
        """Python module that runs its steps."""
        return "modelport_server" if self.steps == (TRY,) else "modelport_converter"


def containers_of(request: JobRequest, images: Mapping[str, str]) -> list[Container]:
    """Return the containers of a request's Job; `images` are references by name. Raises TypeError if no Job has it."""
    match request:
        case ImportRequest(locations=locations):
            return _import(tuple(locations), images[MOVER_IMAGE])
        case ConvertRequest():
            return _shared(_convert(request, images))
        case _:
            raise TypeError(f"no Job has a request of type {type(request).__name__}")


def crash_of(step: str) -> Reason:
    """Return what it is called when a step ends without saying why: the next time may do only where nothing computes."""
    return Reason.STEP_CRASHED if step in MOVING else Reason.CONVERTER_CRASHED


def may_tell(container: str, step: str) -> bool:
    """Whether a step can be of a container with this name: foreign code may write another's."""
    return step == container or (container.startswith("hop-") and (step == "ask" or step.startswith("hop-")))


def hop_names(request: ConvertRequest) -> tuple[str, ...]:
    """Return the names of the hops' steps."""
    return tuple(f"hop-{number}" for number in range(1, len(request.hops) + 1))


def tuned_hops(request: ConvertRequest) -> tuple[str, ...]:
    """Return the names of the hops that measure something that the store keeps."""
    return tuple(name for name, hop in zip(hop_names(request), request.hops, strict=True) if hop.tuning)


def candidate_step(request: ConvertRequest) -> str:
    """Return the step that has the files of the model to be tried."""
    return hop_names(request)[-1] if request.hops else "stage"


def _import(roles: tuple[str, ...], mover: str) -> list[Container]:
    return [
        Container(("fetch",), mover, holds=roles),
        Container(("inspect",), mover, reads=("fetch",), opens_model=True, computes=True),
        Container(("keep",), mover, reads=("fetch", "inspect"), holds=("store",)),
    ]


def _convert(request: ConvertRequest, images: Mapping[str, str]) -> list[Container]:
    mover, names = images[MOVER_IMAGE], hop_names(request)
    stored = ("stage",) if request.artifact_digest else ()
    hops = [
        Container((name,), hop.image, reads=_hop_reads(name, before), opens_model=True, computes=True)
        for (before, name), hop in zip(pairwise(("ask", *names)), request.hops, strict=True)
    ]
    server = server_image(request.target_format, images)
    asks = ask_image(request.source_format, images)
    return [
        Container(("stage",), mover, holds=("store",)),
        Container(("ask",), asks, reads=("stage",), opens_model=True, computes=True),
        *hops,
        Container((TRY,), server, reads=("ask", candidate_step(request)), opens_model=True, computes=True),
        Container(("judge",), mover, reads=("ask", *names, TRY, *stored), computes=True),
        Container(("publish",), mover, reads=(TRY, "judge", *tuned_hops(request)), holds=("store",)),
    ]


def _hop_reads(name: str, before: str) -> tuple[str, ...]:
    """Return what a hop reads: source and code, the source's answers, and the model of the hop before."""
    return tuple(dict.fromkeys(("stage", "ask", *(() if name == "hop-1" else (before,)))))


def _shared(containers: list[Container]) -> list[Container]:
    """Return the containers with neighbours joined that are of one image and open the model."""
    joined = [containers[0]]
    for each in containers[1:]:
        last = joined[-1]
        if last.opens_model and each.opens_model and (last.image, last.module) == (each.image, each.module):
            steps = last.steps + each.steps
            reads = tuple(dict.fromkeys(name for name in last.reads + each.reads if name not in steps))
            joined[-1] = last._replace(steps=steps, reads=reads)
        else:
            joined.append(each)
    return joined
