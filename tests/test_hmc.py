"""The engine hmc against what is independent of it: densities, differences, the exact engine."""

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

import acmodels
from acmodels.data import study
from acmodels.engines import Sampling, choose, engine
from acmodels.engines.hmc import draws, mode, sampling
from acmodels.engines.hmc.arrays import design
from acmodels.engines.hmc.densities import density, known
from acmodels.engines.hmc.design import components
from acmodels.engines.hmc.effects import prior
from acmodels.engines.hmc.elementary import exp, log, log_gamma, mills
from acmodels.engines.hmc.forms import FORMS, form_of
from acmodels.families import family, family_names
from acmodels.priors import resolve_priors
from acmodels.spec.distribution import KINDS, Distribution, log_density
from acmodels.system import build_system
from acmodels.system.columns import design_matrix
from acmodels.system.terms import group_terms, slopes

PAIRS = [(name, link) for name, links in known().items() for link in sorted(links)]
PARAMETERS: dict[str, dict[str, float]] = {
    "student": {"nu": 4.5},
    "negative_binomial": {"phi": 1.7},
    "beta": {"phi": 6.0},
    "zero_inflated_poisson": {"zi": 0.3},
    "zero_inflated_negative_binomial": {"phi": 1.7, "zi": 0.3},
}
CUTS = np.array([-1.1, -0.2, 0.7, 1.6])


def responses(rng: np.random.Generator, name: str, n: int, trials: Any) -> Any:
    """Some responses that a family allows."""
    if name == "ordinal":
        return rng.integers(1, 6, n).astype(float)
    if name == "bernoulli":
        return rng.integers(0, 2, n).astype(float)
    if name == "binomial":
        return rng.binomial(trials.astype(int), 0.4).astype(float)
    if name == "beta":
        return rng.uniform(0.02, 0.98, n)
    if family(name).whole:
        return rng.poisson(1.5, n).astype(float)
    return rng.normal(size=n)


class Equation:
    """As much of an equation as row densities read."""

    def __init__(self, n: int, trials: Any) -> None:
        self.n, self.trials, self.se, self.codes = n, trials, None, (1, 2, 3, 4, 5)


def by_kernel(pair: tuple[str, str], e: Any, y: Any, eta: Any, par: Any, weight: Any) -> Any:
    """Sum, slopes and derivatives in parameters by the compiled function."""
    name, link = pair
    found = density(name, link)
    data = np.ascontiguousarray(found.data(e, y))
    work = np.zeros(2048)
    value, slope, g = np.zeros(e.n), np.zeros(e.n), np.zeros(len(par))

    def at(a: Any) -> Any:
        return a.ctypes.data_as(ctypes.POINTER(ctypes.c_double))

    total = found.function.ctypes(
        e.n, e.n, at(eta), at(data), at(par), at(weight), at(value), at(slope), at(g), at(work)
    )
    return total, slope, g


