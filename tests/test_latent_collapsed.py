"""The exact engine on latent unit means: against dense algebra, NUTS and known truths."""

# pyright: reportPrivateUsage=false

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

sys.path.insert(0, str(Path(__file__).parent))

import acmodels as ac
from acmodels.engines import collapsed
from acmodels.engines.collapsed import hyper, marginal, mixed
from acmodels.engines.collapsed.pooling import level_by_level
from acmodels.generate import linear_predictor
from acmodels.inference.attempts import quickest
from acmodels.priors import Priors, held_values, resolve_priors
from acmodels.system import System, build_system, parameters
from acmodels.system.arrays import Array

ONE = np.zeros(1, dtype=np.int64)


def frame(seed: int = 3, units: int = 12, per: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(units), per)
    n = len(g)
    data = {"g": [f"g{i:03d}" for i in g], "s": [f"s{i // 4}" for i in g]}
    data["h"] = [f"h{i}" for i in rng.permutation(np.arange(n) % 5)]
    frame = pd.DataFrame(data)
    for name in ("x", "w", "m", "m2", "y"):
        frame[name] = rng.normal(0.5, 1.0, n)
    frame["z"] = rng.normal(size=units)[g]
    frame["u"] = rng.normal(size=units)[g]
    frame["k"] = np.arange(n) % 2.0  # the same in every unit
    frame["o"] = rng.normal(1.0, 0.3, n)
    frame["se"] = rng.uniform(0.3, 0.6, n)
    return frame


HELD = {
    "m ~ 1": {"dist": "Constant", "value": 0.3},
    "m ~ z": {"dist": "Constant", "value": -0.4},
    "y ~ x:w": {"dist": "Constant", "value": 0.2},
    "sd(y ~ 1 | g)": {"dist": "Constant", "value": 0.6},
    "sigma(m)": {"dist": "Constant", "value": 0.9},
}
RAW = {n: {"dist": "Normal", "mu": 0.4, "sigma": 0.9} for n in ("* ~ 1", "* ~ *")}
MODELS: dict[str, dict[str, Any]] = {
    "1-1-1": {"m": "m ~ x + (1 | g)", "y": "y ~ within(m, g) + between(m, g) + x + (1 | g)"},
    "2-1-1, stated priors": {
        "m": "m ~ z + (1 | g)", "y": "y ~ within(m, g) + between(m, g) + z + (1 | g)"
    },
    "2-1-2": {
        "m": "m ~ z + x + (1 + x | g)",
        "u": {"formula": "u ~ between(m, g) + z", "level": "g"},
    },
    "shared effects and crossed groups": {
        "m": "m ~ z + x + (1 |p| g) + (1 | h)",
        "y": "y ~ between(m, g) + within(m, g) + (1 |p| g) + (1 | h)",
    },
    "three levels": {
        "m": "m ~ x + z + (1 | g) + (1 | s)",
        "y": "y ~ within(m, g) + between(m, g) + between(m, s) + (1 | g) + (1 | s)",
    },
    "means of means": {
        "m": "m ~ z + (1 | g)",
        "m2": "m2 ~ between(m, g) + within(m, g) + (1 | g)",
        "y": "y ~ between(m2, g) + within(m2, g) + z + (1 | g)",
    },
    "products and offsets": {
        "m": "m ~ x + offset(o) + (1 | g)",
        "y": "y ~ within(m, g):w + between(m, g) + offset(o) + (1 | g)",
    },
    "known errors": {
        "m": {"formula": "m ~ x + (1 | g)", "se": "se"},
        "y": {"formula": "y ~ between(m, g) + x + (1 | g)", "se": "se"},
    },
    "products below a latent mean": {
        "m": "m ~ z*u + x*w + (1 + x | g)",
        "y": "y ~ between(m, g) + within(m, g) + x*w + (1 + x | g)",
    },
    "held, stated": {
        "m": "m ~ z*x + w + (1 + x | g)",
        "y": "y ~ between(m, g) + within(m, g) + x*w + (1 | g)",
    },
    "products of a response": {
        "w": "w ~ x + (1 |q| g)",
        "m": "m ~ x + (1 |q| g)",
        "y": "y ~ within(m, g):w + between(m, g) + (1 | g)",
    },
    "no intercepts": {"m": "m ~ 0 + z + (1 | g)", "y": "y ~ 0 + between(m, g) + (1 | g)"},
}  # fmt: skip

