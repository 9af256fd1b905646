"""The density that NUTS samples is the model's, checked against an independent NumPy density.

For random values of the free variables, the log density of the PyMC graph must differ from
priors + group effects + likelihood, written out by hand here, by the log Jacobian of the map
from free variables to parameters and by one constant, the same at every point. Where an sd is
sampled with a sign, both signs have the same density, which is part of the constant.
"""

# pyright: reportPrivateUsage=false

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from acmodels.data import study
from acmodels.engines.nuts import model as nuts
from acmodels.engines.nuts.arrays import named
from acmodels.load import load_model
from acmodels.priors import Priors, resolve_priors
from acmodels.system import System, build_system, parameters
from acmodels.system.columns import design_matrix, group_column
from acmodels.system.layout import residual_pairs
from by_hand import log_prior

N, J, H = 24, 5, 4


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(20240607)
    x, w, t = rng.normal(2.0, 1.5, N), rng.normal(size=N), rng.integers(3, 9, N)
    strong = rng.normal(size=(8, 3))[np.arange(N) % 8] * np.array([6.0, 3.0, 6.0])
    m1 = 0.5 * x + rng.normal(size=N)
    m2 = -0.3 * x + 0.4 * m1 + rng.normal(size=N)
    return pd.DataFrame(
        {
            "x": x,
            "w": w,
            "s": rng.choice(["A", "B", "C"], N),
            "g": [f"g{i % J}" for i in range(N)],
            "h": [f"h{i}" for i in rng.permutation(np.arange(N) % H)],
            "o": rng.normal(1.0, 0.5, N),
            "m1": m1,
            "m2": m2,
            "y": 1.0 + m1 - m2 + rng.normal(size=N),
            "e": rng.normal(size=N),
            "se": rng.uniform(0.2, 0.6, N),
            "b": np.arange(N) % 2,
            "p": (np.arange(N) // 2) % 2,
            "k": rng.integers(0, t + 1),
            "q": [f"q{i % 8}" for i in range(N)],
            "v": strong[:, 0] + x * strong[:, 1] + 0.2 * rng.normal(size=N),
            "v2": strong[:, 2] + 0.2 * rng.normal(size=N),
            "r": np.tile([0, 1], N // 2),
            "t": t,
            "likert": np.array([1, 2, 3, 5, 4, 3])[np.arange(N) % 6],
            "grade": np.repeat([0, 1, 2], N // 3),
            "rated": np.array([-1, 0, 1, 2])[rng.permutation(np.arange(N) % 4)],
            "passed": rng.permutation(np.arange(N) % 2),
            "knows": np.clip(np.arange(N) % 8 // 2, 0, 3) + 1,
            "count": rng.poisson(3.0, N),
            "visits": rng.negative_binomial(2, 0.3, N),
            "calls": rng.negative_binomial(3, 0.2, N),
            "zeros": np.where(np.arange(N) % 3 == 0, 0, 1 + np.arange(N) % 5),
            "empty": np.where(np.arange(N) % 2 == 0, 0, np.arange(N) % 7),
            "part": rng.beta(2.0, 3.0, N),
            "rest": rng.beta(4.0, 1.0, N),
        }
    )


def level_frame() -> pd.DataFrame:
    """The same, with a variable and an outcome that belong to the unit g."""
    data = frame()
    unit = np.random.default_rng(5).normal(size=(J, 2))
    code = np.arange(N) % J
    return data.assign(z=unit[code, 0], u=unit[code, 1] + unit[code, 0])


MODELS: dict[str, dict[str, Any]] = {
    "plain regression, default priors": {
        "equations": {"y": {"formula": "y ~ x + w + s + offset(o)"}},
    },
    "no intercept, random slopes only, offset": {
        "equations": {"y": {"formula": "y ~ 0 + x + offset(o) + (0 + x | g)"}},
    },
    "only group effects": {"equations": {"y": {"formula": "y ~ 0 + (1 | g)"}}},
    "crossed random intercepts": {
        "equations": {"y": {"formula": "y ~ x + (1 | g) + (1 | h)"}},
    },
    "three correlated effects": {
        "equations": {"y": {"formula": "y ~ x + w + (1 + x + w | g)"}},
        "priors": {"cor(* | g)": {"dist": "LKJ", "eta": 3.0}},
    },
    "slopes shared across equations": {
        "equations": {
            "m1": {"formula": "m1 ~ x + (1 + x |i| g) + (1 | h)"},
            "y": {"formula": "y ~ m1 + x + (0 + m1 |i| g)"},
        },
        "priors": {"cor(* | g)": {"dist": "LKJ", "eta": 2.0}},
    },
    "uncorrelated slopes": {"equations": {"y": {"formula": "y ~ x + (1 + x || g)"}}},
    "residual correlation of a pair": {
        "equations": {
            "m1": {"formula": "m1 ~ x + (1 |i| g)"},
            "m2": {"formula": "m2 ~ x + w + (1 |i| g)"},
            "y": {"formula": "y ~ m1 + m2 + x"},
        },
        "residual_correlation": [["m1", "m2"]],
        "priors": {"cor(m1, m2)": {"dist": "LKJ", "eta": 1.7}},
    },
    "residual correlation of three, written out of order": {
        "equations": {
            "y": {"formula": "y ~ x"},
            "m2": {"formula": "m2 ~ x + (1 | g)"},
            "m1": {"formula": "m1 ~ w"},
        },
        "residual_correlation": [["m1", "y"], ["m2", "m1"], ["y", "m2"]],
    },
    "known standard errors beside a residual sd": {
        "equations": {
            "e": {"formula": "e ~ x + (1 | g)", "se": "se"},
            "y": {"formula": "y ~ e + (1 | h)"},
        },
    },
    "known standard errors alone": {
        "equations": {"e": {"formula": "e ~ 1 + (1 | g)", "se": "se"}},
    },
    "every family and link": {
        "equations": {
            "y": {"formula": "y ~ x + (1 | g)"},
            "b": {"formula": "b ~ y + w + (1 | g)", "family": "bernoulli"},
            "p": {"formula": "p ~ y + (1 + y | h)", "family": "bernoulli", "link": "probit"},
            "k": {"formula": "k ~ b + (1 | g)", "family": "binomial", "trials": "t"},
            "e": {"formula": "e ~ p + k + offset(o)"},
        },
    },
    "weights in every family": {
        "equations": {
            "y": {"formula": "y ~ x + (1 | g)", "weights": "se"},
            "m1": {"formula": "m1 ~ x + (1 | g)"},
            "m2": {"formula": "m2 ~ x", "family": "student", "weights": "t"},
            "b": {"formula": "b ~ w + (1 | g)", "family": "bernoulli", "weights": "t"},
            "k": {"formula": "k ~ w", "family": "binomial", "trials": "t", "weights": "se"},
            "likert": {"formula": "likert ~ x", "family": "ordinal", "weights": "t"},
            "count": {"formula": "count ~ x", "family": "poisson", "weights": "se"},
            "visits": {"formula": "visits ~ x", "family": "negative_binomial", "weights": "t"},
            "part": {"formula": "part ~ x", "family": "beta", "weights": "se"},
        },
    },
    "binomial by probit": {
        "equations": {
            "k": {
                "formula": "k ~ x + offset(o) + (1 | g)",
                "family": "binomial",
                "link": "probit",
                "trials": "t",
            }
        },
    },
    "stated priors of every form": {
        "equations": {
            "m1": {"formula": "m1 ~ x + w + offset(o) + (1 + x |i| g)"},
            "m2": {"formula": "m2 ~ x + m1 + (1 | g) + (1 | h)"},
            "y": {"formula": "y ~ m1 + m2 + s + (0 + m1 |i| g)"},
        },
        "priors": {
            "* ~ *": {"dist": "Normal", "mu": 0.2, "sigma": 1.5},
            "m1 ~ 1": {"dist": "Normal", "mu": 3.0, "sigma": 0.7},
            "m1 ~ x": {"dist": "StudentT", "nu": 4, "mu": 0.1, "sigma": 0.8},
            "m2 ~ x": {"dist": "Laplace", "mu": -0.2, "b": 0.4},
            "y ~ 1": {"dist": "StudentT", "nu": 3, "mu": 1.0, "sigma": 2.0},
            "y ~ m1": {"dist": "Cauchy", "alpha": 0.3, "beta": 1.1},
            "sd(* | h)": {"dist": "Exponential", "lam": 2.0},
            "sd(m1 ~ 1 | g)": {"dist": "Gamma", "alpha": 2.0, "beta": 3.0},
            "sd(m1 ~ x | g)": {"dist": "LogNormal", "mu": -1.0, "sigma": 0.6},
            "sd(y ~ m1 | g)": {"dist": "HalfStudentT", "nu": 5, "sigma": 0.5},
            "sigma(y)": {"dist": "HalfCauchy", "beta": 1.3},
            "sigma(m1)": {"dist": "Exponential", "lam": 0.5},
            "cor(* | g)": {"dist": "LKJ", "eta": 1.4},
        },
    },
    "groups that the data know well": {
        "equations": {"v": {"formula": "v ~ w + (1 | q)"}, "v2": {"formula": "v2 ~ x + (1 | q)"}},
    },
    "well known slopes and others, shared": {
        "equations": {
            "v": {"formula": "v ~ x + offset(o) + (1 + x |i| q) + (1 | h)"},
            "y": {"formula": "y ~ v + w + (1 + v |i| q)"},
            "v2": {"formula": "v2 ~ w + s + (1 |i| q)"},
        },
        "priors": {
            "cor(* | q)": {"dist": "LKJ", "eta": 1.6},
            "v ~ 1": {"dist": "Normal", "mu": 1.0, "sigma": 2.0},
            "sd(y ~ 1 | q)": {"dist": "Exponential", "lam": 1.3},
            "sd(y ~ v | q)": {"dist": "HalfStudentT", "nu": 4, "sigma": 0.7},
        },
    },
    "well known groups by a link and a known error": {
        "equations": {
            "v": {"formula": "v ~ x + (1 + x | q)", "se": "se"},
            "r": {"formula": "r ~ v + (1 | q)", "family": "bernoulli", "link": "probit"},
        },
        "priors": {"sd(* | q)": {"dist": "HalfCauchy", "beta": 1.0}},
    },
    "student, two with and one without a known scale": {
        "equations": {
            "y": {"formula": "y ~ x + offset(o) + (1 | g)", "family": "student"},
            "m1": {"formula": "m1 ~ 0 + x", "family": "student"},
            "e": {"formula": "e ~ w", "family": "student", "se": "se"},
        },
        "priors": {"nu(m1)": {"dist": "Exponential", "lam": 0.2}},
    },
    "student beside correlated residuals": {
        "equations": {
            "m1": {"formula": "m1 ~ x"},
            "m2": {"formula": "m2 ~ x + w"},
            "y": {"formula": "y ~ m1 + m2", "family": "student"},
        },
        "residual_correlation": [["m1", "m2"]],
    },
    "ordinal without a predictor": {
        "equations": {"likert": {"formula": "likert ~ 1", "family": "ordinal"}},
    },
    "ordinal of two categories, without an intercept": {
        "equations": {"passed": {"formula": "passed ~ 0 + s + offset(o)", "family": "ordinal"}},
    },
    "ordinal by both links, of several lengths": {
        "equations": {
            "likert": {"formula": "likert ~ x + offset(o) + (1 + x | g)", "family": "ordinal"},
            "grade": {"formula": "grade ~ likert + w", "family": "ordinal", "link": "probit"},
            "rated": {"formula": "rated ~ 0 + grade + s + (1 | h)", "family": "ordinal"},
            "passed": {"formula": "passed ~ (1 | g)", "family": "ordinal", "link": "probit"},
            "y": {"formula": "y ~ rated + passed"},
        },
        "priors": {
            "likert | t2": {"dist": "Normal", "mu": 0.3, "sigma": 1.2},
            "grade | *": {"dist": "StudentT", "nu": 4, "mu": 0.1, "sigma": 1.5},
        },
    },
    "ordinal with groups that the data know well": {
        "equations": {"knows": {"formula": "knows ~ x + (1 | q)", "family": "ordinal"}},
        "priors": {"knows | t1": {"dist": "Cauchy", "alpha": 0.0, "beta": 2.0}},
    },
    "counts": {
        "equations": {
            "count": {"formula": "count ~ x + offset(o) + (1 | g)", "family": "poisson"},
            "visits": {"formula": "visits ~ x + (1 | h)", "family": "negative_binomial"},
            "calls": {"formula": "calls ~ 0 + w", "family": "negative_binomial"},
        },
        "priors": {
            "phi(visits)": {"dist": "HalfStudentT", "nu": 4, "sigma": 3.0},
            "count ~ 1": {"dist": "Normal", "mu": 1.0, "sigma": 0.5},
        },
    },
    "negative binomial alone": {
        "equations": {"visits": {"formula": "visits ~ x", "family": "negative_binomial"}},
        "priors": {"phi(*)": {"dist": "HalfNormal", "sigma": 5.0}},
    },
    "counts with extra zeros": {
        "equations": {
            "zeros": {"formula": "zeros ~ x + (1 | g)", "family": "zero_inflated_poisson"},
            "empty": {"formula": "empty ~ zeros", "family": "zero_inflated_negative_binomial"},
            "count": {"formula": "count ~ w", "family": "zero_inflated_poisson"},
        },
        "priors": {
            "zi(zeros)": {"dist": "Beta", "alpha": 2.0, "beta": 5.0},
            "zi(empty)": {"dist": "Uniform", "lower": 0.1, "upper": 0.6},
        },
    },
    "proportions": {
        "equations": {
            "part": {"formula": "part ~ x + (1 | g)", "family": "beta"},
            "rest": {"formula": "rest ~ part + offset(o)", "family": "beta"},
        },
        "priors": {"phi(rest)": {"dist": "Gamma", "alpha": 2.0, "beta": 0.2}},
    },
    "products, powers and slopes of predictors away from zero": {
        "equations": {
            "y": {"formula": "y ~ x*m1 + square(x) + s:x + s + offset(o) + (1 + x*m1 |i| g)"},
            "m1": {"formula": "m1 ~ standardize(x)*w + (1 + x |i| g) + (1 + x | q)"},
            "likert": {"formula": "likert ~ x*m1 + (1 + x | h)", "family": "ordinal"},
        },
        "priors": {"sd(likert ~ 1 | h)": {"dist": "HalfNormal", "sigma": 1.0}},
    },
    "well known slopes of a predictor away from zero": {
        "equations": {"v": {"formula": "v ~ x*w + (1 + x | q)"}},
    },
    "held at values": {
        "equations": {
            "y": {"formula": "y ~ x*m1 + s + offset(o) + (1 + x | g)"},
            "m1": {"formula": "m1 ~ x + w + (1 | g) + (1 + x | h)"},
            "m2": {"formula": "m2 ~ x + m1"},
            "e": {"formula": "e ~ 0 + x", "family": "student"},
        },
        "residual_correlation": [["y", "m2"]],
        "priors": {
            "y ~ x": {"dist": "Constant", "value": 0.3},
            "m1 ~ 1": {"dist": "Constant", "value": 0.2},
            "m2 ~ *": {"dist": "Constant", "value": 0.1},
            "e ~ x": {"dist": "Constant", "value": 0.4},
            "nu(e)": {"dist": "Constant", "value": 4.0},
            "sigma(m1)": {"dist": "Constant", "value": 0.8},
            "sd(m1 ~ 1 | g)": {"dist": "Constant", "value": 0.7},
            "cor(y, m2)": {"dist": "Constant", "value": 0.4},
            "cor(* | h)": {"dist": "Constant", "value": -0.3},
        },
    },
    "thresholds held, one and all": {
        "equations": {
            "likert": {"formula": "likert ~ x + offset(o) + (1 + x | g)", "family": "ordinal"},
            "grade": {"formula": "grade ~ likert*w", "family": "ordinal", "link": "probit"},
        },
        "priors": {
            "likert | t2": {"dist": "Constant", "value": 0.3},
            "grade | t1": {"dist": "Constant", "value": -0.5},
            "grade | t2": {"dist": "Constant", "value": 0.6},
        },
    },
    "an equation of units above the rows": {
        "equations": {
            "u": {"formula": "u ~ z", "level": "g"},
            "y": {"formula": "y ~ u + x + (1 + x | g)"},
        },
    },
    "latent means": {
        "equations": {
            "m1": {"formula": "m1 ~ x + w + (1 + x | g)"},
            "y": {"formula": "y ~ within(m1, g) + between(m1, g) + w + (1 | g)"},
        },
        "priors": {"y ~ 1": {"dist": "Normal", "mu": 1.0, "sigma": 2.0}},
    },
    "an outcome of units above a latent mean": {
        "equations": {
            "m1": {"formula": "m1 ~ z + x + offset(o) + (1 | g)"},
            "u": {"formula": "u ~ between(m1, g) + z", "level": "g"},
        },
    },
    "latent means of latent means, with products": {
        "equations": {
            "y": {"formula": "y ~ within(m2, g):w + between(m2, g) + (1 + within(m1, g) | h)"},
            "m2": {"formula": "m2 ~ between(m1, g) + within(m1, g) + x + (1 | g)"},
            "m1": {"formula": "m1 ~ 1 + (1 | g)"},
        },
    },
}

type Values = Mapping[str, float]
type Effects = Mapping[str, np.ndarray]


def observed(name: str) -> np.ndarray:
    data = level_frame()
    return data.groupby("g", sort=False)[name].mean().to_numpy()


def by_hand_latent(v: Values, u: Effects) -> dict[str, np.ndarray]:
    gap = v["m1 ~ 1"] + u["m1 ~ 1, m1 ~ x | g"][:, 0] - observed("m1")
    more = (v["y ~ between(m1, g)"] - v["y ~ within(m1, g)"]) * gap
    return {"y": more[np.arange(N) % J]}


def by_hand_above(v: Values, u: Effects) -> dict[str, np.ndarray]:
    z = level_frame()["z"].to_numpy()[:J]
    gap = v["m1 ~ 1"] + v["m1 ~ z"] * z + u["m1 ~ 1 | g"][:, 0] - observed("m1")
    return {"u": v["u ~ between(m1, g)"] * gap}


def by_hand_products(v: Values, u: Effects) -> dict[str, np.ndarray]:
    data, code = frame(), np.arange(N) % J
    one = v["m1 ~ 1"] + u["m1 ~ 1 | g"][:, 0]
    two = v["m2 ~ 1"] + v["m2 ~ between(m1, g)"] * one + u["m2 ~ 1 | g"][:, 0]
    gap_1, gap_2 = (one - observed("m1"))[code], (two - observed("m2"))[code]
    slope = u["y ~ 1, y ~ within(m1, g) | h"][:, 1]
    levels = list(dict.fromkeys(data["h"]))
    place = data["h"].map(levels.index).to_numpy()
    more = v["y ~ between(m2, g)"] * gap_2 - v["y ~ within(m2, g):w"] * data["w"] * gap_2
    return {
        "y": more.to_numpy() - slope[place] * gap_1,
        "m2": (v["m2 ~ between(m1, g)"] - v["m2 ~ within(m1, g)"]) * gap_1,
    }


LATENT: dict[str, Any] = {
    "latent means": by_hand_latent,
    "an outcome of units above a latent mean": by_hand_above,
    "latent means of latent means, with products": by_hand_products,
}
"""What latent means add to the predictors that rest on observed ones, worked out by hand."""


@dataclass(frozen=True)
class Case:
    system: System
    priors: Priors
    plan: Any
    model: Any
    graph: Any
    logp: Any
    shapes: Any
    latent: Any = None


@pytest.fixture(params=list(MODELS), ids=lambda n: re.sub(r"\W+", "-", n), scope="module")
def case(request: pytest.FixtureRequest) -> Case:
    import pymc as pm

    model = load_model({"name": "test", **MODELS[request.param]})
    data = level_frame() if "units" in request.param else frame()
    system = build_system(model, study(data))
    priors = resolve_priors(model.priors, system.layout, system.responses)
    plan = nuts.make_plan(system.layout, priors, system.responses)
    built = nuts.build(pm, plan, nuts.make_arrays(plan, system.responses))
    graph = built.logp(jacobian=False)
    logp = built.compile_fn(graph, mode="FAST_COMPILE")
    shapes = built.eval_rv_shapes()
    return Case(system, priors, plan, built, graph, logp, shapes, LATENT.get(request.param))


# --- points --------------------------------------------------------------------


def random_point(case: Case, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Values of the free variables on their own (untransformed) scale."""
    out: dict[str, np.ndarray] = {}
    for v in case.model.free_RVs:
        shape = case.shapes[v.name]
        if "partial" in v.name:
            out[v.name] = rng.uniform(0.15, 0.85, shape)
        elif v.name.startswith("scales"):
            out[v.name] = rng.uniform(0.2, 1.5, shape)
            if case.model.rvs_to_transforms[v] is None:  # an sd sampled with a sign
                out[v.name] *= rng.choice([-1.0, 1.0], shape)
        else:
            out[v.name] = rng.normal(0.0, 0.7, shape)
    return out


def sampled(case: Case, point: Mapping[str, np.ndarray]) -> float:
    """The graph's log density at a point, without PyMC's own transforms."""
    values: dict[str, Any] = {}
    for v in case.model.free_RVs:
        value = case.model.rvs_to_values[v]
        transform = case.model.rvs_to_transforms[v]
        x = point[v.name]
        if transform is not None:
            x = np.log(x) - np.log1p(-x) if "partial" in v.name else np.log(x)
        values[value.name] = x
    return float(case.logp(values))


# --- the model's density, by hand ------------------------------------------------


def correlation(pairs: Any, K: int, value: Mapping[str, float]) -> np.ndarray:
    R = np.eye(K)
    for i, j, name in pairs:
        R[i, j] = R[j, i] = value[name]
    return R


def by_hand(case: Case, value: Mapping[str, float], effects: Mapping[str, np.ndarray]) -> float:
    """Priors of the structural parameters + group effects + likelihood."""
    layout = case.system.layout
    total = log_prior(layout, case.priors, value)
    for block in layout.blocks:
        K = len(block.members)
        R = correlation(block.correlations(), K, value)
        if K > 1 and case.priors[block.correlations()[0][2]].held is None:
            eta = case.priors[block.correlations()[0][2]].distribution.parameters["eta"]
            total += (eta - 1) * np.linalg.slogdet(R)[1]
        sds = np.array([value[block.sd(m)] for m in block.members])
        law: Any = stats.multivariate_normal(np.zeros(K), cast("Any", R * np.outer(sds, sds)))
        total += float(np.sum(law.logpdf(effects[block.key])))
    return total + likelihood(case, value, effects)


def likelihood(case: Case, value: Mapping[str, float], effects: Mapping[str, np.ndarray]) -> float:
    layout, responses = case.system.layout, case.system.responses
    eta: dict[int, np.ndarray] = {}
    for i, e in enumerate(layout.equations):
        eta[i] = e.offset.copy()
        X = design_matrix(layout, e, responses)
        for k, c in enumerate(e.columns):
            eta[i] += X[:, k] * value[e.coefficient(c)]
        for block in layout.blocks:  # by hand, not by the package's own terms
            for k, m in enumerate(block.members):
                if m.response == e.response:
                    z = group_column(layout, e, m.column, responses)
                    eta[i] += z * effects[block.key][block.code[e.rows], k]
    if case.latent is not None:
        for response, more in case.latent(value, effects).items():
            eta[layout.responses.index(response)] += more
    total, done = 0.0, set[int]()
    for r, members in enumerate(layout.residual):
        names = [layout.equations[i].response for i in members]
        R = correlation(residual_pairs(layout, r), len(members), value)
        lkj = case.priors[residual_pairs(layout, r)[0][2]]
        if lkj.held is None:
            total += (lkj.distribution.parameters["eta"] - 1) * np.linalg.slogdet(R)[1]
        sds = np.array([value[f"sigma({n})"] for n in names])
        law: Any = stats.multivariate_normal(
            np.zeros(len(members)), cast("Any", R * np.outer(sds, sds))
        )
        rest = np.stack([responses[n] - eta[i] for n, i in zip(names, members, strict=True)], 1)
        total += float(np.sum(law.logpdf(rest)))
        done |= set(members)
    for i, e in enumerate(layout.equations):
        if i in done:
            continue
        spread = e.conditional(value.__getitem__).sd
        y, here = responses[e.response], eta[i]
        weight = 1.0 if e.weights is None else e.weights
        if e.family in BY_SCIPY:
            total += float(np.sum(weight * BY_SCIPY[e.family](e, y, here, spread, value)))
            continue
        found = e.conditional(value.__getitem__).log_density(y, here)
        total += float(np.sum(weight * found))
    return total


def ordinal(e: Any, y: Any, eta: Any, spread: Any, value: Mapping[str, float]) -> Any:
    """Log of the difference of two distribution functions, whatever it loses in the tails."""
    law: Any = stats.logistic if e.link == "logit" else stats.norm
    cuts = [-np.inf, *(value[f"{e.response} | t{k}"] for k in range(1, len(e.codes))), np.inf]
    assert cuts == sorted(cuts)
    place = np.searchsorted(np.unique(y), y)
    edges = np.array(cuts)
    return np.log(law.cdf(edges[place + 1] - eta) - law.cdf(edges[place] - eta))


def inflated(y: Any, zi: float, log_count: Any) -> Any:
    """Log of zi + (1 - zi) P(0) for zeros and of (1 - zi) P(y) for others, as brms defines it."""
    return np.log(np.where(y == 0, zi, 0.0) + (1 - zi) * np.exp(log_count))


BY_SCIPY: dict[str, Any] = {
    "student": lambda e, y, eta, s, v: stats.t(v[f"nu({e.response})"], eta, s).logpdf(y),
    "ordinal": ordinal,
    "poisson": lambda e, y, eta, s, v: stats.poisson(np.exp(eta)).logpmf(y),
    "negative_binomial": lambda e, y, eta, s, v: stats.nbinom(
        v[f"phi({e.response})"], 1 / (1 + np.exp(eta) / v[f"phi({e.response})"])
    ).logpmf(y),
    "zero_inflated_poisson": lambda e, y, eta, s, v: inflated(
        y, v[f"zi({e.response})"], BY_SCIPY["poisson"](e, y, eta, s, v)
    ),
    "zero_inflated_negative_binomial": lambda e, y, eta, s, v: inflated(
        y, v[f"zi({e.response})"], BY_SCIPY["negative_binomial"](e, y, eta, s, v)
    ),
    "beta": lambda e, y, eta, s, v: stats.beta(
        v[f"phi({e.response})"] / (1 + np.exp(-eta)), v[f"phi({e.response})"] / (1 + np.exp(eta))
    ).logpdf(y),
}
"""Densities of families that own parameters, written with none of the package's own code."""


# --- the map from free variables to parameters ----------------------------------------


def recovered(
    case: Case, point: Mapping[str, np.ndarray]
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Parameters and group effects, as the engine reports them."""
    draws = {k: v[None, None] for k, v in point.items()}
    values, effects = nuts.structural(case.plan, draws, case.system.responses)
    names = [p.name for p in parameters(case.system.layout)]
    return (
        dict(zip(names, map(float, values[0, 0]), strict=True)),
        {k: v[0, 0] for k, v in effects.items()},
    )


def log_jacobian(case: Case, point: Mapping[str, np.ndarray]) -> float:
    """Log absolute determinant of the map, by differences along every free number.

    Nothing here knows how the engine parametrises. Six moved copies of the point stand for
    each free number, all given to the engine as draws of one chain.
    """
    names = [v.name for v in case.model.free_RVs]
    flat = np.concatenate([point[n].ravel() for n in names])
    sizes = np.cumsum([0, *(point[n].size for n in names)])
    h = 2e-3
    steps = np.array([1.0, -1.0, 0.5, -0.5, 0.25, -0.25]) * h
    moved = flat + steps[:, None, None] * np.eye(len(flat))
    moved = moved.reshape(-1, len(flat))
    draws = {
        n: moved[None, :, sizes[i] : sizes[i + 1]].reshape(1, len(moved), *point[n].shape)
        for i, n in enumerate(names)
    }
    values, effects = nuts.structural(case.plan, draws, case.system.responses)
    flat_effects = [u.reshape(1, len(moved), -1) for u in effects.values()]
    free = [
        k for k, q in enumerate(parameters(case.system.layout))
        if q.kind == "step" or case.priors[q.name].held is None
    ]  # fmt: skip
    every = np.concatenate([values[..., free], *flat_effects], axis=2)[0].reshape(6, len(flat), -1)
    assert every.shape[2] == len(flat), "every free number is a parameter"
    a, b, c = (
        (every[2 * k] - every[2 * k + 1]) / (steps[2 * k] - steps[2 * k + 1]) for k in range(3)
    )
    ab, bc = (4 * b - a) / 3, (4 * c - b) / 3  # Richardson: the error falls as h^6
    sign, size = np.linalg.slogdet((16 * bc - ab) / 15)
    assert sign != 0
    return float(size)


def test_the_sampled_density_is_the_models(case: Case) -> None:
    rng = np.random.default_rng(7)
    gaps: list[float] = []
    sizes: list[float] = []
    for _ in range(4):
        point = random_point(case, rng)
        value, effects = recovered(case, point)
        hand = by_hand(case, value, effects)
        graph = sampled(case, point)
        gaps.append(graph - hand - log_jacobian(case, point))
        sizes.append(max(abs(graph), abs(hand)))
    assert np.ptp(sizes) > 0.1, "the points differ"
    # finite differences are good to about 1e-9 of each column
    np.testing.assert_allclose(gaps, gaps[0], rtol=0, atol=1e-8 * max(1.0, *sizes) + 1e-7)


def test_all_data_enter_the_density(case: Case) -> None:
    """nutpie knows only the data that the density rests on, and refuses others in a refit."""
    from pytensor.graph.traversal import ancestors

    used = {v.name for v in ancestors([case.graph])}
    assert {v.name for v in case.model.data_vars} <= used


def test_the_models_above_reach_every_parametrisation() -> None:
    """Sds with and without a sign, effects centered and not, and what groups absorb."""
    signed: set[bool] = set()
    weights: list[float] = []
    absorbed = False
    for name, table in MODELS.items():
        system = build_system(
            load_model({"name": "test", **table}),
            study(level_frame() if "units" in name else frame()),
        )
        priors = resolve_priors(table.get("priors", {}), system.layout, system.responses)
        plan = nuts.make_plan(system.layout, priors, system.responses)
        if not system.layout.blocks:
            continue
        arrays = nuts.make_arrays(plan, system.responses)
        members = [
            (b, k) for b, q in enumerate(system.layout.blocks) for k in range(len(q.members))
        ]
        signed |= {m in plan.scales.signed for m in members}
        assert arrays.effects is not None
        weights += list(arrays.effects.centering)
        found = (arrays.effects.absorb_slopes, arrays.effects.absorb_constants)
        absorbed |= any(a is not None and np.any(a) for a in found)
    assert signed == {True, False}
    assert min(weights) == 0
    assert max(weights) > 0.9
    assert absorbed


def test_the_graph_reads_every_array(case: Case) -> None:
    """The sampler refuses arrays that its compiled model does not know."""
    from pytensor.graph.traversal import ancestors

    read = {v.name for v in ancestors([case.graph])}
    names = set(named(nuts.make_arrays(case.plan, case.system.responses)))
    assert names <= read, sorted(names - read)


def test_what_is_reported_enters_the_likelihood(case: Case) -> None:
    """The check above can fail: the same parameters with one of them moved do not fit."""
    rng = np.random.default_rng(8)
    point = random_point(case, rng)
    value, effects = recovered(case, point)
    hand = by_hand(case, value, effects)
    for name in value:
        if not name.startswith("cor("):
            assert abs(by_hand(case, {**value, name: value[name] + 0.05}, effects) - hand) > 1e-6
