"""Marginal likelihoods by bridge sampling: known integrals, and importance sampling where it is
trusted."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import acmodels as ac
from acmodels.engines.collapsed import fitting
from acmodels.engines.collapsed.bridge import bridge


@pytest.mark.parametrize("seed", range(5))
def test_a_known_integral(seed: int) -> None:
    """3 exp(-x^2 / 2) integrates to 3 sqrt(2 pi), by a proposal that is off on purpose."""
    rng = np.random.default_rng(seed)
    posterior, proposal = (
        rng.standard_normal(4000),
        stats.t(4, 0.7, 1.5).rvs(4000, random_state=rng),
    )

    def ratio(x: np.ndarray) -> np.ndarray:
        return np.log(3) - x**2 / 2 - stats.t.logpdf(x, 4, 0.7, 1.5)

    log, mcse = bridge(ratio(posterior), ratio(proposal))
    assert 0 < mcse < 0.1
    assert abs(log - np.log(3 * np.sqrt(2 * np.pi))) < 4.5 * mcse


def test_half_a_density_is_half_the_integral() -> None:
    rng = np.random.default_rng(1)
    posterior, proposal = np.abs(rng.standard_normal(4000)), 1.3 * rng.standard_normal(4000)

    def ratio(x: np.ndarray) -> np.ndarray:
        inside = stats.norm.logpdf(x) - stats.norm.logpdf(x, scale=1.3)
        return np.where(x > 0, inside, -np.inf)

    log, mcse = bridge(ratio(posterior), ratio(proposal))
    assert abs(log - np.log(0.5)) < 4.5 * mcse


def test_the_walk_has_the_marginal_likelihood_of_trusted_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(25), 6)
    x = rng.standard_normal(150)
    y = 0.4 * x + 0.6 * rng.standard_normal(25)[g] + rng.standard_normal(150)
    data = pd.DataFrame({"g": [f"g{k}" for k in g], "x": x, "y": y})
    model: dict[str, Any] = {
        "name": "m",
        "equations": {"y": {"formula": "y ~ x + (1 | g)"}},
    }
    trusted = ac.fit(ac.load_model(model), ac.study(data), draws=500)
    monkeypatch.setattr(fitting.Weighted, "trusted", property(lambda _: False))
    walked = ac.fit(ac.load_model(model), ac.study(data), draws=500)
    (part,) = walked.draws.parts
    assert part.method == "metropolis"
    assert trusted.draws.parts[0].method == "importance"
    one, other = trusted.log_marginal_likelihood, walked.log_marginal_likelihood
    assert one is not None
    assert other is not None
    assert abs(one - other) < 0.05
