"""The units of a world: who is in whom, and which partnerships are at work when."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acmodels.errors import ModelError
from acmodels.rng import stream
from acmodels.worlds.scenario import Scenario

type Array = NDArray[np.float64]
type Index = NDArray[np.intp]


@dataclass(frozen=True)
class Units:
    """Positions of units, counted from 0.

    Attributes:
        waves: how many.
        size: number of units, by level.
        above: by level, then by a level above it, positions of shape (size of the level,).
        active: which partnerships are at work, shape (waves, partnerships).
        funder: of each partnership.
    """

    waves: int
    size: dict[str, int]
    above: dict[str, dict[str, Index]]
    active: NDArray[np.bool_]
    funder: Index

    def bring(self, values: Array, source: str, level: str, wave: int) -> Array:
        """Values of one level at another: of the unit above, or the mean of the units below.

        A unit below counts where it is at work in the wave; a unit with none has 0.
        """
        if source == level:
            return values
        if source in self.above[level]:
            return values[self.above[level][source]]
        home = self.above[source][level]
        weight = np.ones(len(home))
        if source == "partnership":
            weight = self.active[wave].astype(np.float64)
        n = self.size[level]
        total = np.bincount(home, weight * values, n)
        count = np.bincount(home, weight, n)
        return np.divide(total, count, out=np.zeros(n), where=count > 0)


def make_units(scenario: Scenario, seed: int) -> Units:
    """Draw the units of a scenario.

    Raises:
        ModelError: a department is to have more partnerships than there are partners.
    """
    s = scenario.size
    if s.partnerships > s.partners:
        raise ModelError(
            f"{scenario.source}: size.partnerships: a department cannot have {s.partnerships} "
            f"partners when there are {s.partners}; raise size.partners"
        )
    departments = s.districts * s.departments
    of_district = np.repeat(np.arange(s.districts), s.departments)
    # from 1 to twice the number asked for less 1, each as likely, so that it is their mean
    count = stream(seed, "world", "partnerships").integers(1, 2 * s.partnerships, departments)
    count = np.minimum(count, s.partners)
    of_department = np.repeat(np.arange(departments), count)
    order = stream(seed, "world", "partners").random((departments, s.partners)).argsort(axis=1)
    partner = order[np.arange(s.partners)[None, :] < count[:, None]]
    n = len(of_department)
    active = np.ones((s.waves, n), dtype=np.bool_)
    for wave in range(1, s.waves):
        left = stream(seed, "world", "exit", wave).random(n) < scenario.answers.partner_exit
        active[wave] = active[wave - 1] & ~left
    return Units(
        s.waves,
        {
            "district": s.districts,
            "department": departments,
            "partner": s.partners,
            "partnership": n,
        },
        {
            "district": {},
            "department": {"district": of_district},
            "partner": {},
            "partnership": {
                "district": of_district[of_department],
                "department": of_department,
                "partner": partner.astype(np.intp),
            },
        },
        active,
        stream(seed, "world", "funders").integers(0, s.funders, n).astype(np.intp),
    )
