"""Simulation-based calibration of every shipped model, by `acmodels.calibrate`.

python run.py [REPLICATIONS] [MODEL ...]: truths from each model's priors, data on the units of its
design, and the ranks of the truths among posterior draws. One verdict a model (Bonferroni over its
quantities). Finished replicates are in runs/, so that a stopped run goes on; the tables are
ranks.csv, which the documentation shows, and, for each model, MODEL.csv.
"""

import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd

import acmodels as ac
from acmodels.load import shipped_models
from acmodels.progress import Reporter

HERE = Path(__file__).parent
TABLE = HERE / "ranks.csv"


def main(replications: int, names: list[str]) -> None:
    rows: list[dict[str, Any]] = []
    for name in names:
        progress = Reporter(quiet=False)
        started = time.perf_counter()
        found = ac.calibrate(
            ac.load_model(name),
            seed=1,
            replications=replications,
            out=HERE / "runs" / name,
            progress=progress,
        )
        progress.close()
        found.table.to_csv(HERE / f"{name}.csv", index=False, float_format="%.4g")
        rows.append(
            {
                "model": name,
                "n": int(found.table["n"].iloc[0]),
                "failed": int(found.table["failed"].iloc[0]),
                "quantities": len(found.table),
                "smallest_p": found.table["p_uniform"].min(),
                "p_model": found.p_model,
                "verdict": "uniform" if found.uniform else "not uniform",
                "seconds": round(time.perf_counter() - started, 1),
            }
        )
        print(rows[-1], flush=True)
    old = pd.read_csv(TABLE) if TABLE.exists() else pd.DataFrame(columns=list(rows[0]))
    kept = old.loc[~old["model"].isin(names) & old["model"].isin(shipped_models())]
    table = pd.concat([kept, pd.DataFrame(rows)]).sort_values("model")
    table.to_csv(TABLE, index=False, float_format="%.4g")


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    main(number, sys.argv[2:] or list(shipped_models()))
