"""A scenario to a world, and the study that a research team would have made in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from acmodels.data import Study, package_study
from acmodels.display import facts
from acmodels.rng import check_seed
from acmodels.worlds.answers import answers
from acmodels.worlds.arrows import variables
from acmodels.worlds.flow import Values, causes, flow
from acmodels.worlds.people import make_seats
from acmodels.worlds.scenario import Scenario, scenario
from acmodels.worlds.tables import labelled, tables
from acmodels.worlds.truth import truth
from acmodels.worlds.units import Array, Units, make_units


@dataclass(frozen=True, eq=False, repr=False)
class World:
    """A world that was made.

    Attributes:
        scenario: what it was made from.
        seed: of all that was drawn.
        units: who is in whom.
        values: every variable as it truly is, shape (waves, units of its level).
        stays: the part of each variable that stays with its units, shape (units,).
        study: what a research team holds: tables of items, answers, codings, events.
        truth: every coefficient, sd and effect by name.
    """

    scenario: Scenario
    seed: int
    units: Units
    values: Values
    stays: Mapping[str, Array]
    study: Study
    truth: Mapping[str, float]

    def __repr__(self) -> str:
        tables = ", ".join(self.study.tables)
        return f"<World {self.scenario.name}, seed {self.seed}: .study ({tables}), .values, .truth>"

    def _repr_html_(self) -> str:
        return facts(
            f"World {self.scenario.name}",
            {
                "Seed": self.seed,
                "Tables": tuple(f"{k}: {t.n_rows} rows" for k, t in self.study.tables.items()),
                "Known truths": len(self.truth),
            },
        )

    def causes(self, variable: str) -> tuple[tuple[str, ...], Array, Array]:
        """What a regression of a variable on its causes has, from the truth itself.

        Args:
            variable: its name.

        Returns:
            Names of the arrows; their terms, shape (units and waves, arrows); the variable less
            what stays with its units, shape (units and waves,). Waves without a term's past are
            left out, and so are partnerships that have ended.
        """
        v = variables()[variable]
        late = any(f.function == "lag" for a in v.arrows for f in a.term.factors)
        terms: list[Array] = []
        own: list[Array] = []
        for wave in range(1 if late else 0, self.units.waves):
            at = slice(None)
            if v.level == "partnership":
                at = np.flatnonzero(self.units.active[wave])
            terms.append(causes(v, wave, self.values, self.units)[at])
            own.append((self.values[variable][wave] - self.stays[variable])[at])
        names = tuple(a.name for a in v.arrows)
        if not terms:
            return names, np.zeros((0, len(names))), np.zeros(0)
        return names, np.concatenate(terms), np.concatenate(own)


def world(source: str | Path | Mapping[str, Any] | Scenario = "baseline", seed: int = 1) -> World:
    """Make a world and a study in it.

    Args:
        source: a scenario, the name of a shipped one, a path, or the contents of a scenario file.
        seed: of all that is drawn; the same seed gives the same world, and a scenario with more
            waves the same first waves.

    Raises:
        ModelError: the scenario is missing or wrong.
        InputError: an impossible seed.
    """
    check_seed(seed)
    s = source if isinstance(source, Scenario) else scenario(source)
    units = make_units(s, seed)
    values, stays = flow(s, units, seed)
    seats = tuple(make_seats(k, s, units, values, seed) for k in ("department", "partner"))
    answered = list(answers(s, units, values, seats, seed))
    made = tables(s, units, values, seats, answered, seed)
    named = {k: Study(k, frame, labels=labelled(frame)) for k, frame in made.items()}
    study = package_study(named, s.name)
    return World(s, seed, units, values, stays, study, truth(s))
