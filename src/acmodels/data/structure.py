"""What the rows of a table belong to: groupings, and how they nest or cross."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from acmodels.data.coding import sentinel_warning
from acmodels.data.columns import kind, label_codes, numeric
from acmodels.data.screening import near_duplicate_labels
from acmodels.data.table import Finding, Study, shown
from acmodels.errors import DataError

FEW = 5
"""Groups below which what differs between them is hardly known."""

MOST = 12
"""Groupings that are compared with each other."""

_NAMES = frozenset(
    {
        "id", "district", "school", "department", "partner", "partnership", "person", "teacher",
        "student", "class", "classroom", "group", "cluster", "team", "site", "funder", "state",
        "wave", "time", "year", "respondent", "rater",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Grouping:
    """A column that says which unit a row belongs to.

    Attributes:
        name: of the column.
        groups: how many there are.
        smallest, median, largest: rows of a group.
    """

    name: str
    groups: int
    smallest: int
    median: float
    largest: int


@dataclass(frozen=True)
class TableStructure:
    """The groupings of a table.

    Attributes:
        groupings: the ones with the fewest groups first.
        relations: for pairs of them, in words.
        levels: by column that is constant within a grouping, the one with the fewest groups.
        findings: warnings and notes about them.
    """

    groupings: tuple[Grouping, ...]
    relations: tuple[str, ...]
    levels: dict[str, str]
    findings: tuple[Finding, ...]


def structure(study: Study) -> TableStructure:
    """Find the groupings of a table: columns of text or ids whose values come more than once."""
    codes: dict[str, NDArray[np.intp]] = {}
    findings: list[Finding] = []
    readable: list[str] = []
    for name in study.names:
        try:
            what = kind(study, name)
            readable.append(name)
            is_id = name.endswith("_id") or name.lower() in _NAMES
            # where tables are joined, ids say what belongs to what, and nothing else does
            if not is_id and (what != "text" or study.tables):
                continue
            if what == "date":  # dates are no ids
                continue
            found, words = label_codes(study, name)
        except DataError as error:
            findings += [Finding("error", p, name) for p in error.problems]
            continue
        if f"{name}_id" in study.names:
            continue  # the same ids by another name
        n = len(words)
        lost = int((found < 0).sum())
        if is_id and 0 < lost < len(found):
            findings.append(
                Finding("warning", f"{study.name}: '{shown(name)}' is missing in {lost} rows", name)
            )
        if n < 2 or n >= (found >= 0).sum():
            continue
        codes[name] = found
        findings += _alike(study, name, words)
    groupings = sorted((_grouping(k, v) for k, v in codes.items()), key=lambda g: g.groups)
    named = [g.name for g in groupings[:MOST]]
    relations: list[str] = []
    for a, b in combinations(named, 2):
        said, warned = _relation(a, codes[a], b, codes[b])
        relations += [said] if said else []
        if warned:
            findings.append(Finding("warning", f"{study.name}: {warned}"))
    findings += _few(study, groupings)
    levels = {c: where for c in readable if (where := _level(study, c, named, codes))}
    findings += _codes_for_missing(study, [c for c in readable if c not in codes])
    return TableStructure(tuple(groupings), tuple(relations), levels, tuple(findings))


def _alike(study: Study, name: str, words: Sequence[str]) -> Iterator[Finding]:
    """Name labels that are nearly the same."""
    for a, b in near_duplicate_labels(words)[:3]:
        yield Finding(
            "warning",
            f"{study.name}: '{shown(name)}': '{shown(a)}' and '{shown(b)}' differ only by space, "
            "case or Unicode form and count as two values",
            name,
        )


def _few(study: Study, groupings: Sequence[Grouping]) -> Iterator[Finding]:
    """Name groupings with few groups, waves left aside."""
    for g in groupings:
        ids = g.name.endswith("_id") or g.name.lower() in _NAMES
        if ids and g.groups < FEW and g.name.removesuffix("_id") not in ("wave", "time", "year"):
            yield Finding(
                "warning",
                f"{study.name}: '{shown(g.name)}' has {g.groups} groups; with fewer than {FEW}, "
                "their variation is estimated poorly and depends on the prior",
                g.name,
            )


def _codes_for_missing(study: Study, names: Sequence[str]) -> Iterator[Finding]:
    """Name columns of numbers with values that look like codes for missing ones."""
    for c in names:
        if kind(study, c) != "number" or c.endswith("_id"):
            continue
        try:
            said = sentinel_warning(c, numeric(study, c))
        except DataError as error:
            yield from (Finding("error", p, c) for p in error.problems)
            continue
        if said is not None:
            yield Finding("warning", f"{study.name}: {said}", c)


def _grouping(name: str, codes: NDArray[np.intp]) -> Grouping:
    count = np.bincount(codes[codes >= 0])
    return Grouping(name, len(count), int(count.min()), float(np.median(count)), int(count.max()))


def _relation(
    a: str, x: NDArray[np.intp], b: str, y: NDArray[np.intp]
) -> tuple[str, str]:  # fmt: skip
    """Return how two groupings lie to each other, and a warning where they cannot be told apart."""
    both = (x >= 0) & (y >= 0)
    pairs = np.unique(np.stack([x[both], y[both]]), axis=1)
    left, right = len(np.unique(pairs[0])), len(np.unique(pairs[1]))
    n = pairs.shape[1]
    if n == left == right:
        return f"{a} and {b} are the same units", ""
    if n == right:
        return f"{b} is within {a}", ""
    if n == left:
        return f"{a} is within {b}", ""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    size = int(x.max()) + 1
    total = size + int(y.max()) + 1
    graph = coo_matrix((np.ones(n), (pairs[0], size + pairs[1])), shape=(total, total))
    label = connected_components(graph, directed=False)[1]
    sets = len(np.unique(label[np.concatenate([pairs[0], size + pairs[1]])]))
    said = f"{a} crosses {b} ({n} of {left * right} combinations)"
    if sets == 1:
        return said, ""
    return said, (
        f"'{shown(a)}' and '{shown(b)}' fall into {sets} sets with no unit in common; their "
        "effects can be compared only within a set"
    )


def _level(
    study: Study, column: str, named: list[str], codes: dict[str, NDArray[np.intp]]
) -> str | None:
    """The grouping with the fewest groups within which a column is constant."""
    own, _ = label_codes(study, column)
    for g in named:
        if g == column:
            continue
        group = codes[g]
        held = (group >= 0) & (own >= 0)
        if held.sum() < 2:
            continue
        first = pd.Series(own[held]).groupby(group[held]).transform("first").to_numpy()
        if bool((first == own[held]).all()) and len(np.unique(own[held])) > 1:
            return g
    return None
