"""The contract of a family, over every family there is.

Draws are compared with the log density, the mean and the variance, each by `K` Monte Carlo
standard errors: some 20 comparisons a test at 1e-6 each, so below 1e-4 a test.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmodels.errors import ModelError
from acmodels.families import Family, family, family_names, scalars
from acmodels.load import load_model
from acmodels.simulation import simulate
from acmodels.spec.design import design_from_table
from acmodels.spec.distribution import Distribution, median

K = 4.9
N = 40_000
OWN: Mapping[str, dict[str, Any]] = {
    "student": {"nu": 6.0},
    "negative_binomial": {"phi": 1.7},
    "beta": {"phi": 6.0},
    "ordinal": {"threshold": np.array([-1.0, 0.2, 1.5]), "lowest": -1.0},
}
"""Values of the further parameters of families; others take their guesses without data."""
CASES = [(name, link) for name in family_names() for link in family(name).links]


@pytest.fixture(params=CASES, ids=lambda c: f"{c[0]}-{c[1]}")
def case(request: pytest.FixtureRequest) -> Family:
    """The distribution of a family's responses, with 7 trials or an sd of 1.3 where it has any."""
    return given_family(*request.param)


def given_family(name: str, link: str | None = None, **known: Any) -> Family:
    fam = family(name)
    own = known or OWN.get(name) or fam.guess(None, fam.links[0], ())
    sd = 1.3 if fam.has_sigma else None
    return fam(link=link or fam.links[0], sd=sd, trials=7.0 if fam.needs_trials else None, **own)


def drawn(d: Family, eta: float, n: int = N, seed: int = 11) -> np.ndarray:
    return d.draw(np.random.default_rng(seed), np.full(n, eta))


def density(d: Family, y: np.ndarray, eta: float) -> np.ndarray:
    return np.exp(d.log_density(y, np.full(y.shape, eta)))


@pytest.mark.parametrize("eta", [-0.9, 0.4, 1.2])
def test_draws_follow_the_density(case: Family, eta: float) -> None:
    """Shares of whole numbers, or of twelve intervals of the line, are the density's."""
    y = drawn(case, eta)
    if case.whole:
        values = np.arange(0.0, 400.0) if not case.needs_trials else np.arange(0.0, 8.0)
        if case.ordered:
            values = np.arange(-1.0, 3.0)
        p = density(case, values, eta)
        assert p.sum() == pytest.approx(1.0, abs=1e-6)
        shares = np.array([np.mean(y == v) for v in values])
        assert shares.sum() == pytest.approx(1.0)
        p, shares = p[:20], shares[:20]
    else:
        edges = np.quantile(y, np.linspace(0.02, 0.98, 13))
        grid = np.linspace(edges[:-1], edges[1:], 2001)
        p = np.trapezoid(density(case, grid, eta), grid, axis=0)
        shares = np.histogram(drawn(case, eta, seed=12), edges)[0] / N
    assert np.all(np.abs(shares - p) <= K * np.sqrt(p * (1 - p) / N) + 1e-9)


@pytest.mark.parametrize("eta", [-0.9, 1.2])
def test_draws_have_the_mean_and_the_variance(case: Family, eta: float) -> None:
    y = drawn(case, eta) / (case.trials or 1.0)
    m, v = float(case.mean(np.array([eta]))[0]), float(case.variance(np.array([eta]))[0])
    assert abs(y.mean() - m) < K * y.std() / np.sqrt(N)
    spread = np.sqrt((np.mean((y - m) ** 4) - v**2) / N)
    assert abs(np.mean((y - m) ** 2) - v) < K * spread


def test_a_density_with_another_parameter_fails(case: Family) -> None:
    """The comparison above can fail: the mean at another predictor is not the draws' mean."""
    y = drawn(case, 0.4) / (case.trials or 1.0)
    other = float(case.mean(np.array([0.6]))[0])
    assert abs(y.mean() - other) > K * y.std() / np.sqrt(N)


def test_draws_have_no_problem(case: Family) -> None:
    y = drawn(case, 0.4, 200)
    assert case.problems(y, np.full(200, 7.0) if case.needs_trials else None) == []
    assert case.warnings(y) == []


