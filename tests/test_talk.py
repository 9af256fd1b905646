"""What a person is told of a fit: in Python, on a terminal, in tables and in the report."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import acmodels as ac
from acmodels.cli import run as cli
from acmodels.cli.telling import print_fit
from acmodels.effects.maximum_likelihood import maximum_likelihood
from acmodels.effects.sizes import icc
from acmodels.reporting.paper_folder import read
from acmodels.reporting.papers import STYLES, paper_tables
from acmodels.reporting.results import write_fit
from acmodels.reporting.strengths import at_means, strengths

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "course"))
from exercises import RIGHT, check

from fakes import fake_fit

CLAIM = "Districts with more income gain less."


def income(seed: int = 4, n: int = 200) -> pd.DataFrame:
    """An outcome with a tiny coefficient: per dollar of income."""
    rng = np.random.default_rng(seed)
    d = np.repeat(np.arange(20), n // 20)
    x = rng.normal(52_000, 14_000, n)
    z = rng.normal(8, 1, n)
    y = 3 - 6.7e-6 * x + 0.04 * rng.normal(size=20)[d] + 0.09 * rng.normal(size=n)
    frame = pd.DataFrame({"district": [f"d{k}" for k in d], "income": x, "z": z, "y": y})
    frame["m"] = 0.5 * z + rng.normal(size=n)
    return frame


TABLE: dict[str, Any] = {
    "name": "tiny",
    "equations": {"y": {"formula": "y ~ income + (1 | district)"}},
    "estimands": {"b": {"kind": "coefficient", "parameter": "y ~ income"}},
    "propositions": {
        "H1": {
            "estimand": "b",
            "region": {"below": 0.0},
            "rope": [-1e-6, 1e-6],
            "statement": f"  {CLAIM}\n",
        }
    },
}


@pytest.fixture(scope="module")
def fit() -> Any:
    return ac.fit(ac.load_model(TABLE), income(), draws=400)


@pytest.fixture(scope="module")
def folder(fit: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("kept") / "o"
    out.mkdir()
    write_fit(fit, out)
    ac.report(fit, out / "report.html")
    return out


NOTHING = re.compile(r"[-−]0\.0+\b(?!\d)|\b0\.0+ \[[-−]?0\.0+, [-−]?0\.0+\]")


def test_a_tiny_coefficient_is_read_everywhere(
    fit: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: dict[str, str] = {"report": (folder / "report.html").read_text(encoding="utf-8")}
    print_fit(fit, folder, {"as_json": False, "quiet": False}, {})
    said["terminal"] = capsys.readouterr().out
    for style in STYLES:
        rows = [
            " ".join(row)
            for t in paper_tables(read(folder), style)
            for _, g in t.groups
            for row in g
        ]
        said[style] = "\n".join(rows)
    for where, text in said.items():
        plain = re.sub(r"<[^>]+>", " ", text) if where == "report" else text
        plain = plain.replace("\u202f", "").replace("\xa0", " ")
        assert re.search(r"[-−]6\.\de-06", plain), where
        assert re.search(r"[-−]7\.\de-06,?\s+[-−]5\.\de-06", plain), where
        assert not NOTHING.search(plain), (where, NOTHING.search(plain))
        assert CLAIM in plain, where


def test_draws_as_a_table(fit: Any) -> None:
    frame = fit.frame()
    names = list(fit.estimates["name"])
    assert list(frame.columns) == ["chain", "draw", *names, "b"]
    assert len(frame) == fit.draws.values.shape[0] * fit.draws.values.shape[1]
    assert frame.groupby("chain")["draw"].apply(lambda d: list(d) == sorted(d)).all()
    for row in fit.estimates.to_dict("records"):
        assert frame[row["name"]].mean() == pytest.approx(row["mean"])
    assert (frame["b"] == frame["y ~ income"]).all()


def test_what_was_written_is_read_again(fit: Any, folder: Path, tmp_path: Path) -> None:
    kept = ac.load_fit(folder)
    pd.testing.assert_frame_equal(kept.estimates, fit.estimates, check_dtype=False)
    pd.testing.assert_frame_equal(kept.frame(), fit.frame())
    for options in ({}, {"prob": 0.8}, {"interval": "hdi", "prob": 0.5}):
        mine, theirs = ac.estimate(kept, **options), ac.estimate(fit, **options)
        pd.testing.assert_frame_equal(mine.table, theirs.table, check_dtype=False)
        pd.testing.assert_frame_equal(
            ac.judge(mine, kept.propositions), ac.judge(theirs, fit.spec.propositions)
        )
    assert set(kept.posterior.children) >= {"posterior", "estimands"}
    page = ac.report(kept, tmp_path / "again.html")
    assert page.read_bytes() == (folder / "report.html").read_bytes()
    for call in (
        ac.r2,
        ac.standardized,
        lambda k: k.spec,
        lambda k: ac.report(k, page, notice="a"),
    ):
        with pytest.raises(ac.InputError, match="fit"):
            call(kept)


def test_a_folder_that_is_no_fit_is_refused(folder: Path, tmp_path: Path) -> None:
    import shutil

    for path, said in (
        (tmp_path / "none", "no such folder"),
        (tmp_path, "is not a result of `acmodels fit`: it has no"),
    ):
        with pytest.raises(ac.InputError, match=said):
            ac.load_fit(path)
    spoiled: dict[str, bytes] = {
        "run.json": b"{}", "diagnostics.json": b"[", "posterior.nc": b"no netcdf",
        "estimands.csv": b"", "estimates.csv": b"a,b\n1\n2,3,4\n",
    }  # fmt: skip
    for name, text in spoiled.items():
        copy = tmp_path / f"copy_{name}"
        shutil.copytree(folder, copy)
        (copy / name).write_bytes(text)
        with pytest.raises(ac.InputError, match="cannot be read as a result"):
            ac.load_fit(copy).frame()


def test_a_name_where_a_design_is_expected() -> None:
    made = ac.simulate("plan_mediation_221", seed=3)
    again = ac.simulate(ac.load_design("plan_mediation_221"), seed=3)
    pd.testing.assert_frame_equal(made.study.frame, again.study.frame)
    by_plan = ac.simulate(ac.load_plan("plan_mediation_221"), seed=3)
    assert by_plan.study.n_rows > 0
    for call in (
        lambda: ac.simulate("a plan"), lambda: ac.simulate(3), lambda: ac.recover(None),
        lambda: ac.calibrate("no such"), lambda: ac.power("no such"), lambda: ac.power(1.5),
        lambda: ac.power(ac.load_design("plan_mediation_221")), lambda: ac.simulate("baseline"),
    ):  # fmt: skip
        with pytest.raises(ac.InputError) as caught:
            call()
        assert re.search("design|plan", str(caught.value))
        rendered = caught.value._render_traceback_()
        assert rendered == str(caught.value).splitlines()


BESIDE: tuple[Any, ...] = (
    "abc", "2,8", "", b"2.8", [], [1, 2], (1, 2, 3), {}, {"a": 1}, {1, 2}, float("nan"),
    float("inf"), True, 1j, object(), 10**400, np.array([]), np.arange(3), pd.Series([1, 2]),
    pd.DataFrame({"a": [1]}), np.array(["a"]), lambda: 1, type,
)  # fmt: skip


@pytest.mark.parametrize("exercise", [*RIGHT, "9.9", "", 3])
def test_the_course_checks_whatever_it_is_given(
    exercise: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for answer in BESIDE:
        assert check(exercise, answer) is None
        said = capsys.readouterr().out
        assert said.count("\n") == 1, said
        assert said.rstrip().endswith((".", "?")), said


def test_the_course_tells_percent_from_a_share(capsys: pytest.CaptureFixture[str]) -> None:
    assert check("5.1", 2.5) is False
    assert "divide it by 100" in capsys.readouterr().out
    assert check("5.1", np.array([0.025])) is True
    assert check("1.1", "2.8") is True


def test_the_diagram_draws_effects_at_means(tmp_path: Path) -> None:
    frame = income().assign(q=lambda d: d["z"] * 2)
    model = ac.load_model(
        {
            "name": "product",
            "equations": {
                "m": {"formula": "m ~ income"},
                "y": {"formula": "y ~ m*z + income + square(income)"},
            },
        }
    )
    fitted = ac.fit(model, frame, draws=300)
    rows = {r["name"]: r for r in fitted.estimates.to_dict("records")}
    raw = strengths(fitted, rows)
    drawn = at_means(fitted, raw)
    at_z = fitted.draws["y ~ m"] + frame["z"].mean() * fitted.draws["y ~ m:z"]
    assert drawn["y ~ m"].mean == pytest.approx(float(at_z.mean()), rel=1e-9)
    assert drawn["y ~ m"].lower == pytest.approx(float(np.quantile(at_z, 0.025)), rel=1e-9)
    at_x = (
        fitted.draws["y ~ income"] + 2 * frame["income"].mean() * fitted.draws["y ~ square(income)"]
    )
    assert drawn["y ~ income"].mean == pytest.approx(float(at_x.mean()), rel=1e-9)
    for name in ("m ~ income", "y ~ m:z", "y ~ 1"):
        assert drawn[name] == raw[name]
    page = ac.report(fitted, tmp_path / "r.html").read_text(encoding="utf-8")
    caption = re.findall(r"<figcaption>.*?</figcaption>", page, re.DOTALL)[0]
    assert "is at its mean, not at 0" in caption
    assert "y ~ m at z = 7." in caption or "y ~ m at z = 8." in caption


def test_ml_says_that_the_rows_differ() -> None:
    frame = income(7, 400)
    frame["y"] = 0.5 * frame["m"] + frame["z"]
    frame["y"] += np.random.default_rng(1).normal(size=len(frame))
    gone = frame["y"] > frame["y"].quantile(0.6)
    frame.loc[gone, "m"] = np.nan  # missing by the outcome: complete rows are biased
    table: dict[str, Any] = {
        "name": "t",
        "equations": {"y": {"formula": "y ~ m + z + (1 | district)"}},
    }
    fitted = fake_fit(table, frame)
    found = maximum_likelihood(fitted)
    far = found.loc[found["distance"].abs() > 0.25]
    assert len(far)
    for note in far["note"]:
        assert f"includes {int(gone.sum())} rows with missing values" in note
        assert "averages over the group sds" not in note
        assert "skewed" not in note


def test_sizes_are_said(fit: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.read_csv(folder / "r2.csv")
    assert list(table["kind"]) == ["marginal", "conditional", "icc district"]
    share = fit.draws["sd(y ~ 1 | district)"] ** 2
    share = share / (share + fit.draws["sigma(y)"] ** 2)
    assert table["mean"].iloc[2] == pytest.approx(float(share.mean()), rel=1e-9)
    pd.testing.assert_frame_equal(icc(fit), table.iloc[[2]].reset_index(drop=True))
    print_fit(fit, folder, {"as_json": False, "quiet": False}, {})
    out = capsys.readouterr().out
    assert re.search(r"^y: R2 \(predictors\) 0\.\d\d \[.*ICC of district 0\.\d", out, re.MULTILINE)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "ICC of district" in page
    assert any(
        "ICC of district" in r for t in paper_tables(read(folder)) for _, g in t.groups for r in g
    )


def test_the_main_results_of_robustness_on_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = income()
    frame["y"] = 0.4 * frame["m"] + 0.2 * frame["z"] + frame["y"]
    frame.to_csv(tmp_path / "d.csv", index=False)
    (tmp_path / "m.toml").write_text(
        'name = "m"\n[equations.m]\nformula = "m ~ z + (1 | district)"\n[equations.y]\n'
        'formula = "y ~ m + z + (1 | district)"\n[estimands.i]\nkind = "indirect"\nfrom = "z"\n'
        'via = ["m"]\nto = "y"\n[propositions.H1]\nestimand = "i"\nregion = { above = 0.0 }\n',
        encoding="utf-8",
    )
    code = cli(
        ["fit", str(tmp_path / "m.toml"), str(tmp_path / "d.csv"), "--out", str(tmp_path / "o"),
         "--leave-out", "district", "--confounding", "m:y", "--draws", "300"]
    )  # fmt: skip
    assert code in (None, 0)
    out = capsys.readouterr().out
    assert "Each of 20 units of district left out in turn:" in out
    assert "i moves most without 'd" in out
    assert re.search(
        r"H1 is supported: the same whichever unit is left out; 'd\d+' moves it most", out
    )
    assert "An unmeasured confounder of m and y" in out
    assert re.search(r"i: 0\.\d+ \[.*\] without a confounder; the interval reaches 0 at", out)
    run = json.loads((tmp_path / "o" / "run.json").read_text(encoding="utf-8"))
    assert run["propositions"]["H1"]["region"] == [0.0, None]
