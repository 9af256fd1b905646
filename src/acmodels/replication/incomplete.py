"""Replicates whose studies lack cells: each is fitted as its model's `missing` says.

Replicates of a block lack the same cells, so that what is compiled for one serves all.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from acmodels.data import Study, study
from acmodels.engines import Compiling, Prepared, Reshaped, Unclear, choose
from acmodels.errors import DataError
from acmodels.priors import Priors, resolve_priors
from acmodels.simulation import emptied
from acmodels.spec.model import Model
from acmodels.system import Layout, Responses, System, build_layout, build_system
from acmodels.system.arrays import Index
from acmodels.system.layout import curves_in
from acmodels.system.modeled import prune


@dataclass(frozen=True)
class Holed:
    """A layout without what is lost.

    Attributes:
        layout: on the rows that are fitted.
        rows: by response, their places among the rows of the whole equation.
        modeled: whether values are left that have to be modeled.
    """

    layout: Layout
    rows: Mapping[str, Index]
    modeled: bool

    def responses(self, whole: Responses) -> Responses:
        """Responses of whole studies on the rows that are fitted, (R, n)."""
        return {r: v[..., self.rows[r]] for r, v in whole.items()}


def holed(
    model: Model,
    frame: Study,
    layout: Layout,
    lost: Mapping[str, np.ndarray],
    codes: Mapping[str, tuple[int, ...]],
) -> Holed:
    """Take out what is lost, as the model's `missing` says.

    Args:
        model: checked for itself.
        frame: ids and predictors, whole.
        layout: of the model on these.
        lost: by column, the rows without a value.
        codes: categories of ordered responses.

    Raises:
        DataError: no complete row is left where only these are used.
    """
    constructs = any(e.construct for e in model.equations.values())
    if model.missing == "drop" and not constructs:
        keep = ~np.any(list(lost.values()), axis=0) if lost else np.ones(layout.n_rows, dtype=bool)
        if not keep.any():
            raise DataError(f"{frame.name}: no complete row is left")
        thin = study(frame.frame.loc[keep].reset_index(drop=True), frame.name)
        small = build_layout(model, thin, codes, curves_in(layout))
        at, gaps = np.flatnonzero(keep), False
    else:
        small, needed = prune(layout, lost, model)
        at, gaps = np.arange(layout.n_rows), any(m.any() for m in needed.values())
    rows = {e.response: layout.equation(e.response).carry[at[e.rows]] for e in small.equations}
    return Holed(small, rows, gaps)


def systems(
    model: Model,
    frame: Study,
    layout: Layout,
    lost: Mapping[str, np.ndarray],
    codes: Mapping[str, tuple[int, ...]],
    whole: Responses,
) -> list[System]:
    """The model on each of R studies without what is lost, missing values to be modeled.

    Args:
        model: as for `holed`.
        frame: as for `holed`.
        layout: as for `holed`.
        lost: as for `holed`.
        codes: as for `holed`.
        whole: responses without losses, (R, n).

    Raises:
        DataError: values are missing that cannot be modeled.
    """
    out: list[System] = []
    for r in range(len(next(iter(whole.values())))):
        values = {k: v[r][layout.equation(k).carry] for k, v in whole.items()}
        one = study(frame.frame.assign(**values), frame.name)
        out.append(build_system(model, emptied(one, lost), codes, curves_in(layout)))
    return out


MOST = 16
"""Compiled models that are kept at once."""


class Modeled:
    """Prepared fits of studies whose missing values are modeled, by few compilations.

    A compiled model serves studies of as many rows and missing cells, so long as the data put the
    same group sds well away from zero: these are sampled otherwise than the rest. Those that
    typical data of the design leave unclear are never taken to be, so that one model serves most.
    What is compiled for a study depends on it and the design alone.
    """

    def __init__(self, model: Model, priors: Priors, typical: System) -> None:
        self.model = model
        self.priors = priors
        joint, given = typical.sampled, self._priors(typical)
        chosen = choose(joint.layout, given).engine
        self._unclear: Unclear = frozenset()
        if chosen.compiles:
            engine = cast("Compiling", chosen)
            self._unclear = engine.not_clear(joint.layout, given, joint.responses)
        self._made: dict[Hashable, Reshaped] = {}

    def __call__(self, system: System) -> Prepared:
        """Prepare one study; the models of incomplete predictors have priors scaled to it."""
        layout, responses = system.sampled.layout, system.sampled.responses
        priors = self._priors(system)
        chosen = choose(layout, priors).engine
        if not chosen.compiles:
            return chosen.prepare(layout, priors, responses)
        engine = cast("Compiling", chosen)
        shape = engine.shape(layout, priors, responses, self._unclear)
        if shape in self._made:
            return self._made[shape].shaped(layout, priors)
        made = cast("Reshaped", engine.prepare(layout, priors, responses, self._unclear))
        while len(self._made) >= MOST:
            self._made.pop(next(iter(self._made)), None)
        self._made[shape] = made
        return made

    def _priors(self, system: System) -> Priors:
        joint = system.sampled
        found = resolve_priors(self.model.priors, joint.layout, joint.responses, self.model.source)
        return {**found, **self.priors}


def stacked(found: Sequence[System]) -> tuple[Layout, Responses]:
    """A layout with the rough values of the first study, and all studies' responses, (R, n).

    What is measured of a fit at these is a function of what was observed.
    """
    first = found[0]
    names = first.responses
    return first.layout, {r: np.stack([s.responses[r] for s in found]) for r in names}
