"""Monotonic effects: the density by hand, what steps mean, and what is refused."""

# pyright: reportPrivateUsage=false

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import acmodels as ac
from acmodels.errors import InputError, ModelError
from acmodels.estimands import Context, evaluate
from acmodels.generate import generate
from acmodels.priors import resolve_priors
from acmodels.system import build_system, parameters
from acmodels.system.structural import with_steps

MODEL: dict[str, Any] = {
    "name": "steps",
    "equations": {
        "m": {"formula": "m ~ mo(depth) + w + (1 | g)"},
        "y": {"formula": "y ~ m + mo(depth)"},
    },
    "priors": {
        "* ~ 1": {"dist": "Normal", "mu": 0, "sigma": 1},
        "* ~ *": {"dist": "Normal", "mu": 0, "sigma": 1},
        "sd(*)": {"dist": "HalfNormal", "sigma": 1},
        "sigma(*)": {"dist": "HalfNormal", "sigma": 1},
        "simo(m ~ mo(depth))[*]": {"dist": "Dirichlet", "alpha": 2.5},
    },
    "estimands": {
        "indirect": {"kind": "indirect", "from": "mo(depth)", "to": "y"},
        "total": {"kind": "total", "from": "depth", "to": "y"},
        "two_to_four": {
            "kind": "total", "from": "depth", "to": "y", "scale": "response", "values": [2, 4]
        },
    },
}  # fmt: skip


def data(n: int = 60, seed: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    depth = np.arange(n) % 4 + 1
    m = 0.3 * (depth >= 2) + 0.8 * (depth >= 4) + rng.normal(size=n)
    return pd.DataFrame(
        {
            "depth": depth,
            "w": rng.normal(size=n),
            "m": m,
            "y": 0.5 * m + rng.normal(size=n),
            "g": [f"g{i % 6}" for i in range(n)],
        }
    )


def test_names_and_their_order() -> None:
    system = build_system(ac.load_model(MODEL), ac.study(data()))
    names = [p.name for p in parameters(system.layout)]
    assert names[:9] == [
        "m ~ 1", "m ~ mo(depth)", "simo(m ~ mo(depth))[1]", "simo(m ~ mo(depth))[2]",
        "simo(m ~ mo(depth))[3]", "m ~ mo(depth)[1]", "m ~ mo(depth)[2]", "m ~ mo(depth)[3]",
        "m ~ w",
    ]  # fmt: skip


def test_the_sampled_density_is_the_models() -> None:
    import pymc as pm

    from acmodels.engines.nuts import model as nuts

    system = build_system(ac.load_model(MODEL), ac.study(data()))
    layout, responses = system.layout, system.responses
    priors = resolve_priors(ac.load_model(MODEL).priors, layout, responses)
    plan = nuts.make_plan(layout, priors, responses)
    model = nuts.build(pm, plan, nuts.make_arrays(plan, responses))
    logp = model.compile_logp(jacobian=False)
    rng = np.random.default_rng(3)
    start = model.initial_point()
    off: list[float] = []
    for _ in range(5):
        free = {k: v + 0.3 * rng.normal(size=np.shape(v)) for k, v in start.items()}
        draws: dict[str, np.ndarray] = {}
        for rv in model.free_RVs:
            value = model.rvs_to_values[rv]
            back = model.rvs_to_transforms[rv]
            at = free[value.name]
            draws[rv.name] = np.asarray(
                at if back is None else back.backward(at, *rv.owner.inputs).eval()
            )[None, None]
        values, effects = nuts.structural(plan, draws, responses)
        v = {p.name: float(x) for p, x in zip(parameters(layout), values[0, 0], strict=True)}
        again = with_steps(layout, v)
        assert again["m ~ mo(depth)[2]"] == pytest.approx(v["m ~ mo(depth)[2]"])
        total = 0.0
        for p in parameters(layout):
            if p.kind == "coefficient":
                total += stats.norm.logpdf(v[p.name])
            elif p.kind in ("sd", "sigma"):
                total += stats.halfnorm.logpdf(v[p.name])
        for r, alpha in (("m", 2.5), ("y", 1.0)):
            share = np.array([v[f"simo({r} ~ mo(depth))[{k}]"] for k in (1, 2, 3)])
            assert share.sum() == pytest.approx(1)
            total += stats.dirichlet.logpdf(share, [alpha] * 3)
        table = data()
        f = {
            r: np.array([0, *np.cumsum([v[f"{r} ~ mo(depth)[{k}]"] for k in (1, 2, 3)])])
            for r in ("m", "y")
        }
        u = next(iter(effects.values()))[0, 0, :, 0]
        eta = v["m ~ 1"] + f["m"][table["depth"] - 1] + v["m ~ w"] * table["w"]
        eta = eta + u[np.arange(60) % 6]
        total += stats.norm.logpdf(table["m"], eta, v["sigma(m)"]).sum()
        total += stats.norm.logpdf(u, 0, v["sd(m ~ 1 | g)"]).sum()
        eta = v["y ~ 1"] + v["y ~ m"] * table["m"] + f["y"][table["depth"] - 1]
        total += stats.norm.logpdf(table["y"], eta, v["sigma(y)"]).sum()
        # intercepts, slopes and scales are sampled in other units: constants, but that of effects
        jacobian = np.log(np.abs(v["sd(m ~ 1 | g)"]))
        w = nuts.make_arrays(plan, responses).effects.centering
        off.append(float(logp(free)) - total - np.sum(1 - w) * jacobian)
    assert np.ptp(off) < 1e-6


def context(v: dict[str, float]) -> Context:
    model = ac.load_model(MODEL)
    system = build_system(model, ac.study(data()))
    return Context(
        system.layout, system.responses, lambda n: np.full((1, 1), v[n]), model.estimands, "m"
    )


def test_effects_of_a_step_and_between_categories() -> None:
    layout = build_system(ac.load_model(MODEL), ac.study(data())).layout
    v = {p.name: 0.3 for p in parameters(layout) if p.kind != "step"}
    for r, share in (("m", (0.2, 0.0, 0.8)), ("y", (0.5, 0.25, 0.25))):
        v |= {f"simo({r} ~ mo(depth))[{k + 1}]": s for k, s in enumerate(share)}
    v |= {"m ~ mo(depth)": 0.4, "y ~ mo(depth)": 0.1, "y ~ m": 0.5}
    v = with_steps(layout, v)
    c = context(v)
    assert evaluate("indirect", c)[0].draws.item() == pytest.approx(0.4 * 0.5)
    assert evaluate("total", c)[0].draws.item() == pytest.approx(0.4 * 0.5 + 0.1)
    between = 3 * (0.4 * (0.0 + 0.8) * 0.5 + 0.1 * (0.25 + 0.25))
    assert evaluate("two_to_four", c)[0].draws.item() == pytest.approx(between)
    made = generate(layout, {**v, "sigma(m)": 1e-9, "sd(m ~ 1 | g)": 0.0, "m ~ w": 0.0},
                    np.random.default_rng(1))  # fmt: skip
    m = pd.Series(made.responses["m"]).groupby(data()["depth"]).mean()
    assert np.diff(m) == pytest.approx(3 * 0.4 * np.array([0.2, 0.0, 0.8]), abs=1e-6)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("m ~ mo(depth):w", "stands in the product"),
        ("m ~ w + (mo(depth) | g)", "varies by g"),
        ("m ~ mo(w)", "whole numbers"),
        ("m ~ mo(g)", "g"),
    ],
)
def test_what_is_refused(formula: str, message: str) -> None:
    model = ac.load_model({"name": "m", "equations": {"m": {"formula": formula}}})
    with pytest.raises(InputError, match=message):
        build_system(model, ac.study(data()))


