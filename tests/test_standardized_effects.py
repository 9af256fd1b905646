"""Effects in standard deviations: closed forms by hand, and laws over random draws."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import acmodels as ac
from acmodels.errors import InputError
from acmodels.estimands import Context, evaluate, steps
from acmodels.system import build_system, parameters

SIZE = (2, 25)


def context(equations: dict[str, Any], estimands: dict[str, Any], frame: Any, **more: Any) -> Any:
    """A model's estimands at random draws of its parameters."""
    tables = {k: {"formula": f} if isinstance(f, str) else f for k, f in equations.items()}
    made = {k: {"scale": "standardized", **e} for k, e in estimands.items()}
    spec = ac.load_model({"name": "t", "equations": tables, "estimands": made, **more})
    system = build_system(spec, ac.study(frame))
    rng = np.random.default_rng(7)
    draws: dict[str, Any] = {}
    for p in parameters(system.layout):
        if p.kind == "cor":
            draws[p.name] = rng.uniform(-0.8, 0.8, SIZE)
        elif p.kind in ("sd", "sigma"):
            draws[p.name] = rng.uniform(0.2, 1.5, SIZE)
        else:
            draws[p.name] = rng.normal(size=SIZE)
    found = Context(system.layout, system.responses, draws.__getitem__, spec.estimands, spec.source)
    return found, draws


