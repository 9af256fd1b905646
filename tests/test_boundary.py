"""Group sds that the data hardly inform are named, and clear ones are not."""

import numpy as np
import pandas as pd
import pytest

from acmodels.data import study
from acmodels.inference.boundary import AT_ZERO, at_zero, rough_notes
from acmodels.inference.fitting import fit, rehearse
from acmodels.load import load_model
from acmodels.spec.distribution import Distribution, half_normal, log_density
from acmodels.spec.model import Model
from acmodels.system import build_system


def model(formula: str = "y ~ 1 + x + (1 | g)", family: str = "gaussian") -> Model:
    return load_model({"name": "t", "equations": {"y": {"formula": formula, "family": family}}})


def data(J: int, n: int, tau: float, seed: int, slope: float = 0.0, family: str = "gaussian"):
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(J), n)
    x = rng.normal(size=J * n) + 3
    eta = 0.3 * (x - 3) + rng.normal(0, tau, J)[g] + rng.normal(0, slope, J)[g] * (x - 3)
    y = {
        "gaussian": lambda: 1 + eta + rng.normal(size=J * n),
        "bernoulli": lambda: (rng.random(J * n) < 1 / (1 + np.exp(-eta))).astype(int),
        "poisson": lambda: rng.poisson(np.exp(0.5 + eta)),
        "ordinal": lambda: np.digitize(eta + rng.logistic(size=J * n), [-1, 0, 1]) + 1,
    }[family]()
    return pd.DataFrame({"g": [f"g{i}" for i in g], "x": x, "y": y})


def said(frame: pd.DataFrame, formula: str = "y ~ 1 + x + (1 | g)") -> list[str]:
    fitted = fit(model(formula), frame, draws=500, cores=1)
    assert fitted.diagnostics.usable
    return [m for m in fitted.diagnostics.messages if "depend" in m and "prior" in m]


def noted(frame: pd.DataFrame, formula: str = "y ~ 1 + x + (1 | g)", family: str = "gaussian"):
    found = rehearse(model(formula, family), frame).findings
    return [f.message for f in found if f.severity == "note" and "rough estimate" in f.message]


@pytest.mark.parametrize("seed", range(3))
def test_a_clear_group_sd_gets_no_note(seed: int) -> None:
    frame = data(25, 12, 0.7, seed)
    assert said(frame) == []
    assert noted(frame) == []


def test_a_group_sd_at_zero_is_a_note_before_and_after_the_fit() -> None:
    rng = np.random.default_rng(4)
    frame = data(30, 10, 0.0, 1).assign(y=lambda d: d["x"] + rng.normal(size=300))
    frame["y"] -= frame.groupby("g")["y"].transform("mean")  # groups alike: the sd is 0 by lmer
    (after,) = said(frame)
    assert "sd(y ~ 1 | g)" in after
    assert "clearly from 0" in after
    (before,) = noted(frame)
    assert "sd(y ~ 1 | g)" in before


def test_of_two_sds_only_the_one_at_zero_is_named() -> None:
    frame = data(30, 12, 0.8, 2, slope=0.0)
    (after,) = said(frame, "y ~ 1 + x + (1 + x || g)")
    assert "sd(y ~ x | g)" in after
    frame = data(30, 12, 0.8, 2, slope=0.6)
    assert said(frame, "y ~ 1 + x + (1 + x | g)") == []


@pytest.mark.parametrize("groups", [2, 3])
def test_few_groups_rest_on_the_prior_however_much_they_differ(groups: int) -> None:
    frame = data(groups, 20, 0.0, 3)
    frame["y"] += 3.0 * frame["g"].str[1:].astype(float)
    (after,) = said(frame)
    assert f"({groups} groups)" in after
    assert "prior half as wide" in after


@pytest.mark.parametrize("family", ["bernoulli", "poisson", "ordinal"])
def test_check_looks_at_every_family(family: str) -> None:
    clear, zero = data(40, 20, 1.0, 5, family=family), data(40, 20, 0.0, 6, family=family)
    assert noted(clear, family=family) == []
    assert len(noted(zero, family=family)) == 1


@pytest.mark.parametrize(
    "prior",
    [
        half_normal(2.5),
        Distribution("Exponential", {"lam": 1.0}),
        Distribution("Gamma", {"alpha": 2.0, "beta": 1.0}),
        Distribution("LogNormal", {"mu": 0.0, "sigma": 1.0}),
    ],
    ids=lambda d: d.name,
)
@pytest.mark.parametrize(("at", "zero"), [(0.0, True), (0.8, False)])
def test_the_likelihood_at_zero_is_told_from_draws(
    prior: Distribution, at: float, zero: bool
) -> None:
    """Draws made from a known likelihood, normal in the sd, times the prior."""
    grid = np.linspace(1e-4, 4, 20_001)
    density = np.exp(-0.5 * ((grid - at) / 0.2) ** 2 + log_density(prior, grid))
    cdf = np.cumsum(density) / density.sum()
    draws = np.interp(np.random.default_rng(1).random(4000), cdf, grid)
    assert (at_zero(draws, prior) > AT_ZERO) == zero


def test_a_group_sd_that_is_held_is_not_spoken_of() -> None:
    spec = load_model(
        {
            "name": "t",
            "equations": {"y": {"formula": "y ~ 1 + (1 | g)"}},
            "priors": {"sd(y ~ 1 | g)": {"dist": "Constant", "value": 0.1}},
        }
    )
    fitted = fit(spec, data(3, 20, 0.0, 1), draws=250, cores=1)
    assert not [m for m in fitted.diagnostics.messages if "depend" in m]


def test_rough_notes_of_a_model_without_groups_are_none() -> None:
    system = build_system(model("y ~ 1 + x"), study(data(4, 10, 0.5, 1)))
    assert rough_notes(system.layout, system.responses) == []
