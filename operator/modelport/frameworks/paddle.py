"""PaddlePaddle: inference models, a program and its weights, as Paddle 1 and 2 (pdmodel) and as Paddle 3 (json) write them."""

import re

from modelport.conversion.base import Converter, Format, Framework, Options
from modelport.conversion.detection import Evidence, Tree

PROGRAM, PIR = "paddle", "paddle-json"
STATES = "states"
PDMODEL, PARAMETERS, JSON = ".pdmodel", ".pdiparams", ".json"
PROGRAMS = (PDMODEL, "__model__")
"""How the names of programs end; Paddle 1 wrote the second."""
COMBINED = (PARAMETERS, "__params__")
"""How the names of files with all weights end."""
DICTIONARIES = (".pdparams", ".pdopt")
"""Pickled dictionaries of weights, or of an optimizer's numbers."""
BLOCK = re.compile(rb"\n(?:[\x80-\xff]{0,4}[\0-\x7f])\x08\0\x10\xff{9}\x01[\x1a\"]", re.DOTALL)
"""How ProgramDesc (framework.proto) begins: with block 0, which has no parent (-1), and its first variable or operator."""
FORMAT_PIR = re.compile(rb'\s*\{\s*"base_code"\s*:\s*\{[^{}]{0,200}"magic"\s*:\s*"pir"')
"""How PIR in JSON begins."""
TENSOR = re.compile(rb"\0{16}[\x02-\xff]\0\0\0\x08[\0-\x19]", re.DOTALL)
"""How a file of weights begins: version 0, no levels, version 0, and a description that begins with an element type."""


def is_weights(tree: Tree, path: str) -> bool:
    """Whether a file begins like one of weights."""
    return bool(TENSOR.match(tree.read(path)))


def _detect_program(tree: Tree) -> Evidence | None:
    sure = [path for path in tree.paths if BLOCK.match(tree.read(path))]
    named = [path for path in tree.paths if path.endswith(PROGRAMS)]
    dictionaries = [path for path in tree.paths if path.endswith(DICTIONARIES)]
    if not sure and not named and dictionaries and tree.read(dictionaries[0]).startswith(b"\x80"):
        return Evidence({STATES: dictionaries[0]}, is_sure=True)
    return _with_weights(tree, sure or named, is_sure=bool(sure))


def _detect_pir(tree: Tree) -> Evidence | None:
    return _with_weights(tree, [path for path in tree.paths if FORMAT_PIR.match(tree.read(path))], is_sure=True)


def _with_weights(tree: Tree, programs: list[str], *, is_sure: bool) -> Evidence | None:
    if not programs:
        return None
    program = programs[0]
    folder, _, name = program.rpartition("/")
    stem = name.removesuffix(PDMODEL).removesuffix(JSON)
    beside = [path for path in tree.paths if path != program and path.rpartition("/")[0] == folder]
    combined = [path for path in beside if path.endswith(COMBINED)]
    own = [path for path in combined if path.rpartition("/")[2] == stem + PARAMETERS]
    chosen = own or combined
    if not chosen:  # of any name: a lone file that begins like weights; several have a weight each
        alone = [path for path in beside if is_weights(tree, path)]
        chosen = alone if len(alone) == 1 else []
    parts = {"model": program} | ({"weights": chosen[0]} if chosen else {})
    return Evidence(parts, is_sure, rivals=(*programs[1:], *chosen[1:]))


FRAMEWORK = Framework(
    "paddle",
    "PaddlePaddle",
    formats=(
        Format(
            PROGRAM,
            "PaddlePaddle 1 and 2 inference model (.pdmodel or __model__, with .pdiparams, __params__ or a file for each weight)",
            _detect_program,
            suffixes=(PDMODEL, PARAMETERS),
            holds_graph=True,
        ),
        Format(
            PIR,
            "PaddlePaddle 3 inference model (.json with .pdiparams)",
            _detect_pir,
            suffixes=(),
            holds_graph=True,
        ),
    ),
    converters=(
        Converter(PROGRAM, "onnx", Options, cost=10),
        Converter(PIR, "onnx", Options, cost=10),
    ),
    packages=("libgomp1",),
)