def value(found: Context, name: str) -> Any:
    (row,) = evaluate(name, found)
    return row.draws


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    unit = np.repeat(np.arange(15), 6)
    n = len(unit)
    out: dict[str, Any] = {k: rng.normal(size=n) for k in ("x", "z", "m", "m2", "y")}
    out["b"] = rng.integers(0, 2, n)
    out["treated"] = rng.permutation(np.arange(15) % 2)[unit]
    out["u"] = rng.normal(size=15)[unit]
    out["kind"] = np.array(["a", "b", "c"])[rng.integers(0, 3, n)]
    return pd.DataFrame({**out, "unit": unit, "district": unit // 3})


def effect(start: str, to: str, kind: str = "total", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "from": start, "to": to, **more}


def test_one_level_is_the_closed_form_of_a_path_model(frame: pd.DataFrame) -> None:
    """lavaan's std.all: implied variances by the reduced form, worked out by hand."""
    found, p = context(
        {"m": "m ~ x", "y": "y ~ m + x"},
        {
            "total": effect("x", "y"),
            "ab": effect("x", "y", "indirect", via=["m"]),
            "c": effect("x", "y", "direct"),
            "a": effect("x", "m", "direct"),
            "b": effect("m", "y", "direct"),
        },
        frame,
    )
    a, b, c = p["m ~ x"], p["y ~ m"], p["y ~ x"]
    vx = frame["x"].var()
    vm = a**2 * vx + p["sigma(m)"] ** 2
    vy = (c + a * b) ** 2 * vx + b**2 * p["sigma(m)"] ** 2 + p["sigma(y)"] ** 2
    np.testing.assert_allclose(value(found, "total"), (c + a * b) * np.sqrt(vx / vy))
    np.testing.assert_allclose(value(found, "c"), c * np.sqrt(vx / vy))
    np.testing.assert_allclose(value(found, "a"), a * np.sqrt(vx / vm))
    np.testing.assert_allclose(value(found, "b"), b * np.sqrt(vm / vy))
    np.testing.assert_allclose(value(found, "ab"), value(found, "a") * value(found, "b"))
    np.testing.assert_allclose(value(found, "total"), value(found, "ab") + value(found, "c"))


def test_units_are_between_units_and_slopes_of_one_mediator_add_up(frame: pd.DataFrame) -> None:
    found, p = context(
        {"m": "m ~ u + (1 | unit)", "y": "y ~ m + between(m, unit) + u + x + (1 | unit)"},
        {"ab": effect("u", "y", "indirect", via=["m"]), "a": effect("u", "m")},
        frame,
    )
    a, c = p["m ~ u"], p["y ~ u"]
    b = p["y ~ m"] + p["y ~ between(m, unit)"]
    vu = frame.groupby("unit")["u"].first().var()
    tm, ty = p["sd(m ~ 1 | unit)"] ** 2, p["sd(y ~ 1 | unit)"] ** 2
    vm = a**2 * vu + tm
    vy = (c + a * b) ** 2 * vu + b**2 * tm + ty
    np.testing.assert_allclose(value(found, "a"), a * np.sqrt(vu / vm))
    np.testing.assert_allclose(value(found, "ab"), a * b * np.sqrt(vu / vy))
    (((first, second),),) = steps("ab", found)
    np.testing.assert_allclose(first.draws, value(found, "a"))
    np.testing.assert_allclose(first.draws * second.draws, value(found, "ab"))


def test_deviations_are_within_units(frame: pd.DataFrame) -> None:
    found, p = context(
        {
            "m": "m ~ within(x, unit) + between(x, unit) + (1 | unit)",
            "y": "y ~ within(m, unit) + between(m, unit) + (1 | unit)",
        },
        {
            "low": effect("within(x, unit)", "y", "indirect", via=["m"]),
            "high": effect("between(x, unit)", "y", "indirect", via=["m"]),
        },
        frame,
    )
    means = frame.groupby("unit")["x"].transform("mean")
    deviations, mean = (frame["x"] - means).var(), means.groupby(frame["unit"]).first().var()
    a, b = p["m ~ within(x, unit)"], p["y ~ within(m, unit)"]
    vy = b**2 * (a**2 * deviations + p["sigma(m)"] ** 2) + p["sigma(y)"] ** 2
    np.testing.assert_allclose(value(found, "low"), a * b * np.sqrt(deviations / vy))
    a, b = p["m ~ between(x, unit)"], p["y ~ between(m, unit)"]
    vm = a**2 * mean + p["sd(m ~ 1 | unit)"] ** 2
    vy = b**2 * vm + p["sd(y ~ 1 | unit)"] ** 2
    np.testing.assert_allclose(value(found, "high"), a * b * np.sqrt(mean / vy))


@pytest.mark.parametrize(("link", "more"), [("logit", np.pi**2 / 3), ("probit", 1.0)])
def test_an_outcome_with_a_link_is_the_latent_response(
    frame: pd.DataFrame, link: str, more: float
) -> None:
    found, p = context(
        {"b": {"formula": "b ~ x + u + (1 | unit)", "family": "bernoulli", "link": link}},
        {"row": effect("x", "b"), "unit": effect("u", "b")},
        frame,
    )
    V = np.cov(frame["x"], frame["u"])
    B = np.stack([p["b ~ x"], p["b ~ u"]], axis=-1)
    group = p["sd(b ~ 1 | unit)"] ** 2
    total = np.einsum("...i,ij,...j->...", B, V, B) + group + more
    np.testing.assert_allclose(value(found, "row"), p["b ~ x"] * np.sqrt(V[0, 0] / total))
    vu = frame.groupby("unit")["u"].first().var()
    between = p["b ~ u"] ** 2 * vu + group
    np.testing.assert_allclose(value(found, "unit"), p["b ~ u"] * np.sqrt(vu / between))


def test_a_binary_or_a_factor_is_over_the_outcome_alone(frame: pd.DataFrame) -> None:
    found, p = context(
        {"y": "y ~ treated + kind + (1 | unit)"},
        {"t": effect("treated", "y"), "k": effect("kind[b]", "y")},
        frame,
    )
    units = frame.groupby("unit")["treated"].first().var()
    between = p["y ~ treated"] ** 2 * units + p["sd(y ~ 1 | unit)"] ** 2
    np.testing.assert_allclose(value(found, "t"), p["y ~ treated"] / np.sqrt(between))
    dummies = pd.get_dummies(frame["kind"]).to_numpy(float)[:, 1:]
    V = np.cov(np.column_stack([frame["treated"], dummies]).T)
    B = np.stack([p["y ~ treated"], p["y ~ kind[b]"], p["y ~ kind[c]"]], axis=-1)
    total = np.einsum("...i,ij,...j->...", B, V, B)
    total = total + p["sd(y ~ 1 | unit)"] ** 2 + p["sigma(y)"] ** 2
    np.testing.assert_allclose(value(found, "k"), p["y ~ kind[b]"] / np.sqrt(total))


def test_correlated_effects_and_residuals_count(frame: pd.DataFrame) -> None:
    found, p = context(
        {"m": "m ~ x + (1 |i| unit)", "y": "y ~ m + x + (1 |i| unit)"},
        {"e": effect("x", "y", "direct")},
        frame,
        residual_correlation=[["m", "y"]],
    )
    b, sm, sy = p["y ~ m"], p["sigma(m)"], p["sigma(y)"]
    tm, ty = p["sd(m ~ 1 | unit)"], p["sd(y ~ 1 | unit)"]
    rho = p["cor(m ~ 1, y ~ 1 | unit)"]
    vy = (p["y ~ x"] + b * p["m ~ x"]) ** 2 * frame["x"].var()
    vy = vy + b**2 * sm**2 + sy**2 + 2 * b * sm * sy * p["cor(m, y)"]
    vy = vy + b**2 * tm**2 + ty**2 + 2 * b * tm * ty * rho
    np.testing.assert_allclose(value(found, "e"), p["y ~ x"] * np.sqrt(frame["x"].var() / vy))


MODELS: list[dict[str, Any]] = [
    {"m": "m ~ x*z", "m2": "m2 ~ m + x", "y": "y ~ m2 + m*z + x"},
    {
        "m": "m ~ x + u + (1 | district/unit)",
        "m2": "m2 ~ within(m, unit) + between(m, unit) + u + (1 | unit)",
        "y": "y ~ m2 + between(m2, unit) + m + u + (1 + x | unit) + (1 | district)",
    },
]


@pytest.mark.parametrize("equations", MODELS)
@pytest.mark.parametrize("start", ["x", "u"])
def test_units_of_measurement_do_not_matter_and_steps_multiply(
    frame: pd.DataFrame, equations: dict[str, Any], start: str
) -> None:
    """Rescaling a cause or an outcome, with its coefficients, changes no standardized effect."""
    if start == "u" and "u" not in equations["m"]:
        equations = {**equations, "m": "m ~ x*z + u"}
    e = {
        "ab": effect(start, "y", "indirect", via=["m", "m2"]),
        "total": effect(start, "y"),
        "indirect": effect(start, "y", "indirect"),
    }
    if start == "x" and "x" not in equations["y"].split("(")[0]:
        e["direct"] = effect("m", "y", "direct")
    found, p = context(equations, e, frame)
    for name in ("ab",):
        for (path,), row in zip(steps(name, found), evaluate(name, found), strict=True):
            np.testing.assert_allclose(np.prod([s.draws for s in path], axis=0), row.draws)
    scaled = frame.assign(**{start: 10 * frame[start]})
    other, _ = context(equations, e, scaled)

    def look(name: str) -> Any:
        left, _, right = name.removeprefix("sd(").partition(" | ")
        del right
        term = left.partition(" ~ ")[2]
        return p[name] / 10 if start in term.split(":") and "~" in name else p[name]

    again = Context(other.layout, other.responses, look, other.estimands, other.source)
    for name in e:
        np.testing.assert_allclose(value(again, name), value(found, name), err_msg=name)


def test_the_sd_is_that_of_simulated_data(frame: pd.DataFrame) -> None:
    """A large study drawn by numpy from a model with a product and a random slope."""
    rng = np.random.default_rng(11)
    J, k = 4000, 20
    unit = np.repeat(np.arange(J), k)
    x, z = rng.normal(size=(2, J * k))
    m = 0.5 * x + 0.3 * z + 0.7 * rng.normal(size=J)[unit] + rng.normal(size=J * k)
    slope = 0.4 + 0.5 * rng.normal(size=J)[unit]
    y = slope * x + 0.6 * m + 0.3 * m * z + 0.8 * rng.normal(size=J)[unit]
    y = y + 0.9 * rng.normal(size=J * k)
    small = pd.DataFrame({"x": x, "z": z, "m": m, "y": y, "unit": unit}).head(200 * k)
    found, p = context(
        {"m": "m ~ x + z + (1 | unit)", "y": "y ~ m*z + x + (1 + x || unit)"},
        {"e": effect("x", "y", "direct")},
        small,
    )
    truth = {
        "m ~ x": 0.5, "m ~ z": 0.3, "sd(m ~ 1 | unit)": 0.7, "sigma(m)": 1.0, "y ~ m": 0.6,
        "y ~ m:z": 0.3, "y ~ z": 0.0, "y ~ x": 0.4, "sd(y ~ x | unit)": 0.5,
        "sd(y ~ 1 | unit)": 0.8, "sigma(y)": 0.9,
    }  # fmt: skip
    assert {n for n in p if not n.endswith("~ 1")} == set(truth)
    at = Context(
        found.layout, found.responses, lambda n: np.full((1, 1), truth.get(n, 0.0)),
        found.estimands, found.source,
    )  # fmt: skip
    # tolerance: 4 sds of the sd of 4,000 rows in 200 units, whose effects have a part of it
    assert value(at, "e").item() == pytest.approx(0.4 * x.std() / y.std(), rel=4 / np.sqrt(800))


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        ({"kind": "coefficient", "parameter": "y ~ x"}, "unknown key 'scale'"),
        ({**effect("x", "y"), "values": [0, 1]}, "values and arm go with"),
        ({**effect("x", "y", "turning_point")}, 'no scale = "standardized"'),
        ({**effect("x", "y"), "scale": "standardised"}, "'standardised' is not one of"),
    ],
)
def test_what_has_no_standardized_scale(frame: pd.DataFrame, table: Any, wanted: str) -> None:
    with pytest.raises(InputError, match=wanted):
        value(context({"y": "y ~ x + square(x)"}, {"e": table}, frame)[0], "e")


