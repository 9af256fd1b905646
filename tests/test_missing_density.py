"""The density that NUTS samples where values are missing, against one written out by hand.

Here likelihoods are sums over rows of the data frame, in plain loops and SciPy, with the missing
values put into the rows: continuous ones as they are sampled, discrete ones summed over value by
value. Nothing of the package fills anything in. Graph and hand may differ by the log Jacobian
of the map from free variables to parameters and one constant, as in test_nuts_density.
"""

# pyright: reportPrivateUsage=false

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from acmodels.data import study
from acmodels.engines.nuts import model as nuts
from acmodels.engines.nuts.missing import imputed_draws
from acmodels.load import load_model
from acmodels.priors import Priors, resolve_priors
from acmodels.system import System, build_system, parameters
from by_hand import log_prior

stats: Any = scipy_stats

N, J = 30, 6

type Values = Mapping[str, float]
type Effects = Mapping[str, np.ndarray]
type Row = dict[str, Any]


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(20241125)
    code = np.arange(N) % J
    x, z = rng.normal(1.0, 1.5, N), rng.normal(size=N)
    m = 0.5 * x + rng.normal(size=N)
    return pd.DataFrame(
        {
            "g": [f"g{k}" for k in code],
            "x": x,
            "z": z,
            "t": (np.arange(N) // 2 % 2).astype(float),
            "s": np.array(["A", "B", "C"])[rng.permutation(np.arange(N) % 3)].astype(object),
            "w": rng.normal(size=J)[code],
            "wave": np.arange(N) // J + 1,
            "half": [f"h{k % 2}" for k in code],
            "d": np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0])[code],
            "m": m,
            "b": (np.arange(N) % 2).astype(float),
            "k": np.array([1.0, 2.0, 3.0, 2.0, 1.0])[np.arange(N) % 5],
            "y": 1.0 + 0.4 * m + 0.3 * x + rng.normal(size=N),
            "v": rng.normal(size=N),
        }
    )


def gone(**rows: list[int]) -> pd.DataFrame:
    data = frame()
    for column, places in rows.items():
        data.loc[places, column] = None if data[column].dtype == object else np.nan
    return data


def normal(y: float, mean: float, sd: float) -> float:
    return float(stats.norm(mean, sd).logpdf(y))


def bernoulli(y: float, eta: float) -> float:
    return float(-np.logaddexp(0.0, -eta if y == 1 else eta))


def ordinal(place: int, eta: float, cuts: list[float]) -> float:
    edges = np.array([-np.inf, *cuts, np.inf])
    law = stats.logistic
    return float(np.log(law.cdf(edges[place + 1] - eta) - law.cdf(edges[place] - eta)))


def group(row: Row) -> int:
    return int(row["g"][1:])


# --- models with a likelihood by hand: rows of the equations that they stand in ------------


def path(rows: list[Row], v: Values, u: Effects) -> float:
    """x normal given z and g; m by its own equation; y with a product of both and a square."""
    total = 0.0
    for r in rows:
        g = group(r)
        mean = v["x ~ 1"] + v["x ~ z"] * r["z"] + u["x ~ 1 | g"][g, 0]
        total += normal(r["x"], mean, v["sigma(x)"])
        mean = v["m ~ 1"] + v["m ~ x"] * r["x"] + u["m ~ 1, m ~ x | g"][g] @ [1.0, r["x"]]
        total += normal(r["m"], mean, v["sigma(m)"])
        if np.isnan(r["y"]):
            continue
        mean = v["y ~ 1"] + v["y ~ m"] * r["m"] + v["y ~ x"] * r["x"] + v["y ~ z"] * r["z"]
        mean += v["y ~ m:x"] * r["m"] * r["x"] + v["y ~ square(x)"] * r["x"] ** 2
        total += normal(r["y"], mean, v["sigma(y)"])
    return total


