"""What people answer: items on departments, districts, partners and partnerships."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from acmodels.rng import stream
from acmodels.worlds.arrows import Variable, variables
from acmodels.worlds.flow import Values, flow
from acmodels.worlds.people import Seats, trait
from acmodels.worlds.scenario import Scenario, Size
from acmodels.worlds.units import Array, Index, Units, make_units

FACET = 0.15
"""Share of a facet's variance that is its own."""
REVERSED = 4
"""Every so many-th item of a construct is worded the other way round."""


@dataclass(frozen=True)
class Item:
    """An item of a construct or one of its facets."""

    id: str
    construct: str
    place: int
    facet: int
    reverse: bool


@dataclass(frozen=True)
class Answered:
    """Answers of one construct in one wave, one a person, target and item.

    Attributes:
        variable: the construct's.
        wave: counted from 0.
        seats: who answers.
        seat, target, item: positions, shape (answers,).
        value: 1 to the number of points, 0 where the item was skipped.
    """

    variable: Variable
    wave: int
    seats: Seats
    seat: Index
    target: Index
    item: NDArray[np.int16]
    value: NDArray[np.int8]


@cache
def items() -> tuple[Item, ...]:
    """Every item, in the order of the constructs."""
    out: list[Item] = []
    for v in variables().values():
        for k in range(v.items):
            facet = k % len(v.facets) if v.facets else 0
            construct = f"{v.name}.{v.facets[facet]}" if v.facets else v.name
            reverse = k % REVERSED == REVERSED - 1
            out.append(Item(f"{v.name}_{k + 1}", construct, k, facet, reverse))
    return tuple(out)


def answers(
    scenario: Scenario, units: Units, values: Values, seats: tuple[Seats, ...], seed: int
) -> Iterator[Answered]:
    """Let people answer.

    An answer's latent value is `loading` times the construct's standardized value (or its facet's),
    plus what is the item's own, plus the person's leniency, all times the person's extremity; it is
    cut at equal distances from -1.5 to 1.5. Staff of a department answer on it, its district, its
    partnerships and their partners; a partner's staff on some of its partnerships.
    """
    a = scenario.answers
    mean, sd = _reference(tuple(sorted(scenario.arrows.items())), tuple(scenario.events.items()))
    cuts = np.linspace(-1.5, 1.5, a.points - 1)
    book: dict[str, list[tuple[int, Item]]] = {}
    for k, item in enumerate(items()):
        book.setdefault(item.id.rsplit("_", 1)[0], []).append((k, item))
    for wave in range(units.waves):
        for who in seats:
            lenient = a.leniency * trait(who, "leniency", wave, seed)
            extreme = np.exp(a.extremity * trait(who, "extremity", wave, seed))
            for name, mine in book.items():
                v = variables()[name]
                seat, target = _pairs(who, v.level, wave, units)
                if not len(seat):
                    continue
                keep = who.answers[wave][seat]
                rng = stream(seed, "world", "answers", name, who.kind, wave)
                z = (values[name][wave] - mean[name]) / sd[name]
                facets = _facets(v, z, wave, seed)
                n, k = len(seat), len(mine)
                latent = np.empty((n, k))
                for j, (_, item) in enumerate(mine):
                    latent[:, j] = a.loading * facets[item.facet][target]
                latent += np.sqrt(1 - a.loading**2) * rng.standard_normal((n, k))
                latent += lenient[seat][:, None]
                latent *= extreme[seat][:, None]
                value = (1 + np.searchsorted(cuts, latent)).astype(np.int8)
                for j, (_, item) in enumerate(mine):
                    if item.reverse:
                        value[:, j] = a.points + 1 - value[:, j]
                value[rng.random((n, k)) < a.skipped] = 0
                number = np.array([place for place, _ in mine], dtype=np.int16)
                yield Answered(
                    v,
                    wave,
                    who,
                    np.repeat(seat[keep], k),
                    np.repeat(target[keep], k),
                    np.tile(number, int(keep.sum())),
                    value[keep].ravel(),
                )


def _facets(v: Variable, z: Array, wave: int, seed: int) -> list[Array]:
    if not v.facets:
        return [z]
    rng = stream(seed, "world", v.name, "facets", wave)
    own = rng.standard_normal((len(v.facets), len(z)))
    return [np.sqrt(1 - FACET) * z + np.sqrt(FACET) * e for e in own]


def _pairs(who: Seats, level: str, wave: int, units: Units) -> tuple[Index, Index]:
    """Who answers on which units of a level: positions of seats and of targets."""
    seats = np.arange(len(who.unit))
    none = np.zeros(0, dtype=np.intp)
    at = np.flatnonzero(units.active[wave])
    if who.kind == "department":
        if level == "department":
            return seats, who.unit
        if level == "district":
            return seats, units.above["department"]["district"][who.unit]
        per = len(seats) // units.size["department"]
        home = units.above["partnership"]["department"][at]
        seat = (home[:, None] * per + np.arange(per)).ravel()
        target = np.repeat(at, per)
        by = np.argsort(seat, kind="stable")
        seat, target = seat[by], target[by]
        return seat, units.above["partnership"]["partner"][target] if level == "partner" else target
    if level != "partnership":
        return none, none
    per = len(seats) // units.size["partner"]
    partner = units.above["partnership"]["partner"]
    order = np.argsort(partner, kind="stable")
    first = np.searchsorted(partner[order], np.arange(units.size["partner"]))
    rank = np.empty(len(partner), dtype=np.intp)
    rank[order] = np.arange(len(partner)) - first[partner[order]]
    raters = min(2, per)
    turn = (rank[at][:, None] + np.arange(raters)) % per
    seat = (partner[at][:, None] * per + turn).ravel()
    target = np.repeat(at, raters)
    by = np.argsort(seat, kind="stable")
    return seat[by], target[by]


@cache
def _reference(
    arrows: tuple[tuple[str, float], ...], events: tuple[tuple[str, float], ...]
) -> tuple[dict[str, float], dict[str, float]]:
    """Mean and sd of every variable in a large world, which answers are scaled by."""
    large = Scenario("reference", "", dict(arrows), Size(400, 2, 100), events=dict(events))
    values, _ = flow(large, make_units(large, 0), 0)
    mean = {k: float(v[0].mean()) for k, v in values.items()}
    sd = {k: float(v[0].std()) or 1.0 for k, v in values.items()}
    return mean, sd
