"""What the calibration of the collapsed engine runs over: models, designs, truths, ranks.

Used by `run.py` beside it and by `tests/test_collapsed_calibration.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import acmodels as ac
from acmodels.data import Study
from acmodels.engines import Batched, engine
from acmodels.estimands import Context, evaluate
from acmodels.generate import generate_stack
from acmodels.priors import Priors, resolve_priors
from acmodels.rng import child_seed, stream
from acmodels.spec.distribution import draw, median
from acmodels.spec.model import Model
from acmodels.system import Layout, Responses, build_layout, parameters

type Array = NDArray[np.float64]

SEED = 20261125
DRAWS = 99
"""Draws of each posterior; ranks are taken among the first of them, at most a tenth as many as
there are effective points."""
POINTS = 1024
CHUNK = 100
"""Data sets fitted in lockstep."""
LEVEL = 1e-3
"""A model fails where its smallest p value, times the number of its quantities, is below."""

PRIORS = {
    "* ~ *": {"dist": "Normal", "mu": 0, "sigma": 1},
    "sd(*)": {"dist": "HalfNormal", "sigma": 1},
    "sigma(*)": {"dist": "HalfNormal", "sigma": 1},
}
CORRELATED = {**PRIORS, "cor(*)": {"dist": "LKJ", "eta": 2}}


@dataclass(frozen=True)
class Case:
    """A model whose priors are all stated, and a design for it.

    Attributes:
        table: the model, as in a file.
        sizes: levels of `a`, levels of `b` (within each `a` if nested), rows of each pair.
        nested: whether `b` lies in `a`; else each `a` meets each `b`.
    """

    table: Mapping[str, Any]
    sizes: tuple[int, int, int]
    nested: bool = False


@dataclass(frozen=True)
class Control:
    """Data of one case, fitted wrongly on purpose.

    Attributes:
        case: whose data.
        table: the model fitted, where it is another.
        inflated: what parameters are multiplied by when data are drawn, by name.
    """

    case: str
    table: Mapping[str, Any] | None = None
    inflated: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Calibration:
    """Ranks of truths among draws.

    Attributes:
        names: of structural parameters and estimands.
        ranks: (r + U) / (L + 1), with r of L draws below the truth and U uniform; (R, names).
        usable: whether weights could be trusted in the end, (R,).
        ess: the smallest effective number of weighted points, (R,).
    """

    names: tuple[str, ...]
    ranks: Array
    usable: NDArray[np.bool_]
    ess: Array

    @property
    def p_values(self) -> Array:
        """Of uniformity, by name: tests of each ordered rank, combined, as ArviZ does it."""
        from arviz_stats.base import array_stats

        return np.asarray(array_stats.uniformity_test(self.ranks.T)[0])

    @property
    def p_model(self) -> float:
        """The smallest p value times their number (Bonferroni), at most 1."""
        return min(1.0, float(self.p_values.min() * len(self.names)))

    @property
    def failed(self) -> int:
        """Number of fits whose weights could not be trusted; their ranks count all the same."""
        return int(np.sum(~self.usable))


def _table(priors: Mapping[str, Any], equations: Mapping[str, str], **more: Any) -> dict[str, Any]:
    tables = {r: {"formula": f} for r, f in equations.items()}
    return {"name": "calibration", "equations": tables, "priors": priors, **more}


CASES = {
    "nested": Case(_table(PRIORS, {"y": "y ~ x + (1 | a/b)"}), (12, 4, 4), nested=True),
    "crossed": Case(_table(PRIORS, {"y": "y ~ x + (1 | a) + (1 | b)"}), (15, 8, 2)),
    "slopes": Case(_table(CORRELATED, {"y": "y ~ x + (1 + x | a)"}), (25, 2, 4), nested=True),
    "mediation": Case(
        _table(
            PRIORS,
            {"m": "m ~ x + (1 | a) + (1 | b)", "y": "y ~ m + x + (1 | a)"},
            estimands={"indirect": {"kind": "indirect", "from": "x", "to": "y"}},
        ),
        (15, 8, 2),
    ),
    "linked": Case(
        _table(
            CORRELATED,
            {"m": "m ~ x + (1 |i| a)", "y": "y ~ x + (1 |i| a) + (1 | b)"},
            residual_correlation=[["m", "y"]],
        ),
        (15, 8, 2),
    ),
}
"""Intercepts nested and crossed, correlated slopes, a mediation, linked equations."""

CONTROLS = {
    "slopes, slope dropped": Control("slopes", _table(PRIORS, {"y": "y ~ x + (1 | a)"})),
    "crossed, b dropped": Control("crossed", _table(PRIORS, {"y": "y ~ x + (1 | a)"})),
    "crossed, sigma 5 % off": Control("crossed", inflated={"sigma(y)": 1.05}),
}
"""Each must fail at the size at which the cases pass."""


def frame(case: Case, seed: int) -> pd.DataFrame:
    """Ids and a standard normal predictor; the design of all replications."""
    J, K, n = case.sizes
    a, b = np.repeat(np.arange(J), K * n), np.tile(np.repeat(np.arange(K), n), J)
    inner = a * K + b if case.nested else b
    x = stream(seed, "predictor").standard_normal(J * K * n)
    ids = {"a": [f"a{i}" for i in a], "b": [f"b{i}" for i in inner]}
    return pd.DataFrame({**ids, "x": x})


def truths(layout: Layout, priors: Priors, rngs: list[np.random.Generator]) -> dict[str, Array]:
    """One draw of each data set from the priors, by parameter, (R,).

    Correlation matrices here are 2 by 2, where LKJ(eta) is Beta(eta, eta) on (-1, 1).
    """
    drawn: list[list[float]] = []
    kinds = [(p.kind, priors[p.name].distribution) for p in parameters(layout)]
    for g in rngs:
        one: list[float] = []
        for kind, d in kinds:
            eta = d.parameters.get("eta", 1.0)
            one.append(2 * g.beta(eta, eta) - 1 if kind == "cor" else float(draw(d, g, 1)[0]))
        drawn.append(one)
    names = [p.name for p in parameters(layout)]
    return dict(zip(names, np.array(drawn).T, strict=True))


def typical(layout: Layout, priors: Priors, seed: int) -> Responses:
    """Responses at the priors' medians, (n,), to prepare on."""
    middle = {p.name: median(priors[p.name].distribution) for p in parameters(layout)}
    middle |= {n: 0.3 for n, p in priors.items() if p.distribution.name == "Normal"}
    made = generate_stack(layout, middle, [stream(seed, "typical")])
    return {k: v[0] for k, v in made.responses.items()}


