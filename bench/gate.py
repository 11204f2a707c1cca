"""Draw what the gate measures on real models: `make bench-gate` writes docs/images/gate.svg and prints the numbers.

Each dot is one candidate of tests/mutations: its largest error in units of its limit. Right conversions must lie at 1 or
below, broken ones above.
"""

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from mutations.distribution import Candidate, broken_ones, right_ones
from mutations.gate import pass_gate
from mutations.mistakes import MISTAKES
from mutations.models import MODELS, REAL

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "gate.svg"
ENOUGH_MODELS = 8
LEFT, RIGHT, TOP, ROW, WIDTH = 150, 90, 58, 26, 900
LOWEST, HIGHEST = -3, 7
"""Decades drawn; what is equal to the last bit, or has no measure, has a column of its own beside them."""
NOISE, MISTAKE, INK = "#1f6feb", "#d1570a", "#24292f"


class Dot(NamedTuple):
    """One candidate and what the gate measured."""

    model: str
    name: str
    is_right: bool
    excess: float
    is_refused: bool


def main() -> None:
    """Measure, draw, tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("models", nargs="*", help="only these, and no picture")
    models = parser.parse_args().models
    began = time.monotonic()
    dots: list[Dot] = []
    for model in models or MODELS:
        own = list(measure(model))
        print(f"{model}: {summarise(own)}", flush=True)
        dots += own
    for line in tell(dots):
        print(line)
    print(f"{time.monotonic() - began:.0f} s")
    if not models:
        PICTURE.parent.mkdir(exist_ok=True)
        PICTURE.write_text(draw(dots), encoding="utf-8")


def measure(model: str) -> Iterator[Dot]:
    """Yield the dots of a model."""
    for is_right, candidates in ((True, right_ones(model)), (False, broken_ones(model))):
        for each in candidates:
            yield _dot(model, each, is_right=is_right)


def _dot(model: str, candidate: Candidate, *, is_right: bool) -> Dot:
    verdict = pass_gate(model, **candidate.how)
    return Dot(model, candidate.name, is_right, verdict.excess, verdict.reason is not None)


def tell(dots: Sequence[Dot]) -> Iterator[str]:
    """Yield the lines of the report on all."""
    yield f"all: {summarise(dots)}"
    made = [dot for dot in dots if not dot.is_right and dot.model in {make.__name__ for make in REAL}]
    by_kind = {name: sum(dot.name == name for dot in made) for name in MISTAKES}
    often = sum(count >= ENOUGH_MODELS for count in by_kind.values())
    yield f"{len(made)} of the broken ones are real models'; {often} kinds break {ENOUGH_MODELS} real models or more"
    for dot in dots:
        if dot.is_right == dot.is_refused:
            yield f"WRONG: {dot.model}, {dot.name}: {'refused' if dot.is_refused else 'passes'}, {dot.excess:.3g}"


def summarise(dots: Sequence[Dot]) -> str:
    """Return counts, the largest noise and the smallest mistake."""
    right, wrong = ([dot for dot in dots if dot.is_right == side] for side in (True, False))
    noise, mistake = (choose(side, key=lambda dot: dot.excess) for choose, side in ((max, right), (min, wrong)))
    return (
        f"{len(right)} right ones, {sum(dot.is_refused for dot in right)} refused, largest {noise.excess:.3g} "
        f"({noise.model}, {noise.name}); {len(wrong)} broken ones, {sum(not dot.is_refused for dot in wrong)} passed, "
        f"smallest {mistake.excess:.3g} ({mistake.model}, {mistake.name})"
    )


# --- the picture ------------------------------------------------------------------------------------------------------


def draw(dots: Sequence[Dot]) -> str:
    """Return the picture as SVG."""
    models = list(dict.fromkeys(dot.model for dot in dots))
    height = TOP + ROW * len(models) + 62
    bottom = TOP + ROW * len(models)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"',
        f'  font-size="12" fill="{INK}" role="img" aria-labelledby="title">',
        '<title id="title">Error of right and broken conversions in units of the limit, by model</title>',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        *_legend(dots),
        *_axis(bottom),
    ]
    for row, model in enumerate(models):
        own = [dot for dot in dots if dot.model == model]
        middle = TOP + ROW * row + ROW / 2
        parts.append(f'<text x="{LEFT - 34}" y="{middle + 4:g}" text-anchor="end">{model.replace("_", " ")}</text>')
        counts = f"{sum(dot.is_right for dot in own)} / {sum(not dot.is_right for dot in own)}"
        parts.append(f'<text x="{WIDTH - 10}" y="{middle + 4:g}" text-anchor="end">{counts}</text>')
        parts += [_circle(dot, middle, number) for number, dot in enumerate(own)]
    parts.append("</svg>\n")
    return "\n".join(parts)


def _legend(dots: Sequence[Dot]) -> list[str]:
    right = sum(dot.is_right for dot in dots)
    return [
        f'<circle cx="{LEFT}" cy="16" r="4" fill="{NOISE}"/>',
        f'<text x="{LEFT + 10}" y="20">{right} right conversions</text>',
        f'<circle cx="{LEFT + 190}" cy="16" r="4" fill="{MISTAKE}"/>',
        f'<text x="{LEFT + 200}" y="20">{len(dots) - right} broken conversions</text>',
        f'<text x="{WIDTH - 10}" y="20" text-anchor="end">right / broken</text>',
    ]


def _axis(bottom: int) -> list[str]:
    parts = []
    for decade in range(LOWEST, HIGHEST + 1):
        x, is_limit = _across(10.0**decade), decade == 0
        style = f'stroke="{INK}" stroke-width="1.5"' if is_limit else 'stroke="#d0d7de" stroke-width="1"'
        parts.append(f'<line x1="{x:g}" y1="{TOP - 8}" x2="{x:g}" y2="{bottom}" {style}/>')
        shown = f'10<tspan dy="-5" font-size="9">{decade}</tspan>' if decade else "1"
        parts.append(f'<text x="{x:g}" y="{bottom + 18}" text-anchor="middle">{shown}</text>')
    ends = ((0.0, "equal"), (1.0, "limit"), (math.inf, "no measure"))
    for excess, text in ends:
        y = TOP - 14 if excess == 1 else bottom + 18
        parts.append(f'<text x="{_across(excess):g}" y="{y}" text-anchor="middle">{text}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text x="{middle:g}" y="{bottom + 44}" text-anchor="middle">largest error in units of its limit</text>'
    )
    return parts


def _across(excess: float) -> float:
    unit = (WIDTH - LEFT - RIGHT) / (HIGHEST - LOWEST + 2)
    if excess <= 0:
        place = 0.0
    elif math.isfinite(excess):
        place = 1 + min(max(math.log10(excess), LOWEST), HIGHEST) - LOWEST
    else:
        place = HIGHEST - LOWEST + 2
    return LEFT + unit * place


def _circle(dot: Dot, middle: float, number: int) -> str:
    y = middle + (number * 7 % 13 - 6) * 1.2  # apart where they would lie on each other
    colour = NOISE if dot.is_right else MISTAKE
    told = f"{dot.model}: {dot.name}, {dot.excess:.3g}"
    return (
        f'<circle cx="{_across(dot.excess):.1f}" cy="{y:.1f}" r="3" fill="{colour}" fill-opacity="0.65">'
        f"<title>{told}</title></circle>"
    )


if __name__ == "__main__":
    main()
