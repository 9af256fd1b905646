"""Units left out whole and predicted from the rest, by two models of the same outcome.

log p(unit | others) is the log marginal likelihood of all rows less that of the rows without the
unit, exactly, and not by the posterior of all rows: a unit that drives a slope cannot speak for it.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from acmodels.data import Study
from acmodels.engines import with_marginal_likelihood
from acmodels.errors import AcmodelsError
from acmodels.inference.fitting import fit
from acmodels.spec.model import Model

type Array = NDArray[np.float64]

DRAWS = 500
"""Draws of each of four chains of a refit; marginal likelihoods come from weighted points."""

FEW = 50
"""The same where no draws are asked for."""

LEAST = 3
"""Units left out below which a sum has no standard error."""


@dataclass(frozen=True)
class LeftOut:
    """What two models say of folds that are left out in turn.

    Attributes:
        gains: log p(fold | others) by the first model less by the second, (folds,); NaN where a
            marginal likelihood is not known.
        draws: of the first model's estimands that have one value, given the other folds,
            (folds, S); NaN likewise.
    """

    gains: Array
    draws: Mapping[str, Array]


def left_out(
    models: tuple[Model, Model],
    rows: Study,
    folds: NDArray[np.int64],
    seed: int,
    tell: Callable[[int, int], None] = lambda *_: None,
) -> LeftOut:
    """Leave folds out in turn and predict each from the others, by two models.

    All priors of the models should be stated: what is scaled to the data would change with them.

    Args:
        models: of the same responses, for the exact engine.
        rows: on which both have all their values.
        folds: of each row, from 0, (rows,).
        seed: of the fits.
        tell: called with the folds done and their number.
    """
    engine = with_marginal_likelihood()[0]

    def both(part: Study) -> tuple[float, dict[str, Array]]:
        try:
            first = fit(models[0], part, seed=seed, engine=engine, draws=DRAWS, cores=1)
            second = fit(models[1], part, seed=seed, engine=engine, draws=FEW, cores=1)
        except AcmodelsError:
            return float("nan"), {}
        a, b = first.log_marginal_likelihood, second.log_marginal_likelihood
        drawn = {r.name: np.asarray(r.draws).reshape(-1) for r in first.effects.rows if not r.at}
        return (float("nan") if a is None or b is None else a - b), drawn

    def rest(fold: int) -> Study:
        return replace(rows, frame=rows.frame.loc[folds != fold])

    whole, names = both(rows)
    count = int(folds.max()) + 1
    found: list[tuple[float, dict[str, Array]]] = []
    with ThreadPoolExecutor(2) as pool:
        for n, one in enumerate(pool.map(both, map(rest, range(count)))):
            found.append(one)
            tell(n + 1, count)
    lost = np.full(4 * DRAWS, np.nan)
    return LeftOut(
        np.array([whole - gone for gone, _ in found]),
        {k: np.stack([drawn.get(k, lost) for _, drawn in found]) for k in names},
    )


def summed(gained: Array) -> tuple[float, float, int]:
    """Return the sum over folds that are known, its standard error over folds, and their number.

    One fold alone cannot lift the sum above its standard error: where k folds gain the same and
    the others nothing, the sum is about sqrt(k) standard errors.
    """
    good = gained[np.isfinite(gained)]
    if len(good) < LEAST:
        return float("nan"), float("nan"), len(good)
    return float(good.sum()), float(np.sqrt(len(good)) * good.std(ddof=1)), len(good)
