"""The engine hmc against NUTS of PyMC: every family by every structure, on small data sets.

python run.py [CASE ...]: fits each case by both engines and compares all that is sampled:
parameters, group effects and missing values. Cases that are in agreement.csv are not run again, so
that a stopped run goes on; tests/test_hmc_pymc.py runs the same cases.
"""

import csv
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import acmodels as ac
from acmodels.posterior import Posterior, summarize
from acmodels.spec.model import Model

HERE = Path(__file__).parent
STORE = HERE / "agreement.csv"
SEED = 20261202
MOST_ERRORS = 4.5
"""Combined Monte Carlo errors that two means may differ by."""
MOST_RATIO = 1.15
"""How far two sds may differ."""
GROUPS, INNER, EACH, OTHERS = 16, 2, 6, 7
"""Groups, units in each, rows in each of these; levels of the crossed grouping."""

FAMILIES = {
    "gaussian": ("identity",),
    "student": ("identity",),
    "ordinal": ("probit", "logit"),
    "bernoulli": ("logit", "probit"),
    "binomial": ("logit", "probit"),
    "poisson": ("log",),
    "negative_binomial": ("log",),
    "zero_inflated_poisson": ("log",),
    "beta": ("logit",),
    "zero_inflated_negative_binomial": ("log",),
}
"""Links by family: structures take them in turn."""

STRUCTURES: dict[str, tuple[str, dict[str, str]]] = {
    "intercepts": ("x + (1 | g)", {}),
    "slopes": ("x + (1 + x | g)", {}),
    "nested": ("x + (1 | g/c)", {}),
    "crossed": ("x + (1 | g) + (1 | p)", {}),
    "across equations": ("x + (1 |i| g)", {"m": "x + (1 |i| g)"}),
    "missing predictor": ("mm + (1 | g)", {"mm": "x + (1 | g)"}),
    "mo": ("mo(q) + x + (1 | g)", {}),
    "latent mean": ("within(m, g) + between(m, g) + (1 | g)", {"m": "x + (1 | g)"}),
}
"""Return what predicts the outcome, and the equations of other, normal variables."""

PRIORS = {
    "* ~ *": {"dist": "Normal", "mu": 0, "sigma": 1},
    "sd(*)": {"dist": "HalfNormal", "sigma": 1},
}
THEIRS = {
    "ordinal": {"y | *": {"dist": "Normal", "mu": 0, "sigma": 1.5}},
    "negative_binomial": {"phi(*)": {"dist": "Gamma", "alpha": 3, "beta": 1}},
    "zero_inflated_negative_binomial": {"phi(*)": {"dist": "Gamma", "alpha": 3, "beta": 1}},
    "student": {"nu(*)": {"dist": "Gamma", "alpha": 3, "beta": 0.5}},
    "beta": {"phi(*)": {"dist": "Gamma", "alpha": 3, "beta": 0.5}},
}
"""Priors of numbers that a small data set says little of: with light tails, so that means and sds
of draws are known well."""

CASES = [f"{f}, {s}" for f in FAMILIES for s in STRUCTURES]


def model(case: str) -> Model:
    """The model of a case."""
    family, structure = case.split(", ")
    rest, others = STRUCTURES[structure]
    links = FAMILIES[family]
    link = links[list(STRUCTURES).index(structure) % len(links)]
    y: dict[str, Any] = {"formula": f"y ~ {rest}", "family": family, "link": link}
    if family == "binomial":
        y["trials"] = "k"
    equations = {k: {"formula": f"{k} ~ {v}"} for k, v in others.items()} | {"y": y}
    priors = PRIORS | THEIRS.get(family, {})
    if others or family != "ordinal":
        priors |= {"* ~ 1": {"dist": "Normal", "mu": 0, "sigma": 1.5}}
    if any("1 +" in v or "|i|" in v for v in (rest, *others.values())):
        priors |= {"cor(*)": {"dist": "LKJ", "eta": 2}}
    return ac.load_model({"name": "case", "equations": equations, "priors": priors})


def responses(family: str, eta: Any, trials: Any, rng: np.random.Generator) -> Any:
    """Draw an outcome of a family, given its predictor."""
    n, share = len(eta), 1 / (1 + np.exp(-eta))
    counts = rng.poisson(np.exp(0.3 + 0.7 * eta))
    draws = {
        "gaussian": lambda: eta + rng.normal(0, 0.8, n),
        "student": lambda: eta + 0.6 * rng.standard_t(4, n),
        "ordinal": lambda: 1 + np.digitize(eta + rng.normal(size=n), [-0.8, 0.1, 1.0]),
        "bernoulli": lambda: (eta + rng.logistic(size=n) > 0).astype(int),
        "binomial": lambda: rng.binomial(trials, share),
        "poisson": lambda: counts,
        "negative_binomial": lambda: rng.poisson(np.exp(0.3 + 0.7 * eta) * rng.gamma(2, 0.5, n)),
        "zero_inflated_poisson": lambda: counts * (rng.random(n) > 0.3),
        "zero_inflated_negative_binomial": lambda: (
            rng.poisson(np.exp(0.3 + 0.7 * eta) * rng.gamma(2, 0.5, n)) * (rng.random(n) > 0.3)
        ),
        "beta": lambda: np.clip(rng.beta(6 * share, 6 * (1 - share)), 1e-4, 1 - 1e-4),
    }
    return draws[family]()


