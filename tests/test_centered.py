"""Default priors do not depend on where a predictor has its zero, or on its unit.

Two laws. Adding a constant to a numeric predictor changes no prediction and no effect at given
values, wherever the formula can say the same of the shifted predictor; multiplying it rescales its
coefficient and nothing else. Both hold for the prior alone, and so for every posterior: the prior
density of the same model, written in the shifted predictor, must be the same at every point.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import acmodels as ac
from acmodels.inference.prior_sensitivity import log_prior
from acmodels.load import load_model
from acmodels.posterior import Posterior
from acmodels.priors import Priors, resolve_priors
from acmodels.replication.truths import truths
from acmodels.system import System, build_system, parameters
from acmodels.system.columns import design_matrix, group_column
from monte_carlo import allowed, sd_error

N = 120


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    g = np.arange(N) % 12
    x, z = rng.normal(2.0, 1.0, N), rng.normal(-1.0, 2.0, N)
    y = 0.5 * x * z + rng.normal(size=12)[g] * x + rng.normal(size=N)
    return pd.DataFrame(
        {
            "x": x,
            "z": z,
            "s": rng.choice(["A", "B", "C"], N),
            "g": [f"g{k}" for k in g],
            "y": y,
            "m": 0.4 * x + rng.normal(size=12)[g] + rng.normal(size=N),
            "b": (y > np.median(y)).astype(int),
            "k": np.digitize(y, np.quantile(y, [0.3, 0.6, 0.8])) + 1,
            "c": rng.poisson(2.0, N),
            "p": rng.uniform(0.1, 0.9, N),
            "t": np.full(N, 9),
            "q": rng.integers(0, 10, N),
        }
    )


DATA = frame()
CLOSED = [
    "x*z",
    "square(x) + x + z",
    "s*x + z",
    "x*z + (1 + x | g)",
    "x*z*s + (1 + x*z | g)",
    "square(x) + x + s:x + s + (1 + x + square(x) | g)",
    "standardize(x)*center(z) + square(center(x)) + (1 | g)",
    "0 + s + x + s:x",
    "x*z + offset(p)",
]
FAMILIES: list[dict[str, Any]] = [
    {"response": "y"},
    {"response": "y", "family": "student"},
    {"response": "b", "family": "bernoulli"},
    {"response": "q", "family": "binomial", "trials": "t"},
    {"response": "k", "family": "ordinal"},
    {"response": "k", "family": "ordinal", "link": "probit"},
    {"response": "c", "family": "poisson"},
    {"response": "c", "family": "negative_binomial"},
    {"response": "p", "family": "beta"},
]


def made(formula: str, data: pd.DataFrame, family: Mapping[str, Any]) -> tuple[System, Priors]:
    options = dict(family)
    response = options.pop("response")
    if response == "p":
        formula = formula.replace("offset(p)", "offset(t)")
    equation = {"formula": f"{response} ~ {formula}", **options}
    model = load_model({"name": "t", "equations": {response: equation}})
    system = build_system(model, ac.study(data))
    return system, resolve_priors({}, system.layout, system.responses)


def as_posterior(system: System, value: Mapping[str, float]) -> Posterior:
    names = tuple(p.name for p in parameters(system.layout))
    return Posterior(names, np.array([[[value[n] for n in names]]]), {}, "none")


def rewritten(one: System, other: System, value: Mapping[str, float]) -> dict[str, float]:
    """The parameters that say of the shifted data what `value` says of the data as they were.

    Found by least squares from what the model predicts, so that nothing is known here of how
    a shift moves a coefficient.
    """
    out = dict(value)
    a, b = one.layout.equations[0], other.layout.equations[0]
    X, W = (design_matrix(s.layout, s.layout.equations[0], s.responses) for s in (one, other))
    names = [a.coefficient(c) for c in a.columns]
    eta = X @ [value[n] for n in names]
    if a.codes:  # thresholds take up what is constant
        W = np.column_stack([W, np.ones(a.n)])
    found = np.linalg.lstsq(W, eta, rcond=None)[0]
    np.testing.assert_allclose(W @ found, eta, atol=1e-6 * np.abs(eta).max())
    out |= dict(zip(names, found, strict=False))
    if a.codes:
        out |= {n: value[n] - found[-1] for n in a.thresholds}
    for block in one.layout.blocks:
        Z, V = (
            np.column_stack(
                [group_column(s.layout, e, m.column, s.responses) for m in block.members]
            )
            for s, e in ((one, a), (other, b))
        )
        move = np.linalg.lstsq(V, Z, rcond=None)[0]  # u of the shifted = move @ u
        sds = np.array([value[block.sd(m)] for m in block.members])
        R = np.eye(len(sds))
        for i, j, name in block.correlations():
            R[i, j] = R[j, i] = value[name]
        covariance = move @ (sds[:, None] * R * sds) @ move.T
        new = np.sqrt(np.diag(covariance))
        out |= {block.sd(m): float(v) for m, v in zip(block.members, new, strict=True)}
        out |= {
            name: float(covariance[i, j] / new[i] / new[j]) for i, j, name in block.correlations()
        }
    return out


def density_moves(formula: str, data: pd.DataFrame, family: Mapping[str, Any]) -> float:
    """How far the log prior of one and the same model varies when the data are shifted.

    Over ten points drawn from the prior; a constant (of the units of parameters) drops out.
    """
    one, priors = made(formula, DATA, family)
    other, shifted = made(formula, data, family)
    gaps: list[float] = []
    for seed in range(10):
        drawn = truths(one.layout, priors, [np.random.default_rng(seed)])
        value = {n: float(v[0]) for n, v in drawn.items()}
        moved = rewritten(one, other, value)
        before = log_prior(one, priors, as_posterior(one, value))
        after = log_prior(other, shifted, as_posterior(other, moved))
        gaps.append(float((after - before)[0, 0]))
    return float(np.ptp(gaps))


@pytest.mark.parametrize("formula", CLOSED)
@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: "-".join(map(str, f.values())))
@settings(max_examples=3, deadline=None)
@given(shift=st.floats(-30, 30), other=st.floats(-30, 30), times=st.floats(0.1, 10))
def test_the_prior_is_the_same_wherever_zero_is(
    formula: str, family: dict[str, Any], shift: float, other: float, times: float
) -> None:
    data = DATA.assign(x=DATA["x"] * times + shift, z=DATA["z"] + other)
    assert density_moves(formula, data, family) < 1e-4


@pytest.mark.parametrize("formula", ["x:z", "0 + x", "square(x)", "x + (1 + x || g)"])
def test_where_a_formula_cannot_say_the_same_check_says_so(formula: str) -> None:
    """The negative control: these formulas mean something else when zero moves."""
    system, _ = made(formula, DATA, {"response": "y"})
    said = [f.message for f in system.findings if "is zero" in f.message or "are zero" in f.message]
    assert said
    assert "'x'" in said[0]


@pytest.mark.parametrize("formula", [*CLOSED, "within(x, g) + between(x, g) + (1 | g)"])
def test_where_it_can_check_says_nothing(formula: str) -> None:
    system, _ = made(formula, DATA, {"response": "y"})
    assert not [f.message for f in system.findings if " zero, since" in f.message]


def test_a_prior_on_what_is_written_is_told_apart() -> None:
    """The negative control of the law: the old defaults, on the coefficients at zero, fail it."""
    one, priors = made("x*z", DATA, {"response": "y"})
    other, shifted = made("x*z", DATA.assign(x=DATA["x"] + 100), {"response": "y"})
    from dataclasses import replace

    gaps: list[float] = []
    for seed in range(10):
        drawn = truths(one.layout, priors, [np.random.default_rng(seed)])
        value = {n: float(v[0]) for n, v in drawn.items()}
        moved = rewritten(one, other, value)
        raw = {n: replace(p, on=()) for n, p in priors.items()}
        then = {n: replace(p, on=()) for n, p in shifted.items()}
        before = log_prior(one, raw, as_posterior(one, value))
        after = log_prior(other, then, as_posterior(other, moved))
        gaps.append(float((after - before)[0, 0]))
    assert np.ptp(gaps) > 10


@pytest.mark.parametrize(
    "formula", ["x*z + (1 + x | g)", "square(x) + x + (1 | g)", "s*x + (1 + x | g)"]
)
def test_a_fit_says_the_same_wherever_zero_is(formula: str) -> None:
    """The exact engine computes in centered coordinates, so that even its draws are the same."""
    model = load_model({"name": "t", "equations": {"y": {"formula": f"y ~ {formula}"}}})
    shifted = DATA.assign(x=DATA["x"] + 2000)
    one = ac.fit(model, DATA, engine="collapsed")
    two = ac.fit(model, shifted, engine="collapsed")
    eta = [
        design_matrix(f.system.layout, f.system.layout.equations[0], f.system.responses)
        @ np.stack([f.draws[c].ravel() for c in f.draws.names if c.startswith("y ~ ")])
        for f in (one, two)
    ]
    np.testing.assert_allclose(eta[1].mean(axis=1), eta[0].mean(axis=1), atol=1e-4)
    np.testing.assert_allclose(eta[1].std(axis=1), eta[0].std(axis=1), rtol=1e-3)
    names = ["sigma(y)"] + [n for n in one.draws.names if n.startswith("sd(y ~ x")]
    for n in names:
        assert two.draws[n].mean() == pytest.approx(one.draws[n].mean(), rel=1e-4)


def test_cell_means_are_centered_where_the_response_is() -> None:
    """Without an intercept the columns of a factor add up to one: means, not differences from 0."""
    model = load_model({"name": "t", "equations": {"y": {"formula": "y ~ 0 + s"}}})
    data = DATA.assign(y=DATA["y"] + 500)
    fit = ac.fit(model, data)
    for level, mean in data.groupby("s")["y"].mean().items():
        row = fit.estimates.set_index("name").loc[f"y ~ s[{level}]"]
        assert abs(row["mean"] - mean) < allowed(row["mcse_mean"], comparisons=3)


def test_a_long_way_from_zero_an_interaction_is_what_least_squares_says() -> None:
    """Report of a real fault: 2,016 as the year left the interaction shrunk to a tenth."""
    import statsmodels.formula.api as smf

    rng = np.random.default_rng(3)
    year, treated = rng.integers(2012, 2022, 300).astype(float), rng.integers(0, 2, 300)
    score = 0.5 * (year - 2016) + 0.8 * (year - 2016) * treated + rng.normal(0, 3, 300)
    data = pd.DataFrame({"score": score, "year": year, "treated": treated})
    model = load_model({"name": "t", "equations": {"score": {"formula": "score ~ year*treated"}}})
    found = ac.fit(model, data).estimates.set_index("name").loc["score ~ year:treated"]
    least = smf.ols("score ~ year*treated", data.assign(year=year - 2016)).fit()
    away = abs(found["mean"] - least.params["year:treated"])
    assert away < allowed(found["mcse_mean"], comparisons=2)
    near = allowed(sd_error(found["ess_tail"]), comparisons=2)
    assert found["sd"] == pytest.approx(least.bse["year:treated"], rel=near)