def test_a_transform_of_an_endogenous_variable_is_refused(frame: pd.DataFrame) -> None:
    e = {"e": effect("square(m)", "y", "direct")}
    with pytest.raises(InputError, match=r"'square\(m\)' is a transform of 'm', which has"):
        value(context({"m": "m ~ x", "y": "y ~ m + square(m)"}, e, frame)[0], "e")


def test_replicates_are_measured_as_one_study_is(frame: pd.DataFrame) -> None:
    """R data sets at once, whose draws stand where chains do, give each its own sd."""
    equations = {"m": "m ~ x", "y": "y ~ m + square(m) + x"}
    e = {"ab": effect("x", "y", "indirect", via=["m"])}
    found, p = context(equations, e, frame)
    rng = np.random.default_rng(2)
    sets = {k: np.stack([v, rng.normal(size=len(v))]) for k, v in found.responses.items()}
    many = Context(found.layout, sets, p.__getitem__, found.estimands, found.source)
    for r in range(2):
        one = {k: v[r] for k, v in sets.items()}
        alone = Context(
            found.layout, one, lambda n, r=r: p[n][r : r + 1], found.estimands, found.source
        )
        np.testing.assert_allclose(value(many, "ab")[r], value(alone, "ab")[0])


def test_contrasts_and_sums_take_the_scale_of_what_they_are_made_of(frame: pd.DataFrame) -> None:
    tables = {
        "name": "t",
        "equations": {"y": {"formula": "y ~ x + z"}},
        "estimands": {
            "x": {**effect("x", "y"), "scale": "standardized"},
            "z": {**effect("z", "y"), "scale": "standardized"},
            "d": {"kind": "contrast", "of": ["x", "z"]},
            "s": {"kind": "combine", "of": ["x", "z"], "weights": [1, -1]},
        },
    }
    fit = ac.fit(ac.load_model(tables), frame)
    got = {r.name: r.draws for r in fit.effects.rows}
    np.testing.assert_allclose(got["d"], got["x"] - got["z"])
    np.testing.assert_allclose(got["s"], got["d"])
    # regression of z-scores, where the priors say little
    z = frame[["x", "z", "y"]].to_numpy()
    z = (z - z.mean(axis=0)) / z.std(axis=0, ddof=1)
    by_ols = np.linalg.lstsq(z[:, :2], z[:, 2], rcond=None)[0]
    assert got["x"].mean() == pytest.approx(by_ols[0], abs=0.03)