@pytest.mark.parametrize("pair", PAIRS, ids=" ".join)
def test_row_densities_are_those_of_the_families(pair: tuple[str, str]) -> None:
    rng = np.random.default_rng(3)
    n, (name, link) = 200, pair
    trials = rng.integers(1, 9, n).astype(float) if name == "binomial" else None
    e, y = Equation(n, trials), responses(rng, name, n, trials)
    weight = rng.uniform(0.2, 2.0, n)
    eta = rng.normal(size=n) * (3.0 if link in ("probit", "logit") else 1.0)
    kind = family(name)
    scalars = [PARAMETERS[name][s.kind] for s in kind.scalars]
    par = np.array([*([0.8] if kind.has_sigma else []), *scalars, *(CUTS if kind.ordered else [])])

    def reference(eta: Any, par: Any) -> float:
        first = int(kind.has_sigma)
        given = {s.kind: par[first + k] for k, s in enumerate(kind.scalars)}
        if kind.ordered:
            given |= {"threshold": par, "lowest": 1.0}
        made = kind(link=link, sd=par[0] if first else None, trials=trials, **given)
        return float(np.sum(weight * made.log_density(y, eta)))

    start = reference(np.zeros(n), par) - by_kernel(pair, e, y, np.zeros(n), par, weight)[0]
    total, slope, g = by_kernel(pair, e, y, eta, par, weight)
    assert total + start == pytest.approx(reference(eta, par), rel=1e-9)
    h = 1e-5
    for i in range(0, n, 17):
        step = h * (np.arange(n) == i)
        rise = (reference(eta + step, par) - reference(eta - step, par)) / (2 * h)
        assert slope[i] == pytest.approx(rise, rel=1e-4, abs=1e-4)
    for k in range(len(par)):
        step = h * (np.arange(len(par)) == k)
        rise = (reference(eta, par + step) - reference(eta, par - step)) / (2 * h)
        assert g[k] == pytest.approx(rise, rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("pair", [p for p in PAIRS if p[1] in ("probit", "logit")], ids=" ".join)
def test_row_densities_far_out_are_finite(pair: tuple[str, str]) -> None:
    name, _ = pair
    n = 8
    trials = np.full(n, 3.0) if name == "binomial" else None
    e = Equation(n, trials)
    y = {"ordinal": [1, 5, 3, 3, 2, 4, 1, 5], "beta": [0.1, 0.9] * 4}.get(name, [0, 1] * 4)
    eta = np.array([-30.0, -30, -30, 30, 30, 30, 30, 30])
    par = CUTS if name == "ordinal" else np.array([5.0])
    total, slope, _ = by_kernel(pair, e, np.array(y, dtype=float), eta, par, np.ones(n))
    assert np.isfinite(total)
    assert np.all(np.isfinite(slope))


def test_elementary_functions_against_scipy() -> None:
    from scipy import special

    x = np.concatenate([-np.logspace(-8, 2.8, 300), np.logspace(-8, 2.8, 300)])
    assert np.allclose([exp(v) for v in x], np.exp(x), rtol=3e-14)
    positive = np.logspace(-300, 300, 400)
    assert np.allclose([log(v) for v in positive], np.log(positive), rtol=1e-14, atol=1e-14)
    t = np.linspace(0, 60, 500)
    ratio = special.erfcx(t / np.sqrt(2)) * np.sqrt(np.pi / 2)
    assert np.allclose([mills(v) for v in t], ratio, rtol=1e-12)
    a = np.logspace(-3, 4, 200)
    found = np.array([log_gamma(v) for v in a])
    assert np.allclose(found[:, 0], special.gammaln(a), rtol=1e-12, atol=1e-12)
    assert np.allclose(found[:, 1], special.digamma(a), rtol=1e-11, atol=1e-11)


PRIORS = {
    "Normal": {"mu": 0.3, "sigma": 0.7},
    "StudentT": {"nu": 4.0, "mu": 0.2, "sigma": 0.6},
    "Cauchy": {"alpha": 0.1, "beta": 0.5},
    "Laplace": {"mu": 0.1, "b": 0.4},
    "HalfNormal": {"sigma": 0.8},
    "HalfStudentT": {"nu": 3.0, "sigma": 0.9},
    "HalfCauchy": {"beta": 0.7},
    "Exponential": {"lam": 1.4},
    "Gamma": {"alpha": 2.2, "beta": 1.3},
    "LogNormal": {"mu": 0.2, "sigma": 0.6},
    "Beta": {"alpha": 2.0, "beta": 3.5},
}


def test_every_continuous_prior_is_known() -> None:
    continuous = {"real", "positive", "unit"}
    assert {n for n, k in KINDS.items() if k.support in continuous} == set(FORMS)
    assert set(PRIORS) == set(FORMS) - {"Uniform"}


@pytest.mark.parametrize("name", PRIORS)
def test_priors_against_scipy(name: str) -> None:
    d = Distribution(name, PRIORS[name])
    at = np.array([0.15, 0.4, 0.85])
    form = form_of(d)
    found = np.array([prior(form[0], v, *form[1:]) for v in at])
    expected = log_density(d, at)
    assert np.allclose(found[:, 0] - found[0, 0], expected - expected[0], rtol=1e-10, atol=1e-12)
    h = 1e-6
    rise = (log_density(d, at + h) - log_density(d, at - h)) / (2 * h)
    assert np.allclose(found[:, 1], rise, rtol=1e-6)


# --- whole models ----------------------------------------------------------------------------


def load(tmp_path: Path, text: str) -> Any:
    file = tmp_path / "m.toml"
    file.write_text(text)
    return acmodels.load_model(file)


def data(seed: int, n: int = 240) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g, p = rng.integers(0, 14, n), rng.integers(0, 9, n)
    x, w = rng.normal(2.0, 1.5, n), rng.normal(size=n)
    u, v, s = rng.normal(0, 0.6, 14), rng.normal(0, 0.5, 9), rng.normal(0, 0.4, 14)
    eta = 0.5 * (x - 2) + u[g] + v[p] + s[g] * (x - 2)
    out = {"g": g, "p": p, "x": x, "w": w, "wt": rng.uniform(0.5, 1.5, n)}
    out["m"] = rng.integers(1, 6, n)
    out["gaussian"] = eta + rng.normal(0, 0.7, n)
    out["student"] = eta + 0.5 * rng.standard_t(4, n)
    out["ordinal"] = np.digitize(eta + rng.normal(size=n), [-1, 0, 0.8]) + 1
    out["bernoulli"] = (eta + rng.logistic(size=n) > 0).astype(int)
    out["binomial"] = rng.binomial(out["m"], 1 / (1 + np.exp(-eta)))
    out["poisson"] = rng.poisson(np.exp(eta / 2))
    out["negative_binomial"] = rng.poisson(np.exp(eta / 2) * rng.gamma(2, 0.5, n))
    out["zero_inflated_poisson"] = out["poisson"] * (rng.random(n) > 0.3)
    out["zero_inflated_negative_binomial"] = out["negative_binomial"] * (rng.random(n) > 0.3)
    mu = 1 / (1 + np.exp(-eta))
    out["beta"] = np.clip(rng.beta(6 * mu, 6 * (1 - mu)), 1e-6, 1 - 1e-6)
    return pd.DataFrame(out)


PARTS = [
    "",
    "+ (1 | g)",
    "+ (x | g)",
    "+ (x || g)",
    "+ (1 | g) + (1 | p)",
    "+ (x + w | g) + (1 | p)",
]


def equation(name: str, link: str, rest: str, extra: str = "") -> str:
    more = 'trials = "m"\n' if name == "binomial" else ""
    return (
        f'[equations.{name}]\nformula = "{name} ~ x + w {rest}"\nfamily = "{name}"\n'
        f'link = "{link}"\n{more}{extra}'
    )


@settings(max_examples=25)
@given(
    first=st.sampled_from(PAIRS),
    second=st.sampled_from(PAIRS),
    rest=st.sampled_from(PARTS),
    shared=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_gradients_are_slopes_of_the_density(
    tmp_path_factory: Any,
    first: tuple[str, str],
    second: tuple[str, str],
    rest: str,
    shared: bool,
    seed: int,
) -> None:
    """Random models of one or two equations, at random places and random anchors."""
    text = 'name = "m"\n'
    if shared and first[0] != second[0]:
        text += equation(*first, "+ (1 |a| g)") + equation(*second, "+ (1 + x |a| g) + (1 | p)")
    else:
        text += equation(*first, rest)
    model = load(tmp_path_factory.mktemp("m"), text)
    system = build_system(model, study(data(seed % 7))).sampled
    priors = resolve_priors(model.priors, system.layout, system.responses, "m")
    rng = np.random.default_rng(seed)
    for of in components(system.layout):
        d = design(system.layout, priors, system.responses, of)
        d.arrays.score[:] = rng.normal(size=len(d.arrays.score))
        x = d.start + rng.normal(size=len(d.start)) * np.minimum(d.unit, 0.5)
        x[d.walls] = np.abs(x[d.walls])
        _, g, *_ = mode.slopes(d, x)
        for _ in range(6):
            way = rng.normal(size=len(x))
            h = 1e-5
            rise = (mode.slopes(d, x + h * way)[0] - mode.slopes(d, x - h * way)[0]) / (2 * h)
            assert rise == pytest.approx(float(g @ way), rel=2e-5, abs=2e-3)


STATED = """
[priors]
"* ~ *" = { dist = "Normal", mu = 0.2, sigma = 0.8 }
"* ~ 1" = { dist = "StudentT", nu = 5, mu = 0.1, sigma = 1.5 }
"sd(*)" = { dist = "HalfNormal", sigma = 0.7 }
"cor(*)" = { dist = "LKJ", eta = 2.5 }
"""


@pytest.mark.parametrize("rest", ["", "+ (1 | g)", "+ (x + w | g) + (1 | p)"])
@pytest.mark.parametrize("pair", PAIRS, ids=" ".join)
def test_the_density_is_that_of_the_model(tmp_path: Path, pair: tuple[str, str], rest: str) -> None:
    """Against the definition: likelihood, priors and normal effects, times the Jacobian.

    The Jacobian of (parameters, effects) in the sampler's coordinates is taken by differences, so
    that no formula of the engine is used twice. Constants are unknown: differences are compared.
    """
    name, link = pair
    more = '"* | t*" = { dist = "Normal", mu = 0.3, sigma = 1.7 }\n' if name == "ordinal" else ""
    more += (
        '"sigma(*)" = { dist = "Gamma", alpha = 2, beta = 2 }\n' if family(name).has_sigma else ""
    )
    text = STATED if rest else "\n".join(x for x in STATED.split("\n") if "sd(" not in x)
    if "x" not in rest:
        text = "\n".join(x for x in text.split("\n") if "cor(" not in x)
    if name == "ordinal":
        text = "\n".join(x for x in text.split("\n") if "~ 1" not in x)
    model = load(tmp_path, 'name = "m"\n' + equation(name, link, rest) + text + more)
    table = data(6, 90).assign(g=lambda d: d["g"] % 4, p=lambda d: d["p"] % 3)
    system = build_system(model, study(table)).sampled
    layout, y = system.layout, system.responses
    priors = resolve_priors(model.priors, layout, y, "m")
    (d,) = [design(layout, priors, y, of) for of in components(layout)]
    rng = np.random.default_rng(8)
    d.arrays.score[:] = rng.normal(size=len(d.arrays.score))
    neff, (e,) = int(d.arrays.sizes[0]), layout.equations
    X = design_matrix(layout, e, y)

    def natural(x: Any) -> tuple[dict[str, float], list[Any]]:
        u = mode.slopes(d, x)[3][1 : 1 + neff]
        found = draws.coefficient_draws(d, x[None, None, neff:])
        more, groups, _ = draws.group_draws(d, x[None, None, neff:], u[None, None])
        values = {k: float(v[0, 0]) for k, v in (found | more).items()}
        return values, [groups[b.key][0, 0] for b in layout.blocks]

    def flat(x: Any) -> Any:
        values, groups = natural(x)
        return np.concatenate([list(values.values()), *(u.ravel() for u in groups)])

    def reference(x: Any) -> float:
        values, groups = natural(x)
        eta = e.offset + sum(X[:, t.position] * values[t.parameter] for t in slopes(layout, name))
        lp = 0.0
        for (block, mine), u in zip(group_terms(layout, name), groups, strict=True):
            for t in mine:
                eta = eta + t.values(layout, y) * u[block.index(e), t.effect[1]]
            sd = np.array([values[s] for s in block.sds])
            R = np.eye(len(sd))
            for i, j, c in block.correlations():
                R[i, j] = R[j, i] = values[c]
            lp += multivariate_normal(np.zeros(len(sd)), sd[:, None] * R * sd).logpdf(u).sum()
            lp += 1.5 * float(np.linalg.slogdet(R)[1]) if len(sd) > 1 else 0.0
        for k, v in values.items():
            if priors[k].distribution.name != "LKJ":
                lp += float(log_density(priors[k].distribution, np.array(v)))
        lp += float(
            np.sum(e.conditional(lambda k: np.array(values[k])).log_likelihood(y[name], eta))
        )
        h = 1e-6 * np.eye(len(x))
        jacobian = np.stack([(flat(x + a) - flat(x - a)) / 2e-6 for a in h])
        return lp + float(np.linalg.slogdet(jacobian)[1])

    found = []
    for _ in range(4):
        x = d.start + 0.5 * rng.normal(size=len(d.start)) * np.minimum(d.unit, 1.0)
        x[d.walls] = np.abs(x[d.walls])
        found.append((mode.slopes(d, x)[0], reference(x)))
    ours, theirs = np.array(found).T
    assert np.ptp(ours) > 1
    assert np.allclose(ours - ours[0], theirs - theirs[0], rtol=1e-6, atol=1e-4)


def test_agrees_with_the_exact_engine(tmp_path: Path) -> None:
    """A Gaussian model of random slopes and crossed effects, by both.

    Means within 4.5 combined Monte Carlo errors and sds within 15 %: one of 10 parameters
    would fall out by chance once in 15,000 times.
    """
    model = load(tmp_path, 'name = "m"\n' + equation("gaussian", "identity", "+ (x | g) + (1 | p)"))
    table = data(1, 700)  # more than one chunk of rows
    exact = acmodels.fit(model, table, engine="collapsed").estimates.set_index("name")
    found = acmodels.fit(model, table, engine="hmc")
    assert found.diagnostics.usable
    ours = found.estimates.set_index("name")
    error = np.hypot(exact["mcse_mean"], ours["mcse_mean"])
    assert np.all(np.abs(exact["mean"] - ours["mean"]) < 4.5 * error)
    assert np.all(np.abs(np.log(exact["sd"] / ours["sd"])) < np.log(1.15))
    key = next(iter(found.draws.group_effects))
    assert found.draws.group_effects[key].shape[:3] == (4, 1000, 14)


def test_the_comparison_can_fail(tmp_path: Path) -> None:
    """The same comparison, where one of the two has another prior: it must not pass."""
    text = 'name = "m"\n' + equation("gaussian", "identity", "+ (1 | g)")
    other = text + '[priors]\n"gaussian ~ x" = { dist = "Normal", mu = 0, sigma = 0.05 }\n'
    table = data(1)
    exact = acmodels.fit(load(tmp_path, text), table, engine="collapsed").estimates
    ours = acmodels.fit(load(tmp_path, other), table, engine="hmc").estimates
    error = np.hypot(exact["mcse_mean"], ours["mcse_mean"])
    assert np.any(np.abs(exact["mean"] - ours["mean"]) > 4.5 * error)


def test_numbers_depend_on_the_seed_and_not_on_the_cores(tmp_path: Path) -> None:
    model = load(tmp_path, 'name = "m"\n' + equation("bernoulli", "logit", "+ (1 | g)"))
    kwargs = {"engine": "hmc", "draws": 150, "tune": 200, "chains": 3}
    one, two = (acmodels.fit(model, data(2), cores=c, **kwargs).draws.values for c in (1, 2))
    other = acmodels.fit(model, data(2), seed=2, **kwargs).draws.values
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_draws_from_a_saddle_are_those_from_the_mode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a sd and a correlation are zero the gradient may vanish: no mode, and no failed fit."""
    rng = np.random.default_rng(0)
    g, x = np.repeat(np.arange(16), 12), rng.normal(size=192)
    y = (rng.normal(size=16)[g] * (1 - 0.9 * x) + rng.normal(size=192) > 0).astype(int)
    text = '[equations.y]\nformula = "y ~ x + (1 + x | g)"\nfamily = "bernoulli"\nlink = "probit"'
    model, table = load(tmp_path, f'name = "m"\n{text}\n'), pd.DataFrame({"g": g, "x": x, "y": y})
    found: list[bool] = []

    def saddle(d: Any, start: Any) -> Any:
        d, x = mode.find_mode(d, start)
        x[int(d.arrays.sd0[0]) + 1] = x[int(d.arrays.cor0[0])] = 0.0
        found.append(mode.metric(*mode.settle(d, x)) is None)
        return mode.settle(d, x)

    there = acmodels.fit(model, table, engine="hmc", cores=1)
    monkeypatch.setattr(sampling, "find_mode", saddle)
    here = acmodels.fit(model, table, engine="hmc", cores=1)
    assert found == [True]
    assert here.diagnostics.usable
    a, b = there.estimates, here.estimates
    error = np.hypot(a["mcse_mean"], b["mcse_mean"])
    assert np.all(np.abs(a["mean"] - b["mean"]) < 4.5 * error)


def test_a_held_coefficient_is_held_and_its_part_stays(tmp_path: Path) -> None:
    text = 'name = "m"\n' + equation("poisson", "log", "+ (1 | g)")
    held = text + '[priors]\n"poisson ~ x" = { dist = "Constant", value = 0.25 }\n'
    found = acmodels.fit(load(tmp_path, held), data(3), engine="hmc").draws
    free = acmodels.fit(load(tmp_path, text), data(3), engine="hmc").draws
    assert np.all(found["poisson ~ x"] == 0.25)
    near = np.abs(free["poisson ~ x"] - 0.25) < 0.02  # given the slope, the rest is the same
    mean, error = found["poisson ~ 1"].mean(), found["poisson ~ 1"].std() / np.sqrt(near.sum())
    assert near.sum() > 100
    assert abs(free["poisson ~ 1"][near].mean() - mean) < 5 * error


def test_only_what_is_asked_for_is_sampled(tmp_path: Path) -> None:
    text = 'name = "m"\n' + equation("poisson", "log", "") + equation("bernoulli", "logit", "")
    model = load(tmp_path, text)
    system = build_system(model, study(data(4))).sampled
    priors = resolve_priors(model.priors, system.layout, system.responses, "m")
    ready = engine("hmc").prepare(system.layout, priors, system.responses)
    some = Sampling(100, 100, 2, 1, wanted=frozenset({"poisson ~ x"}))
    part = ready.sample(system.responses, 1, some)
    assert part.names == ("poisson ~ 1", "poisson ~ x", "poisson ~ w")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (equation("ordinal", "probit", "+ (1 | g)"), None),
        (equation("zero_inflated_poisson", "log", ""), None),
        (
            equation("ordinal", "probit", "")
            + '[priors]\n"ordinal | t1" = { dist = "Constant", value = -1 }\n',
            "some thresholds of 'ordinal' are held",
        ),
    ],
)
def test_auto_takes_it_where_it_can(tmp_path: Path, text: str, why: str | None) -> None:
    model = load(tmp_path, 'name = "m"\n' + text)
    system = build_system(model, study(data(5))).sampled
    priors = resolve_priors(model.priors, system.layout, system.responses, "m")
    found = choose(system.layout, priors)
    assert found.name == ("hmc" if why is None else "nuts")
    if why is not None:
        assert why in found.why


def test_every_family_has_a_row_density() -> None:
    assert set(known()) == set(family_names())


def test_everything_that_is_compiled_once_can_be_compiled_ahead() -> None:
    """Every family goes through every engine that can take it."""
    from acmodels.inference.ahead import compile_ahead

    said: list[str] = []
    compile_ahead(said.append)
    named = [s for s in said if s.startswith("Compiling")]
    assert ["collapsed" in named[0], "hmc" in named[1]] == [True, True]
    assert len(said) == 2 * len(named)


@pytest.mark.parametrize("rest", ["+ (1 | g) + (1 | p)", "+ (x + w | g) + (1 + x | p)"])
@pytest.mark.parametrize(
    "pair", [("ordinal", "probit"), ("negative_binomial", "log")], ids=" ".join
)
def test_curvature_over_rows_is_that_by_differences(
    tmp_path: Path, pair: tuple[str, str], rest: str
) -> None:
    """Away from the mode, of anchored coordinates, every entry that the metric is made of."""
    from acmodels.engines.hmc import curvature

    model = load(tmp_path, 'name = "m"\n' + equation(*pair, rest))
    system = build_system(model, study(data(3, 150))).sampled
    priors = resolve_priors(model.priors, system.layout, system.responses, "m")
    (of,) = components(system.layout)
    d = design(system.layout, priors, system.responses, of)
    rng = np.random.default_rng(5)
    x = d.start + 0.3 * rng.normal(size=len(d.start)) * np.minimum(d.unit, 1.0)
    x[d.walls] = np.abs(x[d.walls])
    d, x = mode.anchored(d, x)
    x[: int(d.arrays.sizes[0])] += 0.5 * rng.normal(size=int(d.arrays.sizes[0]))
    o = mode.order(d)
    assert curvature.simple(d)
    moved = curvature._crossed(d, x, o)
    plain = _by_differences(d, x, o)
    for ours, theirs in zip(moved, plain, strict=True):
        scale = np.abs(theirs).max()
        assert np.allclose(ours, theirs, rtol=1e-3, atol=1e-4 * scale)


def _by_differences(d: Any, x: Any, o: Any) -> Any:
    from unittest.mock import patch

    from acmodels.engines.hmc import curvature

    with patch.object(curvature, "CROSSED", 10**9):
        return curvature.hessian(d, x, o)
