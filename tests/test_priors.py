"""Priors: which is in force, how defaults are scaled, and what a distribution says."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from acmodels.data import study
from acmodels.errors import InputError, ModelError
from acmodels.load import load_model
from acmodels.priors import Priors, resolve_priors
from acmodels.spec.distribution import KINDS, Distribution, distribution, draw, log_density, median
from acmodels.system import System, build_system, parameters

N = 48


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "x": rng.normal(3.0, 5.0, N),
            "w": rng.normal(0.0, 0.01, N),
            "s": rng.choice(["A", "B"], N),
            "m": rng.normal(100.0, 15.0, N),
            "y": rng.normal(-2.0, 0.3, N),
            "b": (np.arange(N) % 4 == 0).astype(int),
            "k": np.arange(N) % 4,
            "t": np.full(N, 8),
            "o": rng.normal(size=N),
            "se": rng.uniform(0.1, 0.2, N),
            "g": [f"g{i % 6}" for i in range(N)],
            "h": [f"h{i % 8}" for i in range(N)],
        }
    )


DATA = frame()


def system(**equations: str | Mapping[str, Any]) -> System:
    pairs = equations.pop("residual_correlation", [])
    tables = {r: {"formula": e} if isinstance(e, str) else e for r, e in equations.items()}
    table = {"name": "t", "equations": tables, "residual_correlation": pairs}
    return build_system(load_model(table), study(DATA))


def priors(s: System, stated: Mapping[str, Mapping[str, Any]] | None = None) -> Priors:
    return resolve_priors(stated or {}, s.layout, s.responses, "t.toml")


def normal(mu: float, sigma: float) -> dict[str, Any]:
    return {"dist": "Normal", "mu": mu, "sigma": sigma}


def half(sigma: float) -> dict[str, Any]:
    return {"dist": "HalfNormal", "sigma": sigma}


BIG: dict[str, Any] = {
    "m": "m ~ x + (1 + x |i| g) + (1 | h)",
    "y": "y ~ m*s + w + (1 + m |i| g) + (0 + w | h)",
    "residual_correlation": [["m", "y"]],
}


# --- defaults ------------------------------------------------------------------------


def near(d: Distribution, name: str, **wanted: Any) -> None:
    assert d.name == name
    assert d.parameters == pytest.approx(wanted, rel=1e-12)


def test_default_scales_follow_the_contract() -> None:
    s = system(**BIG)
    found = priors(s)
    assert list(found) == [p.name for p in parameters(s.layout)]
    sd = {c: float(np.std(DATA[c], ddof=1)) for c in ("x", "w", "m", "y")}
    near(found["m ~ 1"].distribution, "Normal", mu=DATA["m"].mean(), sigma=2.5 * sd["m"])
    assert found["m ~ 1"].centered
    assert found["m ~ 1"].stated is None
    near(found["m ~ x"].distribution, "Normal", mu=0, sigma=2.5 * sd["m"] / sd["x"])
    near(found["y ~ m"].distribution, "Normal", mu=0, sigma=2.5 * sd["y"] / sd["m"])
    near(found["y ~ w"].distribution, "Normal", mu=0, sigma=2.5 * sd["y"] / sd["w"])
    dummy = (DATA["s"] == "B").astype(float)
    near(found["y ~ s[B]"].distribution, "Normal", mu=0, sigma=2.5 * sd["y"] / dummy.std())
    product = (dummy * (DATA["m"] - DATA["m"].mean())).std()
    near(found["y ~ m:s[B]"].distribution, "Normal", mu=0, sigma=2.5 * sd["y"] / product)
    near(found["sigma(y)"].distribution, "HalfNormal", sigma=2.5 * sd["y"])
    near(found["sd(m ~ 1 | g)"].distribution, "HalfNormal", sigma=2.5 * sd["m"])
    near(found["sd(m ~ x | g)"].distribution, "HalfNormal", sigma=2.5 * sd["m"] / sd["x"])
    near(found["sd(y ~ m | g)"].distribution, "HalfNormal", sigma=2.5 * sd["y"] / sd["m"])
    near(found["sd(y ~ w | h)"].distribution, "HalfNormal", sigma=2.5 * sd["y"] / sd["w"])
    near(found["cor(m ~ 1, y ~ m | g)"].distribution, "LKJ", eta=1)
    near(found["cor(m, y)"].distribution, "LKJ", eta=1)


@pytest.mark.parametrize(
    ("equation", "scale"),
    [
        ({"formula": "b ~ x + (1 | g)", "family": "bernoulli"}, 1.8),
        ({"formula": "b ~ x + (1 | g)", "family": "bernoulli", "link": "probit"}, 1.0),
        ({"formula": "k ~ x + (1 | g)", "family": "binomial", "trials": "t"}, 1.8),
        (
            {"formula": "k ~ x + (1 | g)", "family": "binomial", "trials": "t", "link": "probit"},
            1.0,
        ),
    ],
)
def test_defaults_with_a_link(equation: dict[str, Any], scale: float) -> None:
    r = equation["formula"][0]
    found = priors(system(**{r: equation}))
    assert found[f"{r} ~ 1"].distribution.parameters["sigma"] == pytest.approx(2.5 * scale)
    wanted = 2.5 * scale / DATA["x"].std()
    assert found[f"{r} ~ x"].distribution.parameters["sigma"] == pytest.approx(wanted)
    near(found[f"sd({r} ~ 1 | g)"].distribution, "HalfNormal", sigma=2.5 * scale)
    assert f"sigma({r})" not in found


def test_defaults_of_what_families_own() -> None:
    equations = {
        "k": {"formula": "k ~ 0 + x + s + offset(o)", "family": "ordinal"},
        "b": {"formula": "b ~ x", "family": "ordinal", "link": "probit"},
        "t": {"formula": "t ~ x", "family": "poisson"},
        "n": {"formula": "n ~ x", "family": "negative_binomial"},
        "p": {"formula": "p ~ x", "family": "beta"},
        "y": {"formula": "y ~ x", "family": "student"},
    }
    data = DATA.assign(
        t=np.arange(N) % 3, n=(np.arange(N) % 6) ** 2, p=0.1 + 0.01 * (np.arange(N) % 40)
    )
    s = build_system(load_model({"name": "t", "equations": equations}), study(data))
    found = priors(s)
    for k in (1, 2, 3):  # a quarter of the rows in each category, but for half a row
        p = (12 * k + 0.5) / 49
        near(found[f"k | t{k}"].distribution, "Normal", mu=np.log(p / (1 - p)), sigma=4.5)
        assert found[f"k | t{k}"].centered
    assert [n for n in found if n.startswith("k ~")] == ["k ~ x", "k ~ s[B]"]
    near(found["k ~ x"].distribution, "Normal", mu=0, sigma=4.5 / DATA["x"].std())
    near(found["b | t1"].distribution, "Normal", mu=stats.norm.ppf((36 + 0.5) / 49), sigma=2.5)
    near(found["t ~ 1"].distribution, "Normal", mu=np.log(48.5 / 48), sigma=2.5)
    near(found["t ~ x"].distribution, "Normal", mu=0, sigma=2.5 / DATA["x"].std())
    mean = data["p"].mean()
    near(found["p ~ 1"].distribution, "Normal", mu=np.log(mean / (1 - mean)), sigma=4.5)
    rough = mean * (1 - mean) / data["p"].var(ddof=0) - 1
    near(found["phi(p)"].distribution, "LogNormal", mu=np.log(rough), sigma=2)
    m, v = data["n"].mean(), data["n"].var(ddof=0)
    near(found["phi(n)"].distribution, "LogNormal", mu=np.log(m**2 / (v - m)), sigma=2)
    near(found["nu(y)"].distribution, "Gamma", alpha=2, beta=0.1)
    assert found["nu(y)"].lower == 1
    near(found["sigma(y)"].distribution, "HalfNormal", sigma=2.5 * DATA["y"].std())
    stated = {
        "* | t*": normal(0, 3), "k | t2": normal(1, 1), "nu(*)": {"dist": "Exponential", "lam": 1},
        "phi(*)": half(2), "* ~ *": normal(0, 1),
    }  # fmt: skip
    mine = priors(s, stated)
    assert {n: p.stated for n, p in mine.items()} == {
        n: (
            "k | t2" if n == "k | t2"
            else "* | t*" if " | t" in n
            else "nu(*)" if n == "nu(y)"
            else "phi(*)" if n.startswith("phi")
            else None if n == "sigma(y)" or n.endswith(" ~ 1")
            else "* ~ *"
        )
        for n in found
    }  # fmt: skip
    assert not mine["k | t1"].centered
    assert mine["nu(y)"].lower == 1
    with pytest.raises(ModelError, match="Normal does not fit here"):
        priors(s, {"phi(p)": normal(0, 1)})
    with pytest.raises(ModelError, match="HalfNormal does not fit here"):
        priors(s, {"k | t1": half(1)})
    with pytest.raises(ModelError, match="matches no parameter"):
        priors(s, {"k ~ 1": normal(0, 1)})


def test_defaults_scale_with_the_units_of_the_data() -> None:
    a = priors(system(y="y ~ x + (1 + x | g)"))
    data = DATA.assign(x=DATA["x"] * 1000, y=DATA["y"] / 7 + 3)
    model = load_model({"name": "t", "equations": {"y": {"formula": "y ~ x + (1 + x | g)"}}})
    s = build_system(model, study(data))
    b = resolve_priors({}, s.layout, s.responses)
    for name, times in (("y ~ x", 1 / 7000), ("sigma(y)", 1 / 7), ("sd(y ~ x | g)", 1 / 7000)):
        assert b[name].distribution.scale == pytest.approx(a[name].distribution.scale * times)
    assert b["y ~ 1"].distribution.location == pytest.approx(DATA["y"].mean() / 7 + 3)


def test_a_design_scales_to_a_response_of_sd_one() -> None:
    s = system(y="y ~ x + (1 | g)", b={"formula": "b ~ x", "family": "bernoulli"})
    found = resolve_priors({}, s.layout, None)
    near(found["y ~ 1"].distribution, "Normal", mu=0, sigma=2.5)
    near(found["sigma(y)"].distribution, "HalfNormal", sigma=2.5)
    near(found["b ~ 1"].distribution, "Normal", mu=0, sigma=2.5 * 1.8)


# --- which is in force -----------------------------------------------------------------


def in_force(*stated: tuple[str, dict[str, Any]]) -> dict[str, str | None]:
    return {n: p.stated for n, p in priors(system(**BIG), dict(stated)).items()}


def test_a_pattern_knows_only_its_own_kind() -> None:
    found = in_force(("* ~ *", normal(0, 1)))
    assert {n for n, s in found.items() if s} == {
        "m ~ x", "y ~ m", "y ~ s[B]", "y ~ w", "y ~ m:s[B]",
    }  # fmt: skip
    found = in_force(("sd(*)", half(1)))
    assert {n for n, s in found.items() if s} == {n for n in found if n.startswith("sd(")}
    found = in_force(("sigma(*)", half(1)))
    assert {n for n, s in found.items() if s} == {"sigma(m)", "sigma(y)"}
    found = in_force(("cor(* | g)", {"dist": "LKJ", "eta": 2}))
    assert {n for n, s in found.items() if s} == {
        n for n in found if n.endswith("| g)") and n[0] == "c"
    }


@pytest.mark.parametrize(
    ("pattern", "hits"),
    [
        ("y ~ *", {"y ~ m", "y ~ s[B]", "y ~ w", "y ~ m:s[B]"}),
        ("* ~ 1", {"m ~ 1", "y ~ 1"}),
        ("y ~ s[*]", {"y ~ s[B]"}),
        ("y ~ *[B]", {"y ~ s[B]", "y ~ m:s[B]"}),
        ("y ~*", {"y ~ m", "y ~ s[B]", "y ~ w", "y ~ m:s[B]"}),
    ],
)
def test_patterns(pattern: str, hits: set[str]) -> None:
    assert {n for n, s in in_force((pattern, normal(0, 1))).items() if s} == hits


@pytest.mark.parametrize(
    ("pattern", "hits"),
    [
        ("sd(* ~ 1 | g)", {"sd(m ~ 1 | g)", "sd(y ~ 1 | g)"}),
        ("sd(* | h)", {"sd(m ~ 1 | h)", "sd(y ~ w | h)"}),
        ("sd(y*)", {"sd(y ~ 1 | g)", "sd(y ~ m | g)", "sd(y ~ w | h)"}),
    ],
)
def test_patterns_of_sds(pattern: str, hits: set[str]) -> None:
    assert {n for n, s in in_force((pattern, half(1))).items() if s} == hits


def test_exact_beats_pattern_and_later_beats_earlier() -> None:
    exact, early, late = ("y ~ m", normal(1, 1)), ("y ~ *", normal(2, 1)), ("* ~ m", normal(3, 1))
    for order in ((exact, early, late), (early, late, exact), (early, exact, late)):
        found = in_force(*order)
        assert found["y ~ m"] == "y ~ m"
        assert found["y ~ w"] == "y ~ *"
    assert in_force(early, late)["y ~ m"] == "* ~ m"
    assert in_force(late, early)["y ~ m"] == "y ~ *"


@pytest.mark.parametrize(
    "name",
    [
        "y ~ z", "y ~ s[b]", "y ~ s", "y ~ [sw]", "y ~ .", "y ~ s[C*]", "sd(y ~ x | g)",
        "sigma(b)", "sigma(x*)", "cor(y, m)", "z ~ *", "sd(* | district)", "y | t1", "nu(y)",
        "phi(y)", "f =~ i", "* =~ *", "* | t*",
    ],
)  # fmt: skip
def test_a_prior_for_nothing_is_an_error(name: str) -> None:
    with pytest.raises(ModelError) as caught:
        priors(system(**BIG), {name: half(1) if name.startswith("s") else normal(0, 1)})
    assert f't.toml: priors."{name}" matches no parameter' in str(caught.value)


def test_a_near_miss_gets_a_hint() -> None:
    with pytest.raises(ModelError, match=re.escape("did you mean 'sd(y ~ 1 | g)'")):
        priors(system(**BIG), {"sd(y ~ 1| g)": half(1)})


@pytest.mark.parametrize(
    ("name", "table", "words"),
    [
        ("sigma(y)", half(-1), ("sigma must be above 0", "-1")),
        ("sigma(y)", half(0), ("sigma must be above 0",)),
        ("sd(* | g)", half(-0.5), ("sigma must be above 0", 'priors."sd(* | g)"')),
        ("y ~ m", normal(0, -1), ("sigma must be above 0",)),
        ("y ~ m", half(1), ("HalfNormal does not fit here", "Normal")),
        ("sigma(y)", normal(0, 1), ("Normal does not fit here; the usual choice is 'HalfNormal'",)),
        ("sd(* | g)", normal(0, 1), ("the usual choice is 'HalfNormal'",)),
        ("sd(* | g)", {"dist": "Norml"}, ("unknown", "the usual choice is 'HalfNormal'")),
        ("sd(* | g)", {"dist": "lognormal"}, ("did you mean 'LogNormal'?",)),
        ("cor(* | g)", normal(0, 1), ("Normal does not fit here", "LKJ")),
        ("y ~ m", {"dist": "LKJ", "eta": 1}, ("LKJ does not fit",)),
        ("y ~ m", {"dist": "Bernoulli", "p": 0.5}, ("Bernoulli does not fit",)),
        ("y ~ m", {"dist": "Normel", "mu": 0, "sigma": 1}, ("Normel", "did you mean 'Normal'?")),
        ("y ~ m", {"mu": 0, "sigma": 1}, ("say which distribution",)),
        ("y ~ m", {"dist": "Normal", "mu": 0}, ("needs 'sigma'",)),
        ("y ~ m", {"dist": "Normal", "mu": 0, "sd": 1}, ("no 'sd'", "mu, sigma")),
        ("y ~ m", normal(float("nan"), 1), ("finite",)),
        ("y ~ m", normal(0, float("inf")), ("finite",)),
        ("y ~ m", {"dist": "Normal", "mu": "0", "sigma": 1}, ("finite number", "'0'")),
        ("y ~ m", {"dist": "Normal", "mu": True, "sigma": 1}, ("finite number",)),
        ("cor(* | g)", {"dist": "LKJ", "eta": 0}, ("eta must be above 0",)),
    ],
)  # fmt: skip
def test_impossible_priors(name: str, table: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(ModelError) as caught:
        priors(system(**BIG), {name: table})
    assert f't.toml: priors."{name}"' in str(caught.value)
    for word in words:
        assert word in str(caught.value)


def test_one_matrix_has_one_lkj() -> None:
    one = {"cor(m ~ 1, m ~ x | g)": {"dist": "LKJ", "eta": 2}}
    with pytest.raises(ModelError, match="one correlation matrix"):
        priors(system(**BIG), one)
    both = {"cor(* | g)": {"dist": "LKJ", "eta": 2}, "cor(m, y)": {"dist": "LKJ", "eta": 5}}
    found = priors(system(**BIG), both)
    assert found["cor(m, y)"].distribution.parameters == {"eta": 5}
    assert found["cor(m ~ 1, m ~ x | g)"].distribution.parameters == {"eta": 2}
    same = priors(system(**BIG), {**both, **one})
    assert same["cor(m ~ 1, m ~ x | g)"].stated == "cor(m ~ 1, m ~ x | g)"


def test_a_stated_intercept_prior_is_on_the_raw_intercept() -> None:
    found = priors(system(y="y ~ x"), {"y ~ 1": normal(0, 1)})
    assert not found["y ~ 1"].centered
    assert not found["y ~ x"].centered


# --- distributions ------------------------------------------------------------------------

positive = st.floats(0.1, 8)
reals = st.floats(-5, 5)
BY_SCIPY: dict[str, Any] = {
    "Normal": lambda p: stats.norm(p["mu"], p["sigma"]),
    "StudentT": lambda p: stats.t(p["nu"], p["mu"], p["sigma"]),
    "Cauchy": lambda p: stats.cauchy(p["alpha"], p["beta"]),
    "Laplace": lambda p: stats.laplace(p["mu"], p["b"]),
    "HalfNormal": lambda p: stats.halfnorm(0, p["sigma"]),
    "HalfCauchy": lambda p: stats.halfcauchy(0, p["beta"]),
    "Exponential": lambda p: stats.expon(0, 1 / p["lam"]),
    "Gamma": lambda p: stats.gamma(p["alpha"], 0, 1 / p["beta"]),
    "LogNormal": lambda p: stats.lognorm(p["sigma"], 0, np.exp(p["mu"])),
}


@st.composite
def drawn(draw: st.DrawFn, name: str) -> Distribution:
    keys = KINDS[name].keys
    values = {k: draw(positive if k in KINDS[name].positive else reals) for k in keys}
    return Distribution(name, values)


@pytest.mark.parametrize("name", list(BY_SCIPY))
@given(st.data())
def test_densities_and_medians_are_scipys(name: str, data: st.DataObject) -> None:
    d = data.draw(drawn(name))
    x = np.array(data.draw(st.lists(st.floats(0.01, 9), min_size=1, max_size=5)))
    if d.kind.support == "real":
        x = np.concatenate([x, -x])
    wanted = BY_SCIPY[name](d.parameters)
    np.testing.assert_allclose(log_density(d, x), wanted.logpdf(x), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(median(d), wanted.median(), rtol=1e-9, atol=1e-12)


@given(drawn("HalfStudentT"))
def test_half_student_t(d: Distribution) -> None:
    t: Any = stats.t(d.parameters["nu"], 0, d.parameters["sigma"])
    x = np.array([0.1, 1.0, 7.0])
    np.testing.assert_allclose(log_density(d, x), t.logpdf(x) + np.log(2), rtol=1e-9)
    assert median(d) == pytest.approx(t.ppf(0.75))


@pytest.mark.parametrize("name", [n for n, k in KINDS.items() if k.support == "positive"])
def test_positive_densities_are_whole_and_zero_below_zero(name: str) -> None:
    d = Distribution(name, dict.fromkeys(KINDS[name].keys, 1.5))
    assert np.all(np.isneginf(log_density(d, np.array([-1e-9, -1.0, -50.0]))))
    whole, error = integrate.quad(lambda x: float(np.exp(log_density(d, np.array(x)))), 0, np.inf)
    assert abs(whole - 1) < 10 * error + 1e-7
    half, _ = integrate.quad(lambda x: float(np.exp(log_density(d, np.array(x)))), 0, median(d))
    assert half == pytest.approx(0.5, abs=1e-7)


@pytest.mark.parametrize("name", [n for n, k in KINDS.items() if k.support in ("real", "positive")])
def test_draws_follow_the_density(name: str) -> None:
    """Half of the draws lie below the median: a binomial check, false alarm about 1e-4."""
    d = Distribution(name, dict.fromkeys(KINDS[name].keys, 1.7))
    n = 20_000
    x = draw(d, np.random.default_rng(1), n)
    assert x.shape == (n,)
    assert abs(np.mean(x < median(d)) - 0.5) < 3.9 * 0.5 / np.sqrt(n)
    assert np.isfinite(log_density(d, x)).all()


def test_bernoulli_draws() -> None:
    d = distribution({"dist": "Bernoulli", "p": 0.3}, "x", ("binary",))
    x = draw(d, np.random.default_rng(1), 20_000)
    assert set(np.unique(x)) == {0.0, 1.0}
    assert abs(x.mean() - 0.3) < 3.9 * np.sqrt(0.21 / 20_000)
    with pytest.raises(InputError, match="between 0 and 1"):
        distribution({"dist": "Bernoulli", "p": 1}, "x", ("binary",))


def test_lkj_has_median_zero_and_no_draws() -> None:
    d = Distribution("LKJ", {"eta": 2.0})
    assert median(d) == 0.0
    with pytest.raises(InputError, match="matrices"):
        draw(d, np.random.default_rng(1), 3)