def over(rows: list[Row], of: Mapping[str, list[Any]], one: Callable[[Row], float]) -> float:
    """Sum over the values of what is missing in each row, row by row."""
    total = 0.0
    for r in rows:
        lost = [c for c in of if r[c] is None or r[c] != r[c]]
        each = [
            one({**r, **dict(zip(lost, values, strict=True))})
            for values in itertools.product(*(of[c] for c in lost))
        ]
        total += float(np.logaddexp.reduce(each))
    return total


def factors(rows: list[Row], v: Values, u: Effects) -> float:
    """Discrete predictors and a continuous one that are missing in the same rows."""

    def one(r: Row) -> float:
        g = group(r)
        S = ("A", "B", "C").index(r["s"])
        low = float(S == 1), float(S == 2)
        # the order of the chain: by the number of missing values, then by name
        eta = v["t ~ z"] * r["z"] + v["t ~ 1"] + u["t ~ 1 | g"][g, 0]
        total = bernoulli(r["t"], eta)
        eta = v["s ~ z"] * r["z"] + v["s ~ t"] * r["t"] + u["s ~ 1 | g"][g, 0]
        total += ordinal(S, eta, [v["s | t1"], v["s | t2"]])
        mean = v["x ~ 1"] + v["x ~ z"] * r["z"] + v["x ~ t"] * r["t"] + u["x ~ 1 | g"][g, 0]
        mean += v["x ~ s[B]"] * low[0] + v["x ~ s[C]"] * low[1]
        total += normal(r["x"], mean, v["sigma(x)"])
        slope = v["y ~ t"] + u["y ~ 1, y ~ t | g"][g, 1] + v["y ~ t:x"] * r["x"]
        mean = v["y ~ 1"] + v["y ~ z"] * r["z"] + v["y ~ x"] * r["x"] + slope * r["t"]
        mean += v["y ~ s[B]"] * low[0] + v["y ~ s[C]"] * low[1]
        mean += u["y ~ 1, y ~ t | g"][g, 0]
        return total + normal(r["y"], mean, v["sigma(y)"])

    return over(rows, {"t": [0.0, 1.0], "s": ["A", "B", "C"]}, one)


def mediators(rows: list[Row], v: Values, u: Effects) -> float:
    """A binary and an ordinal mediator, missing alone and together."""

    def one(r: Row) -> float:
        total = bernoulli(r["b"], v["b ~ 1"] + v["b ~ z"] * r["z"])
        eta = v["k ~ b"] * r["b"] + u["k ~ 1 | g"][group(r), 0]
        total += ordinal(int(r["k"]) - 1, eta, [v["k | t1"], v["k | t2"]])
        mean = v["y ~ 1"] + v["y ~ b"] * r["b"] + v["y ~ k"] * r["k"]
        return total + normal(r["y"], mean, v["sigma(y)"])

    return over(rows, {"b": [0.0, 1.0], "k": [1.0, 2.0, 3.0]}, one)


def units(rows: list[Row], v: Values, u: Effects) -> float:
    """Predictors of a higher unit, one value each: a number and a binary one."""
    total = 0.0
    for unit in range(J):
        mine = [r for r in rows if group(r) == unit]
        lost = mine[0]["d"] != mine[0]["d"]
        each: list[float] = []
        for d in (0.0, 1.0) if lost else (mine[0]["d"],):
            part = bernoulli(d, v["d ~ 1"])
            for r in mine:
                mean = v["y ~ 1"] + v["y ~ w"] * r["w"] + v["y ~ d"] * d + v["y ~ z"] * r["z"]
                mean += u["y ~ 1 | g"][unit, 0]
                part += normal(r["y"], mean, v["sigma(y)"])
            each.append(part)
        total += float(np.logaddexp.reduce(each)) + normal(mine[0]["w"], v["w ~ 1"], v["sigma(w)"])
    return total


