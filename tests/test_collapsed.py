"""The collapsed engine against dense algebra, quadrature and the model's own symmetries."""

# pyright: reportPrivateUsage=false

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

sys.path.insert(0, str(Path(__file__).parent))

import acmodels as ac
from acmodels.engines import Sampling, collapsed
from acmodels.engines.collapsed import fitting, group_effects, hyper, marginal, mixed
from acmodels.engines.collapsed.kernels.solving import coefficients
from acmodels.engines.collapsed.pooling import level_by_level
from acmodels.errors import EngineError
from acmodels.load import load_model
from acmodels.priors import Priors, resolve_priors
from acmodels.spec.distribution import half_normal, log_density, normal
from acmodels.system import System, build_system, parameters
from dense import conditional, log_marginal, matrices
from fakes import FakeEngine

ONE = np.zeros(1, dtype=np.int64)
K = 4.5
"""Combined Monte Carlo errors allowed; about 7e-6 a comparison by chance."""


def frame(seed: int = 1, n: int = 36, *, balanced: bool = True) -> pd.DataFrame:
    """Ids a in s (nested), b and c (crossed), predictors, a unit's own u and z, responses."""
    rng = np.random.default_rng(seed)
    a = np.arange(n) % 6 if balanced else rng.choice(6, n, p=[0.3, 0.25, 0.2, 0.1, 0.1, 0.05])
    a[:6] = np.arange(6)
    t = a * 3 + (np.arange(n) // 6) % 3
    data = pd.DataFrame(
        {
            "a": [f"a{k}" for k in a],
            "s": [f"s{k // 2}" for k in a],
            "t": [f"t{k}" for k in t],
            "b": [f"b{k}" for k in rng.permutation(np.arange(n) % 4)],
            "c": [f"c{k}" for k in rng.permutation(np.arange(n) % 5)],
            "x": rng.normal(1.0, 2.0, n),
            "w": rng.normal(size=n),
            "k": rng.choice(["p", "q", "r"], n),
            "o": rng.normal(2.0, 0.5, n),
            "se": rng.uniform(0.3, 0.9, n),
            "z": rng.normal(size=6)[a],
            "u": rng.normal(size=6)[a],
            "m": rng.normal(0.5, 1.0, n),
            "m2": rng.normal(size=n),
        }
    )
    return data.assign(y=3.0 + data["m"] - 0.5 * data["m2"] + rng.normal(size=n))


PRIORS = {
    "* ~ 1": {"dist": "Normal", "mu": -0.5, "sigma": 2.0},
    "* ~ *": {"dist": "Normal", "mu": 0.3, "sigma": 1.2},
    "sd(*)": {"dist": "HalfNormal", "sigma": 1.0},
    "sigma(*)": {"dist": "Exponential", "lam": 1.0},
}

MODELS: dict[str, dict[str, Any]] = {
    "a regression": {"equations": {"y": "y ~ x + k + offset(o)"}},
    "no intercept": {"equations": {"y": "y ~ 0 + x + (0 + x | a)"}},
    "group effects only": {"equations": {"y": "y ~ 0 + (1 | a)"}},
    "crossed": {"equations": {"y": "y ~ x + (1 | a) + (1 | b)"}},
    "crossed three ways": {"equations": {"y": "y ~ x + (1 | a) + (1 | b) + (1 | c)"}},
    "nested": {"equations": {"y": "y ~ x + (1 | a/t)"}},
    "nested thrice": {"equations": {"y": "y ~ x + z + (1 | s/a/t)"}},
    "nested and crossed": {"equations": {"y": "y ~ x + (1 + x | a/t) + (1 | b)"}},
    "slopes in a chain": {
        "equations": {"y": "y ~ x + (1 + x || s) + (1 | a) + (1 + w | t) + (1 | b)"}
    },
    "slopes": {"equations": {"y": "y ~ x + w + (1 + x + w | a)"}},
    "slopes apart": {"equations": {"y": "y ~ x + (1 + x || a)"}},
    "crossed slopes": {"equations": {"y": "y ~ x + w + (1 + x | a) + (1 + w | b)"}},
    "mediation": {"equations": {"m": "m ~ x + (1 | a)", "y": "y ~ x + m + (1 | b) + (1 | a)"}},
    "shared effects": {
        "equations": {"m": "m ~ x + (1 + x |p| a)", "y": "y ~ x + m + (1 + m |p| a) + (1 | b)"}
    },
    "residual correlation": {
        "equations": {"m": "m ~ x + (1 | a)", "m2": "m2 ~ w", "y": "y ~ x + (1 | b)"},
        "residual_correlation": [["m", "y"]],
    },
    "three residuals and shared effects": {
        "equations": {
            "m": "m ~ x + (1 |i| t)", "m2": "m2 ~ w + (1 | b)", "y": "y ~ x + (1 + x |i| t) + (1|a)"
        },
        "residual_correlation": [["m", "y"], ["m", "m2"], ["m2", "y"]],
    },
    "known errors": {"equations": {"y": {"formula": "y ~ x + (1 | a) + (1 | b)", "se": "se"}}},
    "known errors beside shared effects": {
        "equations": {
            "y": {"formula": "y ~ x + (1 |i| a)", "se": "se"}, "m": "m ~ w + (1 |i| a) + (1 | b)"
        }
    },
    "weights": {
        "equations": {
            "y": {"formula": "y ~ x + (1 + x |i| a) + (1 | b)", "weights": "se"},
            "m": "m ~ w + (1 |i| a)",
        }
    },
    "an equation of units": {
        "equations": {"u": {"formula": "u ~ z", "level": "a"}, "y": "y ~ u + x + (1 + x | a)"}
    },
    "stated priors": {"equations": {"y": "y ~ x * w + (1 | a) + (1 | b)"}, "priors": PRIORS},
}  # fmt: skip


def built(table: dict[str, Any], data: pd.DataFrame) -> tuple[System, Priors]:
    equations = {
        r: e if isinstance(e, dict) else {"formula": e} for r, e in table["equations"].items()
    }
    model = load_model({"name": "t", **table, "equations": equations})
    system = build_system(model, ac.study(data))
    return system, resolve_priors(model.priors, system.layout, system.responses)


def problems(system: System, priors: Priors) -> list[marginal.Problem]:
    stack = {k: v[None] for k, v in system.responses.items()}
    scale = {p.name: 1.0 for p in parameters(system.layout)}
    out: list[marginal.Problem] = []
    for c in mixed.components(system.layout, priors):
        h = hyper.hyper(c, system.layout, priors, scale)
        out.append(marginal.Problem(h, mixed.moments(c, system.layout, priors, stack)))
    return out


def some_points(h: hyper.Hyper, n: int, seed: int = 2) -> np.ndarray:
    x = np.random.default_rng(seed).normal(0.0, 0.8, (1, n, h.size))
    sds = list(h.priors)
    x[..., sds] = np.abs(x[..., sds]) + 0.1
    return x


def check_density(system: System, priors: Priors, n: int = 5) -> None:
    for problem in problems(system, priors):
        h = problem.hyper
        x = some_points(h, n)
        found = marginal.density(problem, x, ONE).log[0]
        values = hyper.parameters(h, x)[0]
        for k in range(n):
            value = dict(zip(h.names, values[k], strict=True))
            dense = matrices(system.layout, priors, system.responses, h.component, value)
            want = log_marginal(*dense) + float(hyper.log_prior(h, x)[0, k])
            # w log N(r; 0, s) is log N(r; 0, s / sqrt(w)) - log(w) / 2 where weights have mean 1
            known = [e.weights for e in system.layout.equations if e.weights is not None]
            want -= sum(0.5 * float(np.log(w).sum()) for w in known)
            assert abs(found[k] - want) <= 1e-8 * (1 + abs(want))


# --- the density ---------------------------------------------------------------------


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("name", list(MODELS))
def test_density_is_the_dense_normals(name: str, *, balanced: bool) -> None:
    check_density(*built(MODELS[name], frame(balanced=balanced)))


def test_lapack_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marginal, "LAPACK_FROM", 0)
    for name in ("crossed slopes", "nested and crossed", "residual correlation", "a regression"):
        check_density(*built(MODELS[name], frame()))


