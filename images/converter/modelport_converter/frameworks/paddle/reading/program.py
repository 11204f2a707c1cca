"""What a program says, whichever generation of Paddle wrote it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from modelport.api.reasons import Reason
from modelport.errors import ModelportError

MAX_BYTES = 256 << 20
"""Of a program, which holds no weights."""
RANDOM = frozenset({
    "bernoulli", "binomial", "dirichlet", "exponential", "gaussian", "gaussian_random", "gumbel_softmax", "multinomial",
    "poisson", "randint", "randperm", "rrelu", "standard_gamma", "top_p_sampling", "truncated_gaussian_random", "uniform",
    "uniform_random", "uniform_random_batch_size_like", "sampling_id", "class_center_sample",
})  # fmt: skip


class Value(NamedTuple):
    """A tensor of a program."""

    name: str
    dtype: str
    """Element type of numpy's, `bfloat16`, or what it is instead of a tensor."""
    shape: tuple[int, ...]
    """Lengths; -1 is free."""


class Operator(NamedTuple):
    """One operator of the main block."""

    kind: str
    inputs: Mapping[str, Sequence[str]]
    """Names of values by slot, as Paddle 2 calls the slots."""
    outputs: Mapping[str, Sequence[str]]
    attributes: Mapping[str, Any]
    place: int
    """Index in the block."""


class Program(NamedTuple):
    """A program, as far as it is read."""

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    fetched: tuple[str, ...]
    """Names, within the program, of the values that are the outputs."""
    fed: Mapping[str, str]
    """Names of inputs by those that the values have within the program."""
    values: Mapping[str, Value]
    """By name, those of the main block."""
    weights: tuple[Value, ...]
    """In the order of a combined file."""
    operators: tuple[Operator, ...]
    """Of the main block."""
    inner: frozenset[str]
    """Kinds of operators within loops and branches."""
    constants: Mapping[str, Sequence[int | float]]
    """Values that operators without inputs make."""

    @property
    def kinds(self) -> frozenset[str]:
        """All kinds of operators."""
        return self.inner | {each.kind for each in self.operators}


def corrupt(name: str, expected: str, found: object) -> ModelportError:
    """Return the error of a file that is not what it should be."""
    return ModelportError(Reason.SOURCE_CORRUPT, f"{name:.100}: expected {expected:.150}, found {found!s:.150}")


def check(program: Program, name: str) -> Program:
    """Return the program, if it can be asked at all. Raises ModelportError."""
    if not program.outputs:
        raise corrupt(name, "a program of an inference model, which has outputs", "none; save it with paddle.jit.save")
    for value in (*program.inputs, *program.outputs):
        if not value.name or not value.name.isprintable():
            raise corrupt(name, "inputs and outputs that have names", repr(value.name))
    names = [each.name for each in program.inputs]
    if len(set(names)) < len(names):
        raise corrupt(name, "inputs of different names", ", ".join(names))
    return program
