"""The parts of importance sampling, each against a library or a closed form."""

# pyright: reportPrivateUsage=false

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from scipy.stats import qmc

import acmodels as ac
from acmodels.engines.collapsed import hyper, mixed
from acmodels.engines.collapsed import importance as imp
from acmodels.engines.collapsed.sobol import DIMENSIONS, shifted, sobol
from acmodels.posterior import Posterior, SampledPart, summarize
from acmodels.priors import resolve_priors
from acmodels.system import build_system, parameters
from monte_carlo import allowed, sd_error

ONE = np.zeros(1, dtype=np.int64)


@pytest.mark.parametrize("d", [1, 2, 7, DIMENSIONS])
def test_sobol_points_are_scipys(d: int) -> None:
    theirs = qmc.Sobol(d, scramble=False, bits=32).random(1024)
    np.testing.assert_array_equal(sobol(1024, d) / 2.0**32, theirs)
    moved = shifted(sobol(1024, d), np.random.default_rng(1))
    assert moved.min() > 0
    assert moved.max() < 1
    # a digital shift keeps one point in each of 1024 equal pieces
    assert len(np.unique(np.floor(moved[:, 0] * 1024))) == 1024
    with pytest.raises(ValueError, match="at most"):
        sobol(4, DIMENSIONS + 1)


@pytest.mark.parametrize("tail", [1.5, 3.0, 10.0])
def test_smoothed_weights_are_arvizs(tail: float) -> None:
    from arviz_stats.base import array_stats

    rng = np.random.default_rng(3)
    lw = stats.t(tail).rvs((3, 1000), random_state=rng)
    mine, k = imp.pareto_smooth(lw)
    for r in range(3):
        theirs, their_k = array_stats.psislw(-lw[r])  # it takes minus the log weights
        assert k[r] == pytest.approx(float(their_k), abs=1e-6)
        theirs = np.asarray(theirs)
        np.testing.assert_allclose(np.exp(mine[r]), np.exp(theirs), rtol=2e-5, atol=1e-9)


def test_weights_closed_forms() -> None:
    lw = np.log(np.array([[1.0, 2.0, 3.0, 4.0]]))
    w = lw - np.log(10.0)
    assert imp.effective(w)[0] == pytest.approx(100 / 30)
    assert imp.log_mean(lw)[0] == pytest.approx(np.log(2.5))
    assert imp.threshold(100) == pytest.approx(0.5)
    assert imp.threshold(10**6) == 0.7
    u = np.random.default_rng(4).random((1, 1001))
    counts = np.bincount(imp.resample(w, u)[0], minlength=4)
    assert np.all(abs(counts - [100, 200, 300, 400]) <= 1)  # systematic: within one of expected


@pytest.mark.parametrize("center", [0.2, 1.5])
def test_a_folded_proposal_is_a_density(center: float) -> None:
    q = imp.Proposal(
        np.array([[center, 0.3]]),
        np.array([[[0.9, 0.2], [0.0, 0.7]]]),
        np.array([[[0.6, 1.4], [1.0, 0.8]]]),
    )
    flips = np.array([[1.0, 1.0], [-1.0, -1.0]])  # an sd and its correlation turn together
    a, b = np.linspace(0, 25, 1501), np.linspace(-25, 25, 3001)
    x = np.stack(np.meshgrid(a, b, indexing="ij"), -1).reshape(1, -1, 2)
    values = np.exp(imp.log_density(q, x, flips)).reshape(1501, 3001)
    total = integrate.simpson(integrate.simpson(values, x=b), x=a)
    assert total == pytest.approx(1.0, abs=2e-3)
    # and what is drawn has it: weights of a known density average to its mass
    rng = np.random.default_rng(5)
    drawn = imp.place(q, imp.standard_points(2**14, 2, 1, rng))
    drawn = np.where(drawn[..., :1] < 0, -drawn, drawn)
    known = stats.norm(1.0, 0.8).logpdf(drawn[..., 0]) + stats.norm(0, 1).logpdf(drawn[..., 1])
    w = np.exp(known - imp.log_density(q, drawn, flips))[0]
    want = stats.norm(1.0, 0.8).sf(0)
    assert abs(w.mean() - want) < 3.9 * w.std() / np.sqrt(len(w))


def quadratic(x: np.ndarray, which: np.ndarray) -> np.ndarray:
    H = np.array([[4.0, 1.0], [1.0, 2.0]])
    away = x - np.array([0.7, -0.4]) * (1 + which)[:, None, None]
    return -0.5 * np.einsum("rni,ij,rnj->rn", away, H, away)


def test_modes() -> None:
    found = imp.find_mode(quadratic, np.full((2, 2), 3.0), lambda x: x)
    np.testing.assert_allclose(found.at, [[0.7, -0.4], [1.4, -0.8]], atol=0.05)
    np.testing.assert_allclose(found.curvature[0], [[4.0, 1.0], [1.0, 2.0]], rtol=1e-3)
    q = imp.laplace(quadratic, found)
    np.testing.assert_allclose(q.halves, 1.0, atol=0.1)

    def at_zero(x: np.ndarray, which: np.ndarray) -> np.ndarray:
        del which
        return -0.5 * (x[..., 0] ** 2 + 4 * (x[..., 1] - 1) ** 2)

    found = imp.find_mode(at_zero, np.array([[2.0, 2.0]]), np.abs)
    np.testing.assert_allclose(found.at, [[0.0, 1.0]], atol=0.3)