def calibrate(
    name: str, replications: int, *, seed: int = SEED, draws: int = DRAWS, points: int = POINTS
) -> Calibration:
    """Draw truths, then data, fit, and rank each truth among the draws.

    Args:
        name: of a case or a control.
        replications: R.
        seed: replication r depends on it and on r alone.
        draws: of each posterior, at most 99.
        points: of each data set before adaptation.
    """
    control = CONTROLS.get(name, Control(name))
    case = CASES[control.case]
    true = ac.load_model(case.table)
    study = ac.study(frame(case, seed))
    layout = build_layout(true, study)
    priors = resolve_priors(true.priors, layout, None)
    fitted = ac.load_model(control.table or case.table)
    prepared = _prepare(fitted, study, typical(layout, priors, seed))
    out: list[Calibration] = []
    with threadpool_limits(1):
        for first in range(0, replications, CHUNK):
            every = range(first, min(first + CHUNK, replications))
            rngs = [stream(seed, control.case, r) for r in every]
            truth = truths(layout, priors, rngs)
            used = {n: v * control.inflated.get(n, 1.0) for n, v in truth.items()}
            stack = generate_stack(layout, used, rngs).responses
            seeds = [child_seed(seed, "fit", r) for r in every]
            batch = prepared.batch(stack, seeds, draws, points)
            known = {n: truth[n][:, None] for n in batch.names}
            drawn = {n: batch.values[..., k] for k, n in enumerate(batch.names)}
            known |= _estimands(fitted, layout, stack, known)
            drawn |= _estimands(fitted, layout, stack, drawn)
            u = np.stack([g.random(len(drawn)) for g in rngs])
            L = np.clip(batch.ess // 10, 1, draws)[:, None]
            kept = np.arange(draws) < L
            below = np.stack([np.sum(kept & (drawn[n] < known[n]), 1) for n in drawn], axis=1)
            ranks = (below + u) / (L + 1)
            out.append(Calibration(tuple(drawn), ranks, batch.usable, batch.ess))
    return Calibration(
        out[0].names, *(np.concatenate([getattr(c, k) for c in out]) for k in _BY_REPLICATION)
    )


_BY_REPLICATION = ("ranks", "usable", "ess")


def _prepare(model: Model, study: Study, responses: Responses) -> Batched:
    layout = build_layout(model, study)
    priors = resolve_priors(model.priors, layout, None)
    return cast("Batched", engine("collapsed").prepare(layout, priors, responses))


def _estimands(
    model: Model, layout: Layout, stack: Responses, values: Mapping[str, Array]
) -> dict[str, Array]:
    context = Context(layout, stack, values.__getitem__, model.estimands, model.source)
    return {n: evaluate(n, context)[0].draws for n in model.estimands}
