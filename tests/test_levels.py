"""Within and between: observed and latent unit means, in data, in the generator and in effects."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

import acmodels as ac
from acmodels.engines import engine
from acmodels.errors import InputError
from acmodels.estimands import Context, evaluate
from acmodels.generate import generate_stack, latent_mean, linear_predictor
from acmodels.inference.fitting import rehearse
from acmodels.priors import resolve_priors
from acmodels.system import System, build_system
from acmodels.system.columns import design_matrix
from acmodels.system.structural import parameters
from acmodels.system.terms import latent_means

J, PER = 12, 5
N = J * PER


def frame(seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(J), PER)
    state = g // 4
    return pd.DataFrame(
        {
            "g": [f"g{i:02d}" for i in g],
            "s": [f"s{i}" for i in state],
            "h": [f"h{i}" for i in rng.integers(6, size=N)],
            "x": rng.normal(size=N) + 0.3 * g,
            "z": rng.normal(size=J)[g],
            "q": rng.normal(size=3)[state],
            "m": rng.normal(size=N),
            "m2": rng.normal(size=N),
            "y": rng.normal(size=N),
            "u": rng.normal(size=J)[g],
        }
    )


def system(equations: dict[str, Any], estimands: dict[str, Any] | None = None) -> Any:
    model = ac.load_model({"name": "t", "equations": equations, "estimands": estimands or {}})
    return model, build_system(model, ac.study(frame()))


def equations(**formulas: str) -> dict[str, Any]:
    return {r: {"formula": f"{r} ~ {f}"} for r, f in formulas.items()}


def truth(built: System, **changes: float) -> dict[str, float]:
    rng = np.random.default_rng(5)
    out = {p.name: float(rng.uniform(0.2, 0.8)) for p in parameters(built.layout)}
    return {**out, **changes}


# --- observed means ---------------------------------------------------------------


def test_observed_parts_of_a_predictor() -> None:
    _, built = system(equations(y="within(x, g) + between(x, g) + between(x, s) + (1 | g)"))
    X = design_matrix(built.layout, built.layout.equations[0], built.responses)
    data = frame()
    mean = data.groupby("g")["x"].transform("mean").to_numpy()
    np.testing.assert_allclose(X[:, 1], data["x"] - mean, atol=1e-12)
    np.testing.assert_allclose(X[:, 2], mean, atol=1e-12)
    np.testing.assert_allclose(X[:, 3], data.groupby("s")["x"].transform("mean"), atol=1e-12)
    said = " ".join(f.message for f in built.findings)
    assert "between(x, g) takes observed means, since 'x' has no equation" in said


def test_observed_means_of_a_mediator_where_asked() -> None:
    eqs = equations(m="x + (1 | g)", y="within(m, g) + between(m, g) + (1 | g)")
    eqs["y"]["centering"] = "observed"
    model, built = system(eqs)
    priors = resolve_priors({}, built.layout, built.responses)
    assert engine("collapsed").unfit(built.layout, priors) is None
    assert "as centering" in " ".join(f.message for f in built.findings)
    eqs["y"].pop("centering")
    _, latent = system(eqs)
    assert "observed means" not in " ".join(f.message for f in latent.findings)
    assert model.equations["y"].centering == "observed"


def test_a_lower_variable_may_enter_a_higher_equation_by_its_mean() -> None:
    eqs = equations(u="z + between(x, g)")
    eqs["u"]["level"] = "g"
    _, built = system(eqs)
    X = design_matrix(built.layout, built.layout.equations[0], built.responses)
    np.testing.assert_allclose(X[:, 2], frame().groupby("g", sort=False)["x"].mean(), atol=1e-12)
    eqs["u"]["formula"] = "u ~ z + within(x, g)"
    with pytest.raises(InputError, match=r"within\(x, g\)"):
        system(eqs)


# --- latent means -------------------------------------------------------------------


def test_the_latent_mean_of_three_levels() -> None:
    """Of g: intercept, terms of g and above, effects of g and s; not x, not effects of h."""
    eqs = equations(
        m="x + z + q + (1 + x | g) + (1 | s) + (1 | h)",
        y="within(m, g) + between(m, g) + between(m, s) + (1 | g)",
    )
    eqs["m"]["formula"] += ""
    _, built = system(eqs)
    layout = built.layout
    t = truth(built)
    made = generate_stack(layout, t, [np.random.default_rng(1), np.random.default_rng(2)])
    data = frame()
    first = data.groupby("g", sort=False).first()
    u = made.group_effects
    want = (
        t["m ~ 1"]
        + t["m ~ z"] * first["z"].to_numpy()
        + t["m ~ q"] * first["q"].to_numpy()
        + u["m ~ 1, m ~ x | g"][:, :, 0]
        + u["m ~ 1 | s"][:, np.arange(J) // 4, 0]
    )
    by_unit = {m.unit: m for m in latent_means(layout)}
    by_g = by_unit["g"]
    found = latent_mean(layout, by_g, made.responses, t, u)
    np.testing.assert_allclose(found, want, atol=1e-12)
    by_s = by_unit["s"]
    top = t["m ~ 1"] + t["m ~ q"] * data.groupby("s", sort=False)["q"].first().to_numpy()
    top = top + u["m ~ 1 | s"][:, :, 0]
    np.testing.assert_allclose(latent_mean(layout, by_s, made.responses, t, u), top, atol=1e-12)
    # and the outcome's predictor is made of them
    y = layout.equation("y")
    rows = np.repeat(np.arange(J), PER)
    eta = (
        t["y ~ 1"]
        + t["y ~ within(m, g)"] * (made.responses["m"] - want[:, rows])
        + t["y ~ between(m, g)"] * want[:, rows]
        + t["y ~ between(m, s)"] * top[:, rows // 4]
        + u["y ~ 1 | g"][:, rows, 0]
    )
    got = linear_predictor(layout, y, made.responses, {k: np.full(2, v) for k, v in t.items()}, u)
    np.testing.assert_allclose(got, eta, atol=1e-10)


def test_one_data_set_is_the_stack_of_one() -> None:
    eqs = equations(m="z + (1 | g)", y="within(m, g):x + between(m, g) + (1 + within(m, g) | s)")
    _, built = system(eqs)
    t = truth(built)
    many = generate_stack(built.layout, t, [np.random.default_rng(k) for k in range(3)])
    one = generate_stack(built.layout, t, [np.random.default_rng(2)])
    for r in ("m", "y"):
        np.testing.assert_allclose(many.responses[r][2], one.responses[r][0], atol=1e-12)


# --- effects -----------------------------------------------------------------------


def effects(eqs: dict[str, Any], estimands: dict[str, Any], **changes: float) -> dict[str, float]:
    model, built = system(eqs, estimands)
    t = truth(built, **changes)
    context = Context(
        built.layout, built.responses, lambda n: np.full((1, 1), t[n]), model.estimands, "t"
    )
    out = {n: float(evaluate(n, context)[0].draws[0, 0]) for n in model.estimands}
    return {**out, **t}


def indirect(start: str, *via: str, to: str = "y") -> dict[str, Any]:
    found: dict[str, Any] = {"kind": "indirect", "from": start, "to": to}
    return {**found, "via": list(via)} if via else found


def test_one_one_one_apart() -> None:
    """x within persons, and its mean, through a mediator taken apart: two effects, not one."""
    eqs = equations(
        m="within(x, g) + between(x, g) + (1 + within(x, g) |p| g)",
        y="within(m, g) + between(m, g) + within(x, g) + between(x, g) + (1 + within(m, g) |p| g)",
    )
    e = effects(
        eqs,
        {
            "w": indirect("within(x, g)", "within(m, g)"),
            "b": indirect("between(x, g)", "between(m, g)"),
            "every_w": indirect("within(x, g)"),
            "every_b": indirect("between(x, g)", "m"),
            "total_b": {"kind": "total", "from": "between(x, g)", "to": "y"},
        },
    )
    cov = (
        e["cor(m ~ within(x, g), y ~ within(m, g) | g)"]
        * e["sd(m ~ within(x, g) | g)"]
        * e["sd(y ~ within(m, g) | g)"]
    )
    within = e["m ~ within(x, g)"] * e["y ~ within(m, g)"] + cov
    between = e["m ~ between(x, g)"] * e["y ~ between(m, g)"]
    assert e["w"] == pytest.approx(within)
    assert e["every_w"] == pytest.approx(within)
    assert e["b"] == pytest.approx(between)
    assert e["every_b"] == pytest.approx(between)
    assert e["total_b"] == pytest.approx(between + e["y ~ between(x, g)"])


def test_two_one_one_and_two_one_two() -> None:
    eqs = equations(
        m="z + x + (1 | g)", y="within(m, g) + between(m, g) + z + (1 | g)", u="between(m, g) + z"
    )
    eqs["u"]["level"] = "g"
    e = effects(
        eqs,
        {
            "211": indirect("z"),
            "212": indirect("z", "between(m, g)", to="u"),
            "111": indirect("x"),
            "contextual": {"kind": "contrast", "of": ["b", "w"]},
            "b": {"kind": "coefficient", "parameter": "y ~ between(m, g)"},
            "w": {"kind": "coefficient", "parameter": "y ~ within(m, g)"},
        },
    )
    assert e["211"] == pytest.approx(e["m ~ z"] * e["y ~ between(m, g)"])
    assert e["212"] == pytest.approx(e["m ~ z"] * e["u ~ between(m, g)"])
    assert e["111"] == pytest.approx(e["m ~ x"] * e["y ~ within(m, g)"])
    assert e["contextual"] == pytest.approx(e["y ~ between(m, g)"] - e["y ~ within(m, g)"])


def test_a_serial_path_between_units() -> None:
    eqs = equations(
        m="z + (1 | g)",
        m2="between(m, g) + within(m, g) + (1 | g)",
        y="between(m2, g) + within(m2, g) + (1 | g)",
    )
    e = effects(eqs, {"serial": indirect("z", "m", "m2"), "every": indirect("z")})
    want = e["m ~ z"] * e["m2 ~ between(m, g)"] * e["y ~ between(m2, g)"]
    assert e["serial"] == pytest.approx(want)
    assert e["every"] == pytest.approx(want)


@pytest.mark.parametrize(
    ("eqs", "estimand", "words"),
    [
        (equations(m="x", y="within(m, g) + (1 | g)"), None, r"no \(1 \| g\)"),
        (
            equations(m="x + (1 | g)", y="within(m, g):between(m, g) + (1 | g)"),
            None,
            "multiplies latent means with each other",
        ),
        (equations(y="between(x, nowhere)"), None, "no column 'nowhere'"),
        (
            equations(m="z + (1 | g)", y="within(m, g) + between(m, g) + (1 | g)"),
            indirect("z", "within(m, g)"),
            "no arrow from 'z'",
        ),
        (
            equations(m="z + (1 | g)", y="within(m, g) + between(m, g) + (1 | g)"),
            indirect("z", "within(m, s)"),
            "does not hold 'within",
        ),
        (
            equations(m="within(x, g) + between(x, g) + (1 | g)", y="between(m, g) + (1 | g)"),
            indirect("x"),
            r"enters the model as within\(x, g\), between\(x, g\) only",
        ),
    ],
)
def test_what_is_refused(eqs: dict[str, Any], estimand: dict[str, Any] | None, words: str) -> None:
    table = {"name": "t", "equations": eqs, "estimands": {"e": estimand} if estimand else {}}
    with pytest.raises(InputError, match=words):
        rehearse(ac.load_model(table), frame())


def test_a_mean_of_what_has_one_value_a_unit() -> None:
    eqs = equations(u="z", y="between(u, g) + (1 | g)")
    eqs["u"]["level"] = "g"
    with pytest.raises(InputError, match="one value a unit"):
        system(eqs)