def test_both_ways_of_elimination_are_reached() -> None:
    """Levels of one design pool where that saves work, and only there."""

    def pooled(formula: str, data: pd.DataFrame) -> bool:
        system, priors = built({"equations": {"y": formula}}, data)
        return len(mixed.components(system.layout, priors)[0].pools.count) > 0

    assert pooled("y ~ x + (1 | a) + (1 | b)", frame(n=120))
    assert not pooled("y ~ x + (1 + w | a)", frame())
    check_density(*built({"equations": {"y": "y ~ x + (1 | a) + (1 | b)"}}, frame(n=120)))
    data = frame(n=96)
    data["d"] = np.arange(96) // 6 % 2  # the same slopes' design in every group
    assert pooled("y ~ x + (1 + d | a) + (1 | b)", data)
    check_density(*built({"equations": {"y": "y ~ x + (1 + d | a) + (1 | b)"}}, data))


def nests(sizes: list[list[list[int]]], *, shuffled: int = 5) -> pd.DataFrame:
    """Rows of levels t in levels a in levels s, of given sizes, with levels b crossed."""
    cells = [(i, j, k) for i, s in enumerate(sizes) for j, a in enumerate(s) for k in a]
    at = np.array([(i, j, n) for n, (i, j, k) in enumerate(cells) for _ in range(k)])
    rng = np.random.default_rng(shuffled)
    rng.shuffle(at)
    n = len(at)
    return pd.DataFrame(
        {
            "s": [f"s{i}" for i in at[:, 0]],
            "a": [f"a{i}.{j}" for i, j in at[:, :2]],
            "t": [f"t{k}" for k in at[:, 2]],
            "b": [f"b{k}" for k in rng.permutation(np.arange(n) % 4)],
            "d": at[:, 2] % 2.0,
            "x": rng.normal(1.0, 2.0, n),
            "y": rng.normal(size=n) + at[:, 0] / 4,
        }
    )