# --- coordinates ------------------------------------------------------------------------


def coordinates(effects: str, eta: float = 1.0) -> hyper.Hyper:
    rng = np.random.default_rng(6)
    data = pd.DataFrame(rng.normal(size=(60, 4)), columns=["y", "x", "w", "v"])
    data["g"] = [f"g{k % 6}" for k in range(60)]
    model = ac.load_model(
        {
            "name": "t",
            "equations": {"y": {"formula": f"y ~ 1 + ({effects} | g)"}},
            "priors": {
                "sd(*)": {"dist": "HalfNormal", "sigma": 1.0},
                **({"cor(*)": {"dist": "LKJ", "eta": eta}} if "+" in effects else {}),
            },
        }
    )
    system = build_system(model, ac.study(data))
    priors = resolve_priors(model.priors, system.layout, system.responses)
    scale = {p.name: 1.7 for p in parameters(system.layout)}
    return hyper.hyper(mixed.components(system.layout, priors)[0], system.layout, priors, scale)


def test_the_prior_in_coordinates_is_a_density() -> None:
    h = coordinates("1 + x", eta=2.0)
    sd, z, sigma = np.linspace(0, 4, 61), np.linspace(-6, 6, 121), np.linspace(0, 40, 61)
    x = np.stack(np.meshgrid(sd, sd, z, sigma, indexing="ij"), -1)
    values = np.exp(hyper.log_prior(h, x))
    for grid in (sigma, z, sd, sd):
        values = integrate.simpson(values, x=grid)
    assert values == pytest.approx(1.0, abs=1e-3)


def test_correlations_have_the_lkj_marginals() -> None:
    """Every correlation of three is Beta(eta + 1/2, eta + 1/2) on (-1, 1)."""
    h = coordinates("1 + x + w", eta=1.5)
    m = next(iter(h.blocks.values()))
    rng = np.random.default_rng(7)
    x = np.zeros((20_000, h.size))
    partial = 2 * rng.beta(m.shapes, m.shapes, (20_000, 3)) - 1
    x[:, list(m.partials)] = np.arctanh(partial)
    L = hyper.cholesky(m, x)
    R = L @ np.swapaxes(L, 1, 2)
    np.testing.assert_allclose(np.diagonal(R, axis1=1, axis2=2), 1.0, atol=1e-12)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        p = stats.kstest((R[:, i, j] + 1) / 2, stats.beta(2.0, 2.0).cdf).pvalue
        assert p > 1e-4 / 3


def test_turning_signs_leaves_the_model() -> None:
    h = coordinates("1 + x + w")
    rng = np.random.default_rng(8)
    x = rng.normal(size=(1, 50, h.size))
    positive = hyper.unfold(h, x)
    assert (positive[..., list(h.priors)] >= 0).all()

    def covariance(at: np.ndarray) -> np.ndarray:
        T = hyper.factors(h, at).groups.reshape(1, -1, 3, 3)
        return T @ np.swapaxes(T, -1, -2)

    np.testing.assert_allclose(covariance(x), covariance(positive), atol=1e-12)
    flips = hyper.folds(h, h.signed)
    assert flips.shape == (8, h.size)
    for flip in flips:
        np.testing.assert_allclose(covariance(x * flip), covariance(x), atol=1e-12)
        np.testing.assert_allclose(hyper.unfold(h, x * flip), positive, atol=1e-12)
    assert not hyper.inside(h, x, ()).all()


# --- how precise resampled draws are ---------------------------------------------------


def resampled(points: np.ndarray) -> Posterior:
    part = SampledPart(("q",), "importance", points, 0.1, 0.7, 50.0)
    return Posterior(("q",), np.zeros((*points.shape, 1)), {}, "collapsed", parts=(part,))


def test_draws_of_one_point_are_a_cluster() -> None:
    rng = np.random.default_rng(9)
    values = rng.normal(size=500)
    points = rng.permutation(np.repeat(np.arange(500), 8)).reshape(4, 1000)
    draws = values[points][..., None]
    table = summarize(draws, drawn=resampled(points))
    assert table["ess_bulk"][0] == pytest.approx(500, rel=0.01)
    assert table["mcse_mean"][0] == pytest.approx(values.std() / np.sqrt(500), rel=0.01)
    assert np.isnan(table["r_hat"][0])
    # a quantity that varies freely within points is worth all its draws
    free = summarize(rng.normal(size=(4, 1000, 1)), drawn=resampled(points))
    # a count of effective draws rests on a variance between 500 clusters of draws
    near = allowed(2 * sd_error(500), comparisons=2)
    assert free["ess_bulk"][0] == pytest.approx(4000, rel=near)
    # two independent sets of points: the excess of both counts
    other = rng.permutation(points.ravel()).reshape(4, 1000)
    both = Posterior(
        ("q",), np.zeros((4, 1000, 1)), {}, "collapsed",
        parts=(*resampled(points).parts, *resampled(other).parts),
    )  # fmt: skip
    total = summarize(draws + rng.normal(size=500)[other][..., None], drawn=both)
    assert total["ess_bulk"][0] == pytest.approx(500, rel=near)
