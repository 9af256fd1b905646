"""Time fits of nested groupings with slopes by the exact engine: `python benchmarks/nests.py`.

Districts, departments within them and partners that cross both (540 rows, shipped). Seconds are
of the processor, one thread, so that other work on the machine matters less.
"""

import time
from collections.abc import Callable

import numpy as np

import acmodels as ac
from acmodels.data.table import Study
from acmodels.engines import Sampling
from acmodels.engines.collapsed import fitting, marginal, mixed
from acmodels.load import load_model
from acmodels.priors import resolve_priors
from acmodels.system import build_system

STUDY = "data/synthetic/partnerships"
SLOPE = "within(prior_knowledge, district)"
COVARIATES = (
    f"{SLOPE} + between(prior_knowledge, district) + within(communication, district) + "
    "between(communication, district) + leadership + resources + guidance + flexibility + "
    "similar_norms"
)
GROUPS = {
    "intercepts": "(1 | partner) + (1 | district) + (1 | department)",
    "slope of districts": f"(1 | partner) + (1 + {SLOPE} || district) + (1 | department)",
    "slope of partners": f"(1 + {SLOPE} || partner) + (1 | district) + (1 | department)",
    "slopes of both": f"(1 + {SLOPE} || partner) + (1 + {SLOPE} || district) + (1 | department)",
}
REPEATS = 5
POINTS = 256
DATA_SETS = 8


def seconds(run: Callable[[], object]) -> float:
    """Return the least processor seconds of a few runs."""
    best = np.inf
    for _ in range(REPEATS):
        started = time.thread_time()
        run()
        best = min(best, time.thread_time() - started)
    return float(best)


def row(study: Study, name: str) -> str:
    """Return a table row for one model."""
    formula = f"collective_knowledge ~ {COVARIATES} + {GROUPS[name]}"
    model = load_model({"name": "t", "equations": {"collective_knowledge": {"formula": formula}}})
    system = build_system(model, study)
    priors = resolve_priors(model.priors, system.layout, system.responses)
    made = fitting.prepare(system.layout, priors, system.responses)
    (region,) = made.regions
    h = region.hyper
    stack = {k: v[None] for k, v in system.responses.items()}
    problem = marginal.Problem(h, mixed.moments(h.component, system.layout, priors, stack))
    away = 0.3 * np.random.default_rng(0).standard_normal((1, POINTS, h.size))
    x, one = np.abs(region.start + away), np.zeros(1, dtype=np.int64)
    point = seconds(lambda: marginal.density(problem, x, one, bare=True)) / POINTS
    prepare = seconds(lambda: fitting.prepare(system.layout, priors, system.responses))
    sampling = Sampling(chains=4, draws=1000, tune=1000, cores=1)
    sample = seconds(lambda: made.sample(system.responses, 1, sampling))
    many = {k: np.repeat(v[None], DATA_SETS, 0) for k, v in system.responses.items()}
    batch = seconds(lambda: made.batch(many, range(DATA_SETS), 500)) / DATA_SETS
    (part,) = made.sample(system.responses, 1, sampling).parts
    times = f"{point * 1e6:.1f} | {prepare:.3f} | {sample:.3f} | {batch:.3f}"
    return f"| {name} | {times} | {part.ess or 0:.0f} |"


def main() -> None:
    """Print a table row for each model."""
    study = ac.load_study(STUDY)
    print("| groups | a point, us | prepare, s | sample, s | a refit of a batch, s | ESS |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in GROUPS:
        print(row(study, name), flush=True)


if __name__ == "__main__":
    main()
