"""Effects on the outcome's scale against closed forms, quadrature and brute force."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import expit, ndtr

from acmodels.data import study
from acmodels.errors import EstimandError, InputError
from acmodels.estimands import Context, evaluate, warnings
from acmodels.estimands import _gformula as gformula
from acmodels.load import load_design, load_model
from acmodels.simulation import simulate
from acmodels.system import build_system, parameters

N, J = 60, 6
K_SE = 4.5
"""Standard errors allowed in a Monte Carlo comparison: about 1e-5 a comparison."""

SAME = 200
"""Draws of one truth, whose spread gives the Monte Carlo error of their mean."""


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    g = np.arange(N) % J
    columns = {c: rng.normal(0.4, 1.1, N) for c in ("x", "w", "c", "m", "n", "k", "y")}
    columns["k"] = columns["k"] ** 2
    return pd.DataFrame(
        {
            **columns,
            "pos": np.exp(columns["w"]),
            "treated": np.arange(N) // 2 % 2,
            "sector": rng.choice(["A", "B", "C"], N),
            "two": rng.choice(["no", "yes"], N),
            "grade": rng.choice([3, 5], N),
            "g": [f"g{i}" for i in g],
            "h": [f"h{i}" for i in np.arange(N) % 4],
            "b": rng.integers(2, size=N),
            "yes": rng.integers(2, size=N),
            "s": rng.integers(6, size=N),
            "t": np.full(N, 5),
            "se": np.full(N, 0.4),
            "part": rng.uniform(0.1, 0.9, N),
            "stage": 2 + np.arange(N) % 3,
            "ux": rng.normal(size=J)[g],
            "um": rng.normal(size=J)[g],
            "uw": rng.normal(size=J)[g],
        }
    )


DATA = frame()

type Truth = Mapping[str, float | np.ndarray]


def context(
    equations: Mapping[str, str | Mapping[str, Any]],
    estimands: Mapping[str, Mapping[str, Any]],
    truth: Truth | int = 0,
    shape: tuple[int, int] = (1, 1),
    data: pd.DataFrame = DATA,
    **top: Any,
) -> Context:
    """A model with stated values in place of a posterior, or random ones by a seed."""
    tables = {r: ({"formula": e} if isinstance(e, str) else dict(e)) for r, e in equations.items()}
    asked = {
        k: {"from": "x", "to": "y", "scale": "response", **e}
        if "kind" in e and "of" not in e
        else e
        for k, e in estimands.items()
    }
    model = load_model({"name": "t", "equations": tables, "estimands": asked, **top})
    system = build_system(model, study(data))
    rng = np.random.default_rng(truth if isinstance(truth, int) else 0)
    plain = {"coefficient": 0.0, "cor": 0.0, "sd": 0.0, "sigma": 1.0, "threshold": 0.0}
    draws: dict[str, np.ndarray] = {}
    for p in parameters(system.layout):
        if isinstance(truth, int):
            spread = {"cor": (-0.4, 0.4), "coefficient": (-1.0, 1.0)}.get(p.kind, (0.2, 1.0))
            draws[p.name] = rng.uniform(*spread, shape)
        else:
            draws[p.name] = np.broadcast_to(truth.get(p.name, plain.get(p.kind, np.nan)), shape)
    if not isinstance(truth, int):
        assert set(truth) <= set(draws), set(truth) - set(draws)
    return Context(
        system.layout, system.responses, draws.__getitem__, model.estimands, model.source
    )


def draws_of(c: Context, name: str = "e") -> np.ndarray:
    (row,) = evaluate(name, c)
    assert row.at == ""
    return row.draws


VALUES = {"values": [0.0, 1.0]}
THREE: dict[str, dict[str, Any]] = {
    k: {"kind": k, "values": [-0.5, 1.5]} for k in ("total", "direct", "indirect")
}
ARMS: dict[str, dict[str, Any]] = {
    f"{k}{a}": {"kind": k, "arm": a, "values": [-0.5, 1.5]}
    for k in ("direct", "indirect")
    for a in (0, 1)
}


def close(
    equations: Mapping[str, str | Mapping[str, Any]],
    estimands: Mapping[str, Mapping[str, Any]],
    truth: Truth,
    wanted: Mapping[str, float],
    wrong: Mapping[str, float] | None = None,
    **top: Any,
) -> None:
    """Compare means over `SAME` draws of one truth with numbers, by their own error.

    Args:
        equations: of the model.
        estimands: by name.
        truth: of the parameters.
        wanted: by estimand.
        wrong: numbers of a model with a part left out, which must fail the same comparison.
        **top: further keys of the model.
    """
    c = context(equations, estimands, truth, (1, SAME), **top)
    for name, value in wanted.items():
        found = draws_of(c, name)
        error = found.std(ddof=1) / np.sqrt(SAME) + 1e-12
        assert abs(found.mean() - value) < K_SE * error, (name, found.mean(), value, error)
        if wrong is not None and name in wrong:
            assert abs(found.mean() - wrong[name]) > K_SE * error, name


# --- linear systems ----------------------------------------------------------------

GAUSSIAN = {
    "m": "m ~ x + w + (1 | g)",
    "n": "n ~ x + (1 | h)",
    "y": "y ~ x + m + n + w + (1 | g) + (1 | h)",
}


@pytest.mark.parametrize("correlated", [[], [["m", "n"]], [["m", "y"]]])
def test_additive_gaussian_effects_are_products_on_every_draw(correlated: list[list[str]]) -> None:
    c = context(GAUSSIAN, {**THREE, **ARMS}, 4, (2, 5), residual_correlation=correlated)
    p = c.parameter
    through = 2.0 * (p("m ~ x") * p("y ~ m") + p("n ~ x") * p("y ~ n"))
    wanted = {"direct": 2.0 * p("y ~ x"), "indirect": through}
    wanted["total"] = wanted["direct"] + wanted["indirect"]
    wanted |= {f"{k}{a}": wanted[k] for k in ("direct", "indirect") for a in (0, 1)}
    for name, value in wanted.items():
        np.testing.assert_allclose(draws_of(c, name), value, atol=1e-8, rtol=0, err_msg=name)


INTERACTION = {"m": "m ~ x + c", "y": "y ~ x*m + c"}


def test_exposure_mediator_interaction_has_its_closed_form() -> None:
    """VanderWeele & Vansteelandt (2009), with covariates averaged over the rows."""
    c = context(INTERACTION, {**THREE, **ARMS}, 7, (2, 5))
    p = c.parameter
    x0, x1 = -0.5, 1.5
    for a, x in ((0, x0), (1, x1)):
        mean_m = p("m ~ 1") + p("m ~ x") * x + p("m ~ c") * DATA["c"].mean()
        nde = (p("y ~ x") + p("y ~ x:m") * mean_m) * (x1 - x0)
        nie = (p("y ~ m") + p("y ~ x:m") * x) * p("m ~ x") * (x1 - x0)
        np.testing.assert_allclose(draws_of(c, f"direct{a}"), nde, atol=1e-10)
        np.testing.assert_allclose(draws_of(c, f"indirect{a}"), nie, atol=1e-10)


def test_random_slopes_add_their_covariance() -> None:
    """E(ab) = ab + cov(a, b) (Kenny, Korchmaros & Bolger, 2003)."""
    shared = {"m": "m ~ x + (1 + x |i| g)", "y": "y ~ x + m + (1 + m |i| g)"}
    truth = {
        "m ~ x": 0.4,
        "y ~ m": 0.3,
        "sd(m ~ x | g)": 0.5,
        "sd(y ~ m | g)": 0.6,
        "sd(m ~ 1 | g)": 0.7,
        "cor(m ~ x, y ~ m | g)": 0.7,
        "cor(m ~ 1, m ~ x | g)": 0.3,
    }
    asked = {"e": {"kind": "indirect", **VALUES}, "d": {"kind": "direct", **VALUES}}
    product, covariance = 0.4 * 0.3, 0.7 * 0.5 * 0.6
    close(shared, asked, truth, {"e": product + covariance}, {"e": product})
    apart = {"m": "m ~ x + (1 + x | g)", "y": "y ~ x + m + (1 + m | g)"}
    alone = {k: v for k, v in truth.items() if "y" not in k or "cor" not in k}
    close(apart, asked, alone, {"e": product, "d": 0.0})


def test_serial_mediators() -> None:
    c = context(
        {"m": "m ~ x", "n": "n ~ x + m", "y": "y ~ x + m + n"},
        {
            "e": {"kind": "indirect", **VALUES},
            "m": {"kind": "indirect", "via": [["m"], ["m", "n"]], **VALUES},
            "n": {"kind": "indirect", "via": ["n"], **VALUES},
            "on": {"kind": "total", "to": "n", **VALUES},
            "of": {"kind": "indirect", "from": "m", **VALUES},
        },
        3,
        (2, 4),
    )
    p = c.parameter
    by_m = p("m ~ x") * (p("y ~ m") + p("n ~ m") * p("y ~ n"))
    by_n = p("n ~ x") * p("y ~ n")
    wanted = {
        "e": by_m + by_n,
        "m": by_m,
        "n": by_n,
        "on": p("n ~ x") + p("m ~ x") * p("n ~ m"),
        "of": p("n ~ m") * p("y ~ n"),
    }
    for name, value in wanted.items():
        np.testing.assert_allclose(draws_of(c, name), value, atol=1e-8, err_msg=name)


def test_transforms_refer_to_the_data() -> None:
    """`center(m)` is m less its observed mean; `from` moves all that is made of it."""
    c = context(
        {"m": "m ~ log(pos) + center(pos)", "y": "y ~ center(m) + square(pos):standardize(w)"},
        {"e": {"kind": "total", "from": "pos", "values": [1.0, 2.0]}},
        5,
        (1, 3),
    )
    p = c.parameter
    through = p("m ~ log(pos)") * np.log(2.0) + p("m ~ center(pos)")
    wanted = through * p("y ~ center(m)")  # standardize(w) has mean 0
    np.testing.assert_allclose(draws_of(c), wanted, atol=1e-8)
    square = context(
        {"y": "y ~ center(x) + square(x)"}, {"e": {"kind": "total", "values": [1.0, 3.0]}}, 5
    )
    q = square.parameter
    wanted = 2.0 * q("y ~ center(x)") + 8.0 * q("y ~ square(x)")
    np.testing.assert_allclose(draws_of(square), wanted, atol=1e-10)


def test_a_curve_in_a_drawn_mediator() -> None:
    """E m^2 has the residual's and the groups' variance in it, alike in both arms."""
    close(
        {"m": "m ~ x + (1 + x || g)", "y": "y ~ square(m)"},
        {"e": {"kind": "total", **VALUES}},
        {"m ~ 1": 0.3, "m ~ x": 0.5, "sd(m ~ x | g)": 0.6, "y ~ square(m)": 0.7},
        {"e": 0.7 * (0.8**2 - 0.3**2 + 0.36)},
        {"e": 0.7 * (0.8**2 - 0.3**2)},
    )


# --- links -------------------------------------------------------------------------


def worlds(y: Callable[[float, float], float], x0: float, x1: float) -> dict[str, float]:
    """Effects by their definitions, from the expected outcome at x and at M(x')."""
    values = (x0, x1)
    out = {"total": y(x1, x1) - y(x0, x0)}
    for a in (0, 1):
        out[f"direct{a}"] = y(x1, values[a]) - y(x0, values[a])
        out[f"indirect{a}"] = y(values[a], x1) - y(values[a], x0)
    for k in ("direct", "indirect"):
        out[k] = (out[f"{k}0"] + out[f"{k}1"]) / 2
    return out


LOGIT_TRUTH = {
    "m ~ 1": 0.2,
    "m ~ x": 0.6,
    "m ~ c": 0.3,
    "sigma(m)": 0.8,
    "y ~ 1": -0.7,
    "y ~ x": 0.5,
    "y ~ m": 0.9,
    "y ~ c": 0.4,
}


def test_probit_without_groups_has_its_closed_form() -> None:
    truth = {k.replace("y ~", "yes ~"): v for k, v in LOGIT_TRUTH.items()}
    c = DATA["c"].to_numpy()

    def y(x: float, x_m: float) -> float:
        eta = -0.7 + 0.5 * x + 0.9 * (0.2 + 0.6 * x_m + 0.3 * c) + 0.4 * c
        return float(ndtr(eta / np.sqrt(1 + 0.9**2 * 0.8**2)).mean())

    equations = {
        "m": "m ~ x + c",
        "yes": {"formula": "yes ~ x + m + c", "family": "bernoulli", "link": "probit"},
    }
    asked = {k: {**e, "to": "yes"} for k, e in {**THREE, **ARMS}.items()}
    close(equations, asked, truth, worlds(y, -0.5, 1.5))


@pytest.mark.parametrize("rho", [0.8, -0.6])
def test_residuals_that_correlate_are_drawn_together(rho: float) -> None:
    """Of two mediators, and of a mediator with what `from` does not move, which then is drawn."""
    for moved in (True, False):
        b = 0.4 if moved else 0.0

        def y(x: float, x_m: float, r: float, b: float = b) -> float:
            eta = 0.3 * x + 0.7 * (0.5 * x_m) + 0.9 * (0.1 + b * x_m)
            return float(ndtr(eta / np.sqrt(1 + 0.49 + 0.81 + 2 * r * 0.7 * 0.9)))

        wanted = worlds(lambda x, m, y=y: y(x, m, rho), 0.0, 1.0)
        wrong = worlds(lambda x, m, y=y: y(x, m, 0.0), 0.0, 1.0)
        truth = {"m ~ x": 0.5, "k ~ 1": 0.1, "yes ~ x": 0.3, "yes ~ m": 0.7, "yes ~ k": 0.9}
        close(
            {
                "m": "m ~ x",
                "k": "k ~ x" if moved else "k ~ 1",
                "yes": {"formula": "yes ~ x + m + k", "family": "bernoulli", "link": "probit"},
            },
            {k: {"kind": k, "to": "yes", **VALUES} for k in THREE},
            {**truth, "cor(m, k)": rho, **({"k ~ x": 0.4} if moved else {})},
            {k: wanted[k] for k in THREE},
            {k: wrong[k] for k in THREE},
            residual_correlation=[["m", "k"]],
        )


def test_what_is_not_moved_and_stands_alone_is_as_observed() -> None:
    c = context(
        {"k": "k ~ 1", "m": "m ~ x + k", "y": "y ~ x:k + m"},
        {"e": {"kind": "total", **VALUES}},
        3,
        (1, 2),
    )
    p = c.parameter
    wanted = p("y ~ x:k") * DATA["k"].mean() + p("m ~ x") * p("y ~ m")
    np.testing.assert_allclose(draws_of(c), wanted, atol=1e-10)


def test_a_random_intercept_logit_is_averaged_and_not_held_at_zero() -> None:
    z, weight = hermegauss(60)
    weight = weight / weight.sum()
    c = DATA["c"].to_numpy()

    def effect(tau: float) -> float:
        eta = -0.5 + 0.6 * c
        p = expit(eta[:, None] + np.array([0.0, 1.2])[:, None, None] + tau * z)
        return float((p @ weight).mean(axis=1) @ [-1, 1])

    for family, extra in (("bernoulli", {}), ("binomial", {"trials": "t"})):
        r = "yes" if family == "bernoulli" else "s"
        close(
            {r: {"formula": f"{r} ~ x + c + (1 | g)", "family": family, **extra}},
            {"e": {"kind": "total", "to": r, **VALUES}},
            {f"{r} ~ 1": -0.5, f"{r} ~ x": 1.2, f"{r} ~ c": 0.6, f"sd({r} ~ 1 | g)": 1.5},
            {"e": effect(1.5)},
            {"e": effect(0.0)},
        )


def test_a_binary_mediator_is_summed_over() -> None:
    c = DATA["c"].to_numpy()

    def p(x: float) -> np.ndarray:
        return expit(-0.3 + 1.1 * x + 0.5 * c)

    def linear(x: float, x_m: float) -> float:
        return float((0.4 * x + (0.8 + 0.6 * x) * p(x_m)).mean())

    def logit(x: float, x_m: float) -> float:
        on, off = expit(0.4 * x + 0.8 + 0.6 * x), expit(0.4 * x)
        return float((p(x_m) * on + (1 - p(x_m)) * off).mean())

    b = {"formula": "b ~ x + c", "family": "bernoulli"}
    for y, family, r in ((linear, "gaussian", "y"), (logit, "bernoulli", "yes")):
        truth = {"b ~ 1": -0.3, "b ~ x": 1.1, "b ~ c": 0.5}
        truth |= {f"{r} ~ x": 0.4, f"{r} ~ b": 0.8, f"{r} ~ x:b": 0.6}
        close(
            {"b": b, r: {"formula": f"{r} ~ x*b", "family": family}},
            {k: {**e, "to": r} for k, e in {**THREE, **ARMS}.items()},
            truth,
            worlds(y, -0.5, 1.5),
        )


LOGS = np.exp([0.3, 1.2])
LOGITS = expit(np.array([0.3, 1.2]))
CUT = np.array([expit(1.0 - np.array([0.3, 1.2])), expit(-0.5 - np.array([0.3, 1.2]))])
"""Of an ordinal response, P(y <= 3) and P(y <= 2)."""


@pytest.mark.parametrize(
    ("response", "family", "own", "mean", "second"),
    [
        ("s", {"family": "poisson"}, {}, LOGS, LOGS + LOGS**2),
        (
            "s",
            {"family": "negative_binomial"},
            {"phi(s)": 1.5},
            LOGS,
            LOGS + LOGS**2 * (1 + 1 / 1.5),
        ),
        (
            "s",
            {"family": "binomial", "trials": "t"},
            {},
            5 * LOGITS,
            5 * LOGITS * (1 - LOGITS) + 25 * LOGITS**2,
        ),
        (
            "part",
            {"family": "beta"},
            {"phi(part)": 3.0},
            LOGITS,
            LOGITS**2 + LOGITS * (1 - LOGITS) / 4,
        ),
        (
            "m",
            {"family": "student"},
            {"nu(m)": 8.0, "sigma(m)": 0.9},
            np.array([0.3, 1.2]),
            np.array([0.3, 1.2]) ** 2 + 0.81 * 8 / 6,
        ),
        (
            "stage",
            {"family": "ordinal"},
            {"stage | t1": -0.5, "stage | t2": 1.0},
            4 - CUT.sum(axis=0),
            16 - 7 * CUT[0] - 5 * CUT[1],
        ),
    ],
    ids=lambda v: v.get("family") if isinstance(v, dict) else None,
)
@pytest.mark.parametrize("values", [[0.0, 1.0], [1.0, 0.0]], ids=["up", "down"])
def test_mediators_and_outcomes_of_every_family(
    response: str,
    family: dict[str, Any],
    own: dict[str, float],
    mean: np.ndarray,
    second: np.ndarray,
    values: list[float],
) -> None:
    """By the moments of a mediator in both worlds, and by the mean of an outcome."""
    r = response
    sign = values[1] - values[0]
    intercept = {} if family["family"] == "ordinal" else {f"{r} ~ 1": 0.3}
    lower = {f"{r} ~ x": 0.9, **intercept, **own}
    if family["family"] == "ordinal":  # without an intercept, its thresholds are 0.3 lower
        lower |= {k: v - 0.3 for k, v in own.items()}
    equation = {"formula": f"{r} ~ x", **family}
    once = {"e": {"kind": "indirect", "values": values}}
    outcome = {"y ~ 1": 0.4, "y ~ x": 1.0, f"y ~ {r}": 0.7, f"y ~ square({r})": 0.2}
    wanted = float(0.7 * np.diff(mean)[0] + 0.2 * np.diff(second)[0]) * sign
    close(
        {r: equation, "y": f"y ~ x + {r} + square({r})"},
        once,
        lower | outcome,
        {"e": wanted},
        {"e": wanted - sign * float(np.diff(second - mean**2)[0]) * 0.2 - 0.01},
    )
    c = context({r: equation}, {"e": {"kind": "total", "to": r, "values": values}}, lower)
    per = 5 if family["family"] == "binomial" else 1
    assert draws_of(c).item() == pytest.approx(sign * float(np.diff(mean)[0]) / per, abs=1e-10)


def test_known_standard_errors_are_residuals() -> None:
    z, weight = hermegauss(60)
    weight = weight / weight.sum()

    def y(x: float, x_m: float, sd: float) -> float:
        return float(expit(0.5 * x + 2.0 * (x_m + sd * z)) @ weight)

    close(
        {"m": {"formula": "m ~ x", "se": "se"}, "yes": {"formula": "yes ~ x + m", **BINARY}},
        {k: {"kind": k, "to": "yes", **VALUES} for k in THREE},
        {"m ~ x": 1.0, "yes ~ x": 0.5, "yes ~ m": 2.0},
        {k: v for k, v in worlds(lambda x, m: y(x, m, 0.4), 0, 1).items() if k in THREE},
        {k: v for k, v in worlds(lambda x, m: y(x, m, 0.0), 0, 1).items() if k in THREE},
    )


BINARY = {"family": "bernoulli"}
FULL = {
    "m": "m ~ x + c + (1 + x |i| g) + (1 | h)",
    "b": {"formula": "b ~ x + m + (1 | g)", **BINARY},
    "yes": {"formula": "yes ~ x*m + b + c + (1 + m |i| g) + (1 | h)", **BINARY},
}
FULL_TRUTH = {
    "m ~ 1": 0.1,
    "m ~ x": 0.5,
    "m ~ c": 0.4,
    "sigma(m)": 0.7,
    "b ~ 1": -0.3,
    "b ~ x": 0.8,
    "b ~ m": 0.6,
    "yes ~ 1": -0.6,
    "yes ~ x": 0.3,
    "yes ~ m": 0.5,
    "yes ~ b": 0.9,
    "yes ~ c": -0.4,
    "yes ~ x:m": 0.35,
    "sd(m ~ 1 | g)": 0.6,
    "sd(m ~ x | g)": 0.5,
    "sd(m ~ 1 | h)": 0.4,
    "sd(b ~ 1 | g)": 0.7,
    "sd(yes ~ 1 | g)": 0.8,
    "sd(yes ~ m | g)": 0.6,
    "sd(yes ~ 1 | h)": 0.5,
    "cor(m ~ 1, m ~ x | g)": 0.3,
    "cor(m ~ x, yes ~ m | g)": 0.7,
    "cor(m ~ 1, yes ~ 1 | g)": -0.4,
}


def brute_force(replicates: int, seed: int) -> dict[str, tuple[float, float]]:
    """`FULL` at `FULL_TRUTH`, written out: groups of the data, new in every replicate."""
    t = FULL_TRUTH
    rng = np.random.default_rng(seed)
    g = np.array([int(v[1:]) for v in DATA["g"]])
    h = np.array([int(v[1:]) for v in DATA["h"]])
    c = DATA["c"].to_numpy()
    sds = np.array([0.6, 0.5, 0.8, 0.6])  # m, m by x, yes, yes by m
    R = np.eye(4)
    for i, j, r in ((0, 1, 0.3), (1, 3, 0.7), (0, 2, -0.4)):
        R[i, j] = R[j, i] = r
    root = np.linalg.cholesky(R * np.outer(sds, sds))
    found: dict[str, list[float]] = {}
    for _ in range(replicates):
        u = rng.normal(size=(J, 4)) @ root.T
        mh, yh = 0.4 * rng.normal(size=4), 0.5 * rng.normal(size=4)
        bg = 0.7 * rng.normal(size=J)
        e, v = 0.7 * rng.normal(size=N), rng.uniform(size=N)

        def m(x: float, u: Any = u, mh: Any = mh, e: Any = e) -> np.ndarray:
            return t["m ~ 1"] + (t["m ~ x"] + u[g, 1]) * x + t["m ~ c"] * c + u[g, 0] + mh[h] + e

        def y(x: float, x_m: float, u: Any = u, yh: Any = yh, bg: Any = bg, v: Any = v) -> float:
            here = m(x_m)
            b = v < expit(t["b ~ 1"] + t["b ~ x"] * x_m + t["b ~ m"] * here + bg[g])
            eta = t["yes ~ 1"] + t["yes ~ x"] * x + (t["yes ~ m"] + u[g, 3]) * here
            eta = eta + t["yes ~ b"] * b + t["yes ~ c"] * c + t["yes ~ x:m"] * x * here
            return float(expit(eta + u[g, 2] + yh[h]).mean())

        for name, value in worlds(y, -0.5, 1.5).items():
            found.setdefault(name, []).append(value)
    return {
        k: (float(np.mean(v)), float(np.std(v, ddof=1) / np.sqrt(len(v)))) for k, v in found.items()
    }


def test_a_system_of_everything_agrees_with_brute_force() -> None:
    asked = {k: {**e, "to": "yes"} for k, e in {**THREE, **ARMS}.items()}
    c = context(FULL, asked, FULL_TRUTH, (1, SAME))
    without = context(
        FULL, asked, {**FULL_TRUTH, "sd(yes ~ 1 | g)": 0.0, "sd(yes ~ m | g)": 0.0}, (1, SAME)
    )
    off = 0
    for name, (value, error) in brute_force(3000, 11).items():
        found = draws_of(c, name)
        both = np.hypot(error, found.std(ddof=1) / np.sqrt(SAME))
        assert abs(found.mean() - value) < K_SE * both, (name, found.mean(), value, both)
        off += abs(draws_of(without, name).mean() - value) > K_SE * both
    assert off >= 3


def test_a_truth_has_enough_replicates() -> None:
    """One draw agrees with the mean of many, and errs by less than half a percent of the effect.

    Stratified sets of replicates are independent, so that the variance of a draw goes with one over
    their number.
    """
    asked = {k: {**e, "to": "yes"} for k, e in THREE.items()}
    one, many = (context(FULL, asked, FULL_TRUTH, (1, k)) for k in (1, SAME))
    sets = gformula._replicates  # pyright: ignore[reportPrivateUsage]
    for name in asked:
        wanted = draws_of(many, name)
        error = wanted.std(ddof=1) / np.sqrt(SAME)
        own = wanted.std(ddof=1) * np.sqrt(sets(SAME, N)[1] / sets(1, N)[1])
        assert abs(draws_of(one, name).item() - wanted.mean()) < K_SE * np.hypot(own, error)
        assert 2 * own < 0.005 * abs(wanted.mean())


def test_monte_carlo_noise_is_small_beside_a_posterior() -> None:
    """What noise is left is a few hundredths of a posterior's sd, as `_gformula` says.

    By 60 rows, half of them in each arm, a risk difference about one half has an sd of 0.13.
    """
    sd = np.sqrt(0.25 / 30 + 0.25 / 30)
    asked = {k: {**e, "to": "yes"} for k, e in THREE.items()}
    c = context(FULL, asked, FULL_TRUTH, (4, 500))
    assert all(draws_of(c, name).std() < 0.05 * sd for name in asked)


# --- levels ------------------------------------------------------------------------


def test_a_mediator_of_a_higher_level() -> None:
    z, weight = hermegauss(60)
    weight = weight / weight.sum()

    def y(x: float, x_m: float) -> float:
        return float(expit(0.5 * x + 0.8 * (0.7 * x_m + 0.9 * z)) @ weight)

    close(
        {
            "um": {"formula": "um ~ ux", "level": "g"},
            "yes": {"formula": "yes ~ ux + um", **BINARY},
        },
        {k: {"kind": k, "from": "ux", "to": "yes", **VALUES} for k in THREE},
        {"um ~ ux": 0.7, "sigma(um)": 0.9, "yes ~ ux": 0.5, "yes ~ um": 0.8},
        {k: v for k, v in worlds(y, 0.0, 1.0).items() if k in THREE},
    )


def test_an_outcome_of_a_higher_level_counts_each_unit_once() -> None:
    """Groups of unequal size: the average is over groups, not over rows."""
    data = DATA.iloc[[*range(12), *([0] * 8)]]
    c = context(
        {"um": {"formula": "um ~ ux * uw", "level": "g"}},
        {"e": {"kind": "total", "from": "ux", "to": "um", **VALUES}},
        2,
        data=data,
    )
    p = c.parameter
    wanted = p("um ~ ux") + p("um ~ ux:uw") * DATA["uw"][:J].mean()
    np.testing.assert_allclose(draws_of(c), wanted, atol=1e-10)


def test_latent_unit_means() -> None:
    """A path runs through what of the mediator the outcome takes: its deviation or its mean."""
    equations = {
        "m": "m ~ x + ux + (1 | g)",
        "y": "y ~ x + within(m, g) + between(m, g) + (1 | g)",
    }
    asked = {
        "within": {"kind": "indirect", **VALUES},
        "between": {"kind": "indirect", "from": "ux", **VALUES},
        "named": {"kind": "indirect", "via": ["within(m, g)"], **VALUES},
    }
    c = context(equations, asked, 6, (1, 4))
    p = c.parameter
    low, high = (p(f"y ~ {k}(m, g)") for k in ("within", "between"))
    np.testing.assert_allclose(draws_of(c, "within"), p("m ~ x") * low, atol=1e-8)
    np.testing.assert_allclose(draws_of(c, "named"), p("m ~ x") * low, atol=1e-8)
    np.testing.assert_allclose(draws_of(c, "between"), p("m ~ ux") * high, atol=1e-8)


def test_a_latent_mean_carries_the_groups_variance() -> None:
    truth = {"m ~ x": 0.8, "sd(m ~ 1 | g)": 1.5, "sigma(m)": 1e-6}
    truth |= {"yes ~ within(m, g)": 0.6, "yes ~ between(m, g)": 1.1}
    scale = np.sqrt(1 + (1.1 * 1.5) ** 2)
    close(
        {
            "m": "m ~ x + (1 | g)",
            "yes": {
                "formula": "yes ~ within(m, g) + between(m, g)",
                "family": "bernoulli",
                "link": "probit",
            },
        },
        {"e": {"kind": "total", "to": "yes", **VALUES}},
        truth,
        {"e": float(ndtr(0.48 / scale) - 0.5)},
        {"e": float(ndtr(0.48) - 0.5)},
    )


def test_a_deviation_or_a_mean_can_be_the_cause() -> None:
    equations = {"y": "y ~ within(x, g) + between(x, g)"}
    asked = {k: {"kind": "total", "from": f"{k}(x, g)", **VALUES} for k in ("within", "between")}
    c = context(equations, asked, 6, (1, 4))
    for k in asked:
        np.testing.assert_allclose(draws_of(c, k), c.parameter(f"y ~ {k}(x, g)"), atol=1e-10)


# --- another implementation ----------------------------------------------------------


def test_single_level_effects_agree_with_statsmodels() -> None:
    """Mediation of Imai, Keele & Tingley (2010), its parameters held at the estimates."""
    import statsmodels.api as sm
    from statsmodels.stats.mediation import Mediation

    class AtEstimates(Mediation):
        def _simulate_params(self, result: Any, *args: Any) -> Any:
            return result.params

    data = DATA.assign(m=DATA["m"] + 0.7 * DATA["treated"])
    noise = np.random.default_rng(9).logistic(size=N)
    data["yes"] = (0.6 * data["treated"] + 0.9 * data["m"] + noise > 0.5).astype(int)

    def design(*names: str) -> pd.DataFrame:
        return data[list(names)].astype(float).assign(Intercept=1.0)

    m, yes = design("treated", "c"), design("treated", "m", "c")
    outcome = sm.GLM(data["yes"], yes, family=sm.families.Binomial())
    mediator = sm.OLS(data["m"], m)
    reps = 2000
    theirs = AtEstimates(outcome, mediator, [0, 0], 1).fit(n_rep=reps, rng=np.random.default_rng(1))
    at_estimates = {"m": mediator.fit(), "yes": outcome.fit()}
    truth = {
        f"{r} ~ {k.replace('Intercept', '1')}": v
        for r, fitted in at_estimates.items()
        for k, v in fitted.params.items()
    }
    truth["sigma(m)"] = float(np.sqrt(at_estimates["m"].scale))
    kinds = {"ACME": "indirect", "ADE": "direct"}
    asked = {
        f"{s}_{arm}": {"kind": kinds[s], "arm": a, "from": "treated", "to": "yes"}
        for s in kinds
        for a, arm in enumerate(("ctrl", "tx"))
    }
    asked["total_effect"] = {"kind": "total", "from": "treated", "to": "yes"}
    formulas = {"m": "m ~ treated + c", "yes": {"formula": "yes ~ treated + m + c", **BINARY}}
    c = context(formulas, asked, truth)
    for name in asked:
        found = np.asarray(getattr(theirs, name))
        error = found.std(ddof=1) / np.sqrt(len(found))
        assert len(found) == reps
        assert abs(draws_of(c, name).item() - found.mean()) < K_SE * error, name


# --- sums, arms, streams -------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
def test_total_is_direct_plus_indirect_on_every_draw(seed: int) -> None:
    asked = {k: {**e, "to": "yes"} for k, e in {**THREE, **ARMS}.items()}
    c = context(FULL, asked, seed, (2, 30))
    d = {k: draws_of(c, k) for k in asked}
    same = {"atol": 1e-10, "rtol": 0}
    np.testing.assert_allclose(d["total"], d["direct"] + d["indirect"], **same)
    np.testing.assert_allclose(d["total"], d["direct0"] + d["indirect1"], **same)
    np.testing.assert_allclose(d["total"], d["direct1"] + d["indirect0"], **same)
    np.testing.assert_allclose(d["direct"], (d["direct0"] + d["direct1"]) / 2, **same)
    assert np.ptp(d["direct0"] - d["direct1"]) > 1e6 * same["atol"]  # the arms do differ


def test_effects_do_not_depend_on_what_else_is_asked() -> None:
    asked = {k: {**e, "to": "yes"} for k, e in THREE.items()}
    together = context(FULL, asked, 5, (1, 20))
    before = {k: draws_of(together, k) for k in asked}
    for k, e in asked.items():
        alone = draws_of(context(FULL, {k: e}, 5, (1, 20)), k)
        np.testing.assert_array_equal(alone, before[k])


def test_the_values_exchanged_change_the_sign_and_the_arms() -> None:
    there, back = (
        context(FULL, {"e": {"kind": "direct", "arm": a, "to": "yes", "values": v}}, 5, (1, 20))
        for a, v in ((0, [0.0, 1.0]), (1, [1.0, 0.0]))
    )
    np.testing.assert_allclose(draws_of(there), -draws_of(back), atol=1e-12)


def test_contrasts_of_effects() -> None:
    asked = {k: {**e, "to": "yes"} for k, e in THREE.items()}
    c = context(FULL, {**asked, "e": {"kind": "contrast", "of": ["total", "direct"]}}, 5, (1, 9))
    np.testing.assert_allclose(draws_of(c), draws_of(c, "indirect"), atol=1e-12)


def test_many_data_sets_at_once() -> None:
    c = context({"k": "k ~ 1", "y": "y ~ x*k"}, {"e": {"kind": "total", **VALUES}}, 5, (3, 4))
    rng = np.random.default_rng(0)
    stack = {r: rng.normal(size=(3, N)) for r in ("k", "y")}
    many = Context(c.layout, stack, c.parameter, c.estimands, c.source)
    p = c.parameter
    wanted = p("y ~ x") + p("y ~ x:k") * stack["k"].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(draws_of(many), wanted, atol=1e-10)


def test_the_rehearsal_on_zeros_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    c = context(FULL, {"e": {"kind": "total", "to": "yes", **VALUES}}, {"sigma(m)": 0.0})
    monkeypatch.setattr(gformula, "_simulate", None)
    assert draws_of(c).item() == 0.0


# --- at ------------------------------------------------------------------------------


def rows(c: Context, name: str = "e") -> dict[str, np.ndarray]:
    return {r.at: r.draws for r in evaluate(name, c)}


def test_at_sets_a_moderator_in_every_row() -> None:
    c = context(
        {"m": "m ~ x*w", "y": "y ~ m*sector + w"},
        {"e": {"kind": "indirect", "at": {"w": [0, 2], "sector": ["A", "C"]}, **VALUES}},
        4,
        (1, 3),
    )
    p = c.parameter
    found = rows(c)
    assert list(found) == ["w=0; sector=A", "w=0; sector=C", "w=2; sector=A", "w=2; sector=C"]
    wanted = (p("m ~ x") + 2 * p("m ~ x:w")) * (p("y ~ m") + p("y ~ m:sector[C]"))
    np.testing.assert_allclose(found["w=2; sector=C"], wanted, atol=1e-8)


def test_at_matters_through_a_link_even_without_an_interaction() -> None:
    c = context(
        {"yes": {"formula": "yes ~ x + w", **BINARY}},
        {"e": {"kind": "direct", "to": "yes", "at": {"w": [0, 3]}, **VALUES}},
        {"yes ~ x": 1.0, "yes ~ w": 1.0},
    )
    found = rows(c)
    for w in (0, 3):
        assert found[f"w={w}"].item() == pytest.approx(float(expit(1 + w) - expit(w)), abs=1e-12)


def test_a_mediator_that_is_set_gives_the_controlled_direct_effect() -> None:
    c = context(
        {"m": "m ~ x", "n": "n ~ x + m", "y": "y ~ x*m + n"},
        {k: {"kind": k, "at": {"m": [0, 2]}, **VALUES} for k in THREE},
        4,
        (1, 3),
    )
    p = c.parameter
    for m in (0, 2):
        controlled = p("y ~ x") + m * p("y ~ x:m")
        by_n = p("n ~ x") * p("y ~ n")
        np.testing.assert_allclose(rows(c, "direct")[f"m={m}"], controlled, atol=1e-8)
        np.testing.assert_allclose(rows(c, "indirect")[f"m={m}"], by_n, atol=1e-8)
        np.testing.assert_allclose(rows(c, "total")[f"m={m}"], controlled + by_n, atol=1e-8)


# --- values ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "estimand", "wanted"),
    [
        ("y ~ treated", {"from": "treated"}, {"treated": 1}),
        ("y ~ treated", {"from": "treated", "values": [1, 0]}, {"treated": -1}),
        ("y ~ b", {"from": "b"}, {"b": 1}),
        ("y ~ two", {"from": "two"}, {"two[yes]": 1}),
        ("y ~ two", {"from": "two", "values": ["yes", "no"]}, {"two[yes]": -1}),
        ('y ~ factor(two, ref="yes")', {"from": "two"}, {"factor(two)[no]": 1}),
        ("y ~ factor(grade)", {"from": "grade"}, {"factor(grade)[5]": 1}),
        ("y ~ factor(grade)", {"from": "grade", "values": [5, 3]}, {"factor(grade)[5]": -1}),
        (
            "y ~ sector",
            {"from": "sector", "values": ["B", "C"]},
            {"sector[C]": 1, "sector[B]": -1},
        ),
        ("y ~ sector", {"from": "sector[B]"}, {"sector[B]": 1}),
        ("y ~ x", {"values": [1, 4]}, {"x": 3}),
    ],
    ids=str,
)
def test_values(formula: str, estimand: dict[str, Any], wanted: dict[str, float]) -> None:
    equations = {"y": formula}
    if estimand.get("from") == "b":
        equations |= {"b": {"formula": "b ~ w", **BINARY}}
    c = context(equations, {"e": {"kind": "total", **estimand}}, 3, (1, 3))
    total = sum(v * c.parameter(f"y ~ {k}") for k, v in wanted.items())
    np.testing.assert_allclose(draws_of(c), total, atol=1e-10)