def means(rows: list[Row], v: Values, u: Effects) -> float:
    """Observed means of a predictor follow its missing values; latent ones of a mediator stay."""
    total = 0.0
    mean_x = [np.mean([r["x"] for r in rows if group(r) == k]) for k in range(J)]
    center_z = np.mean([r["z"] for r in rows])
    for r in rows:
        g = group(r)
        total += normal(r["z"], v["z ~ 1"] + u["z ~ 1 | g"][g, 0], v["sigma(z)"])
        mean = v["x ~ 1"] + v["x ~ z"] * r["z"] + u["x ~ 1 | g"][g, 0]
        total += normal(r["x"], mean, v["sigma(x)"])
        between = v["m ~ 1"] + v["m ~ between(x, g)"] * mean_x[g] + u["m ~ 1 | g"][g, 0]
        mean = between + v["m ~ within(x, g)"] * (r["x"] - mean_x[g])
        total += normal(r["m"], mean, v["sigma(m)"])
        mean = v["y ~ 1"] + v["y ~ between(m, g)"] * between + u["y ~ 1 | g"][g, 0]
        mean += v["y ~ within(m, g)"] * (r["m"] - between)
        mean += v["y ~ within(m, g):center(z)"] * (r["m"] - between) * (r["z"] - center_z)
        total += normal(r["y"], mean, v["sigma(y)"])
    return total


def correlated(rows: list[Row], v: Values, u: Effects) -> float:
    """An outcome whose residual correlates with another's is a quantity where it is missing."""
    del u
    total = 0.0
    s, w = v["sigma(m)"], v["sigma(v)"]
    cov = v["cor(m, v)"] * s * w
    for r in rows:
        at = [v["m ~ 1"] + v["m ~ z"] * r["z"], v["v ~ 1"]]
        law: Any = stats.multivariate_normal(at, [[s**2, cov], [cov, w**2]])
        total += float(law.logpdf([r["m"], r["v"]]))
        mean = v["y ~ 1"] + v["y ~ m"] * r["m"]
        total += normal(r["y"], mean, v["sigma(y)"])
    return total


def probit(place: int, eta: float, cuts: list[float]) -> float:
    edges = np.array([-np.inf, *cuts, np.inf])
    law = stats.norm
    return float(np.log(law.cdf(edges[place + 1] - eta) - law.cdf(edges[place] - eta)))


def constructs(rows: list[Row], v: Values, u: Effects) -> float:
    """Raters' deviations, a reversed item, a marker, rater groups, a product of constructs."""
    total = 0.0
    for unit in range(J):
        mine = [r for r in rows if group(r) == unit]
        F, H, w = mine[0]["F"], mine[0]["H"], mine[0]["w"]
        total += normal(F, 0.0, 1.0)
        mean = v["H ~ F"] * F + v["H ~ w"] * w + v["H ~ F:w"] * F * w
        total += normal(H, mean, v["sigma(H)"])
        d = v["d ~ 1"] + v["d ~ H"] * H + v["d ~ F"] * F + v["d ~ H:F"] * H * F
        total += bernoulli(mine[0]["d"], d)
    for place, r in enumerate(rows):
        e = u["F ~ 1, H ~ 1 | rater"][place]
        F, H = r["F"] + e[0], r["H"] + e[1]
        if r["y"] == r["y"]:
            total += normal(r["y"], v["y ~ 1"] + v["F =~ y"] * F, v["sigma(y)"])
        if r["k"] == r["k"]:
            total += probit(int(r["k"]) - 1, v["F =~ k"] * F, [v["k | t1"], v["k | t2"]])
        total += normal(r["x"], v["x ~ 1"] + v["F =~ x"] * F, v["sigma(x)"])
        t = int(r["t"])  # levels stand in order of appearance
        for item in ("m", "v"):
            slope = v[f"H =~ {item}"] + u[f"H =~ {item} | t"][t, 0]
            mean = v[f"{item} ~ 1"] + u[f"{item} ~ 1 | t"][t, 0] + slope * H
            total += normal(r[item], mean, v[f"sigma({item})"])
        slope = v["H =~ b"] + u["H =~ b | t"][t, 0]
        total += probit(int(r["b"]), u["b ~ 1 | t"][t, 0] + slope * H, [v["b | t1"]])
    return total


