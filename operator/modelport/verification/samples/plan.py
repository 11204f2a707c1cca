"""All questions for a source: usual ones of several lengths, those at the edges, and sequences where it has states."""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from modelport.api.reasons import Reason
from modelport.api.spec import DimensionRange, Input, State
from modelport.errors import ModelportError
from modelport.verification.arrays import Tensors
from modelport.verification.calls import Calls
from modelport.verification.hints import Hint
from modelport.verification.samples.domains import MASK, Domain, known_domains
from modelport.verification.samples.edges import make_edges, make_ends
from modelport.verification.samples.integers import ask_domains, refuse_integers
from modelport.verification.samples.lengths import Lengths, find_batch
from modelport.verification.samples.limits import Make, Search
from modelport.verification.samples.probing import Prober
from modelport.verification.samples.states import check_states, is_state_like, suspect_states
from modelport.verification.samples.values import MAGNITUDES, MASKINGS, USUAL_MASKINGS, WIDE, make_tensors

CALLS = 8
"""Length of two sequences; the others of a model with states are short, and of other lengths of the free dimensions."""
SHORT_CALLS = 2
LONG_SEQUENCES = 2
MAX_STARTS = 4
"""Mixtures of 0 and 1 that integers are first asked with, beside all 1 and all 0."""
UNSURE_CYCLE = 5
AS_NUMBERS = (1, 4)
"""Of so many samples those in which an input that may be a mask has other numbers."""
_EDGE_LENGTH = 4


class Plan(NamedTuple):
    """What there is to ask."""

    usual: Sequence[Sequence[Calls]]
    """By sample: the question, and other ways to mask it, for a source that gives no finite numbers for the first."""
    edges: Sequence[Calls]
    ends: Sequence[Calls]
    """Of one row each, with numbers near the end of their type: asked where the source answers with numbers alone."""
    caveats: Sequence[str]


def make_plan(
    inputs: Sequence[Input],
    dimensions: Mapping[str, DimensionRange],
    prober: Prober,
    *,
    count: int,
    hints: Mapping[str, Hint] = {},
    states: Sequence[State] = (),
    data: Sequence[Tensors] = (),
) -> Plan:
    """Return `count` usual questions, in which each free dimension takes at least three lengths if it can, and edges.

    Numbers of inputs without `values` lie where those of the user's `data` do.

    Raises ModelportError (InputsNeeded, SamplesNeeded, InvalidSpec) if the source accepts nothing, or not what is
    declared.
    """
    domains = known_domains(inputs, hints, states, data)
    base, domains = _find_start(inputs, dimensions, domains, prober)
    check_states(inputs, states, prober.first)
    domains = ask_domains(inputs, domains, base, prober)
    lengths = Search(inputs, dimensions, _maker(inputs, domains), prober).find(base)
    usual = [_ways(inputs, domains, each, number, states) for number, each in enumerate(lengths.plan(count))]
    short = _edge_lengths(lengths)
    edges = [(each,) for each in make_edges(inputs, domains, short)]
    batch = find_batch(inputs)
    alone = lengths.complete(short | {name: min(each.small) for name, each in lengths.options.items() if name == batch})
    ends = [(each,) for each in make_ends(inputs, domains, alone)]
    return Plan(
        usual, edges, ends, [*_caveats(inputs, domains, lengths), *suspect_states(inputs, states, prober.first)]
    )


def _maker(inputs: Sequence[Input], domains: Mapping[str, Domain]) -> Make:
    return lambda lengths: make_tensors(inputs, domains, lengths, 0)


def _find_start(
    inputs: Sequence[Input], dimensions: Mapping[str, DimensionRange], domains: dict[str, Domain], prober: Prober
) -> tuple[dict[str, int], dict[str, Domain]]:
    """Return lengths, and domains of one value each for integers that nothing is known about, that are accepted."""
    unknown = [each for each in inputs if not domains[each.name].is_known]
    refusal = ""
    count = len(unknown)
    mixed = itertools.islice(itertools.product((1, 0), repeat=count), MAX_STARTS)
    for starts in dict.fromkeys(((1,) * count, (0,) * count, *mixed)):
        tried = domains | {
            each.name: domains[each.name]._replace(lowest=start, highest=start)
            for each, start in zip(unknown, starts, strict=True)
        }
        base, why = Search(inputs, dimensions, _maker(inputs, tried), prober).find_base()
        if base is not None:
            return base, tried
        refusal = refusal or why
    raise ModelportError(Reason.INPUTS_NEEDED, _refuse_all(inputs, unknown, refusal))


def _refuse_all(inputs: Sequence[Input], unknown: Sequence[Input], refusal: str) -> str:
    found = ", ".join(f"{each.name} {each.dtype}{list(each.shape)}" for each in inputs)
    message = f"the source model accepts no lengths of {found:.80}: {refusal}"
    if unknown:
        return f"{message:.160}; {refuse_integers(unknown)}"
    states = [each.name for each in inputs if is_state_like(each)]
    if states:
        return (
            f"{message}; {', '.join(states):.60} looks like a recurrent state: name the output that gives the next one "
            f"under spec.source.states, such as [{{input: {states[0]}, output: ...}}]"
        )
    return f"{message}; correct spec.source.inputs, or state the limits of lengths under spec.source.dimensions"


def _ways(
    inputs: Sequence[Input],
    domains: Mapping[str, Domain],
    lengths: Mapping[str, int],
    number: int,
    states: Sequence[State],
) -> list[Calls]:
    count = 1 if not states else CALLS if number < LONG_SEQUENCES else SHORT_CALLS
    later = [each for each in inputs if domains[each.name].kind != "state"]

    def calls(mask: int | None) -> Calls:
        first = make_tensors(inputs, domains, lengths, number, mask)
        seeds = (number + 1_000 * call for call in range(1, count))
        return (first, *(make_tensors(later, domains, lengths, seed, mask) for seed in seeds))

    return [calls(mask) for mask in _maskings(domains, number)]


def _maskings(domains: Mapping[str, Domain], number: int) -> list[int | None]:
    """Return the ways of masking, in the order in which the source is asked; None: as numbers."""
    first = number % USUAL_MASKINGS
    if not any(domain.is_masking for domain in domains.values()):
        return [first]
    ways: list[int | None] = [first, *(way for way in range(len(MASKINGS)) if way != first)]
    is_unsure = any(domain.kind != MASK and domain.is_masking for domain in domains.values())
    if not is_unsure:
        return ways
    return [None, *ways] if number % UNSURE_CYCLE in AS_NUMBERS else [*ways, None]


def _edge_lengths(lengths: Lengths) -> dict[str, int]:
    """Return small lengths that have room for ties."""
    return lengths.complete(
        {
            name: next((length for length in each.small if length >= _EDGE_LENGTH), each.small[-1])
            for name, each in lengths.options.items()
        }
    )


def _caveats(inputs: Sequence[Input], domains: Mapping[str, Domain], lengths: Lengths) -> list[str]:
    wide = [
        each
        for each in inputs
        if domains[each.name].kind == "integer"
        and not domains[each.name].is_stated
        and (domains[each.name].highest or 0) >= WIDE
    ]
    grown = [(name, int(domain.highest or 0)) for name, domain in domains.items() if domain.is_length]
    return [
        *(each.caveat for each in lengths.options.values() if each.caveat),
        *(f"input {name}: answers take as long as it says; up to {highest} were asked" for name, highest in grown),
        *(f"input {each.name}: any integer is accepted; up to {MAGNITUDES[-1]} were asked" for each in wide),
    ]
