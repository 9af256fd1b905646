"""The theory as data: propositions, constructs, arrows and sources.

The content lives in two TOML files beside this module; code only reads them.
Statements are claims that data can bear out or contradict, in our own words;
each names the place in the literature it comes from.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

from acmodels.display import facts
from acmodels.errors import InputError, did_you_mean

__all__ = [
    "Arrow",
    "Construct",
    "Proposition",
    "Source",
    "arrows",
    "constructs",
    "proposition",
    "propositions",
    "sources",
]

type Level = Literal[
    "person", "department", "district", "partner", "partnership", "funder", "network", "wave"
]
type Section = Literal[
    "district conditions",
    "partner qualities",
    "interaction",
    "outcomes and feedback",
    "partnership effectiveness",
    "research alliances",
]
type Block = Literal[
    "district capacity",
    "partner qualities",
    "interaction",
    "learning",
    "effectiveness",
    "alliance",
    "context",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposition:
    """One claim of the framework.

    Attributes:
        id: "P01" to "P96".
        tier: 1 a core test, 2 a stated conjecture or open question, 3 a claim
            about context, distal outcomes or measurement.
        section: the part of the framework it belongs to.
        statement: the claim, in one sentence.
        constructs: ids of the constructs it is about.
        level: the units it speaks of.
        source: where in the literature it comes from.
        form: the statistical form of a test.
        rivals: ids of propositions that cannot hold together with it.
        readings: mutually exclusive accounts within the proposition itself.
    """

    id: str
    tier: Literal[1, 2, 3]
    section: Section
    statement: str
    constructs: tuple[str, ...]
    level: tuple[Level, ...]
    source: str
    form: str
    rivals: tuple[str, ...]
    readings: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        return facts(
            self.id,
            {"Claim": self.statement, "Source": self.source, "Form": self.form, "Tier": self.tier},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Construct:
    """Something the propositions are about.

    Attributes:
        id: short name; a dotted id is a facet of its parent.
        name: the name used in the field.
        block: the part of the framework it belongs to.
        level: the unit it describes.
        definition: what it is, in one sentence.
        parent: id of the construct it is a facet of, if any.
        parts: ids of the constructs a composite is made of.
    """

    id: str
    name: str
    block: Block
    level: Level
    definition: str
    parent: str | None = None
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """A relation the framework draws from one construct to another.

    Attributes:
        from_: id of the construct it starts at.
        to: id of the construct it ends at.
        note: what it says.
    """

    from_: str
    to: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A document the propositions come from.

    Attributes:
        key: short key.
        short: the form in which propositions cite it.
        reference: the full reference.
    """

    key: str
    short: str
    reference: str


@cache
def _tables(file: str) -> Mapping[str, list[dict[str, Any]]]:
    return tomllib.loads(files(__name__).joinpath(file).read_text(encoding="utf-8"))


def _rows(file: str, table: str) -> list[dict[str, Any]]:
    return [
        {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
        for row in _tables(file)[table]
    ]


@cache
def propositions() -> Mapping[str, Proposition]:
    """Return all propositions by id, in order.

    Returns:
        A read-only mapping from "P01" to "P96".
    """
    rows = _rows("propositions.toml", "proposition")
    return MappingProxyType({row["id"]: Proposition(**row) for row in rows})


@cache
def constructs() -> Mapping[str, Construct]:
    """Return all constructs by id, block by block.

    Returns:
        A read-only mapping.
    """
    rows = _rows("constructs.toml", "construct")
    return MappingProxyType({row["id"]: Construct(**row) for row in rows})


@cache
def arrows() -> tuple[Arrow, ...]:
    """Return the framework's arrows, its main relations first.

    Returns:
        A tuple of arrows.
    """
    return tuple(
        Arrow(from_=row["from"], to=row["to"], note=row["note"])
        for row in _rows("constructs.toml", "arrow")
    )


@cache
def sources() -> Mapping[str, Source]:
    """Return the documents the propositions come from, by key.

    Returns:
        A read-only mapping.
    """
    return MappingProxyType(
        {row["key"]: Source(**row) for row in _rows("constructs.toml", "source")}
    )


def proposition(name: str) -> Proposition:
    """Return one proposition.

    Args:
        name: its id.

    Raises:
        InputError: no proposition has this id.

    Returns:
        The proposition.

    Examples:
        >>> proposition("P41").constructs
        ('AC', 'INT', 'OL')
        >>> proposition("P97")
        Traceback (most recent call last):
            ...
        acmodels.errors.InputError: no proposition 'P97': ids run from P01 to P96
    """
    known = propositions()
    if name in known:
        return known[name]
    # By spelling alone "P97" is near "P07" and "P1" near "P91"; the number says which is meant.
    guess = "P" + re.sub(r"[^0-9]", "", name).lstrip("0").zfill(2)
    hint = did_you_mean(guess, known) if guess in known else ""
    first, *_, last = known
    raise InputError(f"no proposition '{name}': ids run from {first} to {last}{hint}")
