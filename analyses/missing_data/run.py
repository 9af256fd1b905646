"""Coverage of an indirect effect with 30 % of mediator and predictor missing at random.

Whether a value is missing depends on the outcome, which is always observed. Each data set is
fitted three times: whole, with missing values modeled (NUTS, compiled once), and on complete rows.
Finished replicates are kept in replicates.csv, so that the run can be stopped and goes on where it
was.

usage: python run.py [REPLICATES]
"""

import csv
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np
import pandas as pd

import acmodels as ac
from acmodels.engines import Sampling
from acmodels.engines.nuts.sampling import PreparedNuts, prepare
from acmodels.estimands import Context, evaluate
from acmodels.posterior import summarize
from acmodels.priors import resolve_priors
from acmodels.rng import child_seed, stream
from acmodels.spec.model import Model
from acmodels.system import build_system

HERE = Path(__file__).parent
STORE = HERE / "replicates.csv"
SEED = 20261125
DISTRICTS, EACH = 60, 5
SHARE = 0.3
PROB = 0.9
STEEP = 1.0
"""How much likelier by one sd of the outcome, on the log scale, a value is drawn as missing."""
TRUTH = {
    "m ~ x": 0.4, "m ~ z": 0.3, "y ~ m": 0.4, "y ~ x": 0.2, "sigma(y)": 1.0, "sigma(m)": 1.0,
    "indirect": 0.16, "direct": 0.2,
}  # fmt: skip


def whole(k: int) -> pd.DataFrame:
    """A data set without missing values."""
    rng = stream(SEED, "data", k)
    code = np.repeat(np.arange(DISTRICTS), EACH)
    n = len(code)
    z = rng.standard_normal(n)
    x = 0.4 * z + 0.4 * rng.standard_normal(DISTRICTS)[code] + 0.8 * rng.standard_normal(n)
    m = 0.4 * x + 0.3 * z + 0.4 * rng.standard_normal(DISTRICTS)[code] + rng.standard_normal(n)
    y = 0.4 * m + 0.2 * x + 0.4 * rng.standard_normal(DISTRICTS)[code] + rng.standard_normal(n)
    district = [f"d{c}" for c in code]
    return pd.DataFrame({"district": district, "z": z, "x": x, "m": m, "y": y})


def thinned(data: pd.DataFrame, k: int) -> pd.DataFrame:
    """The same with a fixed share of `x` and of `m` missing, likelier where `y` is large."""
    rng = stream(SEED, "missing", k)
    y = (data["y"] - data["y"].mean()) / data["y"].std()
    weight = np.exp(STEEP * y)
    out = data.copy()
    for column in ("x", "m"):
        lost = rng.choice(len(y), round(SHARE * len(y)), replace=False, p=weight / weight.sum())
        out.loc[lost, column] = np.nan
    return out


def rows(k: int, how: str, draws: Mapping[str, np.ndarray]) -> Iterator[dict[str, object]]:
    """What is kept of a fit."""
    table = summarize(np.stack([draws[n] for n in TRUTH], axis=2), "eti", PROB)
    for j, name in enumerate(TRUTH):
        yield {
            "replicate": k,
            "how": how,
            "name": name,
            "mean": f"{table['mean'][j]:.6g}",
            "lower": f"{table['lower'][j]:.6g}",
            "upper": f"{table['upper'][j]:.6g}",
            "r_hat": f"{table['r_hat'][j]:.4f}" if how == "modelled" else "",
        }


def fitted(model: Model, data: pd.DataFrame, k: int) -> dict[str, np.ndarray]:
    """Draws of a fit by the collapsed engine."""
    fit = ac.fit(model, data, seed=child_seed(SEED, "collapsed", k), engine="collapsed")
    draws = {n: fit.draws[n] for n in fit.draws.names}
    return draws | {r.name: r.draws for r in fit.effects.rows}


class Modelled:
    """Fits with missing values modeled, by one compilation."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.prepared: PreparedNuts | None = None

    def __call__(self, data: pd.DataFrame, k: int) -> dict[str, np.ndarray]:
        system = build_system(self.model, ac.study(data))
        layout, responses = system.sampled.layout, system.sampled.responses
        priors = resolve_priors(self.model.priors, layout, responses)
        if self.prepared is None:
            self.prepared = prepare(layout, priors, responses)
        prepared = self.prepared.shaped(layout, priors)
        sampling = Sampling(draws=500, tune=500, chains=4)
        posterior = prepared.sample(responses, child_seed(SEED, "nuts", k), sampling)
        context = Context(
            system.layout, system.responses, posterior.__getitem__, self.model.estimands, "model"
        )  # the estimands are products of coefficients: no row's values enter them
        draws = {n: posterior[n] for n in posterior.names}
        return draws | {n: evaluate(n, context)[0].draws for n in self.model.estimands}


def replicates(number: int, start: int) -> Iterator[list[dict[str, object]]]:
    """Replicate after replicate."""
    model = ac.load_model(HERE / "model.toml")
    dropping = replace(model, missing="drop")
    modelled = Modelled(model)
    for k in range(start, number):
        data = whole(k)
        less = thinned(data, k)
        yield [
            *rows(k, "whole", fitted(model, data, k)),
            *rows(k, "modelled", modelled(less, k)),
            *rows(k, "complete rows", fitted(dropping, less, k)),
        ]


def done() -> list[dict[str, str]]:
    """Rows of finished replicates."""
    if not STORE.exists():
        return []
    with STORE.open() as f:
        return list(csv.DictReader(f))


def summary() -> list[dict[str, object]]:
    """Bias and coverage, with their Monte Carlo errors."""
    found = done()
    out: list[dict[str, object]] = []
    for how in ("whole", "modelled", "complete rows"):
        for name, truth in TRUTH.items():
            mine = [r for r in found if r["how"] == how and r["name"] == name]
            error = np.array([float(r["mean"]) - truth for r in mine])
            inside = np.array([float(r["lower"]) <= truth <= float(r["upper"]) for r in mine])
            width = np.array([float(r["upper"]) - float(r["lower"]) for r in mine])
            n, p = len(mine), float(inside.mean())
            out.append(
                {
                    "how": how,
                    "name": name,
                    "truth": truth,
                    "n": n,
                    "bias": f"{error.mean():.4f}",
                    "bias_mcse": f"{error.std(ddof=1) / sqrt(n):.4f}",
                    "rmse": f"{sqrt(float(np.mean(error**2))):.4f}",
                    "coverage": f"{p:.3f}",
                    "coverage_mcse": f"{sqrt(max(p * (1 - p), 1 / n / 4) / n):.3f}",
                    "mean_width": f"{width.mean():.3f}",
                }
            )
    return out


def write(path: Path, table: list[dict[str, object]], mode: str = "w") -> None:
    """Write or append rows."""
    fresh = mode == "w" or not path.exists()
    with path.open(mode, newline="") as f:
        writer = csv.DictWriter(f, list(table[0]), lineterminator="\n")
        if fresh:
            writer.writeheader()
        writer.writerows(table)


def main() -> None:
    """Go on to the number of replicates asked for, and summarize."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    start = len({r["replicate"] for r in done()})
    for table in replicates(number, start):
        write(STORE, table, "a")
        print(f"replicate {table[0]['replicate']} of {number}", flush=True)
    write(HERE / "coverage.csv", summary())


if __name__ == "__main__":
    main()
