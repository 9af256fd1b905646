"""A model that only NUTS fits: refits in the loop, beside rebuilding the model for each.

usage: loop.py [REFITS]
"""

import json
import sys
import time
from dataclasses import replace

import acmodels as ac

DESIGN = {
    "model": "interaction_mediation",
    "units": {"district": 30, "row": {"per": "district", "n": 8}},
    "truth": {"y ~ x": 0.5},
}
MODEL = {
    "name": "ordinal",
    "equations": {"y": {"formula": "y ~ x + (1 | district)", "family": "ordinal"}},
    "estimands": {"x": {"kind": "coefficient", "parameter": "y ~ x"}},
}


def main(refits: int) -> None:
    design = replace(ac.load_design(DESIGN), model=ac.load_model(MODEL))
    started = time.perf_counter()
    ac.recover(design, replications=1, workers=1)
    first = time.perf_counter() - started
    started = time.perf_counter()
    ac.recover(design, replications=refits, seed=2, workers=1)
    loop = (time.perf_counter() - started) / refits
    apart: list[float] = []
    for k in range(2):
        study = ac.simulate(design, seed=3, replicate=k).study
        started = time.perf_counter()
        ac.fit(design.model, study, draws=500, cores=1)
        apart.append(time.perf_counter() - started)
    print(
        json.dumps(
            {
                "first": round(first, 1),
                "refit_in_loop": round(loop, 2),
                "rebuilt": [round(a, 1) for a in apart],
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
