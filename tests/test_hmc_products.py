"""What hmc's predictors have beside columns: missing values, latent means, residuals, steps."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta as beta_distribution
from scipy.stats import multivariate_normal, norm

import acmodels
from acmodels.data import study
from acmodels.engines import engine
from acmodels.engines.hmc import draws, mode
from acmodels.engines.hmc.arrays import design
from acmodels.engines.hmc.design import Design, components
from acmodels.priors import resolve_priors
from acmodels.spec.distribution import log_density
from acmodels.system import build_system
from acmodels.system.columns import design_matrix


def table(seed: int, n: int = 120) -> pd.DataFrame:
    """Rows in groups of ten: a mediator, with and without missing values, and outcomes."""
    rng = np.random.default_rng(seed)
    g, p = np.repeat(np.arange(n // 10), 10), rng.integers(0, 6, n)
    x, w = rng.normal(1.0, 1.0, n), rng.normal(size=n // 10)[g]
    u = 0.6 * rng.normal(size=n // 10)
    m = 0.5 * x + 0.3 * w + u[g] + rng.normal(0, 0.8, n)
    y = 0.4 * m + 0.5 * u[g] + 0.3 * x + rng.normal(size=n)
    q = rng.integers(1, 5, n)
    eta = 0.5 * m + u[g] + np.array([0, 0.2, 0.9, 1.0])[q - 1]
    return pd.DataFrame(
        {
            "g": g, "p": p, "x": x, "w": w, "m": m, "y": y, "q": q,
            "v": 0.4 * m - 0.3 * y + rng.normal(size=n),
            "mm": np.where(rng.random(n) < 0.15, np.nan, m),
            "o": np.digitize(eta + rng.normal(size=n), [-1, 0, 1]) + 1,
            "b": (b := (eta + rng.logistic(size=n) > 0).astype(int)),
            "bm": np.where(rng.random(n) < 0.1, np.nan, b),
        }
    )  # fmt: skip


def equation(response: str, rest: str, family: str = "gaussian") -> str:
    link = 'link = "probit"\n' if family == "ordinal" else ""
    return f'[equations.{response}]\nformula = "{response} ~ {rest}"\nfamily = "{family}"\n{link}'


PAIRED = 'residual_correlation = [["m", "y"], ["m", "v"], ["y", "v"]]\n'
MODELS = {
    "missing": equation("mm", "x + (1 | g)") + equation("o", "mm + (1 | g)", "ordinal"),
    "missing in products": equation("mm", "x + (1 | g)")
    + equation("o", "mm*x + square(mm) + (1 + mm | g)", "ordinal"),
    "missing, centered": equation("mm", "x") + equation("b", "center(mm)*x", "bernoulli"),
    "latent mean": equation("m", "x + w + (1 | g)")
    + equation("o", "within(m, g) + between(m, g) + (1 | g)", "ordinal"),
    "latent mean, products": equation("mm", "x + w + (1 | g)")
    + equation("b", "within(mm, g)*x + between(mm, g)*w + (1 | g)", "bernoulli"),
    "latent mean, shared": equation("m", "x + (1 |i| g) + (1 | p)")
    + equation("o", "m + between(m, g) + (1 |i| g)", "ordinal"),
    "latent mean that varies": equation("m", "x + (1 | g)")
    + equation("b", "within(m, g) + (1 + within(m, g) | g)", "bernoulli"),
    "residuals": PAIRED + equation("m", "x + (1 | g)") + equation("y", "x") + equation("v", "x")
    + equation("o", "m + y + (1 | p)", "ordinal"),
    "missing, residuals": 'residual_correlation = [["mm", "y"]]\n'
    + equation("mm", "x + (1 | g)") + equation("y", "x + (1 | g)")
    + equation("o", "mm + y", "ordinal"),
    "steps": equation("o", "mo(q) + x + (1 | p)", "ordinal"),
    "steps beside a constant": equation("b", "mo(q) + x", "bernoulli"),
    "summed": equation("bm", "x + (1 | g)", "bernoulli")
    + equation("o", "bm*x + (1 + bm | g)", "ordinal")
    + equation("y", "bm + o + (1 | p)"),
    "held": equation("o", "x + mo(q) + (1 + x | g)", "ordinal")
    + equation("y", "x + (1 | g)")
    + """
