"""Bayes factors against closed forms, and what they refuse."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import acmodels as ac
from acmodels.inference.fitting import Fit

N = 40


def table() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    x, z = rng.normal(size=(2, N))
    se = rng.uniform(0.5, 1.5, N)
    y = 0.4 * x + se * rng.normal(size=N)
    group = [f"g{i % 8}" for i in range(N)]
    return pd.DataFrame({"x": x, "z": z, "se": se, "y": y, "g": group})


def fitted(formula: str, data: pd.DataFrame | None = None, **more: Any) -> Fit:
    names = ["y ~ 1", "y ~ x", "y ~ z"]
    stated = {n: {"dist": "Normal", "mu": 0.1, "sigma": 0.8} for n in names}
    wanted = {n: d for n, d in stated.items() if n[-1] in formula}
    equation = {"formula": formula, **more}
    model = {"name": formula, "equations": {"y": equation}, "priors": wanted}
    return ac.fit(ac.load_model(model), table() if data is None else data, engine="collapsed")


def closed(columns: list[str], sd: float) -> float:
    """Log marginal likelihood with known errors; `sd` of every slope's prior."""
    data = table()
    X = np.column_stack([np.ones(N), *(data[c] for c in columns)])
    prior = np.diag([0.8**2, *[sd**2] * len(columns)])
    cov = np.diag(data["se"] ** 2) + X @ prior @ X.T
    return float(stats.multivariate_normal(X @ np.full(X.shape[1], 0.1), cov).logpdf(data["y"]))


def test_known_errors_have_a_closed_form() -> None:
    one, two = fitted("y ~ 1 + x", se="se"), fitted("y ~ 1 + z", se="se")
    found = ac.bayes_factor(one, two)
    for factor, value in ((1.0, found.log), (0.5, found.log_half), (2.0, found.log_double)):
        want = closed(["x"], 0.8 * factor) - closed(["z"], 0.8 * factor)
        assert value == pytest.approx(want, abs=1e-9)
    assert found.mcse == 0.0
    assert found.factor == pytest.approx(np.exp(found.log))
    assert found.differ == ("y ~ x", "y ~ z")
    assert ac.bayes_factor(two, one).log == pytest.approx(-found.log)


def test_a_model_against_itself() -> None:
    one = fitted("y ~ 1 + x + (1 | g)")
    assert ac.bayes_factor(one, one).log == 0.0


def test_what_it_refuses() -> None:
    one = fitted("y ~ 1 + x", se="se")
    with pytest.raises(ac.InputError, match=r"sigma\(y\)"):  # a default prior of one model alone
        ac.bayes_factor(one, fitted("y ~ 1 + x"))
    with pytest.raises(ac.InputError, match="same rows"):
        ac.bayes_factor(one, fitted("y ~ 1 + x", table().iloc[:-1], se="se"))
    model = {"name": "other", "equations": {"z": {"formula": "z ~ x", "se": "se"}}}
    with pytest.raises(ac.InputError, match="different responses"):
        ac.bayes_factor(one, ac.fit(ac.load_model(model), table(), engine="collapsed"))
