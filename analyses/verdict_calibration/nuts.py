"""How often a proposition is called what where only NUTS applies: an ordered and a binary outcome.

python nuts.py [REPLICATIONS]: the five propositions of `capacity_conditions`, with collective
knowledge in four ordered categories, and as yes or no, in 60 districts of six partnerships; as in
run.py under a truth, with every effect at zero, and with the effects reversed. Finished replicates
are in runs/, so that a stopped run goes on; the table is nuts.csv.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from run import VerdictMeasure, counts, truths

import acmodels as ac
from acmodels.progress import Reporter
from acmodels.replication import Cell, Job
from acmodels.replication.recovery import in_folder
from acmodels.spec.design import Design
from acmodels.spec.model import Model

HERE = Path(__file__).parent
SCALE = 1.8138 / 0.8
"""The logistic distribution's sd by the residual sd of the design that is fitted as gaussian."""
CONDITIONS = {"prior_knowledge": 0.4, "communication": 0.25, "leadership": 0.2, "resources": 0.1}
PROPOSITIONS = dict(zip(("P01", "P05", "P10", "P13"), CONDITIONS, strict=True))
CUTS = {f"y | t{k}": v for k, v in enumerate((-2.0, 0.0, 2.0), start=1)}
FAMILIES = {"ordinal": CUTS, "bernoulli": {"y ~ 1": 0.0}}


def model(family: str) -> Model:
    """One equation, one grouping; regions and ropes of the shipped model, on the latent scale."""
    rope = [-0.05 * SCALE, 0.05 * SCALE]
    sign: dict[str, Any] = {"region": {"above": 0.0}, "rope": rope}
    thresholds = {"y | *": {"dist": "Normal", "mu": 0, "sigma": 3}}
    return ac.load_model(
        {
            "name": f"capacity_conditions, {family}",
            "equations": {
                "y": {"formula": f"y ~ {' + '.join(CONDITIONS)} + (1 | district)", "family": family}
            },
            "priors": {
                "* ~ *": {"dist": "Normal", "mu": 0, "sigma": SCALE},
                "sd(*)": {"dist": "HalfNormal", "sigma": SCALE},
                **(thresholds if family == "ordinal" else {}),
            },
            "estimands": {
                **{c: {"kind": "coefficient", "parameter": f"y ~ {c}"} for c in CONDITIONS},
                "importance": {"kind": "rank", "of": list(CONDITIONS)},
            },
            "propositions": {
                **{p: {"estimand": c} | sign for p, c in PROPOSITIONS.items()},
                "P65": {
                    "estimand": "importance",
                    "at": "of=prior_knowledge",
                    "region": {"below": 1.5},
                },
            },
        }
    )


def design(family: str) -> Design:
    """Effects as large, in residual sds, as those of the shipped design."""
    made = ac.load_design(
        {
            "model": "capacity_conditions",  # replaced below
            "units": {"district": 60, "partnership": {"per": "district", "n": 6}},
            "truth": {
                **{f"y ~ {c}": b * SCALE for c, b in CONDITIONS.items()},
                "sd(y ~ 1 | district)": 0.4 * SCALE,
                **FAMILIES[family],
            },
            "exogenous": {c: {"level": "district"} for c in ("leadership", "resources")},
        }
    )
    return replace(made, model=model(family))


def main(replications: int) -> None:
    """Each family, its three states one after another."""
    rows: list[dict[str, Any]] = []
    for family in FAMILIES:
        whole = design(family)
        states = truths(model(family), whole)
        cells = tuple(Cell(replace(whole, truth=t)) for t in states.values())
        progress = Reporter(quiet=False)
        job = Job("verdicts", cells, VerdictMeasure(), 1, engine="nuts", draws=1000)
        result = in_folder(job, replications, 2, HERE / "runs" / family, progress)
        progress.close()
        for state, cell, outcome in zip(states, cells, result.outcomes, strict=True):
            at_truth = ac.simulate(cell.design).effects
            rows += counts(model(family), at_truth, outcome, {"state": state, "districts": 60})
        print(family, f"{result.seconds:.0f} s", flush=True)
    pd.DataFrame(rows).to_csv(HERE / "nuts.csv", index=False, float_format="%.3g")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