[priors]
"sd(o ~ 1 | g)" = { dist = "Constant", value = 0.4 }
"cor(o ~ 1, o ~ x | g)" = { dist = "Constant", value = -0.3 }
"simo(o ~ mo(q))[1]" = { dist = "Constant", value = 0.2 }
"simo(o ~ mo(q))[2]" = { dist = "Constant", value = 0.5 }
"simo(o ~ mo(q))[3]" = { dist = "Constant", value = 0.3 }
"sigma(y)" = { dist = "Constant", value = 1.2 }
"y ~ 1" = { dist = "Constant", value = 0.1 }
""",
}  # fmt: skip


def load(tmp_path: Path, text: str) -> Any:
    file = tmp_path / "m.toml"
    file.write_text('name = "m"\n' + text)
    return acmodels.load_model(file)


def designs(
    tmp_path: Path, text: str, rows: pd.DataFrame, *, joint: bool | None = None
) -> tuple[Any, Any, list[Design]]:
    """A model on its rows: the system, priors and every component."""
    model = load(tmp_path, text)
    system = build_system(model, study(rows)).sampled
    priors = resolve_priors(model.priors, system.layout, system.responses, "m")
    assert engine("hmc").unfit(system.layout, priors) is None
    found = components(system.layout)
    made = [design(system.layout, priors, system.responses, of, joint=joint) for of in found]
    return system, priors, made


def somewhere(d: Design, rng: np.random.Generator) -> Any:
    x = d.start + 0.4 * rng.normal(size=len(d.start)) * np.minimum(d.unit, 1.0) * ~d.frozen
    x[d.walls] = np.abs(x[d.walls])
    return x


@pytest.mark.parametrize("joint", [None, False], ids=["joint", "by block"])
@pytest.mark.parametrize("name", MODELS)
def test_gradients_are_slopes_of_the_density(tmp_path: Path, name: str, joint: bool | None) -> None:
    """At the start, and in coordinates anchored elsewhere, with information and scores."""
    rng = np.random.default_rng(4)
    for d in designs(tmp_path, MODELS[name], table(2), joint=joint)[2]:
        there, _ = mode.anchored(d, somewhere(d, rng))
        for at in (d, there):
            x = somewhere(at, rng)
            _, g, *_ = mode.slopes(at, x)
            for _ in range(8):
                way = rng.normal(size=len(x)) * ~d.frozen
                h = 1e-5
                rise = (mode.slopes(at, x + h * way)[0] - mode.slopes(at, x - h * way)[0]) / (2 * h)
                assert rise == pytest.approx(float(g @ way), rel=2e-5, abs=2e-3)


STATED = """
[priors]
"* ~ *" = { dist = "Normal", mu = 0.2, sigma = 0.8 }
"* ~ 1" = { dist = "StudentT", nu = 5, mu = 0.1, sigma = 1.5 }
"sigma(*)" = { dist = "Gamma", alpha = 2, beta = 2 }
"""
SDS = '"sd(*)" = { dist = "HalfNormal", sigma = 0.7 }\n'
CUTS = '"* | t*" = { dist = "Normal", mu = 0.3, sigma = 1.7 }\n'

type Natural = tuple[dict[str, float], dict[str, Any], dict[str, Any]]


def ordinal(y: Any, eta: Any, values: dict[str, float]) -> float:
    """Log likelihood of a probit response `o` in four categories."""
    cuts = np.array([-np.inf, *(values[f"o | t{k}"] for k in (1, 2, 3)), np.inf])
    c = np.asarray(y, dtype=int)
    return float(np.sum(np.log(norm.cdf(cuts[c] - eta) - norm.cdf(cuts[c - 1] - eta))))


def of_missing(rows: pd.DataFrame, system: Any, at: Natural) -> float:
    """Columns with the missing values filled in; these have a normal density like the others."""
    v, groups, cells = at
    m = rows["mm"].to_numpy().copy()
    m[np.isnan(m)] = cells["mm"]
    g, x = rows["g"].to_numpy(), rows["x"].to_numpy()
    u, s = groups["mm ~ 1 | g"][:, 0], groups["o ~ 1, o ~ mm | g"]
    lp = norm.logpdf(m, v["mm ~ 1"] + v["mm ~ x"] * x + u[g], v["sigma(mm)"]).sum()
    eta = v["o ~ mm"] * m + v["o ~ x"] * x + v["o ~ mm:x"] * m * x
    eta += v["o ~ square(mm)"] * m**2 + s[g, 0] + s[g, 1] * m
    lp += norm.logpdf(u, 0, v["sd(mm ~ 1 | g)"]).sum()
    a, b, r = v["sd(o ~ 1 | g)"], v["sd(o ~ mm | g)"], v["cor(o ~ 1, o ~ mm | g)"]
    cov = np.array([[a * a, r * a * b], [r * a * b, b * b]])
    lp += multivariate_normal(np.zeros(2), cov).logpdf(s).sum()
    return float(lp) + ordinal(rows["o"], eta, v)


def of_mean(rows: pd.DataFrame, system: Any, at: Natural) -> float:
    """The latent mean is the predictor's part that does not vary within groups."""
    v, groups, _ = at
    g, x, w, m = (rows[k].to_numpy() for k in ("g", "x", "w", "m"))
    u, s = groups["m ~ 1 | g"][:, 0], groups["o ~ 1 | g"][:, 0]
    mean = v["m ~ 1"] + v["m ~ w"] * w + u[g]
    lp = norm.logpdf(m, mean + v["m ~ x"] * x, v["sigma(m)"]).sum()
    eta = v["o ~ within(m, g)"] * (m - mean) + v["o ~ between(m, g)"] * mean + s[g]
    lp += norm.logpdf(u, 0, v["sd(m ~ 1 | g)"]).sum() + norm.logpdf(s, 0, v["sd(o ~ 1 | g)"]).sum()
    return float(lp) + ordinal(rows["o"], eta, v)


