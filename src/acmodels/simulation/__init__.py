"""A design to a study with known truth."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from acmodels.data import Study, study
from acmodels.display import facts
from acmodels.estimands import Context, evaluate
from acmodels.families import family
from acmodels.generate import generate
from acmodels.load import as_design
from acmodels.numbers import number
from acmodels.rng import check_seed, stream
from acmodels.simulation.assumptions import Assumptions, assumptions
from acmodels.simulation.frame import (
    check_design,
    draw_frame,
    loaded,
    predictor_names,
    reference_frame,
    row_kind,
)
from acmodels.simulation.losses import (
    check_losses,
    draw_losses,
    emptied,
    losable,
    without_constructs,
)
from acmodels.simulation.splines import settled_layout
from acmodels.simulation.truths import ASSUMED, assumed, categories, resolve_truth
from acmodels.spec.design import Design
from acmodels.spec.model import Model
from acmodels.system import Layout
from acmodels.system.arrays import Array

__all__ = [
    "ASSUMED",
    "Assumptions",
    "Simulation",
    "assumed",
    "assumptions",
    "categories",
    "check_design",
    "check_losses",
    "draw_frame",
    "draw_losses",
    "emptied",
    "losable",
    "predictor_names",
    "reference_frame",
    "resolve_truth",
    "row_kind",
    "settled_layout",
    "simulate",
    "without_constructs",
]  # fmt: skip


@dataclass(frozen=True)
class Simulation:
    """A simulated study.

    Attributes:
        study: the data.
        truth: every structural parameter by name.
        effects: every estimand at the truth; with `at`, by `name [at]`.
        assumptions: all that was simulated without the design saying so, and what it says.
    """

    study: Study
    truth: Mapping[str, float]
    effects: Mapping[str, float]
    assumptions: Assumptions

    @property
    def assumed(self) -> tuple[str, ...]:
        """Names of the parameters for which the design states no truth."""
        return tuple(self.assumptions.assumed)

    def _repr_html_(self) -> str:
        return facts(
            f"Simulated study {self.study.name}",
            {
                "Rows": self.study.n_rows,
                "Columns": ", ".join(str(c) for c in self.study.frame.columns),
                "True effects": tuple(f"{k} = {number(v)}" for k, v in self.effects.items())
                or "none",
            },
        )


def simulate(design: Design | str | Path, seed: int = 1, replicate: int = 0) -> Simulation:
    """Draw one study.

    Args:
        design: units, truths, predictors and the model, from `load_design`, or the path or
            shipped name of one.
        seed: of the whole set of replicates.
        replicate: which one; each has its own stream, whatever others are drawn.

    Raises:
        ModelError: the design does not fit the model (an unknown truth or predictor, a
            grouping that is no unit).
        InputError: an impossible seed.

    Examples:
        >>> import acmodels as ac
        >>> design = ac.load_design("interaction_conditions")
        >>> made = ac.simulate(design, seed=1)
        >>> made.study.n_rows
        240
        >>> made.truth["collective_knowledge ~ routines"]
        0.3
    """
    design = as_design(design)
    model = loaded(design)
    rng = stream(check_seed(seed), "simulate", replicate)
    check_design(design)
    check_losses(design)
    bare = draw_frame(design, rng)
    table = {c: bare.frame[c].to_numpy() for c in bare.frame.columns}
    layout = settled_layout(
        model,
        bare,
        categories(design, model),
        lambda one: resolve_truth(design, model, one),
        lambda: deepcopy(rng),
    )
    truth = resolve_truth(design, model, layout)
    made = generate(layout, truth, rng)
    for r in (r for r, e in model.equations.items() if not e.construct):
        e = layout.equation(r)
        values = made.responses[r][e.carry]
        table[r] = values.astype(np.int64) if family(e.family).whole else values
    effects = _effects(model, layout, made.responses, truth)
    whole = study(_data_frame(table), f"simulated {model.name}")
    if design.loss.empties:
        whole = emptied(whole, draw_losses(design, layout, stream(seed, "losses", replicate)))
    return Simulation(whole, truth, effects, assumptions(design, layout, truth))


def _data_frame(table: Mapping[str, Any]) -> Any:
    import pandas as pd

    return pd.DataFrame(dict(table))


def _effects(
    model: Model, layout: Layout, responses: Mapping[str, Array], truth: Mapping[str, float]
) -> dict[str, float]:
    context = Context(
        layout, responses, lambda n: np.full((1, 1), truth[n]), model.estimands, model.source
    )
    return {
        name if not row.at else f"{name} [{row.at}]": float(row.draws[0, 0])
        for name in model.estimands
        for row in evaluate(name, context)
    }
