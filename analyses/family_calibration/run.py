"""Simulation-based calibration of models that only NUTS fits, and of one with a wrong link.

python run.py [REPLICATIONS]: an ordered and a binary outcome in groups; truths from the priors,
data from the truths, ranks of the truths among draws of NUTS. The control draws data by the logit
link and fits them by the probit link with the same priors; its ranks must not be uniform. Finished
replicates of the two models are in runs/, so that a stopped run goes on; the table is
calibration.csv.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import acmodels as ac
from acmodels.engines import Sampling, engine
from acmodels.generate import generate_stack
from acmodels.priors import resolve_priors
from acmodels.progress import Reporter
from acmodels.replication.calibration import LEVEL, MOST
from acmodels.replication.truths import truths
from acmodels.rng import child_seed, stream
from acmodels.spec.design import Design
from acmodels.spec.model import Model
from acmodels.system import build_layout

HERE = Path(__file__).parent
SEED = 20261125
PRIORS = {
    "* ~ *": {"dist": "Normal", "mu": 0, "sigma": 1},
    "sd(*)": {"dist": "HalfNormal", "sigma": 1},
}
THRESHOLDS = {"* | *": {"dist": "Normal", "mu": 0, "sigma": 1.5}}


def model(family: str, link: str = "logit", more: dict[str, Any] | None = None) -> Model:
    """One predictor and one grouping."""
    equation = {"formula": "y ~ x + (1 | g)", "family": family, "link": link}
    return ac.load_model(
        {"name": family, "equations": {"y": equation}, "priors": PRIORS | (more or {})}
    )


def design(of: Model) -> Design:
    """120 rows in 20 groups, the predictor standard normal; the model named is replaced."""
    units = {"g": 20, "row": {"per": "g", "n": 6}}
    return replace(ac.load_design({"model": "knowledge_fit", "units": units}), model=of)


def wrong_link(replications: int, *, seed: int = SEED) -> np.ndarray:
    """Ranks of truths, (replications, names), where a logit model's data get a probit fit."""
    right, wrong = model("bernoulli"), model("bernoulli", "probit")
    rng = stream(seed, "design")
    g = np.repeat([f"g{i}" for i in range(20)], 6)
    study = ac.study(pd.DataFrame({"g": g, "x": rng.standard_normal(120)}))
    made = build_layout(right, study)
    priors = resolve_priors(right.priors, made, None)
    fitted = build_layout(wrong, study)
    first = generate_stack(made, truths(made, priors, [rng]), [rng]).responses
    nuts = engine("nuts").prepare(
        fitted, resolve_priors(wrong.priors, fitted, None), {k: v[0] for k, v in first.items()}
    )
    ranks: list[list[float]] = []
    for r in range(replications):
        one = stream(seed, "data", r)
        truth = truths(made, priors, [one])
        data = {k: v[0] for k, v in generate_stack(made, truth, [one]).responses.items()}
        found = nuts.sample(data, child_seed(seed, "fit", r), Sampling(500, 500, 4, 2))
        values = found.values.reshape(-1, len(found.names))
        kept = values[np.linspace(0, len(values) - 1, MOST).astype(int)]
        below = np.sum(kept < [truth[n][0] for n in found.names], axis=0)
        ranks.append(list((below + one.random(len(found.names))) / (MOST + 1)))
    return np.array(ranks)


def p_of(ranks: np.ndarray) -> float:
    """One verdict: the smallest p value times the number of quantities."""
    from arviz_stats.base.array import array_stats

    p = np.asarray(array_stats.uniformity_test(ranks.T)[0])
    return float(min(1.0, p.min() * len(p)))


def main(replications: int) -> None:
    """Both models, then the control."""
    rows: list[dict[str, Any]] = []
    for family, more in (("ordinal", THRESHOLDS), ("bernoulli", {})):
        progress = Reporter(quiet=False)
        started = time.perf_counter()
        found = ac.calibrate(
            design(model(family, more=more)), seed=SEED, replications=replications,
            out=HERE / "runs" / family, progress=progress,
        )  # fmt: skip
        progress.close()
        rows.append(
            {
                "model": family,
                "n": replications,
                "failed": int(found.table["failed"].iloc[0]),
                "quantities": len(found.table),
                "p_model": found.p_model,
                "verdict": "uniform" if found.uniform else "not uniform",
                "seconds": round(time.perf_counter() - started),
            }
        )
        print(rows[-1], flush=True)
    started = time.perf_counter()
    ranks = wrong_link(replications)
    p = p_of(ranks)
    rows.append(
        {
            "model": "bernoulli by logit, fitted by probit",
            "n": replications,
            "failed": 0,
            "quantities": ranks.shape[1],
            "p_model": p,
            "verdict": "uniform" if p >= LEVEL else "not uniform",
            "seconds": round(time.perf_counter() - started),
        }
    )
    print(rows[-1], flush=True)
    pd.DataFrame(rows).to_csv(HERE / "calibration.csv", index=False, float_format="%.3g")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