def test_a_factor_as_a_cause_through_a_mediator() -> None:
    c = context(
        {"m": "m ~ sector", "y": "y ~ sector + m"},
        {k: {"kind": k, "from": "sector", "values": ["B", "C"]} for k in THREE},
        3,
        (1, 3),
    )
    p = c.parameter
    by_m = (p("m ~ sector[C]") - p("m ~ sector[B]")) * p("y ~ m")
    np.testing.assert_allclose(draws_of(c, "indirect"), by_m, atol=1e-8)
    straight = p("y ~ sector[C]") - p("y ~ sector[B]")
    np.testing.assert_allclose(draws_of(c, "direct"), straight, atol=1e-8)


# --- refusals and warnings ---------------------------------------------------------------

PARALLEL = {"m": "m ~ x + w", "n": "n ~ x", "y": "y ~ x + m + n + w"}
SERIAL = {"m": "m ~ x", "n": "n ~ x + m", "y": "y ~ x + m + n"}


@pytest.mark.parametrize(
    ("equations", "estimand", "words"),
    [
        (PARALLEL, {"kind": "total"}, ("between which values 'x' moves", "values = [")),
        (PARALLEL, {"kind": "total", "values": [1, 1]}, ("values", "the same")),
        (PARALLEL, {"kind": "total", "values": ["a", 1]}, ("values", "'x' is a number", "'a'")),
        (PARALLEL, {"kind": "total", "arm": 0, **VALUES}, ("arm", "no arm")),
        (PARALLEL, {"kind": "total", "from": "xx", **VALUES}, ("from", "did you mean 'x'")),
        (PARALLEL, {"kind": "total", "to": "yy", **VALUES}, ("to", "did you mean 'y'")),
        (PARALLEL, {"kind": "total", "from": "m", "to": "n", **VALUES}, ("no path leads",)),
        ({"m": "m ~ x", "y": "y ~ m"}, {"kind": "direct", **VALUES}, ("no arrow",)),
        ({"y": "y ~ x"}, {"kind": "indirect", **VALUES}, ("no path leads", "mediator")),
        ({"y": "y ~ sector"}, {"kind": "total", "from": "sector"}, ("3 levels", 'values = ["A"')),
        (
            {"y": "y ~ sector"},
            {"kind": "total", "from": "sector", "values": ["A", "D"]},
            ("values", "no level 'D'", "A, B, C"),
        ),
        (
            {"y": "y ~ sector"},
            {"kind": "total", "from": "sector[B]", "values": ["A", "B"]},
            ('write from = "sector"',),
        ),
        ({"y": "y ~ log(pos)"}, {"kind": "total", "from": "log(pos)", **VALUES}, ('"pos"',)),
        (
            {"y": "y ~ log(pos)"},
            {"kind": "total", "from": "pos", **VALUES},
            ("log(pos) in equations.y cannot take 'pos' = 0, 1",),
        ),
        (
            {"k": "k ~ x", "y": "y ~ k + sqrt(k)"},
            {"kind": "total", **VALUES},
            ("sqrt(k)", "drawn from the family gaussian", "0 or less"),
        ),
        (
            {"b": {"formula": "b ~ w", **BINARY}, "y": "y ~ b"},
            {"kind": "total", "from": "b", "values": [0, 2]},
            ("'b' is 0 or 1",),
        ),
        (SERIAL, {"kind": "indirect", "via": ["m"], **VALUES}, ("via", "m → n", '["m", "n"]')),
        (SERIAL, {"kind": "indirect", "via": ["m", "n"], **VALUES}, ("begin with 'm'",)),
        (PARALLEL, {"kind": "indirect", "via": ["k"], **VALUES}, ("'k' has no equation",)),
        (
            PARALLEL,
            {"kind": "indirect", "via": ["m"], "at": {"m": [0]}, **VALUES},
            ("at", "'m' is held"),
        ),
        (
            {"m": "m ~ x", "y": "y ~ m + x"},
            {"kind": "indirect", "at": {"m": [0]}, **VALUES},
            ("no path leads", "with m held by at"),
        ),
        (PARALLEL, {"kind": "total", "at": {"x": [0]}, **VALUES}, ("at", "'x' is an end")),
        (PARALLEL, {"kind": "total", "at": {"y": [0]}, **VALUES}, ("at", "'y' is an end")),
        (
            {**PARALLEL, "k": "k ~ c"},
            {"kind": "total", "at": {"c": [0]}, **VALUES},
            ("at", "'c' has no bearing"),
        ),
        (PARALLEL, {"kind": "slope_at", "at": {"w": [0]}, **VALUES}, ("no response scale",)),
        (
            {"m": "m ~ x*w", "y": "y ~ m"},
            {"kind": "index_of_moderated_mediation", "moderator": "w", **VALUES},
            ("no response scale",),
        ),
        (PARALLEL, {"kind": "total", "scale": "linear", **VALUES}, ('scale = "response"',)),
        (PARALLEL, {"kind": "direct", "scale": "linear", "arm": 1}, ('scale = "response"',)),
        (
            {"y": "y ~ x + within(x, g)"},
            {"kind": "total", **VALUES},
            ("'x' also enters as within(x, g)",),
        ),
        (
            {
                "m": "m ~ x + (1 | g)",
                "y": {"formula": "y ~ within(m, g) + between(m, g)", "centering": "observed"},
            },
            {"kind": "total", **VALUES},
            ("observed mean of 'm'", 'centering = "observed"'),
        ),
    ],
)
def test_refusals(
    equations: dict[str, Any], estimand: dict[str, Any], words: tuple[str, ...]
) -> None:
    c = context(equations, {"e": estimand}, 1)
    with pytest.raises(EstimandError) as caught:
        evaluate("e", c)
    text = str(caught.value)
    assert text.startswith("t: estimands.e")
    for word in words:
        assert word in text, text