def of_residuals(rows: pd.DataFrame, system: Any, at: Natural) -> float:
    """Three responses of a row are jointly normal; the matrix has an LKJ prior of shape 1."""
    v = at[0]
    names = ("m", "y", "v")
    sd = np.array([v[f"sigma({k})"] for k in names])
    R = np.eye(3)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        R[i, j] = R[j, i] = v[f"cor({names[i]}, {names[j]})"]
    away = np.stack([rows[k] - v[f"{k} ~ 1"] - v[f"{k} ~ x"] * rows["x"] for k in names], axis=1)
    return float(multivariate_normal(np.zeros(3), sd[:, None] * R * sd).logpdf(away).sum())


def of_steps(rows: pd.DataFrame, system: Any, at: Natural) -> float:
    """Steps are shares of three times the mean one; the shares are uniform on the simplex."""
    v = at[0]
    steps = [0.0, *np.cumsum([v[f"simo(o ~ mo(q))[{k}]"] for k in (1, 2, 3)])]
    eta = 3 * v["o ~ mo(q)"] * np.array(steps)[rows["q"] - 1] + v["o ~ x"] * rows["x"]
    return ordinal(rows["o"], eta, v)


def of_summed(rows: pd.DataFrame, system: Any, at: Natural) -> float:
    """Of a row without the predictor, the likelihood with a one and with a zero, in shares."""
    v, groups, _ = at
    g, x = rows["g"].to_numpy(), rows["x"].to_numpy()
    s = groups["o ~ 1, o ~ bm | g"]
    p = 1 / (1 + np.exp(-(v["bm ~ 1"] + v["bm ~ x"] * x)))
    cuts = np.array([-np.inf, *(v[f"o | t{k}"] for k in (1, 2, 3)), np.inf])
    c = rows["o"].to_numpy()

    def given(b: float) -> Any:
        eta = v["o ~ bm"] * b + v["o ~ x"] * x + s[g, 0] + s[g, 1] * b
        likelihood = norm.cdf(cuts[c] - eta) - norm.cdf(cuts[c - 1] - eta)
        away = (rows["y"] - v["y ~ 1"] - v["y ~ bm"] * b) / v["sigma(y)"]
        return (p if b else 1 - p) * likelihood * norm.pdf(away) / v["sigma(y)"]

    one, zero, b = given(1.0), given(0.0), rows["bm"].to_numpy()
    lp = np.log(np.where(np.isnan(b), one + zero, np.where(b == 1, one, zero))).sum()
    a, d, r = v["sd(o ~ 1 | g)"], v["sd(o ~ bm | g)"], v["cor(o ~ 1, o ~ bm | g)"]
    cov = np.array([[a * a, r * a * d], [r * a * d, d * d]])
    return float(lp + multivariate_normal(np.zeros(2), cov).logpdf(s).sum())


DEFINED: dict[str, tuple[str, Callable[..., float]]] = {
    "missing": (MODELS["missing in products"] + STATED + SDS + CUTS, of_missing),
    "latent mean": (MODELS["latent mean"] + STATED + SDS + CUTS, of_mean),
    "summed": (
        equation("bm", "x", "bernoulli")
        + equation("o", "bm + x + (1 + bm | g)", "ordinal")
        + equation("y", "bm")
        + STATED
        + SDS
        + CUTS,
        of_summed,
    ),
    "residuals": (
        PAIRED + equation("m", "x") + equation("y", "x") + equation("v", "x") + STATED,
        of_residuals,
    ),
    "steps": (
        equation("o", "mo(q) + x", "ordinal")
        + '[priors]\n"* ~ *" = { dist = "Normal", mu = 0.2, sigma = 0.8 }\n'
        + CUTS,
        of_steps,
    ),
}


