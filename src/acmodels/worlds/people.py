"""Who sits where in each wave, and who of them answers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acmodels.rng import stream
from acmodels.worlds.flow import Values
from acmodels.worlds.scenario import Scenario
from acmodels.worlds.units import Index, Units

LEAVES = 0.05
"""Share of seats that change hands from one wave to the next."""
LEAVES_IN_TURNOVER = 0.40
"""The same where many staff left a district."""


@dataclass(frozen=True)
class Seats:
    """Seats of a department or partner; people come and go.

    Attributes:
        kind: `department` or `partner`.
        unit: of each seat.
        entered: the wave in which whoever sits there came, shape (waves, seats).
        answers: whether they answer in a wave, same shape.
    """

    kind: str
    unit: Index
    entered: Index
    answers: NDArray[np.bool_]


def make_seats(
    kind: str, scenario: Scenario, units: Units, values: Values, seed: int
) -> Seats:  # fmt: skip
    """Draw who sits in the seats of all departments or partners."""
    per = scenario.size.staff if kind == "department" else scenario.size.partner_staff
    unit = np.repeat(np.arange(units.size[kind]), per)
    n = len(unit)
    entered = np.zeros((units.waves, n), dtype=np.intp)
    answers = np.ones((units.waves, n), dtype=np.bool_)
    lost = np.zeros(n, dtype=np.bool_)
    a = scenario.answers
    for wave in range(units.waves):
        if wave:
            chance = np.full(n, LEAVES)
            if kind == "department":
                event = values["staff_turnover"][wave][units.above["department"]["district"]]
                chance += LEAVES_IN_TURNOVER * event[unit]
            if not a.attrition and kind == "department" and scenario.events["staff_turnover"] == 0:
                chance[:] = 0.0  # a scenario in which nobody leaves
            left = stream(seed, "world", kind, "leaves", wave).random(n) < chance
            entered[wave] = np.where(left, wave, entered[wave - 1])
            drops = stream(seed, "world", kind, "drops", wave).random(n) < a.attrition
            lost = ~left & (lost | drops)
        absent = stream(seed, "world", kind, "absent", wave).random(n) < a.nonresponse
        answers[wave] = ~(lost | absent)
    return Seats(kind, unit, entered, answers)


def trait(seats: Seats, use: str, wave: int, seed: int) -> NDArray[np.float64]:
    """A standard normal that stays with a person, for whoever sits there in a wave."""
    n = len(seats.unit)
    out = np.zeros(n)
    for came in np.unique(seats.entered[wave]):
        here = seats.entered[wave] == came
        drawn = stream(seed, "world", seats.kind, use, int(came)).standard_normal(n)
        out[here] = drawn[here]
    return out