EQUAL = [[[3, 3], [3, 3]]] * 8
UNEQUAL = [[[3, 3, 2], [2, 3, 3]], [[2], [3, 3, 2]]] * 5 + [[[2], [2, 3, 3]]] * 2


@pytest.mark.parametrize("sizes", [EQUAL, UNEQUAL], ids=["equal", "unequal"])
@pytest.mark.parametrize(
    "groups",
    [
        "(1 | t)", "(1 | a/t)", "(1 | s/a/t)", "(1 | t) + (1 | b)", "(1 | a/t) + (1 | b)",
        "(1 | s/a/t) + (1 | b)", "(1 | s) + (1 + d | t) + (1 | b)", "(1 + d | s/a) + (1 | b)",
        "(0 + d | s) + (1 | a/t)",
    ],
)  # fmt: skip
def test_levels_of_one_class_pool(groups: str, sizes: list[list[list[int]]]) -> None:
    """Chains of nested groupings pool: the same density as level by level, and as dense."""
    system, priors = built({"equations": {"y": f"y ~ x + {groups}"}}, nests(sizes))
    check_density(system, priors, 3)
    (problem,) = problems(system, priors)
    cross = problem.moments.cross
    apart = replace(problem, moments=replace(problem.moments, cross=level_by_level(cross)))
    x = some_points(problem.hyper, 6)
    a, b = marginal.density(problem, x, ONE), marginal.density(apart, x, ONE)
    for one, two in ((a.log, b.log), (a.mean, b.mean), (a.root, b.root)):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)
    if "d" not in groups:
        assert len(cross.pools.count) > 0


@st.composite
def designs(draw: st.DrawFn) -> tuple[dict[str, Any], pd.DataFrame]:
    terms = st.sampled_from(["x", "w", "k", "x:w", "z"])
    groups = st.sampled_from(
        ["(1 | a)", "(1 + x | a)", "(1 + w || b)", "(1 | b)", "(1 + x | c)", "(1 | a:b)", "(1 | s)"]
    )
    equations: dict[str, Any] = {}
    for r, more in (("m", []), ("y", ["m"])):
        parts = draw(st.lists(terms, max_size=2, unique=True)) + (
            more if draw(st.booleans()) else []
        )
        parts += draw(st.lists(groups, max_size=3, unique_by=lambda g: g.split("|")[-1]))
        if draw(st.booleans()):
            parts.append(draw(st.sampled_from(["(1 |i| t)", "(1 + x |i| t)"])))
        equations[r] = f"{r} ~ {draw(st.sampled_from(['1', '0']))} + {' + '.join([*parts, 'w'])}"
    table: dict[str, Any] = {"equations": equations}
    if draw(st.booleans()):
        table["residual_correlation"] = [["m", "y"]]
    data = frame(
        draw(st.integers(1, 10_000)), draw(st.integers(30, 60)), balanced=draw(st.booleans())
    )
    return table, data


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(designs())
def test_density_over_random_designs(made: tuple[dict[str, Any], pd.DataFrame]) -> None:
    try:
        system, priors = built(*made)
    except ac.InputError:
        return  # such as two columns that are one
    check_density(system, priors, n=2)


