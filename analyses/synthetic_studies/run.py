"""`acmodels test --scores` on synthetic studies: how long it takes, and the verdicts.

python run.py [STUDY ...]: verdicts.csv has the verdict on every proposition, with its study,
studies.csv a row for each study. rivals.csv compares rival accounts on the study of a whole world.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import acmodels as ac
from acmodels.theory.rivals import rivals, rivals_table

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "data" / "synthetic"
STUDIES = ("partnerships", "rpp_effectiveness", "panel", "two_departments")
STATUS = ("supported", "contradicted", "undecided", "unusable", "not_testable")


def main(names: Sequence[str]) -> None:
    """Assess studies."""
    studies: list[dict[str, Any]] = []
    verdicts: list[pd.DataFrame] = []
    for name in names:
        started = time.perf_counter()
        found = ac.assess(ac.load_study(DATA / name), scores=True)
        seconds = time.perf_counter() - started
        table = found.verdicts.copy()
        table.insert(0, "study", name)
        verdicts.append(table)
        counts = table["status"].value_counts()
        studies.append(
            {
                "study": name,
                "seconds": round(seconds, 1),
                "models": len(found.fits),
                **{s: int(counts.get(s, 0)) for s in STATUS},
                "expected_false": round(found.expected_false, 2),
            }
        )
        print(studies[-1], flush=True)
        pd.concat(verdicts).to_csv(HERE / "verdicts.csv", index=False, float_format="%.3g")
        pd.DataFrame(studies).to_csv(HERE / "studies.csv", index=False)
    if "rpp_effectiveness" not in names:
        return
    pairs = rivals_table(rivals(ac.load_study(DATA / "rpp_effectiveness")))
    pairs.to_csv(HERE / "rivals.csv", index=False, float_format="%.3g")


if __name__ == "__main__":
    main(sys.argv[1:] or STUDIES)