def data(case: str) -> pd.DataFrame:
    """192 rows of a mediator, with and without missing values, and the outcome of a case."""
    family, structure = case.split(", ")
    rng = np.random.default_rng([SEED, CASES.index(case)])
    g = np.repeat(np.arange(GROUPS), INNER * EACH)
    c = np.repeat(np.arange(GROUPS * INNER), EACH)
    n = len(g)
    p, q, x = rng.integers(0, OTHERS, n), rng.integers(1, 5, n), rng.normal(size=n)
    u, s = rng.normal(0, 0.7, GROUPS), rng.normal(0, 0.5, GROUPS)
    m = 0.3 + 0.5 * x + u[g] + rng.normal(0, 0.8, n)
    eta = 0.5 * s[g] + 0.4 * u[g]
    if structure == "slopes":
        eta = eta + (0.4 + s[g]) * x
    elif structure == "mo":
        eta = eta + 0.3 * x + np.array([0, 0.3, 1.0, 1.1])[q - 1]
    elif structure in ("missing predictor", "latent mean"):
        eta = eta + 0.5 * m
    else:
        eta = eta + 0.4 * x
    if structure == "nested":
        eta = eta + rng.normal(0, 0.6, GROUPS * INNER)[c]
    if structure == "crossed":
        eta = eta + rng.normal(0, 0.6, OTHERS)[p]
    trials = rng.integers(1, 8, n)
    return pd.DataFrame(
        {
            "g": [f"g{k}" for k in g],
            "c": [f"c{k}" for k in c],
            "p": [f"p{k}" for k in p],
            "q": q,
            "x": x,
            "k": trials,
            "m": m,
            "mm": np.where(rng.random(n) < 0.15, np.nan, m),
            "y": responses(family, eta, trials, rng),
        }
    )


def everything(drawn: Posterior) -> tuple[list[str], Any]:
    """Names and draws, (chain, draw, quantity), of parameters, group effects and missing values."""
    names, values = list(drawn.names), [drawn.values]
    for key, u in sorted({**drawn.group_effects, **drawn.imputed}.items()):
        flat = u.reshape(*u.shape[:2], -1)
        names += [f"{key} [{k}]" for k in range(flat.shape[2])]
        values.append(flat)
    return names, np.concatenate(values, axis=2)


def compare(one: Posterior, other: Posterior) -> Any:
    """By quantity: the difference of means in combined Monte Carlo errors, and the ratio of sds."""
    (names, a), (others, b) = everything(one), everything(other)
    if sorted(names) != sorted(others):
        raise ValueError(f"the engines sample other things: {set(names) ^ set(others)}")
    order = [others.index(n) for n in names]
    first, second = summarize(a), summarize(b[:, :, order])
    varies = first["sd"] > 0
    error = np.hypot(first["mcse_mean"], second["mcse_mean"])
    return pd.DataFrame(
        {
            "name": names,
            "z": (first["mean"] - second["mean"]) / error,
            "ratio": first["sd"] / second["sd"],
            "ess_one": first["ess_bulk"],
            "ess_other": second["ess_bulk"],
        }
    )[varies]


def agree(case: str) -> dict[str, Any]:
    """Fit a case by both engines and say how far they differ."""
    study, of = ac.study(data(case)), model(case)
    started = time.perf_counter()
    ours = ac.fit(of, study, seed=1, engine="hmc", draws=2000, cores=2)
    between = time.perf_counter()
    theirs = ac.fit(of, study, seed=2, engine="nuts", draws=1000, chains=2, cores=2)
    ended = time.perf_counter()
    table = compare(ours.draws, theirs.draws)
    z, ratio = table["z"].abs(), np.exp(np.log(table["ratio"]).abs())
    return {
        "case": case,
        "link": of.equations["y"].link,
        "quantities": len(table),
        "largest_z": round(float(z.max()), 2),
        "z_of": table["name"][z.idxmax()],
        "largest_sd_ratio": round(float(ratio.max()), 3),
        "ratio_of": table["name"][ratio.idxmax()],
        "hmc_usable": ours.diagnostics.usable,
        "hmc_least_ess": round(float(table["ess_one"].min())),
        "nuts_least_ess": round(float(table["ess_other"].min())),
        "hmc_seconds": round(between - started, 1),
        "nuts_seconds": round(ended - between, 1),
    }


def main(cases: list[str]) -> None:
    """Run what is not in the table yet."""
    done = set(pd.read_csv(STORE)["case"]) if STORE.exists() else set[str]()
    for case in cases:
        if case in done:
            continue
        row = agree(case)
        new = not STORE.exists()
        with STORE.open("a", newline="") as f:
            writer = csv.DictWriter(f, list(row), lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow(row)
        print(row, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or CASES)