@pytest.mark.parametrize(
    ("estimand", "words"),
    [
        ({"kind": "total", "values": [1]}, ("estimands.e.values", "at least 2")),
        ({"kind": "total", "values": 1}, ("estimands.e.values: must be a list",)),
        ({"kind": "total", "value": [0, 1]}, ("unknown key 'value'", "did you mean 'values'")),
        ({"kind": "direct", "arm": 2}, ("estimands.e.arm", "0 or 1")),
        ({"kind": "direct", "scale": "reponse"}, ("estimands.e.scale", "'response'")),
    ],
)
def test_tables_that_cannot_be_read(estimand: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        context(PARALLEL, {"e": estimand})
    for word in words:
        assert word in str(caught.value)


def said(equations: dict[str, Any], estimand: dict[str, Any]) -> str:
    return "\n".join(warnings(context(equations, {"e": estimand}, 1)))


def test_a_confounder_that_the_cause_moves_is_said() -> None:
    assert "'m' is moved by 'x' and bears on both 'n' and 'y'" in said(
        SERIAL, {"kind": "indirect", "via": ["n"], **VALUES}
    )
    assert said(SERIAL, {"kind": "indirect", **VALUES}) == ""
    assert said(PARALLEL, {"kind": "indirect", "via": ["m"], **VALUES}) == ""
    chain = {"m": "m ~ x", "n": "n ~ m + x", "y": "y ~ x + n"}
    assert said(chain, {"kind": "indirect", "via": ["n"], **VALUES}) == ""


def test_values_beyond_the_data_are_said() -> None:
    assert "lies between" in said(PARALLEL, {"kind": "total", "values": [0, 40]})


def test_slopes_that_vary_without_a_shared_covariance_are_said() -> None:
    apart = {"m": "m ~ x + (1 + x | g)", "y": "y ~ x + m + (1 + m | g)"}
    assert "write |id| in both" in said(apart, {"kind": "indirect", **VALUES})
    linked = {"b": {"formula": "b ~ x", **BINARY}, "y": "y ~ b + x"}
    assert said(linked, {"kind": "indirect", **VALUES}) == ""


# --- a design's truth ----------------------------------------------------------------------


def test_a_design_states_the_true_effect(tmp_path: Path) -> None:
    asked = "\n".join(
        f'[estimands.{k}]\nkind = "{k}"\nfrom = "treated"\nto = "yes"\nscale = "response"'
        for k in THREE
    )
    (tmp_path / "m.toml").write_text(
        'name = "t"\n[equations.m]\nformula = "m ~ treated"\n[equations.yes]\n'
        'formula = "yes ~ treated + m"\nfamily = "bernoulli"\nlink = "probit"\n' + asked
    )
    (tmp_path / "d.toml").write_text(
        'model = "m.toml"\n[units]\nrow = 200\n[truth]\n"m ~ treated" = 0.6\n'
        '"yes ~ treated" = 0.3\n"yes ~ m" = 0.8\n'
        '[exogenous]\ntreated = { dist = "Bernoulli", p = 0.5 }\n'
    )
    found = simulate(load_design(tmp_path / "d.toml"), 3).effects
    wanted = worlds(lambda x, m: float(ndtr((0.3 * x + 0.48 * m) / np.sqrt(1.64))), 0.0, 1.0)
    for k in THREE:  # the noise of 400,000 rows, of which no effect differs by more than 0.5
        assert abs(found[k] - wanted[k]) < K_SE * 0.5 / np.sqrt(4e5)
