"""How the hand-written models' rules behave on simulated studies: error rates, sizes needed.

The figures are in two tables beside this module, written by the runs under `analyses/`:
`verdicts.csv` (each proposition by the truth of its model's design, with every effect at zero and
with the effects on final outcomes reversed, at three numbers of districts) and `ranks.csv`
(simulation-based calibration of each model).
"""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from statistics import NormalDist

TARGET = 0.8
"""The chance of being called supported, where true, that a study is sized for."""


@dataclass(frozen=True)
class Rates:
    """How often a proposition's test says what.

    Attributes:
        proposition: its id.
        model: that tests it.
        effect: the true value at which it was tried.
        districts: numbers of districts tried, rising.
        studies: simulated at each.
        supported: shares supported where it is true, by number of districts.
        false_support: the largest share supported where it is not true.
        false_contradiction: the largest share contradicted where it is true.
    """

    proposition: str
    model: str
    effect: float
    districts: tuple[int, ...]
    studies: int
    supported: tuple[float, ...]
    false_support: float
    false_contradiction: float


def smallest(r: Rates) -> tuple[str, int] | None:
    """Districts at which a proposition is supported with 80 % chance where it is true.

    Between two sizes tried, the share is taken as a normal probability that is straight in the root
    of the number, as the power of an estimate with a standard error is.

    Returns:
        Whether it is `at most`, `about` or `more than` so many, and the number; None where it was
        not tried where it is true.
    """
    if not r.supported:
        return None
    if r.supported[0] >= TARGET:
        return "at most", r.districts[0]
    for (a, b), (p, q) in zip(pairwise(r.districts), pairwise(r.supported), strict=True):
        if p < TARGET <= q:
            z = [NormalDist().inv_cdf(min(max(v, 0.002), 0.998)) for v in (p, TARGET, q)]
            t = (z[1] - z[0]) / (z[2] - z[0])
            return "about", math.ceil((math.sqrt(a) + t * (math.sqrt(b) - math.sqrt(a))) ** 2)
    return "more than", r.districts[-1]


@dataclass(frozen=True)
class Ranks:
    """Simulation-based calibration of a model: `p` is the one verdict over its quantities."""

    model: str
    studies: int
    failed: int
    p: float


@cache
def rates() -> Mapping[tuple[str, str], Rates]:
    """Error rates by proposition and model."""
    rows: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in _rows("verdicts.csv"):
        rows.setdefault((row["proposition"], row["model"]), []).append(row)
    return {k: _rates(*k, v) for k, v in rows.items()}


@cache
def ranks() -> Mapping[str, Ranks]:
    """Calibration by model."""
    return {
        r["model"]: Ranks(r["model"], int(r["n"]), int(r["failed"]), float(r["p_model"]))
        for r in _rows("ranks.csv")
    }


def _rates(proposition: str, model: str, rows: list[dict[str, str]]) -> Rates:
    wrong, denied = [0.0], [0.0]
    supported: dict[int, float] = {}
    for r in rows:
        if float(r["truth_in_region"]) < 1:
            wrong.append(float(r["supported"]))
        elif r["state"] == "true":
            supported[int(r["districts"])] = float(r["supported"])
            denied.append(float(r["contradicted"]))
    sizes = tuple(sorted(supported))
    first = next(r for r in rows if r["state"] == "true")
    return Rates(
        proposition, model, float(first["effect"]), sizes, int(first["n"]),
        tuple(supported[s] for s in sizes), max(wrong), max(denied),
    )  # fmt: skip


def _rows(file: str) -> list[dict[str, str]]:
    text = files("acmodels.framework").joinpath(file).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
