"""How often each executable proposition is called what, when it is true, null, and contrary.

python run.py [REPLICATIONS] [MODEL ...]: each shipped model is fitted to studies of its design with
30, 60 and 120 districts, with the design's truth, with every effect at zero, and with the effects
on final outcomes reversed; each simulated study serves every proposition of its model. Finished
replicates are in runs/, so that a stopped run goes on; the table is the package's
`framework/verdicts.csv`.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import acmodels as ac
from acmodels.estimands import Context, evaluate
from acmodels.inference.rules import Drawn, chances, decide
from acmodels.load import shipped_models
from acmodels.progress import Reporter
from acmodels.replication import Cell, Job
from acmodels.replication.job import Outcome, Seen
from acmodels.replication.recovery import effect_names, in_folder
from acmodels.spec.design import Design, Size
from acmodels.spec.model import Model
from acmodels.spec.proposition import Proposition, inside
from acmodels.system.arrays import Array

HERE = Path(__file__).parent
TABLE = HERE.parents[1] / "src" / "acmodels" / "framework" / "verdicts.csv"
"""In the package, which shows these figures with each proposition."""
DISTRICTS = (30, 60, 120)
COLUMNS = ("truth_in_region", "supported", "contradicted", "negligible")


@dataclass(frozen=True)
class VerdictMeasure:
    """The verdict on each proposition of the model, as 0 and 1."""

    @property
    def columns(self) -> tuple[str, ...]:
        return COLUMNS

    def quantities(self, model: Model, context: Context) -> tuple[str, ...]:
        of = tuple(dict.fromkeys(p.estimand for p in model.propositions.values()))
        effect_names(model, of, context)
        return tuple(model.propositions)

    def measure(self, seen: Seen) -> Array:
        model = seen.model
        of = tuple(dict.fromkeys(p.estimand for p in model.propositions.values()))
        one = {k: v[0] for k, v in seen.responses.items()}
        at_truth = Context(
            seen.layout, one, lambda n: seen.truth[n][:1, None], model.estimands, model.source
        )
        rows = [(name, r.at) for name in of for r in evaluate(name, at_truth)]
        draws, truth = seen.effects(of)
        out = np.zeros((draws.shape[0], len(model.propositions), len(COLUMNS)))
        for k, p in enumerate(model.propositions.values()):
            out[:, k] = [
                _verdict(p, draws[r, :, rows.index((p.estimand, p.at or ""))],
                         truth[r, rows.index((p.estimand, p.at or ""))])
                for r in range(len(draws))
            ]  # fmt: skip
        return out


def _verdict(p: Proposition, x: Array, truth: float) -> list[float]:
    (claim,) = p.claims  # shipped models claim one thing at a time
    said = decide([chances(claim, Drawn(x))], p.probability)
    return [
        float(inside(claim, np.asarray(truth))),
        float(said.status == "supported"),
        float(said.how == "reversed"),
        float(said.how == "negligible"),
    ]


def truths(model: Model, design: Design) -> dict[str, Mapping[str, float]]:
    """The design's truth, one without effects, and one with effects on final outcomes reversed."""
    predictors = {v for e in model.equations.values() for v in e.formula.variables()}
    final = {r for r in model.equations if r not in predictors}
    null, contrary = dict(design.truth), dict(design.truth)
    for name, value in design.truth.items():
        if " ~ " in name and not name.startswith(("sd(", "cor(")) and not name.endswith(" ~ 1"):
            null[name] = 0.0
            if name.split(" ~ ")[0] in final:
                contrary[name] = -value
        if name.startswith("sd(") and name.endswith("| district:department)"):
            null[name] = contrary[name] = 0.0
    return {"true": design.truth, "no effect": null, "contrary": contrary}


def study(design: Design, districts: int, truth: Mapping[str, float]) -> Design:
    units = tuple(
        replace(u, size=Size(districts)) if u.name == "district" else u for u in design.units
    )
    return replace(design, units=units, truth=truth)


def counts(
    model: Model, at_truth: Mapping[str, float], outcome: Outcome, said: dict[str, Any]
) -> list[dict[str, Any]]:
    """A row for each proposition: how often it was called what, over the fits that can be used."""
    good = np.array([not why for why in outcome.reasons])
    shares = outcome.numbers[good].mean(axis=0)
    return [
        {
            "proposition": p.id,
            "model": model.name,
            **said,
            "n": int(good.sum()),
            "failed": int((~good).sum()),
            "effect": at_truth[f"{p.estimand} [{p.at}]" if p.at else p.estimand],
            **dict(zip(COLUMNS, shares[k], strict=True)),
            "undecided": 1 - shares[k, 1:].sum(),
        }
        for k, p in enumerate(model.propositions.values())
    ]


def main(replications: int, names: list[str]) -> None:
    rows: list[dict[str, Any]] = []
    for name in names:
        model = ac.load_model(name)
        design = replace(ac.load_design(name), model=model)
        states = [(s, d, t) for s, t in truths(model, design).items() for d in DISTRICTS]
        cells = tuple(Cell(study(design, d, t)) for _, d, t in states)
        progress = Reporter(quiet=False)
        job = Job("verdicts", cells, VerdictMeasure(), 1)
        result = in_folder(job, replications, 2, HERE / "runs" / name, progress)
        progress.close()
        for (state, districts, truth), outcome in zip(states, result.outcomes, strict=True):
            at_truth = ac.simulate(study(design, districts, truth)).effects
            rows += counts(model, at_truth, outcome, {"state": state, "districts": districts})
        print(name, f"{result.seconds:.0f} s", flush=True)
        if set(names) == set(shipped_models()):
            pd.DataFrame(rows).to_csv(TABLE, index=False, float_format="%.3g")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200, sys.argv[2:] or list(shipped_models()))