def test_a_response_has_no_steps() -> None:
    table = {**MODEL["equations"], "y": {"formula": "y ~ mo(m)"}}
    model = ac.load_model({"name": "m", "equations": table})
    with pytest.raises(ModelError, match="equation of its own"):
        build_system(model, ac.study(data()))


def test_one_prior_for_all_shares_and_the_exact_engine_says_why_not() -> None:
    table = {**MODEL, "priors": {"simo(m ~ mo(depth))[1]": {"dist": "Dirichlet", "alpha": 2}}}
    with pytest.raises(ModelError, match="shares that sum to 1"):
        ac.fit(ac.load_model(table), data())
    with pytest.raises(Exception, match="have one sign"):
        ac.fit(ac.load_model(MODEL), data(), engine="collapsed")


def test_designs_draw_categories_and_steps() -> None:
    design = {
        "model": "interaction_mediation",
        "units": {"g": 10, "row": {"per": "g", "n": 20}},
        "truth": {
            "m ~ mo(depth)": 0.4,
            "simo(m ~ mo(depth))[1]": 0.7,
            "simo(m ~ mo(depth))[2]": 0.1,
            "simo(m ~ mo(depth))[3]": 0.2,
        },
        "exogenous": {"depth": {"dist": "DiscreteUniform", "lower": 1, "upper": 4}},
    }
    from dataclasses import replace

    loaded = replace(ac.load_design(design), model=ac.load_model(MODEL))
    made = ac.simulate(loaded, seed=2)
    assert made.truth["m ~ mo(depth)[1]"] == pytest.approx(3 * 0.4 * 0.7)
    assert set(made.study.frame["depth"].astype(float)) == {1.0, 2.0, 3.0, 4.0}
    design["truth"]["simo(m ~ mo(depth))[1]"] = 0.9
    loaded = replace(ac.load_design(design), model=ac.load_model(MODEL))
    with pytest.raises(ModelError, match="sum to 1"):
        ac.simulate(loaded)


@pytest.mark.slow
def test_a_fit_recovers_steps() -> None:
    table = data(800, seed=6)
    fit = ac.fit(ac.load_model(MODEL), table)
    rows = fit.estimates.set_index("name")
    for k, step in ((1, 0.3), (2, 0.0), (3, 0.8)):
        row = rows.loc[f"m ~ mo(depth)[{k}]"]
        assert abs(row["mean"] - step) < 4 * row["sd"] + 0.05  # steps of 0 are pulled up