def cross_lags(rows: list[Row], v: Values, u: Effects) -> float:
    """A random-intercept cross-lagged panel: deviations from latent means of the wave before."""
    total = 0.0
    at = {(group(r), r["wave"]): r for r in rows}
    names = ("m", "y")
    for r in rows:
        g, first = group(r), r["wave"] == 1
        level = {n: v[f"{n} ~ 1"] + u["m ~ 1, y ~ 1 | g"][g, k] for k, n in enumerate(names)}
        means: list[float] = []
        for n in names:
            mean = level[n] + v[f"{n} ~ z"] * r["z"]
            if not first:
                before = at[g, r["wave"] - 1]
                for o in names:
                    mean += v[f"{n} ~ within(lag({o}), g)"] * (before[o] - level[o])
            means.append(mean)
        s, w = (v[f"sigma{'1' if first else ''}({n})"] for n in names)
        cov = v["cor1(m, y)" if first else "cor(m, y)"] * s * w
        law: Any = stats.multivariate_normal(means, [[s**2, cov], [cov, w**2]])
        total += float(law.logpdf([r["m"], r["y"]]))
    return total


def item(r: Row, name: str, level: float, v: Values) -> float:
    """One answer, 0 where there is none."""
    if r[name] != r[name]:
        return 0.0
    if f"{name} | t1" not in v:
        return normal(r[name], v[f"{name} ~ 1"] + level, v[f"sigma({name})"])
    cuts = [v[f"{name} | t{k}"] for k in (1, 2) if f"{name} | t{k}" in v]
    low = 1 if name == "k" else 0
    return probit(int(r[name]) - low, level, cuts)


def lagged_constructs(rows: list[Row], v: Values, u: Effects) -> float:
    """Constructs in waves: lags and cross-lags of deviations, lasting differences of each item."""
    total = 0.0
    at = {(group(r), r["wave"]): r for r in rows}
    trait = u["F ~ 1, H ~ 1 | g"]
    for r in rows:
        g, first = group(r), r["wave"] == 1
        means: list[float] = []
        for k, n in enumerate("FH"):
            mean = trait[g, k] + v[f"{n} ~ z"] * r["z"]
            for j, o in enumerate("FH" if not first else ""):
                before = at[g, r["wave"] - 1][o] - trait[g, j]
                mean += v[f"{n} ~ within(lag({o}), g)"] * before
            means.append(mean)
        s, w = (v[f"sigma{'1' if first else ''}({n})"] for n in "FH")
        cov = v["cor1(F, H)" if first else "cor(F, H)"] * s * w
        law: Any = stats.multivariate_normal(means, [[s**2, cov], [cov, w**2]])
        total += float(law.logpdf([r["F"], r["H"]]))
        for n, items in (("F", "ykx"), ("H", "mvb")):
            for i in items:
                level = v[f"{n} =~ {i}"] * r[n] + u[f"{i} ~ 1 | g"][g, 0]
                total += item(r, i, level, v)
    return total


def raters_in_waves(rows: list[Row], v: Values, u: Effects) -> float:
    """Raters who differ for good and in each wave, of a construct that nothing is said of."""
    total = 0.0
    cells = sorted({(r["half"], r["wave"]) for r in rows}, key=lambda c: (c[1], c[0]))
    value = {c: next(r["F"] for r in rows if (r["half"], r["wave"]) == c) for c in cells}
    for (half, wave), f in value.items():
        h = int(half[1:])
        mean = u["F ~ 1 | half"][h, 0]
        mean += v[f"F ~ factor(wave)[{wave}]"] if wave > 1 else 0.0
        total += normal(f, mean, 1.0)
    for place, r in enumerate(rows):
        f = r["F"] + u["F ~ 1 | g"][group(r), 0] + u["F ~ 1 | g:wave"][place, 0]
        for i in "ykx":
            total += item(r, i, v[f"F =~ {i}"] * f + u[f"{i} ~ 1 | half"][int(r["half"][1:]), 0], v)
    return total


