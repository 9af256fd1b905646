"""What level of a condition each level of an outcome asks for: bottlenecks under a ceiling."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from acmodels.estimands import question
from acmodels.estimands.ceiling import Asked
from acmodels.inference.effect_rows import context_of
from acmodels.inference.imputation import completed
from acmodels.posterior import Array, intervals

if TYPE_CHECKING:
    import pandas as pd

    from acmodels.inference.fitting import Fit

LINES = ("ce_fdh", "cr_fdh")
"""The envelope, and the line through its points."""

COLUMNS = (
    "estimand", "from", "to", "line", "outcome", "required", "lower", "upper", "not_needed",
    "beyond",
)  # fmt: skip


@dataclass(frozen=True)
class Bottleneck:
    """What an outcome asks of a condition, in percent of the ranges of both.

    Attributes:
        estimand: its name.
        source, to: condition and outcome.
        levels: of the outcome, (L,).
        required: by line, of the condition in each completed data set, (B, L): 0 where none is
            needed, 100 where the line runs beyond the data.
        not_needed, beyond: by line, the shares of data sets where that is so, (L,).
    """

    estimand: str
    source: str
    to: str
    levels: Array
    required: dict[str, Array]
    not_needed: dict[str, Array]
    beyond: dict[str, Array]


def bottlenecks(fit: "Fit", steps: int = 10) -> "pd.DataFrame":
    """Return the bottleneck table of each `ceiling` among a model's estimands.

    Outcome and condition are in percent of their ranges, as in the R package NCA. Where values are
    constructs or were missing, each of up to 200 draws of them has its own ceiling.

    Args:
        fit: from `fit`, of a model with estimands of the kind `ceiling`.
        steps: between the smallest and the largest outcome.

    Returns:
        The columns `estimand, from, to, line, outcome, required, lower, upper, not_needed, beyond`:
        `line` is `ce_fdh` or `cr_fdh`; `required` is the mean over draws, 0 where no level of the
        condition is needed (NN) and 100 where the line runs beyond the largest value observed (NA);
        `not_needed` and `beyond` are the probabilities of that.

    Raises:
        ValueError: `steps` is below 1.
    """
    import pandas as pd

    if steps < 1:
        raise ValueError(f"steps must be at least 1, not {steps}")
    rows: list[dict[str, object]] = []
    for b in found(fit, np.linspace(0, 100, steps + 1)):
        for line in LINES:
            draws = b.required[line]
            low, high = intervals(draws[None], fit.interval, fit.prob)
            rows.extend(
                {
                    "estimand": b.estimand, "from": b.source, "to": b.to, "line": line,
                    "outcome": float(b.levels[k]), "required": float(draws[:, k].mean()),
                    "lower": float(low[k]), "upper": float(high[k]),
                    "not_needed": float(b.not_needed[line][k]),
                    "beyond": float(b.beyond[line][k]),
                }
                for k in range(len(b.levels))
            )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def found(fit: "Fit", levels: Array) -> list[Bottleneck]:
    """Compute the bottlenecks of every `ceiling` of a model.

    Args:
        fit: the fit.
        levels: of the outcome, in percent of its range.
    """
    context = context_of(fit.spec, fit.system, fit.draws.__getitem__)
    out: list[Bottleneck] = []
    for name in fit.spec.estimands:
        asked = question(name, context)
        if isinstance(asked, Asked):
            out.append(_bottleneck(fit, name, asked, levels))
    return out


def _bottleneck(fit: "Fit", name: str, asked: Asked, levels: Array) -> Bottleneck:
    worlds = [fit.system]
    if fit.imputations is not None and asked.varies:
        every = fit.imputations
        worlds = [completed(fit.system, every.at(b)) for b in range(len(every.picked))]
    raw: dict[str, list[Array]] = {line: [] for line in LINES}
    for w in worlds:
        c = asked.ceiling(w.layout, w.responses)
        at = c.floor + (c.top - c.floor) * levels / 100
        across = (c.high - c.low) or 1.0
        for line, x in zip(LINES, (c.envelope(at), c.line(at)), strict=True):
            raw[line].append(100 * (x - c.low) / across)
    draws = {k: np.stack(v) for k, v in raw.items()}
    return Bottleneck(
        name, asked.source, asked.to, levels,
        {k: np.clip(v, 0.0, 100.0) for k, v in draws.items()},
        {k: np.isneginf(v).mean(axis=0) for k, v in draws.items()},
        {k: np.isposinf(v).mean(axis=0) for k, v in draws.items()},
    )  # fmt: skip
