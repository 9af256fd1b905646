"""Whether the truths of data drawn from a model look like draws of its posterior.

Simulation-based calibration of the collapsed engine, on the models of `models.py`; and on models
fitted wrongly on purpose, which must be found out at the same size. Writes calibration.csv.

usage: python run.py [REPLICATIONS]
"""

import csv
import sys
import time
from pathlib import Path

import models
import numpy as np

HERE = Path(__file__).parent


def main(replications: int) -> None:
    """Calibrate every case and every control, one after the other."""
    out: list[dict[str, object]] = []
    print("| model | quantities | failed | p of the model | seconds | points, median |")
    print("| --- | --- | --- | --- | --- | --- |")
    for model in (*models.CASES, *models.CONTROLS):
        started = time.perf_counter()
        found = models.calibrate(model, replications)
        seconds = time.perf_counter() - started
        verdict = "uniform" if found.p_model >= models.LEVEL else "not uniform"
        out += [
            {
                "model": model,
                "name": name,
                "n": replications,
                "failed": found.failed,
                "p_uniform": f"{p:.3g}",
                "verdict": verdict,
            }
            for name, p in zip(found.names, found.p_values, strict=True)
        ]
        ess = np.median(found.ess)
        told = f"{len(found.names)} | {found.failed} | {found.p_model:.2g} ({verdict})"
        print(f"| {model} | {told} | {seconds:.1f} | {ess:.0f} |", flush=True)
    with (HERE / "calibration.csv").open("w", newline="") as f:
        writer = csv.DictWriter(f, list(out[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(out)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