def dynamic(rows: list[Row], v: Values, u: Effects) -> float:
    """A dynamic panel: the first observation rests on the unit effects, by a coefficient."""
    total = 0.0
    at = {(group(r), r["wave"]): r for r in rows}
    for r in rows:
        g = group(r)
        mean = v["x ~ 1"] + u["x ~ 1 | g"][g, 0] + v["x ~ z"] * r["z"]
        total += normal(r["x"], mean, v["sigma(x)"])
        level = v["y ~ 1"] + u["y ~ 1 | g"][g, 0]
        mean, sd = level + v["y ~ x"] * r["x"] + v["y ~ z"] * r["z"], v["sigma(y)"]
        if r["wave"] > 1:
            before = at[g, r["wave"] - 1]
            mean += v["y ~ lag(y)"] * before["y"] + v["y ~ lag(x)"] * before["x"]
        else:
            mean += v["y ~ first(wave)"] + v["y ~ first(wave):between(y, g)"] * level
            mean += v["y ~ first(wave):x"] * r["x"] + v["y ~ first(wave):z"] * r["z"]
            sd = v["sigma1(y)"]
        total += normal(r["y"], mean, sd)
    return total


FAMILIES = {"y": "gaussian", "x": "gaussian"}
PANEL = {"panel": {"unit": "g", "wave": "wave"}}

CASES: dict[str, tuple[dict[str, Any], dict[str, list[int]], Any]] = {
    "a path of numbers": (
        {
            "equations": {
                "m": {"formula": "m ~ x + (1 + x | g)"},
                "y": {"formula": "y ~ m*x + square(x) + z"},
            }
        },
        {"x": [0, 3, 7, 20], "m": [3, 4, 11], "y": [5, 6]},
        path,
    ),
    "factors": (
        {"equations": {"y": {"formula": "y ~ z + x + t + s + t:x + (1 + t | g)"}}},
        {"x": [1, 2, 8, 12], "t": [2, 9], "s": [2, 14, 15]},
        factors,
    ),
    "discrete mediators": (
        {
            "equations": {
                "b": {"formula": "b ~ z", "family": "bernoulli"},
                "k": {"formula": "k ~ b + (1 | g)", "family": "ordinal"},
                "y": {"formula": "y ~ b + k"},
            }
        },
        {"b": [0, 5, 6], "k": [5, 8]},
        mediators,
    ),
    "predictors of units": (
        {"equations": {"y": {"formula": "y ~ w + d + z + (1 | g)"}}},
        {"w": [2, 8, 14, 20, 26, 5], "d": [3, 9, 15, 21, 27]},
        units,
    ),
    "means": (
        {
            "equations": {
                "m": {"formula": "m ~ within(x, g) + between(x, g) + (1 | g)"},
                "y": {
                    "formula": "y ~ within(m, g) + between(m, g) + within(m, g):center(z) + (1 | g)"
                },
            }
        },
        {"x": [0, 6, 13], "m": [6, 7, 25], "z": [6, 17]},
        means,
    ),
    "correlated residuals": (
        {
            "equations": {
                "m": {"formula": "m ~ z"},
                "v": {"formula": "v ~ 1"},
                "y": {"formula": "y ~ m"},
            },
            "residual_correlation": [["m", "v"]],
        },
        {"m": [1, 2], "v": [2, 9]},
        correlated,
    ),
    "constructs": (
        {
            "measures": {
                "F": {
                    "items": ["y", "k", "x"],
                    "family": {"y": "gaussian", "x": "gaussian"},
                    "level": "g",
                    "reverse": ["x"],
                },
                "H": {
                    "items": ["m", "v", "b"],
                    "level": "g",
                    "marker": "m",
                    "by": "t",
                },
            },
            "equations": {
                "H": {"formula": "H ~ F*w"},
                "d": {"formula": "d ~ H*F", "family": "bernoulli", "level": "g"},
            },
        },
        {"y": [5, 6], "k": [3]},
        constructs,
    ),
    "cross-lags": (
        {
            "equations": {
                n: {"formula": f"{n} ~ z + within(lag(m), g) + within(lag(y), g) + (1 |u| g)"}
                for n in ("m", "y")
            },
            "residual_correlation": [["m", "y"]],
            **PANEL,
        },
        {"m": [0, 3, 14, 25], "y": [0, 9, 21]},
        cross_lags,
    ),
    "lagged constructs": (
        {
            "measures": {
                "F": {"items": ["y", "k", "x"], "family": FAMILIES, "level": "g"},
                "H": {"items": ["m", "v", "b"], "level": "g"},
            },
            "equations": {
                n: {"formula": f"{n} ~ z + within(lag(F), g) + within(lag(H), g) + (1 |u| g)"}
                for n in ("F", "H")
            },
            "residual_correlation": [["F", "H"]],
            **PANEL,
        },
        {"y": [5, 6], "k": [3]},
        lagged_constructs,
    ),
    "raters in waves": (
        {
            "measures": {
                "F": {"items": ["y", "k", "x"], "family": FAMILIES, "level": "half", "rater": "g"}
            },
            "panel": {"unit": "half", "wave": "wave"},
        },
        {"y": [5, 6], "k": [3]},
        raters_in_waves,
    ),
    "a dynamic panel": (
        {"equations": {"y": {"formula": "y ~ lag(y) + x + z + lag(x) + (1 | g)"}}, **PANEL},
        {"x": [3, 14], "y": [1, 9, 15]},
        dynamic,
    ),
}