def test_guesses_are_of_what_the_family_owns(case: Family) -> None:
    codes = (-1, 0, 1, 2) if case.ordered else ()
    for y in (None, drawn(case, 0.4, 500)):
        found = case.guess(y, case.link, codes)
        owned = {s.kind for s in case.scalars}
        assert set(found) == owned | ({"threshold", "lowest"} if case.ordered else set())
        for s in case.scalars:
            assert s.lower < found[s.kind] < s.upper
            assert s.prior(found[s.kind]).kind.support == s.support
            assert s.kind in scalars()
            assert s.label
        if case.ordered:
            assert found["threshold"].shape == (3,)
            assert np.all(np.diff(found["threshold"]) > 0)


def test_residual_variances(case: Family) -> None:
    """Positive, in the shape of the parameters."""
    own = {s.kind: np.full((2, 5, 1), getattr(case, s.kind)) for s in case.scalars}
    wide = replace(case, sd=None if case.sd is None else np.full((2, 5, 1), case.sd), **own)
    found = np.broadcast_to(wide.residual_variance(0.4), (2, 5, 1))
    assert np.all(found > 0)


def test_residual_variances_by_hand() -> None:
    t = given_family("student", nu=4.0)
    assert replace(t, sd=2.0).residual_variance() == 8.0
    assert np.isinf(replace(t, nu=1.5).residual_variance())
    assert given_family("poisson").residual_variance(2.0) == pytest.approx(np.log(1.5))
    nb = given_family("negative_binomial", phi=4.0).residual_variance(2.0)
    assert nb == pytest.approx(np.log(1.75))
    y = np.random.default_rng(1).beta(0.3 * 8, 0.7 * 8, 100_000)
    z = np.log(y / (1 - y))
    wanted = given_family("beta", phi=8.0).residual_variance(0.3)
    error = np.sqrt((np.mean((z - z.mean()) ** 4) - z.var() ** 2) / len(z))
    assert abs(z.var() - wanted) < K * error


# --- ordinal ---------------------------------------------------------------------------


@given(
    st.floats(-30, 30),
    st.lists(st.floats(0.01, 8), min_size=1, max_size=6),
    st.sampled_from(["logit", "probit"]),
)
def test_category_probabilities_are_the_density(eta: float, steps: list[float], link: str) -> None:
    cuts = np.cumsum(steps) - 5.0
    d = given_family("ordinal", link, threshold=cuts, lowest=1.0)
    p = d.probabilities(np.array([eta]))[0]
    assert p.sum() == pytest.approx(1.0)
    assert np.all(p >= 0)
    codes = np.arange(1.0, len(cuts) + 2)
    here = np.full(len(codes), eta)
    logs = d.log_density(codes, here)
    one = [d.probability(here[:1], k)[0] for k in range(len(codes))]
    np.testing.assert_allclose(one, p, rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(np.exp(logs), p, rtol=1e-9, atol=1e-14)
    assert np.isfinite(logs).all(), "no category is lost in the tails"


def test_two_categories_are_bernoulli() -> None:
    eta = np.linspace(-3, 3, 13)
    y = np.arange(13.0) % 2
    for link in ("logit", "probit"):
        two = given_family("ordinal", link, threshold=np.array([0.7]), lowest=0.0)
        mine = two.log_density(y, eta)
        theirs = given_family("bernoulli", link).log_density(y, eta - 0.7)
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)


# --- limits ------------------------------------------------------------------------------


def test_limits_are_the_simpler_families() -> None:
    eta, y = np.linspace(-1, 2, 9), np.arange(9.0)
    nb = given_family("negative_binomial", phi=1e9).log_density(y, eta)
    np.testing.assert_allclose(nb, given_family("poisson").log_density(y, eta), atol=1e-6)
    t = given_family("student", nu=1e9).log_density(y, eta)
    np.testing.assert_allclose(t, given_family("gaussian").log_density(y, eta), atol=1e-6)


def test_draws_stay_in_range_where_predictors_explode() -> None:
    rng = np.random.default_rng(1)
    eta = np.array([-800.0, -40.0, 40.0, 800.0])
    for name in ("poisson", "negative_binomial", "beta"):
        d = given_family(name)
        y = d.draw(rng, eta)
        assert np.isfinite(y).all()
        assert d.problems(y, None) == []


# --- simulated ---------------------------------------------------------------------------

