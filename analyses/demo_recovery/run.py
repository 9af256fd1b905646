"""How often the demonstration's true values lie in their 95 % intervals.

One layout (units and predictors) of the demonstration's design; responses are drawn anew for
each replicate and refitted by NUTS, compiled once. Finished replicates are kept in
replicates.csv, so that the run can be stopped and goes on where it was.

usage: python run.py [REPLICATES]
"""

import csv
import sys
from collections.abc import Iterator
from math import sqrt
from pathlib import Path

import numpy as np

import acmodels as ac
from acmodels.engines import Sampling, engine
from acmodels.estimands import Context, evaluate
from acmodels.generate import generate
from acmodels.posterior import summarize
from acmodels.priors import resolve_priors
from acmodels.rng import child_seed, stream
from acmodels.system import build_layout

HERE = Path(__file__).parent
STORE = HERE / "replicates.csv"
SEED = 20261122


def done() -> list[dict[str, str]]:
    """Rows of finished replicates."""
    if not STORE.exists():
        return []
    with STORE.open() as f:
        return list(csv.DictReader(f))


def replicates(number: int, start: int) -> Iterator[tuple[int, list[dict[str, object]]]]:
    """Refit replicate after replicate."""
    design = ac.load_design("interaction_mediation")
    model = design.model
    made = ac.simulate(design, seed=SEED)
    layout = build_layout(model, made.study)
    truth = made.truth
    first = generate(layout, truth, stream(SEED, "replicate", 0)).responses
    priors = resolve_priors(model.priors, layout, first, model.source)
    prepared = engine("nuts").prepare(layout, priors, first)
    for k in range(start, number):
        responses = generate(layout, truth, stream(SEED, "replicate", k)).responses
        sampling = Sampling(draws=500, tune=500, chains=4)
        posterior = prepared.sample(responses, child_seed(SEED, "fit", k), sampling)
        context = Context(layout, responses, posterior.__getitem__, model.estimands, model.source)
        draws = {n: posterior[n] for n in posterior.names}
        draws |= {n: evaluate(n, context)[0].draws for n in model.estimands}
        true = {**truth, **made.effects}
        table = summarize(np.stack(list(draws.values()), axis=2))
        yield (
            k,
            [
                {
                    "replicate": k,
                    "name": name,
                    "truth": f"{true[name]:.6g}",
                    "mean": f"{table['mean'][j]:.6g}",
                    "lower": f"{table['lower'][j]:.6g}",
                    "upper": f"{table['upper'][j]:.6g}",
                    "r_hat": f"{table['r_hat'][j]:.4f}",
                }
                for j, name in enumerate(draws)
            ],
        )


def summary() -> list[dict[str, object]]:
    """Bias and coverage by parameter and estimand."""
    rows = done()
    out: list[dict[str, object]] = []
    for name in dict.fromkeys(r["name"] for r in rows):
        mine = [r for r in rows if r["name"] == name]
        inside = [float(r["lower"]) <= float(r["truth"]) <= float(r["upper"]) for r in mine]
        error = np.array([float(r["mean"]) - float(r["truth"]) for r in mine])
        out.append(
            {
                "name": name,
                "truth": mine[0]["truth"],
                "n": len(mine),
                "bias": f"{error.mean():.4f}",
                "bias_mcse": f"{error.std(ddof=1) / sqrt(len(mine)):.4f}",
                "rmse": f"{np.sqrt(np.mean(error**2)):.4f}",
                "coverage": f"{np.mean(inside):.3f}",
                "coverage_mcse": f"{sqrt(0.95 * 0.05 / len(mine)):.3f}",
            }
        )
    return out


def main(number: int) -> None:
    """Run what is missing, then write recovery.csv."""
    start = 1 + max((int(r["replicate"]) for r in done()), default=-1)
    for k, rows in replicates(number, start) if start < number else []:
        fresh = not STORE.exists()
        with STORE.open("a", newline="") as f:
            writer = csv.DictWriter(f, list(rows[0]))
            if fresh:
                writer.writeheader()
            writer.writerows(rows)
        print(f"replicate {k + 1} of {number}", flush=True)
    table = summary()
    with (HERE / "recovery.csv").open("w", newline="") as f:
        writer = csv.DictWriter(f, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)
    coverage = np.mean([float(r["coverage"]) for r in table])
    n = int(table[0]["n"])
    print(f"{len(table)} quantities, {n} replicates: mean coverage {coverage:.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