@pytest.mark.parametrize("name", DEFINED)
def test_the_density_is_that_of_the_model(tmp_path: Path, name: str) -> None:
    """Against densities written out here, times the Jacobian, which is taken by differences."""
    text, likelihood = DEFINED[name]
    lines = (x for x in text.split("\n") if "o ~ 1" not in x)
    rows = table(3, 80)
    system, priors, (d,) = designs(tmp_path, "\n".join(lines), rows)
    rng = np.random.default_rng(8)
    d, _ = mode.anchored(d, somewhere(d, rng))
    neff = int(d.arrays.sizes[0])

    def natural(x: Any) -> Natural:
        u = mode.slopes(d, x)[3][1 : 1 + neff]
        fixed = x[None, None, neff:]
        found = draws.coefficient_draws(d, fixed) | draws.residual_draws(d, fixed)
        more, groups, cells = draws.group_draws(d, fixed, u[None, None])
        values = {k: float(v[0, 0]) for k, v in (found | more).items()}
        return (
            values,
            {k: v[0, 0] for k, v in groups.items()},
            {k: v[0, 0] for k, v in cells.items()},
        )

    def flat(x: Any) -> Any:
        values, groups, cells = natural(x)
        follows = [k for k in values if "mo(q)[" in k or k.endswith("mo(q))[3]")]
        own = [v for k, v in values.items() if k not in follows]
        return np.concatenate([own, *(v.ravel() for v in (*groups.values(), *cells.values()))])

    def reference(x: Any) -> float:
        at = natural(x)
        lp = likelihood(rows, system, at)
        for k, v in at[0].items():
            if k in priors and priors[k].distribution.name not in ("LKJ", "Dirichlet"):
                lp += float(log_density(priors[k].distribution, np.array(v)))
        h = 1e-6 * np.eye(len(x))
        jacobian = np.stack([(flat(x + a) - flat(x - a)) / 2e-6 for a in h])
        return lp + float(np.linalg.slogdet(jacobian)[1])

    found = []
    for _ in range(4):
        x = somewhere(d, rng)
        found.append((mode.slopes(d, x)[0], reference(x)))
    ours, theirs = np.array(found).T
    assert np.ptp(ours) > 1
    assert np.allclose(ours - ours[0], theirs - theirs[0], rtol=1e-6, atol=1e-4)


def test_breaking_a_stick_is_dirichlet(tmp_path: Path) -> None:
    """Shares of a prior alone are Dirichlet(2, 2, 2): each Beta(2, 4), against its quantiles."""
    text = equation("o", "mo(q)", "ordinal") + (
        '[priors]\n"o ~ mo(q)" = { dist = "Normal", mu = 0, sigma = 0.0001 }\n'
        + "".join(
            f'"simo(o ~ mo(q))[{k}]" = {{ dist = "Dirichlet", alpha = 2 }}\n' for k in (1, 2, 3)
        )
    )
    fit = acmodels.fit(load(tmp_path, text), table(5), engine="hmc", cores=1)
    for k in (1, 2, 3):
        draws = np.asarray(fit.posterior.posterior[f"simo(o ~ mo(q))[{k}]"]).ravel()
        size = len(draws) / 4  # draws depend on each other somewhat
        for q in (0.1, 0.5, 0.9):
            share = np.mean(draws < beta_distribution(2, 4).ppf(q))
            assert abs(share - q) < 4 * np.sqrt(q * (1 - q) / size)