SPLIT = {
    "itself and its mean": {"m": "m ~ x + (1 | g)", "y": "y ~ m + between(m, g) + (1 | g)"},
    "correlated": {"m": "m ~ x + (1 |i| g)", "y": "y ~ m + between(m, g) + (1 |i| g)"},
    "correlated, nested": {
        "m": "m ~ x + (1 |i| g) + (1 |k| s)",
        "y": "y ~ m + between(m, g) + between(m, s) + (1 |i| g) + (1 |k| s)",
    },
    "three correlated": {
        "m": "m ~ z + (1 + k |i| g) + (1 | s)",
        "m2": "m2 ~ m + between(m, g) + (1 |i| g)",
        "y": "y ~ m + m2 + between(m, g) + between(m2, g) + (1 |i| g) + (1 | s)",
    },
    "abreast": {
        "m": "m ~ z + (1 |i| g) + (1 |k| s)",
        "m2": "m2 ~ x + (1 |i| g) + (1 |k| s)",
        "w": "w ~ z + (1 |i| g)",
        "y": "y ~ m + m2 + w + between(m, g) + between(m2, g) + between(w, g) + between(m, s) "
             "+ between(m2, s) + (1 | g)",
    },
}  # fmt: skip
MODELS |= SPLIT


def _stated(name: str) -> dict[str, Any]:
    return {**(RAW if "stated" in name else {}), **(HELD if "held" in name else {})}


def built(name: str, data: pd.DataFrame | None = None) -> tuple[System, Priors]:
    equations = {r: e if isinstance(e, dict) else {"formula": e} for r, e in MODELS[name].items()}
    table = {"name": "t", "equations": equations, "priors": _stated(name)}
    model = ac.load_model(table)
    system = build_system(model, ac.study(frame() if data is None else data))
    return system, resolve_priors(model.priors, system.layout, system.responses)


def dense(system: System, priors: Priors, value: dict[str, float], conditioned: set[str]) -> float:
    """Log marginal density given sds and conditioned coefficients.

    The predictors of all equations are affine in the other coefficients and the group effects;
    the map is found by evaluating the generator's predictor, which shares no code with the engine.
    """
    layout, responses = system.layout, system.responses
    held = held_values(priors)
    value, conditioned = {**value, **held}, conditioned | set(held)
    names = [
        p.name for p in parameters(layout) if p.kind == "coefficient" and p.name not in conditioned
    ]
    sizes = [(len(b.levels), len(b.members)) for b in layout.blocks]

    def eta(v: Array) -> Array:
        known = {**value, **dict(zip(names, v[: len(names)], strict=True))}
        effects, at = {}, len(names)
        for b, (J, K) in zip(layout.blocks, sizes, strict=True):
            effects[b.key] = v[at : at + J * K].reshape(J, K)
            at += J * K
        found = [linear_predictor(layout, e, responses, known, effects) for e in layout.equations]
        return np.concatenate(found)

    q = len(names) + sum(J * K for J, K in sizes)
    base = eta(np.zeros(q))
    W = np.stack([eta(np.eye(q)[k]) - base for k in range(q)], axis=1)
    mean, V, at = np.zeros(q), np.zeros((q, q)), 0
    for e in layout.equations:
        kept = [n for n in map(e.coefficient, e.columns) if n not in conditioned]
        own = [priors[n] for n in kept]
        m0 = np.array([p.distribution.location - p.constant for p in own])
        sd = np.array([p.distribution.scale for p in own])
        on = np.eye(len(own))  # what the priors are on, in terms of the coefficients
        for i, p in enumerate(own):
            if p.on:
                on[i] = [dict(p.on).get(n, 0.0) for n in kept]
                m0[i] -= sum(w * value[n] for n, w in p.on if n in conditioned)
        turn = np.linalg.inv(on)
        mean[at : at + len(own)] = turn @ m0
        V[at : at + len(own), at : at + len(own)] = turn @ np.diag(sd**2) @ turn.T
        at += len(own)
    for b, (J, K) in zip(layout.blocks, sizes, strict=True):
        sds = np.array([value[b.sd(m)] for m in b.members])
        C = np.eye(K)
        for i, j, name in b.correlations():
            C[i, j] = C[j, i] = value[name]
        V[at : at + J * K, at : at + J * K] = np.kron(np.eye(J), C * np.outer(sds, sds))
        at += J * K
    R = np.concatenate(
        [e.se**2 if e.se is not None else np.full(e.n, value[f"sigma({e.response})"] ** 2)
         for e in layout.equations]
    )  # fmt: skip
    y = np.concatenate([responses[e.response] for e in layout.equations])
    return float(stats.multivariate_normal(base + W @ mean, W @ V @ W.T + np.diag(R)).logpdf(y))


