"""Rival accounts: marginal likelihoods and districts left out, against integrals on a grid."""

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import halfnorm, t

import acmodels as ac
from acmodels.cli import run as cli
from acmodels.errors import InputError
from acmodels.theory.rivals import RivalTable, _compare, rivalries, rivals
from monte_carlo import FALSE_ALARM, allowed

SIMPLE = RivalTable(
    title="A slope or none", propositions=["P01"], formula="y ~ 1 + x + (1 | district)",
    without="y ~ 1 + (1 | district)", parameter="y ~ x", above="up", below="down",
)  # fmt: skip


def data(slope: float, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    district = np.repeat(np.arange(8), 4)
    x = rng.normal(size=32)
    y = slope * x + 0.5 * rng.normal(size=8)[district] + 0.8 * rng.normal(size=32)
    return pd.DataFrame({"y": y, "x": x, "district": [f"d{k}" for k in district]})


def log_evidence(frame: pd.DataFrame, with_x: bool) -> float:
    """The log marginal likelihood: the two sds on a grid, coefficients in closed form."""
    y = frame["y"].to_numpy()
    X = np.column_stack([np.ones(len(y))] + ([frame["x"].to_numpy()] if with_x else []))
    z = pd.get_dummies(frame["district"]).to_numpy(float)
    # intercepts' prior is on the raw intercept, as stated
    base = X @ X.T
    grid = np.arange(0.025, 4.0, 0.05)  # middles: exact to rounding for what is even about zero

    def log(a: float) -> np.ndarray:
        """At one sd of districts and every residual sd, whose square adds to the eigenvalues."""
        values, vectors = np.linalg.eigh(base + a**2 * z @ z.T)
        variances = values + grid[:, None] ** 2
        away = (vectors.T @ y) ** 2 / variances
        likelihood = -0.5 * (np.log(2 * np.pi * variances) + away).sum(axis=1)
        return likelihood + halfnorm.logpdf(a) + halfnorm.logpdf(grid)

    logs = np.array([log(a) for a in grid])
    step = grid[1] - grid[0]
    top = logs.max()
    return float(top + np.log(np.exp(logs - top).sum() * step**2))


def compared(frame: pd.DataFrame, seed: int = 1) -> Any:
    return _compare("slope", SIMPLE, ac.study(frame), seed, 1000, lambda *_: None)


def test_factors_and_districts_left_out_are_those_of_a_grid() -> None:
    frame = data(0.5)
    seeds = [compared(frame, s) for s in range(1, 7)]
    whole = [log_evidence(frame, w) for w in (True, False)]
    each = []
    for d in frame["district"].unique():
        part = frame[frame["district"] != d]
        left = [log_evidence(part, w) for w in (True, False)]
        each.append((whole[0] - left[0]) - (whole[1] - left[1]))
    assert seeds[0].units == 8
    # a mean over six seeds, whose error they tell themselves: Student's t with 5 degrees of freedom
    for found, want in (
        ([c.log_bf[0] for c in seeds], whole[0] - whole[1]),
        ([c.elpd[0] for c in seeds], np.sum(each)),
        ([c.elpd[1] for c in seeds], np.sqrt(8) * np.std(each, ddof=1)),
    ):
        k = t.isf(FALSE_ALARM / 6, 5)
        assert np.mean(found) == pytest.approx(want, abs=k * np.std(found, ddof=1) / np.sqrt(6))
    # and each lies within the error that is stated of it
    near = allowed(seeds[0].log_bf[1])
    assert seeds[0].log_bf[0] == pytest.approx(whole[0] - whole[1], abs=near)


def test_words_say_what_was_found_and_whether_it_agrees() -> None:
    strong = compared(data(1.2))
    assert "The posterior decides for up (probability 1.000)." in strong.reason
    assert "The Bayes factor favors the model with the term" in strong.reason
    assert "predicted better by the model with the term" in strong.reason
    assert strong.reason.endswith("The comparisons that decide agree.")
    none = compared(data(0.0, seed=3))
    assert "decides for neither" in none.reason
    down = compared(data(-1.2))
    assert "The posterior decides for down" in down.reason


def test_shipped_pairs_run_on_a_shipped_study_and_say_what_is_lacking(tmp_path: Path) -> None:
    study = ac.load_study("data/synthetic/partnerships")
    frame = study.frame[study.frame["district"].isin([f"district_{k:02d}" for k in range(1, 13)])]
    small = ac.study(frame.reset_index(drop=True))
    found = {c.name: c for c in rivals(small, ["mediation", "partner_count"], draws=200)}
    assert found["mediation"].units == 12
    assert sum(found["mediation"].probabilities) == pytest.approx(1)
    assert "no column 'partner_count'" in found["partner_count"].reason
    with pytest.raises(InputError, match="did you mean 'mediation'"):
        rivals(small, ["mediaton"])
    frame.to_csv(tmp_path / "small.csv", index=False)
    cli(["rivals", str(tmp_path / "small.csv"), "--only", "partner_count", "--json",
         "--out", str(tmp_path / "out")])  # fmt: skip
    table = pd.read_csv(tmp_path / "out" / "rivals.csv")
    assert list(table["rival"]) == ["partner_count"]
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert "small.csv" in run["data"]


def test_the_report_of_a_test_shows_all_three(tmp_path: Path) -> None:
    study = ac.load_study("data/synthetic/partnerships")
    frame = study.frame[study.frame["district"].isin([f"district_{k:02d}" for k in range(1, 9)])]
    frame.to_csv(tmp_path / "small.csv", index=False)
    with contextlib.suppress(SystemExit):
        cli(["test", str(tmp_path / "small.csv"), "--propositions", "P17", "--rivals", "--quiet",
             "--out", str(tmp_path / "out"), "--draws", "200"])  # fmt: skip
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Rival accounts" in page
    assert "Does interaction carry all of prior knowledge" in page
    assert "8 districts in turn" in page
    assert (tmp_path / "out" / "rivals.csv").exists()


def test_every_pair_has_two_accounts_and_a_parameter_of_its_formula() -> None:
    for r in rivalries().values():
        assert (r.above and r.below) or (r.inside and r.outside and r.rope)
        y = r.formula.split(" ~ ")[0]
        model = ac.load_model({"name": "m", "equations": {y: {"formula": r.formula}}})
        names = {f"{y} ~ {t.text}" for t in model.equations[y].formula.terms}
        assert r.parameter in names
        assert r.without.split(" ~ ")[0] == y
