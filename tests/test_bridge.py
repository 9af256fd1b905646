"""Marginal likelihoods by bridge sampling: known integrals, and importance sampling where it is
trusted."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import acmodels as ac
from acmodels.engines.bridging import bridge
from acmodels.engines.collapsed import fitting


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

    found = bridge(ratio(posterior).reshape(4, 1000), ratio(proposal))
    log, mcse = found.log, found.mcse
    assert log is not None
    assert 0 < mcse < 0.1
    assert abs(log - np.log(3 * np.sqrt(2 * np.pi))) < 4.5 * mcse


def test_half_a_density_is_half_the_integral() -> None:
    rng = np.random.default_rng(1)
    posterior, proposal = np.abs(rng.standard_normal(4000)), 1.3 * rng.standard_normal(4000)

    def ratio(x: np.ndarray) -> np.ndarray:
        inside = stats.norm.logpdf(x) - stats.norm.logpdf(x, scale=1.3)
        return np.where(x > 0, inside, -np.inf)

    found = bridge(ratio(posterior).reshape(4, 1000), ratio(proposal))
    log, mcse = found.log, found.mcse
    assert log is not None
    assert abs(log - np.log(0.5)) < 4.5 * mcse


MODEL: dict[str, Any] = {"name": "m", "equations": {"y": {"formula": "y ~ x + (1 | g)"}}}


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(25), 6)
    x = rng.standard_normal(150)
    y = 0.4 * x + 0.6 * rng.standard_normal(25)[g] + rng.standard_normal(150)
    return pd.DataFrame({"g": [f"g{k}" for k in g], "x": x, "y": y})


def walked(monkeypatch: pytest.MonkeyPatch, seed: int) -> Any:
    monkeypatch.setattr(fitting.Weighted, "trusted", property(lambda _: False))
    found = ac.fit(ac.load_model(MODEL), ac.study(frame()), draws=500, seed=seed)
    assert found.draws.parts[0].method == "metropolis"
    return found


def test_the_walk_has_the_marginal_likelihood_of_trusted_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = ac.fit(ac.load_model(MODEL), ac.study(frame()), draws=500)
    assert points.draws.parts[0].method == "importance"
    one = points.log_marginal_likelihood
    (other,) = walked(monkeypatch, 1).draws.marginal_likelihoods
    assert one is not None
    assert other.log is not None
    assert abs(one - other.log) < 4.5 * other.mcse


def test_dependent_steps_make_the_error_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stated error is the sd over seeds; steps counted as independent said a third of it."""
    found = [walked(monkeypatch, k).draws.marginal_likelihoods[0] for k in range(16)]
    logs = [m.log for m in found if m.log is not None]
    said = float(np.mean([m.mcse for m in found]))
    assert len(logs) == 16
    assert 0.5 * said < np.std(logs, ddof=1) < 1.8 * said
