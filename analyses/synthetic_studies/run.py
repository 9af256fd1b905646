"""`acmodels test` on every synthetic study: time, verdicts, and agreement with the truth.

python run.py: each study in data/synthetic is assessed as `acmodels test` does it; verdicts.csv has
every verdict that could be reached, with the true value where the study's truth.json names that
estimand, and studies.csv a row for each study. rivals.csv compares rival accounts on the study of
a whole world.
"""

import json
import time
from pathlib import Path
from typing import Any

import pandas as pd

import acmodels as ac
from acmodels.theory.assessment import Assessment
from acmodels.theory.rivals import rivals, rivals_table

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "data" / "synthetic"
STUDIES = ("partnerships", "rpp_effectiveness", "panel", "two_departments")


def agreement(row: dict[str, Any], truth: float, found: Assessment) -> str:
    """Whether a verdict is right about a true value."""
    p = found.fits[row["model"]].spec.propositions[row["proposition"]]
    if row["status"] == "undecided":
        return "undecided"
    inside = p.lower < truth < p.upper
    if p.rope is not None and p.rope[0] <= truth <= p.rope[1]:
        inside = False
    return "right" if inside == (row["status"] == "supported") else "wrong"


def main() -> None:
    """All studies."""
    studies: list[dict[str, Any]] = []
    verdicts: list[pd.DataFrame] = []
    for name in STUDIES:
        started = time.perf_counter()
        study = ac.load_study(DATA / name)
        found = ac.assess(study)
        seconds = time.perf_counter() - started
        truth = json.loads((DATA / name / "truth.json").read_text(encoding="utf-8"))
        table = found.verdicts.loc[found.verdicts["status"] != "not_testable"].copy()
        known = [truth.get(e, float("nan")) for e in table["estimand"]]
        table.insert(0, "study", name)
        table["truth"] = known
        table["agreement"] = [
            agreement(row, t, found) if t == t else ""  # noqa: PLR0124
            for row, t in zip(table.to_dict("records"), known, strict=True)
        ]
        verdicts.append(table.drop(columns=["reason"]))
        counts = table["status"].value_counts()
        said = table["agreement"].value_counts()
        studies.append(
            {
                "study": name,
                "seconds": round(seconds, 1),
                "propositions": table["proposition"].nunique(),
                **{s: int(counts.get(s, 0)) for s in ("supported", "contradicted", "undecided")},
                **{a: int(said.get(a, 0)) for a in ("right", "wrong")},
                "expected_false": round(found.expected_false, 2),
            }
        )
        print(studies[-1], flush=True)
    pd.concat(verdicts).to_csv(HERE / "verdicts.csv", index=False, float_format="%.3g")
    pd.DataFrame(studies).to_csv(HERE / "studies.csv", index=False)
    pairs = rivals_table(rivals(ac.load_study(DATA / "rpp_effectiveness")))
    pairs.to_csv(HERE / "rivals.csv", index=False, float_format="%.3g")


if __name__ == "__main__":
    main()