@st.composite
def chains(draw: st.DrawFn) -> tuple[dict[str, Any], pd.DataFrame]:
    """Nested chains of unequal sizes with slopes anywhere, crossed or not, weighted or not."""
    deep = draw(st.booleans())
    sizes = draw(
        st.lists(
            st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=3), min_size=1, max_size=3),
            min_size=3,
            max_size=5,
        )
    )
    data = nests(sizes, shuffled=draw(st.integers(0, 10_000)))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    n = len(data)
    data = data.assign(w=rng.normal(size=n), m=rng.normal(size=n), size=rng.uniform(0.5, 2.0, n))
    data["c"] = [f"c{k}" for k in rng.permutation(np.arange(n) % 3)]
    effects = st.sampled_from(["1", "1 + x", "0 + x", "1 + x + w"])
    bars = st.sampled_from(["|", "||"])

    def groups(shared: str | None) -> str:
        parts = [
            f"({draw(effects)} {draw(bars)} {level})"
            for level in ("s", "a", "t")[0 if deep else 1 :]
            if level != shared
        ]
        parts += [
            f"({draw(st.sampled_from(['1', '1 + x']))} {draw(bars)} {level})"
            for level in ("b", "c")
            if draw(st.booleans())
        ]
        if shared is not None:
            parts.append(f"({draw(st.sampled_from(['1', '1 + x']))} |i| {shared})")
        return " + ".join(parts)

    linked = draw(st.sampled_from([None, "effects", "residuals", "both"]))
    shared = draw(st.sampled_from(["a", "t"])) if linked in ("effects", "both") else None
    equations: dict[str, Any] = {"y": {"formula": f"y ~ x + {groups(shared)}"}}
    table: dict[str, Any] = {"equations": equations}
    if linked is not None:
        equations["m"] = {"formula": f"m ~ w + {groups(shared)}"}
    if linked in ("residuals", "both"):
        table["residual_correlation"] = [["m", "y"]]
    elif draw(st.booleans()):
        equations["y"]["weights"] = "size"
    return table, data


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(chains())
def test_density_over_random_chains(made: tuple[dict[str, Any], pd.DataFrame]) -> None:
    """As dense algebra has it; data sets of a batch as each alone; and levels one by one."""
    try:
        system, priors = built(*made)
    except ac.InputError:
        return  # such as two columns that are one
    check_density(system, priors, n=2)
    stack = {k: np.stack([v, v[::-1] - 0.5]) for k, v in system.responses.items()}
    for problem in problems(system, priors):
        h = problem.hyper
        x = np.repeat(some_points(h, 5), 2, axis=0)
        made_of = mixed.moments(h.component, system.layout, priors, stack)
        found = marginal.density(marginal.Problem(h, made_of), x, np.array([0, 1]))
        for r in range(2):
            one = {k: v[r : r + 1] for k, v in stack.items()}
            alone = mixed.moments(h.component, system.layout, priors, one)
            alone = replace(alone, cross=level_by_level(alone.cross))
            want = marginal.density(marginal.Problem(h, alone), x[:1], ONE)
            np.testing.assert_allclose(found.log[r], want.log[0], rtol=1e-8)
            np.testing.assert_allclose(found.root[r], want.root[0], rtol=1e-6, atol=1e-8)


