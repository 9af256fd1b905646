"""Propositions of a model file: what is claimed of which estimands, and how sure one must be."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from acmodels.errors import did_you_mean, listing
from acmodels.spec.names import without_backticks
from acmodels.spec.strict import Strict

type Pair = Annotated[list[float], Field(min_length=2, max_length=2)]

REGION = (
    "exactly one of above = number, below = number, between = [low, high], outside = [low, high], "
    "with low < high"
)
"""What a region may be, for messages."""


class RegionTable(Strict):
    """Where an estimand must lie for a proposition to hold: exactly one key is given."""

    above: float | None = None
    below: float | None = None
    between: Pair | None = None
    outside: Pair | None = None


class ClaimTable(Strict):
    """One entry of `all` in a `[propositions.ID]` table."""

    estimand: str
    at: str | None = None
    region: RegionTable
    rope: Pair | None = None


class PropositionTable(Strict):
    """One `[propositions.ID]` table: how an estimand, or several, are judged."""

    estimand: str | None = None
    all: Annotated[list[ClaimTable], Field(min_length=1)] | None = None
    statement: str = ""
    at: str | None = None
    region: RegionTable | None = None
    rope: Pair | None = None
    probability: Annotated[float, Field(gt=0.5, lt=1)] = 0.975


class Region(Protocol):
    """An open region of the real line, or what lies beyond it on either side."""

    @property
    def lower(self) -> float:
        """Where it begins."""
        ...

    @property
    def upper(self) -> float:
        """Where it ends."""
        ...

    @property
    def outside(self) -> bool:
        """Whether it is what lies beyond these ends."""
        ...


@dataclass(frozen=True)
class Claim:
    """What is claimed of one quantity.

    Attributes:
        estimand: the key of an estimand of the same model.
        lower, upper: the open region in which the claim holds.
        at: which row of the estimand, where it has several.
        rope: the region of practical equivalence, or None.
        outside: whether the claim holds beyond `lower` and `upper` rather than between them.
    """

    estimand: str
    lower: float
    upper: float
    at: str | None = None
    rope: tuple[float, float] | None = None
    outside: bool = False


@dataclass(frozen=True)
class Proposition:
    """How one estimand, or several jointly, are turned into a verdict.

    Attributes:
        id: the proposition's name, such as `P41`.
        estimand: the key of an estimand of the same model; nothing where there are several.
        lower, upper: the open region in which the proposition holds.
        at: which row of it, where it has several.
        rope: the region of practical equivalence, or None.
        probability: the posterior probability that a claim needs.
        statement: the claim as a person says it, or nothing.
        outside: whether it holds beyond `lower` and `upper` rather than between them.
        all: the claims that must hold jointly; then nothing is said by the fields above of one.
    """

    id: str
    estimand: str
    lower: float
    upper: float
    at: str | None = None
    rope: tuple[float, float] | None = None
    probability: float = 0.975
    statement: str = ""
    outside: bool = False
    all: tuple[Claim, ...] = ()

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What is claimed, of one quantity or of several."""
        one = Claim(self.estimand, self.lower, self.upper, self.at, self.rope, self.outside)
        return self.all or (one,)

    @property
    def estimands(self) -> str:
        """The names of the estimands that it is about, as tables show them."""
        return ", ".join(dict.fromkeys(c.estimand for c in self.claims))


def inside(region: Region, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which values lie in a region."""
    if region.outside:
        return (values < region.lower) | (values > region.upper)
    return (values > region.lower) & (values < region.upper)


def region_bounds(region: RegionTable) -> tuple[float, float, bool] | None:
    """Read a region: its ends, and whether it is what lies beyond them; None if it is none."""
    said = (region.above, region.below, region.between, region.outside)
    if sum(v is not None for v in said) != 1:
        return None
    pair = region.between if region.between is not None else region.outside
    if pair is not None:
        low, high = pair
    else:
        low = region.above if region.above is not None else -float("inf")
        high = region.below if region.below is not None else float("inf")
    return (low, high, region.outside is not None) if low < high else None


def read_propositions(
    tables: Mapping[str, PropositionTable],
    estimands: Collection[str],
    source: str,
    problems: list[str],
) -> dict[str, Proposition]:
    """Check the `[propositions]` tables.

    Args:
        tables: as written, by id.
        estimands: names of the model's.
        source: the model's file, for messages.
        problems: gets a sentence for each thing that is wrong.
    """
    out: dict[str, Proposition] = {}
    for key, t in tables.items():
        where = f"{source}: propositions.{key}"
        before = len(problems)
        entries = _entries(t, where, problems)
        claims = [_claim(e, at, estimands, problems) for at, e in entries]
        if len(problems) > before or not claims:
            continue
        more: Any = {"probability": t.probability, "statement": " ".join(t.statement.split())}
        known = tuple(c for c in claims if c is not None)
        if t.all is not None:
            out[key] = Proposition(key, "", -np.inf, np.inf, all=known, **more)
            continue
        c = known[0]
        out[key] = Proposition(
            key, c.estimand, c.lower, c.upper, at=c.at, rope=c.rope, outside=c.outside, **more
        )
    return out


def _entries(t: PropositionTable, where: str, problems: list[str]) -> list[tuple[str, ClaimTable]]:
    """The claims of a table, each with its place for messages."""
    if t.estimand is not None and t.all is not None:
        problems.append(f"{where}: give exactly one of estimand and all, not both")
        return []
    if t.estimand is None and t.all is None:
        problems.append(
            f"{where}: the key 'estimand' is missing, or all = [ ... ] for several estimands; give "
            "exactly one of them"
        )
        return []
    if t.all is not None:
        stray = [k for k in ("at", "region", "rope") if getattr(t, k) is not None]
        if stray:
            problems.append(
                f"{where}.{stray[0]}: with all, each of its entries has its own region, rope and at"
            )
        return [(f"{where}.all.{k}", e) for k, e in enumerate(t.all)]
    if t.region is None:
        problems.append(f"{where}: the key 'region' is missing")
        return []
    assert t.estimand is not None  # noqa: S101
    return [(where, ClaimTable(estimand=t.estimand, at=t.at, region=t.region, rope=t.rope))]


def _claim(
    t: ClaimTable, where: str, estimands: Collection[str], problems: list[str]
) -> Claim | None:
    if t.estimand not in estimands:
        problems.append(
            f"{where}.estimand: no estimand '{t.estimand}'{did_you_mean(t.estimand, estimands)} "
            f"(there: {listing(list(estimands)) or 'none'})"
        )
    bounds = region_bounds(t.region)
    if bounds is None:
        problems.append(f"{where}.region: give {REGION}")
    rope = (t.rope[0], t.rope[1]) if t.rope is not None else None
    if rope is not None and not rope[0] < rope[1]:
        problems.append(f"{where}.rope: the first number must be below the second")
    at = None if t.at is None else without_backticks(t.at)
    if bounds is None:
        return None
    low, high, outside = bounds
    return Claim(t.estimand, low, high, at, rope, outside)