EQUATIONS = {
    "o": {"formula": "o ~ x + (1 | g)", "family": "ordinal"},
    "op": {"formula": "op ~ o", "family": "ordinal", "link": "probit"},
    "c": {"formula": "c ~ x", "family": "poisson"},
    "nb": {"formula": "nb ~ c", "family": "negative_binomial"},
    "p": {"formula": "p ~ x", "family": "beta"},
    "t": {"formula": "t ~ p", "family": "student"},
}


def simulated(truth: Mapping[str, float], priors: Mapping[str, Any] | None = None) -> Any:
    import dataclasses

    model = load_model({"name": "t", "equations": EQUATIONS, "priors": priors or {}})
    units = {"g": 20, "row": {"per": "g", "n": 20}}
    design = design_from_table({"model": "t", "units": units, "truth": truth}, "design.toml")
    return simulate(dataclasses.replace(design, model=model), 3)


def test_truths_not_given_are_documented() -> None:
    made = simulated({"o | t3": 1.0, "o | t1": -2.0, "o | t2": 0.0})
    truth = made.truth
    assert [n for n in truth if n.startswith("o |")] == ["o | t1", "o | t2", "o | t3"]
    frame: Any = made.study.frame
    assert set(frame["o"]) == {1, 2, 3, 4}
    assert [n for n in truth if n.startswith("op |")] == [f"op | t{k}" for k in range(1, 5)]
    assert "op ~ 1" not in truth
    from scipy.special import ndtr

    for k in range(1, 5):
        assert ndtr(truth[f"op | t{k}"]) == pytest.approx(k / 5)
    assert (truth["nu(t)"], truth["phi(nb)"], truth["phi(p)"]) == (5.0, 2.0, 10.0)
    for whole in ("o", "op", "c", "nb"):
        assert pd.api.types.is_integer_dtype(frame[whole])
    json.dumps(dict(truth))


def test_what_is_simulated_can_be_fitted() -> None:
    from acmodels.system import build_system

    made = simulated({})
    system = build_system(load_model({"name": "t", "equations": EQUATIONS}), made.study)
    assert system.layout.equation("o").codes == (1, 2, 3, 4, 5)


def test_truths_follow_stated_priors() -> None:
    nu = {"dist": "Exponential", "lam": 0.5}
    made = simulated({}, {"nu(t)": nu, "o | t2": {"dist": "Normal", "mu": 1.0, "sigma": 1.0},
                          "o | t1": {"dist": "Normal", "mu": 0.0, "sigma": 1.0}})  # fmt: skip
    assert made.truth["nu(t)"] == pytest.approx(1 + 2 * np.log(2)), "the median above 1"
    assert (made.truth["o | t1"], made.truth["o | t2"]) == (0.0, 1.0)
    assert "o | t3" not in made.truth


@pytest.mark.parametrize(
    ("truth", "words"),
    [
        ({"nu(t)": 1.0}, ('truth."nu(t)"', "above 1")),
        ({"phi(nb)": 0.0}, ('truth."phi(nb)"', "above 0")),
        (
            {"o | t1": 1.0, "o | t2": 0.5},
            ('truth."o | t2"', "thresholds must increase", "state all"),
        ),
        ({"o ~ 1": 1.0}, ("no parameter 'o ~ 1'",)),
    ],
)
def test_impossible_truths(truth: Mapping[str, float], words: tuple[str, ...]) -> None:
    with pytest.raises(ModelError) as caught:
        simulated(truth)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "d",
    [
        Distribution("Gamma", {"alpha": 2.0, "beta": 0.1}),
        Distribution("HalfStudentT", {"nu": 4.0, "sigma": 2.0}),
        Distribution("LogNormal", {"mu": 0.3, "sigma": 1.0}),
    ],
)
def test_a_median_above_a_bound_halves_what_is_above(d: Distribution) -> None:
    from scipy.integrate import quad

    from acmodels.spec.distribution import log_density

    def mass(low: float, high: float) -> float:
        return quad(lambda x: float(np.exp(log_density(d, np.array(x)))), low, high)[0]

    m = median(d, 1.0)
    assert mass(1.0, m) == pytest.approx(mass(m, np.inf), rel=1e-6)
    assert median(d, 0.0) == median(d)
