"""The same for a model that only NUTS fits: `knowledge_fit` with an ordered outcome.

python ordinal.py [REPLICATIONS]: studies of 60 districts, by the truth, with no effect, and with
the effects reversed; the table is ordinal.csv. Only districts vary: with departments and partners
too, two thirds of such short chains mix too slowly to be used. Finished replicates are in runs/.
"""

import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from run import COLUMNS, HERE, VerdictMeasure, study, truths

import acmodels as ac
from acmodels.load import models_folder
from acmodels.progress import Reporter
from acmodels.recovery import in_folder
from acmodels.runs import Cell, Job
from acmodels.spec.design import Design
from acmodels.spec.model import Model

DISTRICTS = 60


def ordered() -> tuple[Model, Design]:
    """The shipped model with five ordered categories, and its design."""
    text = (models_folder() / "knowledge_fit.toml").read_text(encoding="utf-8")
    table: dict[str, Any] = tomllib.loads(text)
    uptake = table["equations"]["uptake"]
    uptake["family"] = "ordinal"
    uptake["formula"] = f"{uptake['formula'].split(' + (')[0]} + (1 | district)"
    del table["priors"]["sigma(*)"]
    model = ac.load_model(table)
    design = ac.load_design("knowledge_fit")
    truth = {k: v for k, v in design.truth.items() if not k.startswith("sigma(")}
    cuts = {f"uptake | t{k + 1}": float(c) for k, c in enumerate((-0.5, 0.8, 1.8, 3.0))}
    return model, replace(design, model=model, truth=truth | cuts)


def main(replications: int) -> None:
    """All three states."""
    model, design = ordered()
    states = truths(model, design)
    cells = tuple(Cell(study(design, DISTRICTS, t)) for t in states.values())
    progress = Reporter(quiet=False)
    job = Job("verdicts", cells, VerdictMeasure(), 1)
    result = in_folder(job, replications, 2, Path(HERE) / "runs" / "ordinal", progress)
    progress.close()
    rows: list[dict[str, Any]] = []
    for state, outcome in zip(states, result.outcomes, strict=True):
        good = np.array([not why for why in outcome.reasons])
        shares = outcome.numbers[good].mean(axis=0)
        rows += [
            {
                "proposition": p,
                "state": state,
                "districts": DISTRICTS,
                "n": int(good.sum()),
                "failed": int((~good).sum()),
                **dict(zip(COLUMNS, shares[k], strict=True)),
            }
            for k, p in enumerate(model.propositions)
        ]
    pd.DataFrame(rows).to_csv(Path(HERE) / "ordinal.csv", index=False, float_format="%.3g")
    print(pd.DataFrame(rows).to_string(), f"{result.seconds:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