EXACT = {
    "latent mean": equation("m", "x + (1 | g)")
    + equation("y", "within(m, g) + between(m, g) + (1 | g)"),
    "residuals": PAIRED + equation("m", "x") + equation("y", "x + (1 | g)")
    + equation("v", "x + (1 | g)"),
    # sampled in the order q, v, m, since v rests on y
    "residuals, declared in another order": (
        'residual_correlation = [["v", "q"], ["v", "m"], ["q", "m"]]\n'
    )
    + equation("v", "y + x") + equation("q", "x + (1 | g)") + equation("m", "y + x")
    + equation("y", "x"),
    "held": equation("y", "x + (1 | g)")
    + '[priors]\n"sigma(y)" = { dist = "Constant", value = 1.2 }\n'
    '"sd(y ~ 1 | g)" = { dist = "Constant", value = 0.5 }\n',
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_agrees_with_the_exact_engine(tmp_path: Path, name: str) -> None:
    """Means within 4.5 combined Monte Carlo errors and sds within 15 %."""
    model, rows = load(tmp_path, EXACT[name]), table(6, 300)
    exact = acmodels.fit(model, rows, engine="collapsed").estimates.set_index("name")
    found = acmodels.fit(model, rows, engine="hmc", cores=1)
    assert found.diagnostics.usable
    ours = found.estimates.set_index("name")
    free = exact["sd"] > 1e-9
    assert np.allclose(exact["mean"][~free], ours["mean"][~free])
    exact, ours = exact[free], ours[free]
    error = np.hypot(exact["mcse_mean"], ours["mcse_mean"])
    assert np.all(np.abs(exact["mean"] - ours["mean"]) < 4.5 * error)
    assert np.all(np.abs(np.log(exact["sd"] / ours["sd"])) < np.log(1.15))


def test_what_is_held_comes_out_as_it_was_held(tmp_path: Path) -> None:
    """Intercepts and thresholds too, though predictors are centered where these are free."""
    text = MODELS["held"] + "".join(
        f'"o | t{k}" = {{ dist = "Constant", value = {v} }}\n'
        for k, v in ((1, -0.8), (2, 0.1), (3, 1.3))
    )
    fit = acmodels.fit(load(tmp_path, text), table(2), engine="hmc", cores=1)
    found = fit.estimates.set_index("name")
    for name, value in (
        ("sd(o ~ 1 | g)", 0.4), ("cor(o ~ 1, o ~ x | g)", -0.3), ("sigma(y)", 1.2), ("y ~ 1", 0.1),
        ("simo(o ~ mo(q))[1]", 0.2), ("simo(o ~ mo(q))[2]", 0.5), ("simo(o ~ mo(q))[3]", 0.3),
        ("o | t1", -0.8), ("o | t2", 0.1), ("o | t3", 1.3),
    ):  # fmt: skip
        assert found.loc[name, "mean"] == pytest.approx(value, abs=1e-9)
        assert found.loc[name, "sd"] < 1e-9
    assert (found.loc[["o ~ x", "y ~ x", "sd(o ~ x | g)"], "sd"] > 0.01).all()


@pytest.mark.parametrize("name", ["missing", "latent mean, products"])
def test_products_that_no_coordinates_follow_are_the_same(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block follows so many coefficients; where there are more, the density is the same."""
    from acmodels.engines.hmc import products

    rng = np.random.default_rng(6)
    (followed,) = designs(tmp_path, MODELS[name], table(2), joint=False)[2]
    monkeypatch.setattr(products, "MOST_SEEN", 0)
    (other,) = designs(tmp_path, MODELS[name], table(2), joint=False)[2]
    assert followed.arrays.sizes[1] > 0
    assert other.arrays.sizes[1] == 0
    x = somewhere(other, rng)
    ours, theirs = mode.slopes(followed, x), mode.slopes(other, x)
    assert ours[0] == pytest.approx(theirs[0], rel=1e-10)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-7, atol=1e-8)


def test_columns_are_those_of_the_filled_in_data(tmp_path: Path) -> None:
    """A predictor with values at hand is what columns of completed data give."""
    rows = table(7)
    system, _, (d,) = designs(tmp_path, MODELS["missing in products"], rows)
    rng = np.random.default_rng(1)
    x = somewhere(d, rng)
    V = mode.slopes(d, x)[3]
    b = next(i for i, level in enumerate(d.levels) if level.missing is not None)
    first = 1 + int(d.arrays.block0[b])
    gap = system.layout.missing[0]
    filled = dict(system.responses)
    y = filled["mm"].copy()
    y[gap.at] = V[first : first + len(gap.at)] + y[gap.at]
    e = system.layout.equation("o")
    before, after = (design_matrix(system.layout, e, r) for r in (filled, filled | {"mm": y}))
    k = [p.equation.response for p in d.parts].index("o")
    part = d.parts[k]
    lin = V[part.lin_at : part.lin_at + len(part.free)]
    ours = V[d.arrays.eta_at[k] : d.arrays.eta_at[k] + e.n]
    plain = (before[:, part.free] - part.means) @ part.turn @ lin
    moved = ours - plain
    s = V[1:][d.arrays.block0[1] : d.arrays.block0[1] + 2 * 12].reshape(2, -1)
    base = d.bases[1]
    u = s if base is None else base @ s
    own = u[0][rows["g"]] + u[1][rows["g"]] * after[:, part.free][:, 0]
    change = (after - before)[:, part.free] @ part.turn @ lin
    assert np.allclose(moved, own + change)