def test_a_level_meets_only_the_columns_of_its_rows() -> None:
    """A nest of one district meets its own partners, whichever of its levels has the slope."""
    n = 240
    district = np.arange(n) // 12
    data = pd.DataFrame(
        {
            "s": [f"s{k}" for k in district],
            "a": [f"a{k}" for k in np.arange(n) // 4],
            "b": [f"b{k}" for k in (np.arange(n) // 6) % 40],  # two to a district
            "x": np.random.default_rng(1).normal(size=n),
            "y": np.random.default_rng(2).normal(size=n),
        }
    )
    system, priors = built({"equations": {"y": "y ~ x + (1 + x || s) + (1 | a) + (1 | b)"}}, data)
    (component,) = mixed.components(system.layout, priors)
    f = component.structure
    assert [g.levels for g in component.chain] == [60, 20]
    assert not len(component.pools.count)
    met = np.diff(f.start)
    assert np.all(met[60:] == 2 + 2)
    assert np.all(met[:60] <= 2 + 2)
    place = np.argsort(f.order)
    assert all(place[j] < place[60 + f.parent[0, j]] for j in range(60))
    check_density(system, priors, 2)


def test_a_missing_term_is_seen() -> None:
    """The comparison can fail: the density of a model without its second grouping differs."""
    system, priors = built(MODELS["crossed"], frame())
    other, _ = built({"equations": {"y": "y ~ x + (1 | a)"}}, frame())
    problem = problems(other, priors)[0]
    x = some_points(problem.hyper, 1)
    value = dict(zip(problem.hyper.names, hyper.parameters(problem.hyper, x)[0, 0], strict=True))
    component = mixed.components(system.layout, priors)[0]
    dense = matrices(
        system.layout, priors, system.responses, component, {**value, "sd(y ~ 1 | b)": 0.5}
    )
    found = marginal.density(problem, x, ONE).log[0, 0] - hyper.log_prior(problem.hyper, x)[0, 0]
    assert abs(found - log_marginal(*dense)) > 0.01


@pytest.mark.parametrize("name", ["mediation", "shared effects", "nested and crossed"])
def test_many_data_sets_are_each_alone(name: str) -> None:
    data = [
        frame(),
        frame().assign(y=lambda d: d["y"][::-1].to_numpy(), m=lambda d: d["w"] - d["m"]),
    ]
    system, priors = built(MODELS[name], data[0])
    sets = [built(MODELS[name], d)[0].responses for d in data]
    stack = {k: np.stack([s[k] for s in sets]) for k in sets[0]}
    for c in mixed.components(system.layout, priors):
        h = hyper.hyper(c, system.layout, priors, {p.name: 1.0 for p in parameters(system.layout)})
        x = np.repeat(some_points(h, 6), 2, axis=0)
        together = marginal.Problem(h, mixed.moments(c, system.layout, priors, stack))
        found = marginal.density(together, x, np.array([0, 1]))
        for r in range(2):
            one = {k: v[r : r + 1] for k, v in stack.items()}
            alone = marginal.Problem(h, mixed.moments(c, system.layout, priors, one))
            want = marginal.density(alone, x[:1], ONE)
            np.testing.assert_allclose(found.log[r], want.log[0], rtol=1e-11)
            np.testing.assert_allclose(found.root[r], want.root[0], rtol=1e-8, atol=1e-10)


# --- draws of what was integrated out ---------------------------------------------------


@pytest.mark.parametrize("lapack", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        "crossed slopes",
        "slopes in a chain",
        "nested thrice",
        "nested and crossed",
        "shared effects",
        "known errors",
    ],
)
def test_effects_and_coefficients_given_the_sds(
    name: str, monkeypatch: pytest.MonkeyPatch, *, lapack: bool
) -> None:
    """Their conditional normal distribution, moment by moment, at one set of sds."""
    if lapack:
        monkeypatch.setattr(marginal, "LAPACK_FROM", 0)
        monkeypatch.setattr(group_effects, "LAPACK_FROM", 0)
    system, priors = built(MODELS[name], frame(balanced=False))
    S = 4000
    for problem in problems(system, priors):
        h, c = problem.hyper, problem.hyper.component
        x = some_points(h, 1)
        values = marginal.density(problem, x, ONE)
        rng = np.random.default_rng(3)
        p = len(c.coefficients)
        beta = np.empty((1, S, p))
        points = np.zeros((1, S), np.int64)
        coefficients(values.mean, values.root, points, rng.standard_normal((1, S, p)), beta)
        drawn = group_effects.group_effects(
            problem, system.layout, x[0], points[0], beta[0], rng, None
        )
        raw = mixed.raw_coefficients(
            problem.moments, c, beta, np.zeros((1, S, 0)), ONE, range(beta.shape[2])
        )[0]
        blocks = [drawn[system.layout.blocks[b].key].reshape(S, -1) for b in c.blocks]
        draws = np.concatenate([*blocks, raw], axis=1)
        value = dict(zip(h.names, hyper.parameters(h, x)[0, 0], strict=True))
        mean, cov = conditional(*matrices(system.layout, priors, system.responses, c, value))
        sd = np.sqrt(np.diag(cov))
        z = (draws - mean) / sd
        # about 60 means, and 60^2 / 2 correlations of S draws: 1e-4 in all at 5.5 errors
        assert np.max(np.abs(z.mean(axis=0))) < 5.5 / np.sqrt(S)
        assert np.max(np.abs(z.T @ z / S - cov / np.outer(sd, sd))) < 5.5 * np.sqrt(2 / S)


# --- whole posteriors -----------------------------------------------------------------


def test_eight_schools() -> None:
    """Rubin (1981), against quadrature over the sd of schools."""
    y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
    se = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
    model = ac.load_model(
        {
            "name": "schools",
            "equations": {"y": {"formula": "y ~ 1 + (1 | school)", "se": "se"}},
            "priors": {
                "y ~ 1": {"dist": "Normal", "mu": 5, "sigma": 10},
                "sd(y ~ 1 | school)": {"dist": "HalfNormal", "sigma": 10},
            },
        }
    )
    data = pd.DataFrame({"y": y, "se": se, "school": list("ABCDEFGH")})
    f = ac.fit(model, data, engine="collapsed", draws=5000)
    tau = np.linspace(1e-3, 60, 6000)
    v = se**2 + tau[:, None] ** 2
    precision = (1 / v).sum(1) + 0.01
    center = ((y / v).sum(1) + 0.05) / precision
    total = np.log(v).sum(1) + (y**2 / v).sum(1) + 25 * 0.01 - precision * center**2
    log = -0.5 * (total + np.log(100 * precision) + 8 * np.log(2 * np.pi))
    log = log + log_density(half_normal(10.0), tau)
    evidence = integrate.simpson(np.exp(log), x=tau)
    w = np.exp(log) / evidence
    mean = integrate.simpson(w * center, x=tau)
    e = f.estimates.set_index("name")
    assert abs(e.loc["y ~ 1", "mean"] - mean) < K * e.loc["y ~ 1", "mcse_mean"]
    spread = integrate.simpson(w * (1 / precision + center**2), x=tau) - mean**2
    assert e.loc["y ~ 1", "sd"] == pytest.approx(np.sqrt(spread), rel=K / np.sqrt(2 * 1000))
    tau_mean = integrate.simpson(w * tau, x=tau)
    row = e.loc["sd(y ~ 1 | school)"]
    assert abs(row["mean"] - tau_mean) < K * row["mcse_mean"]
    error = f.draws.parts[0].marginal.mcse
    assert abs(f.log_marginal_likelihood - np.log(evidence)) < K * error
    assert 0 < error < 0.05


def test_marginal_likelihood_of_two_sds_by_quadrature() -> None:
    data = frame()
    system, priors = built({"equations": {"y": "y ~ x + (1 | a)"}, "priors": PRIORS}, data)
    problem = problems(system, priors)[0]
    grid = np.linspace(1e-3, 6, 400)
    x = np.stack(np.meshgrid(grid, grid, indexing="ij"), -1).reshape(1, -1, 2)
    log = marginal.density(problem, x, ONE).log.reshape(400, 400)
    want = np.log(integrate.simpson(integrate.simpson(np.exp(log), x=grid), x=grid))
    prepared = collapsed.prepare(system.layout, priors, system.responses)
    part = prepared.sample(system.responses, 1, Sampling()).parts[0]
    assert part.marginal.log == pytest.approx(want, abs=K * part.marginal.mcse)


def test_a_regression_with_known_errors_is_exact() -> None:
    """No sd is left: plain draws of the conjugate posterior."""
    data = frame()
    model = {"name": "t", "equations": {"y": {"formula": "y ~ x", "se": "se"}}, "priors": {
        "y ~ 1": {"dist": "Normal", "mu": 0.5, "sigma": 2.0},
        "y ~ x": {"dist": "Normal", "mu": -1.0, "sigma": 0.4}}}  # fmt: skip
    f = ac.fit(ac.load_model(model), data)
    assert f.draws.parts[0].method == "exact"
    assert f.diagnostics.usable
    assert f.diagnostics.pareto_k is None
    X = np.column_stack([np.ones(len(data)), data["x"]])
    prior = np.diag([2.0**-2, 0.4**-2])
    precision = X.T @ (X / data["se"].to_numpy()[:, None] ** 2) + prior
    mean = np.linalg.solve(precision, X.T @ (data["y"] / data["se"] ** 2) + prior @ [0.5, -1.0])
    assert (abs(f.estimates["mean"] - mean) <= K * f.estimates["mcse_mean"]).all()
    cov = X @ np.diag([4.0, 0.16]) @ X.T + np.diag(data["se"] ** 2)
    want = stats.multivariate_normal(X @ [0.5, -1.0], cov).logpdf(data["y"])
    assert f.log_marginal_likelihood == pytest.approx(want, abs=1e-8)


SLEEP: dict[str, Any] = {"name": "t", "equations": {"y": {"formula": "y ~ x + (1 + x | a)"}}}


def sleep() -> pd.DataFrame:
    rng = np.random.default_rng(12)
    a = np.repeat(np.arange(20), 10)
    u = rng.normal(size=(20, 2)) * [1.0, 0.4]
    x = np.tile(np.arange(10.0), 20)
    y = 5 + 0.6 * x + u[a, 0] + u[a, 1] * x + rng.normal(size=200)
    return pd.DataFrame({"y": y, "x": x, "a": [f"p{k}" for k in a]})


def test_cores_and_the_order_of_rows_change_nothing() -> None:
    model, data = ac.load_model(SLEEP), sleep()
    one = ac.fit(model, data, seed=4, cores=1)
    two = ac.fit(model, data, seed=4, cores=2)
    np.testing.assert_array_equal(one.draws.values, two.draws.values)
    key = "y ~ 1, y ~ x | a"
    np.testing.assert_array_equal(one.draws.group_effects[key], two.draws.group_effects[key])
    assert not np.array_equal(one.draws.values, ac.fit(model, data, seed=5).draws.values)
    moved = data.sample(frac=1.0, random_state=1).assign(a=lambda d: "new " + d["a"].str[::-1])
    again = ac.fit(model, moved, seed=6)
    assert again.log_marginal_likelihood == pytest.approx(one.log_marginal_likelihood, abs=0.1)
    error = np.hypot(one.estimates["mcse_mean"], again.estimates["mcse_mean"])
    assert (abs(one.estimates["mean"] - again.estimates["mean"]) <= K * error).all()


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_units_change_nothing(unit: float) -> None:
    model, data = ac.load_model(SLEEP), sleep()
    plain = ac.fit(model, data, seed=4).estimates
    scaled = ac.fit(model, data.assign(y=data["y"] * unit, x=data["x"] / unit), seed=4).estimates
    factor = np.array([unit, unit**2, unit, unit**2, 1.0, unit])
    np.testing.assert_allclose(scaled["mean"], plain["mean"] * factor, rtol=1e-4, atol=1e-12)


def test_tables_of_weighted_points() -> None:
    f = ac.fit(ac.load_model(SLEEP), sleep())
    assert f.draws.engine == "collapsed"
    assert f.engine_note.startswith("collapsed, since")
    assert f.estimates["r_hat"].isna().all()
    assert (f.estimates[["ess_bulk", "ess_tail", "mcse_mean"]] > 0).all().all()
    assert f.diagnostics.max_r_hat is None
    assert f.diagnostics.pareto_k is not None
    assert f.diagnostics.usable
    assert list(f.posterior.children) == ["posterior"]
    u = f.posterior["posterior"]["u(y ~ x | a)"]
    assert u.shape == (4, 1000, 20)
    assert list(u["a"].to_numpy()[:2]) == ["p0", "p1"]


def test_walkers_agree_with_weighted_points(monkeypatch: pytest.MonkeyPatch) -> None:
    model, data = ac.load_model(SLEEP), sleep()
    points = ac.fit(model, data, seed=4)
    monkeypatch.setattr(fitting.Weighted, "trusted", property(lambda _: False))
    walked = ac.fit(model, data, seed=4, engine="collapsed")
    assert walked.draws.parts[0].method == "metropolis"
    assert walked.diagnostics.usable, walked.diagnostics.messages
    assert (walked.estimates["r_hat"] < 1.01).all()
    assert "Metropolis" in " ".join(walked.diagnostics.messages)
    assert walked.log_marginal_likelihood == pytest.approx(points.log_marginal_likelihood, abs=0.1)
    error = np.hypot(points.estimates["mcse_mean"], walked.estimates["mcse_mean"])
    assert (abs(points.estimates["mean"] - walked.estimates["mean"]) <= K * error).all()
    ess = np.minimum(points.estimates["ess_tail"], walked.estimates["ess_tail"])
    ratio = abs(np.log(points.estimates["sd"] / walked.estimates["sd"]))
    assert (ratio <= 2 * K / np.sqrt(ess)).all()


def small_groups(spread: float, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    a = np.repeat(np.arange(18), 10)
    x = rng.normal(size=180)
    u = spread * rng.normal(size=(18, 2))
    y = 1 + 0.5 * x + u[a, 0] + u[a, 1] * x + rng.normal(size=180)
    return pd.DataFrame({"y": y, "x": x, "a": [f"p{k}" for k in a]})


def test_walkers_keep_sds_positive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an sd may be zero, walkers stand at mirror images of points too."""
    monkeypatch.setattr(fitting.Weighted, "trusted", property(lambda _: False))
    f = ac.fit(ac.load_model(SLEEP), small_groups(0.02, 4), seed=4, engine="collapsed")
    assert f.draws.parts[0].method == "metropolis"
    for name in f.draws.names:
        if name.startswith(("sd(", "sigma(")):
            assert (f.draws[name] > 0).all()


@pytest.mark.parametrize("spread", [0.02, 0.2])
def test_groups_that_differ_little_are_no_trouble(spread: float) -> None:
    for seed in range(1, 7):
        f = ac.fit(ac.load_model(SLEEP), small_groups(spread, seed), engine="collapsed")
        assert f.diagnostics.usable, (seed, f.diagnostics.messages)


def test_more_coordinates_than_sobol_points_have() -> None:
    """Six effects that covary: 6 sds, 15 correlations and a residual sd."""
    rng = np.random.default_rng(3)
    v = rng.normal(size=(400, 5))
    a = np.arange(400) % 20
    u = 0.6 * rng.normal(size=(20, 6))
    y = u[a, 0] + np.sum((0.3 + u[a, 1:]) * v, axis=1) + rng.normal(size=400)
    data = pd.DataFrame(v, columns=[f"v{k}" for k in range(5)]).assign(y=y, a=[f"g{k}" for k in a])
    terms = " + ".join(f"v{k}" for k in range(5))
    equations = {"y": {"formula": f"y ~ {terms} + (1 + {terms} | a)"}}
    f = ac.fit(ac.load_model({"name": "t", "equations": equations}), data, engine="collapsed")
    assert len(f.draws.parts[0].names) == 22 + 6
    error = f.estimates.set_index("name")
    for k in range(5):
        row = error.loc[f"y ~ v{k}"]
        assert abs(row["mean"] - (0.3 + u[:, k + 1].mean())) < 4 * row["sd"]


def test_a_batch_is_what_single_fits_are() -> None:
    model, data = ac.load_model(SLEEP), sleep()
    system = build_system(model, ac.study(data))
    priors = resolve_priors({}, system.layout, system.responses)
    prepared = collapsed.prepare(system.layout, priors, system.responses)
    other = data.sample(frac=1.0, random_state=2)["y"].to_numpy()
    stack = {"y": np.stack([data["y"].to_numpy(), other])}
    found = prepared.batch(stack, [7, 8], draws=2000, points=1024)
    assert found.usable.all()
    assert found.values.shape == (2, 2000, len(found.names))
    # a data set's draws rest on its own seed alone
    alone = prepared.batch({"y": stack["y"][1:]}, [8], draws=2000, points=1024)
    np.testing.assert_allclose(found.values[1], alone.values[0], rtol=1e-8)
    single = ac.fit(model, data, seed=4)
    gap = found.values[0].mean(axis=0) - single.estimates["mean"]
    sd = found.values[0].std(axis=0)
    assert (abs(gap) <= K * np.hypot(sd / np.sqrt(400), single.estimates["mcse_mean"])).all()
    assert found.log_marginal_likelihood[0] == pytest.approx(
        single.log_marginal_likelihood, abs=0.3
    )


# --- which engine -----------------------------------------------------------------------


def test_a_first_data_set_without_group_differences_helps_no_less() -> None:
    """The density is even in a group sd: a search that began at zero would not leave it."""
    rng = np.random.default_rng(5)
    g = np.repeat(np.arange(12), 5)
    flat = rng.standard_normal((12, 5))
    flat -= flat.mean(axis=1, keepdims=True)
    others = 0.4 * rng.standard_normal((40, 12))[:, g] + rng.standard_normal((40, 60))
    model = ac.load_model({"name": "m", "equations": {"y": {"formula": "y ~ 1 + (1 | g)"}}})

    def more_rounds(first: np.ndarray) -> int:
        data = pd.DataFrame({"g": [f"g{k}" for k in g], "y": first})
        system = build_system(model, ac.study(data))
        prepared = collapsed.prepare(system.layout, priors, system.responses)
        found = prepared.batch({"y": others}, list(range(40)), draws=500, points=256)
        return int(np.sum(found.ess > 256))

    one = build_system(model, ac.study(pd.DataFrame({"g": [f"g{k}" for k in g], "y": others[0]})))
    priors = resolve_priors({}, one.layout, one.responses)
    assert more_rounds(flat.ravel()) <= 12  # 4 of 40; 31 where it begins at zero
    assert more_rounds(others[0]) <= 12


def test_what_is_outside_the_class() -> None:
    data = frame().assign(yes=lambda d: (d["y"] > 3).astype(int))
    system, priors = built({"equations": {"y": "y ~ x"}}, data)
    assert collapsed.unfit(system.layout, priors) is None
    heavy = replace(
        priors["y ~ x"],
        distribution=replace(normal(0, 1), name="Laplace", parameters={"mu": 0, "b": 1}),
    )
    reason = collapsed.unfit(system.layout, {**priors, "y ~ x": heavy})
    assert reason == "the prior of 'y ~ x' is Laplace(mu=0, b=1), not normal"
    other, _ = built({"equations": {"yes": {"formula": "yes ~ x", "family": "bernoulli"}}}, data)
    assert collapsed.unfit(other.layout, {}) == "'yes' is bernoulli, not gaussian"


def test_asked_for_it_never_falls_back() -> None:
    data = frame().assign(yes=lambda d: (d["y"] > 3).astype(int))
    equations = {"yes": {"formula": "yes ~ x", "family": "bernoulli"}}
    with pytest.raises(EngineError, match="'yes' is bernoulli, not gaussian; use --engine nuts"):
        ac.fit(ac.load_model({"name": "t", "equations": equations}), data, engine="collapsed")
    assert EngineError.exit_code == 3


def test_auto_says_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acmodels.engines.hmc.prepare", FakeEngine().prepare)
    data = frame().assign(yes=lambda d: (d["y"] > 3).astype(int))
    equations = {"yes": {"formula": "yes ~ x", "family": "bernoulli"}}
    f = ac.fit(ac.load_model({"name": "t", "equations": equations}), data)
    assert f.engine_note == "hmc, since 'yes' is bernoulli, not gaussian"


def test_auto_falls_back_where_the_result_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acmodels.engines.hmc.prepare", FakeEngine().prepare)
    monkeypatch.setattr("acmodels.engines.nuts.prepare", FakeEngine().prepare)
    f = ac.fit(ac.load_model(SLEEP), sleep(), draws=20, chains=2)
    assert f.draws.engine == "fake"
    assert "gave no usable result" in f.engine_note