@dataclass(frozen=True)
class Case:
    data: pd.DataFrame
    system: System
    priors: Priors
    plan: Any
    model: Any
    graph: Any
    logp: Any
    shapes: Any
    hand: Any


@pytest.fixture(params=list(CASES), ids=lambda n: n.replace(" ", "-"), scope="module")
def case(request: pytest.FixtureRequest) -> Case:
    import pymc as pm

    table, lost, hand = CASES[request.param]
    data = gone(**lost)
    model = load_model({"name": "test", **table})
    system = build_system(model, study(data))
    joint = system.sampled
    priors = resolve_priors(model.priors, joint.layout, joint.responses)
    plan = nuts.make_plan(joint.layout, priors, joint.responses)
    built = nuts.build(pm, plan, nuts.make_arrays(plan, joint.responses))
    graph = built.logp(jacobian=False)
    logp = built.compile_fn(graph, mode="FAST_COMPILE")
    shapes = built.eval_rv_shapes()
    return Case(data, system, priors, plan, built, graph, logp, shapes, hand)


def random_point(case: Case, rng: np.random.Generator) -> dict[str, np.ndarray]:
    out: dict[str, np.ndarray] = {}
    for v in case.model.free_RVs:
        shape = case.shapes[v.name]
        if "partial" in v.name:
            out[v.name] = rng.uniform(0.15, 0.85, shape)
        elif v.name.startswith("scales"):
            out[v.name] = rng.uniform(0.2, 1.5, shape)
        else:
            out[v.name] = rng.normal(0.0, 0.7, shape)
    return out


def sampled(case: Case, point: Mapping[str, np.ndarray]) -> float:
    values: dict[str, Any] = {}
    for v in case.model.free_RVs:
        x = point[v.name]
        if case.model.rvs_to_transforms[v] is not None:
            x = np.log(x) - np.log1p(-x) if "partial" in v.name else np.log(x)
        values[case.model.rvs_to_values[v].name] = x
    return float(case.logp(values))


def recovered(
    case: Case, points: Mapping[str, np.ndarray]
) -> tuple[tuple[str, ...], np.ndarray, dict[str, np.ndarray]]:
    """Names, parameters and group effects at points given as draws of one chain."""
    joint = case.system.sampled
    values, effects = nuts.structural(case.plan, points, joint.responses)
    names = tuple(p.name for p in parameters(joint.layout))
    return names, values[0], {k: v[0] for k, v in effects.items()}


