"""Cells that a simulated study lacks.

Losses are completely at random. Emptied are responses, in the rows of their equations, and
predictors with a value of their own in each row. Ids, arms to which units are assigned (Bernoulli,
and whatever is balanced), predictors of higher units, offsets, standard errors, numbers of trials
and weights are always known.
"""

from collections.abc import Mapping

import numpy as np

from acmodels.data import Study, study
from acmodels.errors import ModelError, did_you_mean, listing
from acmodels.simulation.frame import loaded, predictors, row_kind
from acmodels.spec.design import Design
from acmodels.spec.model import Model
from acmodels.system import Layout

type Lost = Mapping[str, np.ndarray]
"""By column, the data rows without a value, (N,)."""


def losable(design: Design) -> tuple[str, ...]:
    """Columns of a design's studies whose cells can be empty: responses, then predictors."""
    model = loaded(design)
    rows = row_kind(design)
    out = [r for r, e in model.equations.items() if not e.construct]
    for name, e in predictors(design, model).items():
        own = e.level == rows or (e.level is None and not _levels(model, name))
        arms = e.balanced or e.distribution.name == "Bernoulli"
        if own and not arms and not _known(model, name):
            out.append(name)
    return tuple(out)


def _levels(model: Model, name: str) -> list[str]:
    """Levels of the equations that use a predictor."""
    return [
        e.level
        for e in model.equations.values()
        if e.level is not None and name in e.formula.variables()
    ]


def _known(model: Model, name: str) -> bool:
    """Return whether a predictor is one that is never missing, whatever its level."""
    return any(
        name in (e.se, e.trials, e.weights) or any(o.variable == name for o in e.formula.offsets)
        for e in model.equations.values()
    )


def check_losses(design: Design) -> None:
    """Refuse losses in columns whose values are always known.

    Raises:
        ModelError: naming the column.
    """
    can = losable(design)
    problems = [
        f"{design.source}: loss.items.{name}: cells of this column cannot be empty"
        f"{did_you_mean(name, can)} (columns that can lack values: {listing(list(can), 15)}; ids, "
        "Bernoulli predictors, predictors of higher units, offsets, standard errors, trials and "
        "weights are always known)"
        for name in design.loss.columns
        if name not in can
    ]
    model = loaded(design)
    if design.loss.empties and model.missing == "error":
        problems.append(
            f'{design.source}: loss.items: {model.source} has missing = "error", so that no study '
            'with empty cells can be fitted; "model" (the default) or "drop" can'
        )
    if problems:
        raise ModelError(problems)


def draw_losses(
    design: Design,
    layout: Layout,
    rng: np.random.Generator,
    pattern: np.random.Generator | None = None,
) -> dict[str, np.ndarray]:
    """Choose the cells that are empty: exactly the stated share of each column, to the nearest.

    Args:
        design: that says how many.
        layout: of its model on the rows that attrition leaves.
        rng: the stream of the losses.
        pattern: a stream that says which cells are lost together, where studies of as many rows
            shall have as many rows of each kind; `rng` then says in which rows.

    Returns:
        By column, the data rows without a value, (N,). A response of units above the rows is
        lost in all rows of a unit.
    """
    out: dict[str, np.ndarray] = {}
    places = rng.permutation(layout.n_rows)
    for name in losable(design):
        share = design.loss.share(name)
        level = layout.equation(name).level if name in layout.responses else None
        carry = places if level is None else layout.equation(name).carry
        chosen = (rng if level is not None else pattern or rng).permutation(int(carry.max()) + 1)
        lost = np.zeros(len(chosen), dtype=bool)
        lost[chosen[: int(np.floor(share * len(chosen) + 0.5))]] = True
        if lost.any():
            out[name] = lost[carry]
    return out


def without_constructs(design: Design, layout: Layout) -> dict[str, np.ndarray]:
    """Return, by construct, all data rows, (N,): a study has no values of it."""
    every = np.ones(layout.n_rows, dtype=bool)
    return {r: every for r, e in loaded(design).equations.items() if e.construct}


def emptied(whole: Study, lost: Lost) -> Study:
    """A study without the cells that are lost."""
    import pandas as pd

    frame = whole.frame.copy()
    for name, gone in lost.items():
        column = frame[name]
        if column.dtype.kind in "iu":
            column = column.astype("Int64")
        frame[name] = column.mask(pd.Series(gone, index=frame.index))
    return study(frame, whole.name)
