"""How rows of a model are made: which column of the table becomes which of their numbers (hex.genmodel.CategoricalEncoding)."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from modelport.asking.h2o.scorer import Column
from modelport.verification.arrays import Array
from modelport_converter.frameworks.h2o.learned.model import Learned

MAX_HOT = 10_000
"""Levels of a column that is a number for each of them."""
WHOLE = re.compile(r"[+-]?\d+")


class Slot(NamedTuple):
    """Where a column of the table goes."""

    column: Column
    start: int
    """Its first number in a row."""
    places: Mapping[str, int] = {}
    """Rows of `codes` by texts; empty: it has numbers."""
    codes: Array = np.zeros((0, 1))
    """What each text becomes, float64 [levels + 1, width]; the last row is that of missing and unknown ones."""


def find_slots(model: Learned) -> list[Slot]:
    """Return the columns of the model, in the scorer's order. Raises ValueError and ModelportError."""
    encoding = model.mojo.info.get("_genmodel_encoding", "AUTO")
    names = model.mojo.features
    if encoding in ("AUTO", "Enum", "SortByResponse", "OneHotInternal"):
        slots = [_enumerated(name, index, model.domain(index)) for index, name in enumerate(names)]
    elif encoding in ("OneHotExplicit", "Binary", "LabelEncoder"):
        slots = _encoded(model, encoding)
    else:
        model.refuse(f"categorical_encoding {encoding:.40}")
    offset = model.mojo.offset
    return [*slots, *([Slot(Column(offset, offset=True), -1)] if offset else [])]


def _enumerated(name: str, index: int, domain: Sequence[str] | None) -> Slot:
    if domain is None:
        return Slot(Column(name), index)
    places = {level: number for number, level in enumerate(domain)}
    prefix = f"{name}."  # EnumEncoder looks for `column.level`, too
    shorter = {level.removeprefix(prefix): number for level, number in places.items() if level.startswith(prefix)}
    codes = np.array([*range(len(domain)), math.nan], np.float64)[:, None]
    return Slot(Column(name, tuple(domain)), index, {**shorter, **places}, codes)


def _encoded(model: Learned, encoding: str) -> list[Slot]:
    names, domains = _original(model)
    if any(model.domain(index) is not None for index in range(model.width)):
        raise ValueError(f"levels of columns that {encoding} made numbers of")
    if encoding == "LabelEncoder":
        order = {name: index for index, name in enumerate(names)}
    else:
        order, at = {}, 0
        for name, domain in sorted(zip(names, domains, strict=True), key=lambda each: each[1] is not None):
            order[name] = at
            at += 1 if domain is None else _coded(domain, encoding).shape[1]
        if at != model.width:
            raise ValueError(f"{at} numbers of {encoding} where n_features = {model.width}")
    found = []
    for name, domain in zip(names, domains, strict=True):
        if order[name] >= model.width:
            continue
        if domain is None:
            found.append(Slot(Column(name), order[name]))
        else:
            places = {level: number for number, level in enumerate(domain)}
            found.append(Slot(Column(name, domain), order[name], places, _coded(domain, encoding)))
    return found


def _original(model: Learned) -> tuple[list[str], list[tuple[str, ...] | None]]:
    """Return names and levels of the columns as they were before they were encoded, without the response."""
    count = model.count("_n_orig_names", most=100_000)
    names = model.lines("_orig_names", count)
    if model.count("_n_orig_domain_values") != count:
        raise ValueError("levels of other columns than those that were encoded")
    domains: list[tuple[str, ...] | None] = []
    for index in range(count):
        levels = model.count(f"_m_orig_domain_values_{index}", most=10_000_000)
        domains.append(tuple(model.lines(f"_orig_domain_values_{index}", levels)) if levels else None)
    if model.flag("supervised") and names and names[-1] == model.mojo.columns[-1]:
        return names[:-1], domains[:-1]
    return names, domains


def _coded(domain: Sequence[str], encoding: str) -> Array:
    """Return what the levels become, the missing one last."""
    count = len(domain)
    if encoding == "LabelEncoder":
        numbers = [float(level) if _is_whole(level) else number for number, level in enumerate(domain)]
        return np.array([*numbers, math.nan], np.float64)[:, None]
    if encoding == "Binary":
        width = count.bit_length()  # 1 + floor(log2(levels)), of which the missing one is number 0
        codes = np.array([*range(1, count + 1), 0])
        return ((codes[:, None] >> np.arange(width)) & 1).astype(np.float64)
    if count > MAX_HOT:
        raise ValueError(f"{count} levels, each of which is a number")
    return np.eye(count + 1)


def _is_whole(level: str) -> bool:
    return WHOLE.fullmatch(level) is not None and -(2**31) <= int(level) < 2**31
