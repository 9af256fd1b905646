"""Estimands of a model at posterior draws: their rows, what ratios divide by, their table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from acmodels.errors import InputError, did_you_mean
from acmodels.estimands import Context, Ground, denominators, evaluate, kind, steps
from acmodels.estimands import warnings as estimand_warnings
from acmodels.inference.imputation import MOST, WORLDS, Imputations, over_worlds
from acmodels.inference.judging import EffectRow, Effects, meant
from acmodels.posterior import Array, Diagnostics, Posterior, summarize
from acmodels.spec.model import Model
from acmodels.system import System


def context_of(model: Model, system: System, parameter: Callable[[str], Array]) -> Context:
    """Return what estimands are evaluated in."""
    return Context(system.layout, system.responses, parameter, model.estimands, model.source)


def try_estimands(model: Model, system: System) -> None:
    """Compute the estimands once on zeros, so that a wrong one costs no sampling."""
    context = context_of(model, system, lambda _: np.zeros((1, 1)))
    problems: list[str] = []
    counts: dict[str, list[str]] = {}
    with np.errstate(all="ignore"):
        for name in model.estimands:
            try:
                counts[name] = [r.at for r in evaluate(name, context)]
            except InputError as error:
                problems += error.problems
    problems += _proposition_problems(model, counts)
    if problems:
        raise InputError(problems)


def _proposition_problems(model: Model, counts: Mapping[str, list[str]]) -> list[str]:
    out: list[str] = []
    claims = [(q, c) for q in model.propositions.values() for c in q.claims]
    for p, c in claims:
        rows = counts.get(c.estimand, [])
        if c.at is None:
            rows = meant(model.estimands[c.estimand].kind, rows, None)
        where = f"{model.source}: propositions.{p.id}"
        said = ", ".join(f'"{r}"' for r in rows)
        if c.at is None and len(rows) > 1:
            out.append(f"{where}: '{c.estimand}' has {len(rows)} rows; say which with at = {said}")
        if c.at is not None and rows and c.at not in rows:
            near = did_you_mean(c.at, rows)
            out.append(f"{where}.at: '{c.estimand}' has no row '{c.at}'{near} (rows: {said})")
    return out


def evaluate_draws(
    model: Model, system: System, posterior: Posterior, values: Imputations | None, prob: float
) -> tuple[tuple[EffectRow, ...], list[str]]:
    """Evaluate all estimands, over completed data where values are missing; warnings too."""
    context = context_of(model, system, posterior.__getitem__)
    if values is None:
        found = effect_rows(context)
    else:
        shown: list[EffectRows] = []

        def one(world: System, parameter: Callable[[str], Array]) -> list[Array]:
            shown[:] = [effect_rows(context_of(model, world, parameter))]
            return shown[0].arrays

        each = any(kind(e.kind).each_value for e in model.estimands.values())
        draws = over_worlds(system, values, posterior, one, MOST if each else WORLDS)
        found = shown[0].of(draws)
    rows = found.withheld(prob)
    said = [f"{model.source}: estimands.{r.withheld}" for r in rows if r.withheld]
    return rows, [*estimand_warnings(context), *said]


@dataclass(frozen=True)
class EffectRows:
    """Rows of estimands before ratios are withheld, with what they divide by.

    Attributes:
        rows: one for each quantity.
        wholes: by position of the row, what must not be doubtful for it to be reported.
    """

    rows: tuple[EffectRow, ...]
    wholes: Mapping[int, tuple[Ground, ...]]

    @property
    def arrays(self) -> list[Array]:
        """All draws: of the rows, of what they divide by, then of the steps of paths."""
        wholes = [w.draws for some in self.wholes.values() for w in some]
        legs = [s.draws for r in self.rows for path in r.steps for s in path]
        return [r.draws for r in self.rows] + wholes + legs

    def of(self, arrays: list[Array]) -> "EffectRows":
        """Return the same with other draws, in the order of `arrays`."""
        rest = iter(arrays)
        rows = [replace(r, draws=next(rest)) for r in self.rows]
        wholes = {
            k: tuple(replace(w, draws=next(rest)) for w in some) for k, some in self.wholes.items()
        }
        rows = tuple(
            replace(r, steps=tuple(tuple(replace(s, draws=next(rest)) for s in p) for p in r.steps))
            for r in rows
        )
        return EffectRows(rows, wholes)

    def withheld(self, prob: float) -> tuple[EffectRow, ...]:
        """Return the rows; a ratio whose denominator may be zero has a reason and no numbers.

        Args:
            prob: mass of the interval that must not include zero.
        """
        out = list(self.rows)
        for k, wholes in self.wholes.items():
            bad = [w for w in wholes if w.doubtful(prob)]
            if not bad:
                continue
            at = f" ({out[k].at})" if out[k].at else ""
            why = f"'{out[k].name}'{at} is not reported, since {bad[0].doubt(prob)}."
            out[k] = replace(out[k], draws=np.full_like(out[k].draws, np.nan), withheld=why)
        return tuple(out)


def effect_rows(context: Context) -> EffectRows:
    """Compute all estimands of a model, and what ratios among them divide by."""
    rows: list[EffectRow] = []
    wholes: dict[int, tuple[Ground, ...]] = {}
    for name, e in context.estimands.items():
        first = len(rows)
        ends = _ends(e.settings)
        rows += [
            EffectRow(name, e.kind, r.at, r.draws, **ends, steps=found)
            for r, found in zip(evaluate(name, context), steps(name, context), strict=True)
        ]
        wholes |= {first + k: w for k, w in enumerate(denominators(name, context))}
    return EffectRows(tuple(rows), wholes)


def _ends(settings: Any) -> dict[str, Any]:
    """Where an effect starts and ends, and its scale; nothing of other estimands."""
    keys = {"source": "from_", "to": "to", "scale": "scale"}
    return {k: str(getattr(settings, key, "")) for k, key in keys.items()}


def effects_table(
    model: Model,
    rows: tuple[EffectRow, ...],
    diagnostics: Diagnostics,
    interval: str,
    prob: float,
    posterior: Posterior,
) -> Effects:
    """Summarize the rows of estimands in a table."""
    import pandas as pd

    if rows:
        known = [k for k, r in enumerate(rows) if not r.withheld]
        draws = np.stack([r.draws for r in rows], axis=2)
        table = {c: np.full(len(rows), np.nan) for c in summarize(np.zeros((2, 8, 1)))}
        positive = np.full(len(rows), np.nan)
        if known:
            for c, v in summarize(draws[:, :, known], interval, prob, posterior).items():
                table[c][known] = v
            positive[known] = (draws[:, :, known] > 0).mean(axis=(0, 1))
    else:
        table = {c: np.zeros(0) for c in summarize(np.zeros((2, 8, 1)))}
        positive = np.zeros(0)
    frame = pd.DataFrame(
        {
            "name": [r.name for r in rows],
            "kind": [r.kind for r in rows],
            "at": [r.at for r in rows],
            **{c: table[c] for c in ("mean", "sd", "median", "lower", "upper")},
            "p_positive": positive,
            **{c: table[c] for c in ("r_hat", "ess_bulk", "ess_tail", "mcse_mean")},
        }
    )
    why = diagnostics.messages[0] if diagnostics.messages and not diagnostics.usable else ""
    return Effects(model.name, rows, frame, diagnostics.usable, interval, prob, why)
