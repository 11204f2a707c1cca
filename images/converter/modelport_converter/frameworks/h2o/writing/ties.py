"""The most likely class as genmodel chooses it: among equal ones it draws, by the bits of the row.

GenModel.getPredictionMultinomial: `java.util.Random(hash).nextDouble()` is compared with the prior probabilities of the classes
that were found equal to the best one so far, and of the first class, whether it is one of them or not.
"""

import numpy as np

from modelport.verification.arrays import Array
from modelport_converter.frameworks.h2o.writing.rows import Rows
from modelport_converter.tables.graph import TableGraph

MULTIPLIER, INCREMENT, BITS = 0x5DEECE66D, 0xB, 48
"""java.util.Random: s = (s * MULTIPLIER + INCREMENT) mod 2**BITS, which begins with the bits of MULTIPLIER flipped."""
MANTISSA = 46
"""Bits of a number's mantissa that the hash has: it drops 6 of 52."""
BIAS, SMALLEST = 1023, -1022
"""Of exponents of float64."""


def draw(rows: Rows, numbers: str, priors: Array) -> str:
    """Return the place of the largest number, int64 [batch], of [batch, classes]."""
    graph = rows.graph
    count = len(priors)
    before = _largest_before(graph, numbers, count)
    is_equal = graph.add("Equal", numbers, before)  # of the first class: to -inf
    best = graph.columns(_running(graph, numbers, count), [count - 1])
    ties = graph.cast(graph.add("And", is_equal, graph.add("Equal", numbers, best)), np.float64)
    first = np.zeros((1, count))
    first[0, 0] = 1.0
    listed = graph.add("Max", graph.cast(is_equal, np.float64), first)
    weights = graph.add("Mul", listed, priors[None])
    parts = graph.add("CumSum", graph.add("Div", weights, graph.sum_of(weights, 1, keepdims=True)), np.array(1))
    passed = graph.add("LessOrEqual", _random(graph, rows.table()), parts)
    drawn = graph.add("ArgMax", graph.add("Mul", graph.cast(passed, np.float64), listed), axis=1, keepdims=0)
    plain = graph.add("ArgMax", numbers, axis=1, keepdims=0)
    return graph.add("Where", graph.add("Greater", graph.sum_of(ties, 1), 0.0), drawn, plain)


def _largest_before(graph: TableGraph, numbers: str, count: int) -> str:
    """Return the largest number before each place; -inf before the first."""
    return graph.add("Pad", _running(graph, numbers, count), np.array([0, 1, 0, -1]), -np.inf)


def _running(graph: TableGraph, numbers: str, count: int) -> str:
    """Return the largest number up to each place."""
    found, step = numbers, 1
    while step < count:
        found = graph.add("Max", found, graph.add("Pad", found, np.array([0, step, 0, -step]), -np.inf))
        step *= 2
    return found


def _random(graph: TableGraph, table: str) -> str:
    """Return the number from 0 to 1 that Java draws for each row, float64 [batch, 1]."""
    words = graph.add("Unsqueeze", _words(graph, table), np.array([2]))
    shifted = graph.cast(graph.add("Floor", graph.add("Mul", words, 0.5 ** np.arange(BITS))), np.int64)
    # bit k of a xor b is that of floor(a / 2^k) + floor(b / 2^k)
    flips = np.array([MULTIPLIER >> bit for bit in range(BITS)])
    bits = graph.add("Mod", graph.add("Add", graph.sum_of(shifted, 1), flips), np.array(2))
    seed = graph.sum_of(graph.add("Mul", bits, 1 << np.arange(BITS)), 1, keepdims=True)
    once = _step(graph, seed)
    twice = _step(graph, once)
    high = graph.add("Div", once, np.array(1 << (BITS - 26)))
    low = graph.add("Div", twice, np.array(1 << (BITS - 27)))
    whole = graph.add("Add", graph.add("Mul", high, np.array(1 << 27)), low)
    return graph.add("Mul", graph.cast(whole, np.float64), 2.0**-53)


def _step(graph: TableGraph, seed: str) -> str:
    """Return the next state, from halves of 24 bits, so that no product has more than 63."""
    half = 1 << 24
    high, low = graph.add("Div", seed, np.array(half)), graph.add("Mod", seed, np.array(half))
    crossed = graph.add(
        "Add", graph.add("Mul", high, np.array(MULTIPLIER % half)), graph.add("Mul", low, np.array(MULTIPLIER // half))
    )
    upper = graph.add("Mul", graph.add("Mod", crossed, np.array(half)), np.array(half))
    lower = graph.add("Add", graph.add("Mul", low, np.array(MULTIPLIER % half)), np.array(INCREMENT))
    return graph.add("Mod", graph.add("Add", upper, lower), np.array(1 << BITS))


def _words(graph: TableGraph, table: str) -> str:
    """Return bits 6 to 53 of each number as float64 has it, as a whole number: the mantissa, and two bits of the exponent."""
    size = graph.add("Abs", graph.add("Where", graph.add("IsNaN", table), np.inf, table))
    is_finite = graph.add("Less", size, np.inf)
    known = graph.add("Where", graph.add("And", is_finite, graph.add("Greater", size, 0.0)), size, 1.0)
    guess = graph.add("Floor", graph.add("Mul", graph.add("Log", known), 1 / np.log(2.0)))
    guess = graph.add("Max", graph.add("Min", guess, 1022.0), float(SMALLEST + 1))
    place = graph.cast(graph.add("Add", guess, float(BIAS)), np.int64)
    powers = 2.0 ** -(np.arange(2 * BIAS, dtype=np.float64) - BIAS)
    scaled = graph.add(
        "Mul", known, graph.add("Gather", powers, place)
    )  # from 0.5 to 4: the logarithm may be off by one
    above = graph.cast(graph.add("GreaterOrEqual", scaled, 2.0), np.float64)
    below = graph.cast(graph.add("Less", scaled, 1.0), np.float64)
    exponent = graph.add("Sub", graph.add("Add", guess, above), below)
    one = graph.add("Mul", scaled, graph.add("Sub", graph.add("Add", 1.0, below), graph.add("Mul", above, 0.5)))
    mantissa = graph.add("Floor", graph.add("Mul", graph.add("Sub", one, 1.0), 2.0**MANTISSA))
    told = graph.add("Mod", graph.add("Add", exponent, float(BIAS)), 4.0, fmod=1)
    word = graph.add("Add", mantissa, graph.add("Mul", told, 2.0**MANTISSA))
    word = graph.add("Where", graph.add("Greater", size, 0.0), word, 0.0)
    infinite = graph.add("Where", is_finite, word, 3 * 2.0**MANTISSA)
    return graph.add("Where", graph.add("IsNaN", table), 3.5 * 2.0**MANTISSA, infinite)
