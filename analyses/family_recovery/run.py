"""Coverage of an indirect effect by the family of the outcome, by `acmodels.recover`.

python run.py [REPLICATIONS]: 90 % intervals of a * b in 20 districts of 6, mediator gaussian,
outcome of each family in turn, by NUTS. Resumes where it stopped; the table is coverage.csv.
"""

import sys
from pathlib import Path
from typing import Any

import pandas as pd

import acmodels as ac
from acmodels.progress import Reporter

HERE = Path(__file__).parent
RUNS = HERE / "runs"  # not committed: what has been fitted so far

OUTCOMES: dict[str, tuple[dict[str, str], dict[str, float]]] = {
    "student": ({"family": "student"}, {"nu(y)": 5.0, "sigma(y)": 1.0}),
    "bernoulli, logit": ({"family": "bernoulli"}, {}),
    "bernoulli, probit": ({"family": "bernoulli", "link": "probit"}, {}),
    "binomial": ({"family": "binomial", "trials": "trials"}, {}),
    "ordinal, logit": ({"family": "ordinal"}, {f"y | t{k}": k - 2.5 for k in range(1, 5)}),
    "ordinal, probit": (
        {"family": "ordinal", "link": "probit"},
        {f"y | t{k}": 0.7 * (k - 2.5) for k in range(1, 5)},
    ),
    "poisson": ({"family": "poisson"}, {"y ~ 1": 1.0}),
    "negative_binomial": ({"family": "negative_binomial"}, {"y ~ 1": 1.0, "phi(y)": 3.0}),
    "beta": ({"family": "beta"}, {"phi(y)": 8.0}),
}


def design(outcome: dict[str, str], truth: dict[str, float]) -> Any:
    """The design, its model written out."""
    model = {
        "name": "family",
        "equations": {
            "m": {"formula": "m ~ x + (1 | district)"},
            "y": {"formula": "y ~ m + x + (1 | district)", **outcome},
        },
        "priors": {
            "* ~ *": {"dist": "Normal", "mu": 0, "sigma": 1.5},
            "sd(*)": {"dist": "HalfNormal", "sigma": 1},
        },
        "estimands": {"indirect": {"kind": "indirect", "from": "x", "to": "y"}},
    }
    exogenous = {"trials": {"dist": "Gamma", "alpha": 40, "beta": 5}} if "trials" in outcome else {}
    d = ac.load_design(
        {
            "model": "interaction_mediation",  # replaced below
            "replications": 200,
            "units": {"district": 20, "row": {"per": "district", "n": 6}},
            "truth": {
                "m ~ x": 0.5,
                "y ~ m": 0.4,
                "y ~ x": 0.2,
                "sigma(m)": 1.0,
                "sd(m ~ 1 | district)": 0.5,
                "sd(y ~ 1 | district)": 0.5,
                **truth,
            },
            "exogenous": exogenous,
        }
    )
    from dataclasses import replace

    return replace(d, model=ac.load_model(model))


def main(replications: int) -> None:
    rows: list[dict[str, Any]] = []
    for name, (outcome, truth) in OUTCOMES.items():
        progress = Reporter(quiet=False)
        found = ac.recover(
            design(outcome, truth),
            seed=1,
            replications=replications,
            engine="nuts",
            draws=1000,
            chains=2,
            prob=0.9,
            workers=2,
            out=RUNS / name.replace(", ", "_"),
            progress=progress,
        )
        progress.close()
        row = found.table.set_index("name").loc["indirect"]
        rows.append({"outcome": name, **row.to_dict()})
        pd.DataFrame(rows).to_csv(HERE / "coverage.csv", index=False, float_format="%.4g")
        print(name, row.to_dict(), flush=True)


if __name__ == "__main__":
    most = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for part in (most // 4, most // 2, most):  # so that a run that is stopped has all families
        main(part)