def log_jacobian(case: Case, point: Mapping[str, np.ndarray]) -> float:
    """By differences; the missing values are sampled in fixed units, which is a constant."""
    names = [v.name for v in case.model.free_RVs if v.name != "missing"]
    flat = np.concatenate([point[n].ravel() for n in names])
    ends = np.cumsum([0, *(point[n].size for n in names)])
    steps = np.array([1.0, -1.0, 0.5, -0.5, 0.25, -0.25]) * 2e-3
    moved = (flat + steps[:, None, None] * np.eye(len(flat))).reshape(-1, len(flat))
    draws = {
        n: moved[None, :, ends[i] : ends[i + 1]].reshape(1, len(moved), *point[n].shape)
        for i, n in enumerate(names)
    }
    names_found, values, effects = recovered(case, draws)
    values = values[:, [case.priors[n].held is None for n in names_found]]
    every = np.concatenate([values, *(u.reshape(len(moved), -1) for u in effects.values())], 1)
    every = every.reshape(6, len(flat), -1)
    assert every.shape[2] == len(flat)
    a, b, c = (
        (every[2 * k] - every[2 * k + 1]) / (steps[2 * k] - steps[2 * k + 1]) for k in range(3)
    )
    ab, bc = (4 * b - a) / 3, (4 * c - b) / 3
    return float(np.linalg.slogdet((16 * bc - ab) / 15)[1])


def prior(case: Case, v: Values, u: Effects) -> float:
    joint = case.system.sampled
    total = log_prior(joint.layout, case.priors, v)
    for block in joint.layout.blocks:
        R = np.eye(len(block.members))
        for i, j, name in block.correlations():
            R[i, j] = R[j, i] = v[name]
        sds = np.array([v[block.sd(m)] for m in block.members])
        law: Any = stats.multivariate_normal(np.zeros(len(sds)), R * np.outer(sds, sds))
        total += float(np.sum(law.logpdf(u[block.key])))
    return total


def by_hand(case: Case, point: Mapping[str, np.ndarray]) -> float:
    names, values, effects = recovered(case, {k: v[None, None] for k, v in point.items()})
    v = dict(zip(names, map(float, values[0]), strict=True))
    u = {k: e[0] for k, e in effects.items()}
    joint = case.system.sampled
    draws = {k: x[None, None] for k, x in point.items()}
    found = imputed_draws(joint.layout, case.plan.unknown, draws, joint.responses)
    data = case.data.copy()
    for gap in joint.layout.missing:
        if gap.discrete:
            continue
        here = gap.cell >= 0
        if joint.layout.measure(gap.variable) is not None:
            data[gap.variable] = np.nan
        assert data.loc[here, gap.variable].isna().any()
        data.loc[here, gap.variable] = found[gap.variable][0, 0, gap.cell[here]]
    if case.hand is units:  # known for a unit from another of its rows
        data["w"] = data.groupby("g")["w"].transform("first")
    rows: Any = data.to_dict("records")
    return prior(case, v, u) + float(case.hand(rows, v, u))


def test_the_sampled_density_is_the_one_by_hand(case: Case) -> None:
    rng = np.random.default_rng(11)
    gaps: list[float] = []
    sizes: list[float] = []
    for _ in range(4):
        point = random_point(case, rng)
        graph, hand = sampled(case, point), by_hand(case, point)
        gaps.append(graph - hand - log_jacobian(case, point))
        sizes.append(abs(graph))
    assert np.ptp(sizes) > 0.1
    np.testing.assert_allclose(gaps, gaps[0], rtol=0, atol=1e-8 * max(1.0, *sizes) + 1e-7)


def test_every_missing_value_enters_the_density(case: Case) -> None:
    if "missing" not in case.model.named_vars:
        assert any(g.discrete for g in case.plan.layout.missing)
        return
    point = random_point(case, np.random.default_rng(12))
    here, hand = sampled(case, point), by_hand(case, point)
    for k in range(len(point["missing"])):
        moved = {
            **point,
            "missing": point["missing"] + 0.1 * (np.arange(len(point["missing"])) == k),
        }
        step = sampled(case, moved) - here
        assert abs(step) > 1e-6
        assert abs(step - (by_hand(case, moved) - hand)) < 1e-7


def test_all_data_enter_the_density(case: Case) -> None:
    from pytensor.graph.traversal import ancestors

    used = {v.name for v in ancestors([case.graph])}
    assert {v.name for v in case.model.data_vars} <= used