@pytest.mark.parametrize("name", list(MODELS))
def test_density_given_the_conditioned_coefficients(name: str) -> None:
    system, priors = built(name)
    assert collapsed.unfit(system.layout, priors) is None
    (component,) = mixed.components(system.layout, priors)
    assert component.copies.conditioned
    stack = {k: v[None] for k, v in system.responses.items()}
    scale = {p.name: 1.3 for p in parameters(system.layout)}
    h = hyper.hyper(component, system.layout, priors, scale)
    made = mixed.moments(component, system.layout, priors, stack)
    x = np.random.default_rng(2).normal(0.0, 0.7, (1, 4, h.size))
    x[..., list(h.priors)] = np.abs(x[..., list(h.priors)]) + 0.1
    found = marginal.density(marginal.Problem(h, made), x, ONE).log[0]
    values = hyper.parameters(h, x)[0]
    conditioned = {h.names[-1 - k] for k in range(len(h.conditioned))}
    for k in range(4):
        value = dict(zip(h.names, map(float, values[k]), strict=True))
        want = dense(system, priors, value, conditioned) + float(hyper.log_prior(h, x)[0, k])
        assert abs(found[k] - want) <= 1e-8 * (1 + abs(want))


def test_a_varying_effect_of_a_latent_mean_is_outside_the_class() -> None:
    equations = {
        "m": {"formula": "m ~ x + (1 | g)"},
        "y": {"formula": "y ~ within(m, g) + between(m, g) + (1 + within(m, g) | g)"},
    }
    model = ac.load_model({"name": "t", "equations": equations})
    system = build_system(model, ac.study(frame()))
    reason = collapsed.unfit(system.layout, resolve_priors({}, system.layout, system.responses))
    assert reason is not None
    assert "varies by group" in reason


# --- ridges and pools ------------------------------------------------------------------


def nested() -> pd.DataFrame:
    """Groups of equal sizes, each in one of `s`: their levels pool."""
    return frame(seed=4, units=80, per=4)


def problem(name: str) -> marginal.Problem:
    system, priors = built(name, nested())
    component = mixed.components(system.layout, priors)[0]
    h = hyper.hyper(
        component, system.layout, priors, {p.name: 1.3 for p in parameters(system.layout)}
    )
    stack = {k: v[None] for k, v in system.responses.items()}
    return marginal.Problem(h, mixed.moments(component, system.layout, priors, stack))


def points(h: hyper.Hyper, n: int) -> Array:
    x = np.random.default_rng(5).normal(0.0, 0.7, (1, n, h.size))
    x[..., list(h.priors)] = np.abs(x[..., list(h.priors)]) + 0.1
    return x


@pytest.mark.parametrize("name", list(SPLIT))
def test_levels_of_linked_equations_pool(name: str) -> None:
    """Copied effects pool as any others: the same density as level by level."""
    found = problem(name)
    cross = found.moments.cross
    assert found.hyper.component.copies.effects
    assert 0 < len(cross.pools.count) < 6
    apart = replace(found, moments=replace(found.moments, cross=level_by_level(cross)))
    x = points(found.hyper, 6)
    a, b = marginal.density(found, x, ONE), marginal.density(apart, x, ONE)
    np.testing.assert_allclose(a.log, b.log, rtol=1e-9)
    np.testing.assert_allclose(a.mean, b.mean, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(a.root, b.root, rtol=1e-6, atol=1e-6)


def test_what_rests_on_responses_does_not_pool() -> None:
    system, priors = built("products of a response", nested())
    (component,) = mixed.components(system.layout, priors)
    assert component.copies.effects
    assert not len(component.pools.count)


@pytest.mark.parametrize("name", list(SPLIT))
def test_ridges_are_other_coordinates_of_the_same_density(name: str) -> None:
    """Their volume is that of differences; signs that mean nothing before mean nothing after."""
    h = problem(name).hyper
    assert h.ridges
    x = points(h, 3)[0]
    at, log = hyper.plain(h, x)
    step, d = 1e-6, h.size
    for k in range(3):
        moved = x[k] + step * np.concatenate([np.eye(d), -np.eye(d)])
        to = hyper.plain(h, moved)[0]
        J = (to[:d] - to[d:]) / (2 * step)
        assert abs(float(np.linalg.slogdet(J)[1]) - log[k]) < 1e-6
    for flip in hyper.folds(h, h.signed):
        turned, same = hyper.plain(h, x * flip)
        np.testing.assert_allclose(turned, at * flip, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(same, log, rtol=1e-12, atol=1e-12)


# --- whole fits --------------------------------------------------------------------------


def mediation(seed: int = 6, units: int = 30, per: int = 8) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(units), per)
    u = rng.multivariate_normal([0, 0], [[0.5, 0.2], [0.2, 0.3]], units)[g]
    z = rng.normal(size=units)[g]
    x = rng.normal(size=len(g))
    m = 0.6 * z + 0.4 * x + u[:, 0] + rng.normal(size=len(g))
    y = 0.3 * m + 0.4 * (0.6 * z + u[:, 0]) + u[:, 1] + rng.normal(size=len(g))
    return pd.DataFrame({"g": [f"g{i}" for i in g], "x": x, "z": z, "m": m, "y": y})


@pytest.mark.parametrize("group", ["(1 | g)", "(1 |i| g)"])
def test_the_fast_path_agrees_with_hmc(group: str) -> None:
    """Weighted points of one or two proposals do, and hmc, which shares no code, says the same."""
    equations = {
        "m": {"formula": f"m ~ x + z + {group}"},
        "y": {"formula": f"y ~ m + between(m, g) + {group}"},
    }
    model = ac.load_model({"name": "t", "equations": equations})
    study = ac.study(mediation())
    ours = ac.fit(model, study, seed=3, engine="collapsed")
    (part,) = ours.draws.parts
    assert part.method == "importance"
    assert part.rounds <= 2
    theirs = ac.fit(model, study, seed=3, engine="hmc")
    for row, other in zip(
        ours.estimates.to_dict("records"), theirs.estimates.to_dict("records"), strict=True
    ):
        apart = np.hypot(row["mcse_mean"], other["mcse_mean"])
        assert abs(row["mean"] - other["mean"]) < 4.5 * apart, row


def two_levels(mediators: tuple[str, ...]) -> Any:
    both = "(1 |i| g) + (1 |j| s)"
    means = " + ".join(f"{m} + between({m}, g) + between({m}, s)" for m in mediators)
    return ac.load_model(
        {
            "name": "t",
            "equations": {m: {"formula": f"{m} ~ x + {both}"} for m in mediators}
            | {"y": {"formula": f"y ~ {means} + {both}"}},
        }
    )


def test_many_means_at_two_levels_are_left_to_a_quicker_engine() -> None:
    data = ac.study(frame(units=20, per=3))
    for mediators, engine in ((("m",), "collapsed"), (("m", "m2"), "hmc")):
        model = two_levels(mediators)
        system = build_system(model, data)
        priors = resolve_priors(model.priors, system.layout, system.responses)
        assert quickest(system.layout, priors, "auto", "t", {}).name == engine
        assert quickest(system.layout, priors, "collapsed", "t", {}).name == "collapsed"
        after = quickest(system.layout, priors, "auto", "t", {"hmc": "gave no usable result"})
        assert after.name == "collapsed"
