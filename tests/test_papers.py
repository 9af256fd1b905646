"""Tables for papers: what they hold, and that hostile names stay text in all of them."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import docx
import numpy as np
import pandas as pd
import pytest

import acmodels as ac
from acmodels.cli import run as cli
from acmodels.data.table import Labels
from acmodels.errors import InputError
from acmodels.reporting.methods import methods_words
from acmodels.reporting.paper_files import inert, to_html, to_latex, write_docx
from acmodels.reporting.paper_folder import Written, read
from acmodels.reporting.papers import STYLES, paper_tables
from acmodels.reporting.results import write_fit

HOSTILE = ("=cmd|'/C calc'!A0", "<script>alert(1)</script>", "@SUM(A1)", "50% & _{up}^{x}~\\end")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("papers")
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(30), 8)
    u, v = rng.standard_normal((2, 30, 1)).repeat(8, axis=1).reshape(2, -1)
    x = rng.standard_normal(240) + u
    frame = pd.DataFrame({"g": [f"g{i}" for i in g], "x": x})
    frame["y"] = 0.4 * (x - u) + 0.8 * u + 0.5 * v + rng.standard_normal(240)
    frame.to_csv(folder / "data.csv", index=False)
    (folder / "model.toml").write_text(
        'name = "parts"\n[equations.x]\nformula = "x ~ 1 + (1 | g)"\n[equations.y]\n'
        'formula = "y ~ within(x, g) + between(x, g) + (1 | g)"\n[estimands.gap]\n'
        'kind = "coefficient"\nparameter = "y ~ between(x, g)"\n[propositions.P41]\n'
        'estimand = "gap"\nregion = { above = 0.0 }\n',
        encoding="utf-8",
    )
    cli(["fit", str(folder / "model.toml"), str(folder / "data.csv"), "--quiet",
         "--out", str(folder / "fit")])  # fmt: skip
    return folder / "fit"


def hostile(found: Written) -> Written:
    """The same result with hostile names in every place that has one."""
    names = [r["name"] for r in found.estimates]
    made = [dict(r, name=n) for r, n in zip(found.estimates, [*HOSTILE, *names[4:]], strict=True)]
    effects = [dict(r, name=HOSTILE[0]) for r in found.estimands]
    run: dict[str, Any] = {**found.run, "model": {"name": HOSTILE[1]}}
    return replace(found, estimates=tuple(made), estimands=tuple(effects), run=run)


def test_every_number_is_in_every_style(result: Path) -> None:
    found = read(result)
    for style in STYLES:
        table = paper_tables(found, style)[0]
        cells = {c for _, rows in table.groups for row in rows for c in row}
        for row in found.estimates:
            mean = f"{float(row['mean']):.3f}".replace("-", "\N{MINUS SIGN}")
            short = f"{float(row['mean']):.2f}".replace("-", "\N{MINUS SIGN}")
            assert {mean, short} & cells, (style, row["name"])


def test_within_and_between_are_apart(result: Path) -> None:
    heads = [h for h, _ in paper_tables(read(result), "lavaan")[0].groups]
    assert "Within level. Regressions: y ~" in heads
    assert "Between level. Regressions: y ~" in heads
    assert "y, within part" in [h for h, _ in paper_tables(read(result), "apa")[0].groups]


def test_the_methods_paragraph_has_versions_and_seed(result: Path) -> None:
    run = json.loads((result / "run.json").read_text())
    said = methods_words(read(result))
    assert run["versions"]["acmodels"] in said
    assert f"seed {run['seed']}" in said
    assert "240 rows" in said


def test_the_methods_paragraph_is_in_words(result: Path) -> None:
    """Priors, families, missing values and the sampler are said as a journal says them."""
    found = read(result)
    priors = {
        "* ~ *": {"dist": "Normal", "mu": 0, "sigma": 1},
        "sd(*)": {"dist": "HalfNormal", "sigma": 1},
        "sd(y ~ 1 | g)": {"dist": "HalfNormal", "sigma": 1},
        "x ~ 1": {"dist": "Constant", "value": 0.5},
    }
    lost = [{"column": "x", "rows": 1200, "units": 1200}, {"column": "y", "rows": 5, "units": 0}]
    said = methods_words(replace(found, run={**found.run, "priors": priors, "missing": lost}))
    assert "normal (mean 0, SD 1) for regression coefficients; half-normal (scale 1) for" in said
    assert "group effects and the standard deviation of the intercept of y across g" in said
    assert "fixed at 0.5 for the intercept of x" in said
    assert "Missing values of x (1,200) were estimated" in said
    assert "Rows without a value of y (5)" in said
    assert "at least 0.975" in said
    assert "*" not in said
    sampled = replace(
        found,
        run={**found.run, "engine": "hmc"},
        diagnostics={**found.diagnostics, "max_r_hat": 1.001, "divergences": 0},
    )
    assert "Hamiltonian Monte Carlo" in methods_words(sampled)
    assert "nutpie" not in methods_words(sampled)
    other = replace(sampled, run={**found.run, "engine": "nuts"})
    assert "No-U-Turn sampler (nutpie" in methods_words(other)


def test_rows_of_the_apa_table_are_in_words(result: Path) -> None:
    """No backticks and no formulas; equations of missing predictors are left out and counted."""
    found = read(result)
    given = dict(found.estimates[0])
    more = [
        {**given, "name": n}
        for n in ("y ~ `part (cap)`", "sd(y ~ 1 | g)", "cor(y ~ 1, y ~ x | g)", "cor(m, y)",
                  "y | t2", "f =~ i1", "z ~ 1", "z ~ x", "sigma(z)")
    ]  # fmt: skip
    table = paper_tables(replace(found, estimates=tuple(more)), "apa")[0]
    assert [r[0] for _, rows in table.groups for r in rows] == [
        "part (cap)", "Intercept of y across g", "Intercept of y with slope of y on x, across g",
        "m with y", "Threshold 2 of y", "Loading of i1 on f",
    ]  # fmt: skip
    assert "3 parameters of equations of predictors with missing values" in table.note


@pytest.mark.parametrize("style", STYLES)
def test_hostile_names_are_inert(result: Path, tmp_path: Path, style: Any) -> None:
    found = hostile(read(result))
    tables, methods = paper_tables(found, style), methods_words(found)
    page = to_html(tables, methods)
    assert "<script" not in page
    cells = re.findall(r"<(?:td|th)[^>]*>(.*?)</(?:td|th)>", page)
    assert not [c for c in cells if c[:1] in ("=", "+", "-", "@")]
    write_docx(tables, methods, tmp_path / "t.docx")
    texts = [c.text for t in docx.Document(str(tmp_path / "t.docx")).tables
             for row in t.rows for c in row.cells]  # fmt: skip
    assert not [c for c in texts if c[:1] in ("=", "+", "-", "@")]
    assert any(inert(HOSTILE[0]) in c for c in texts)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
def test_latex_compiles(result: Path, tmp_path: Path) -> None:
    found = hostile(read(result))
    for style in STYLES:
        text = to_latex(paper_tables(found, style), methods_words(found))
        (tmp_path / "tables.tex").write_text(text, encoding="utf-8")
        (tmp_path / "main.tex").write_text(
            r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs}"
            r"\begin{document}\input{tables}\end{document}",
            encoding="utf-8",
        )
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main.tex"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-800:]


def test_the_command(result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli(["tables", str(result), "--style", "brms", "--out", str(tmp_path / "t")])
    assert {p.name for p in (tmp_path / "t").iterdir()} == {
        "tables.html", "tables.tex", "tables.docx", "methods.txt", "figures",
    }  # fmt: skip
    for figure in (tmp_path / "t" / "figures").glob("*.svg"):
        root = ElementTree.parse(figure).getroot()  # noqa: S314
        assert root.tag.endswith("}svg")
        assert "var(--" not in figure.read_text()
        picture = figure.with_suffix(".png").read_bytes()
        assert picture[:8] == b"\x89PNG\r\n\x1a\n"
        assert int.from_bytes(picture[16:20], "big") == 1950
    assert (tmp_path / "t" / "figures" / "diagram_1.svg").exists()
    capsys.readouterr()
    with pytest.raises(SystemExit) as done:
        cli(["tables", str(tmp_path)])
    assert done.value.code == 2
    assert "is not a result of `acmodels fit`" in capsys.readouterr().err


def test_a_run_file_that_lacks_something_is_refused(
    result: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(result, tmp_path / "fit")
    run = json.loads((result / "run.json").read_text())
    for broken in ({k: v for k, v in run.items() if k != "seed"}, [], None):
        (tmp_path / "fit" / "run.json").write_text(json.dumps(broken), encoding="utf-8")
        with pytest.raises(SystemExit) as done:
            cli(["tables", str(tmp_path / "fit"), "--out", str(tmp_path / "t")])
        assert done.value.code == 2
        assert "is not a result of `acmodels fit`" in capsys.readouterr().err
    assert not (tmp_path / "t").exists()


def test_rows_are_those_with_an_observed_response(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    x, d = rng.standard_normal(60), np.repeat([f"d{k}" for k in range(12)], 5)
    frame = pd.DataFrame({"x": x, "d": d, "c": np.repeat(rng.standard_normal(12), 5)})
    frame["m"] = x + rng.standard_normal(60)
    frame["y"] = x + rng.standard_normal(60)
    frame.loc[:4, "m"] = np.nan
    frame.loc[10:19, "y"] = np.nan
    equations = {
        "m": {"formula": "m ~ x"},
        "y": {"formula": "y ~ x"},
        "c": {"formula": "c ~ 1", "level": "d"},
    }
    model = ac.load_model({"name": "m", "equations": equations})
    fit = ac.fit(model, frame, draws=200)
    write_fit(fit, tmp_path, ["acmodels"])
    said = "60 rows (55 with m, 50 with y and c in 12 units of d)"
    assert f"(m) to {said}" in methods_words(read(tmp_path))
    assert "N = 60 rows (55 with m" in paper_tables(read(tmp_path), "apa")[0].note
    page = ac.report(fit, tmp_path / "r.html").read_text(encoding="utf-8")
    assert f"fitted to {said}" in page
    assert "Not observed: m in 5 rows and y in 10 rows." in page


@pytest.mark.parametrize("wrong", [[], {"y": None}, {"y": {}}])
def test_a_run_file_of_another_shape_is_refused(result: Path, tmp_path: Path, wrong: Any) -> None:
    shutil.copytree(result, tmp_path / "o")
    run = json.loads((tmp_path / "o" / "run.json").read_text())
    (tmp_path / "o" / "run.json").write_text(json.dumps({**run, "equations": wrong}))
    with pytest.raises(InputError, match="equations of its run"):
        read(tmp_path / "o")


def test_labels_of_columns_are_in_report_and_tables(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.standard_normal(60), "z": 1.0})
    frame["y"] = 0.5 * frame["x"] + rng.standard_normal(60)
    said = {"x": "How well staff know <b>the work</b>", "z": "Not read by the model"}
    labelled = replace(ac.study(frame), labels=Labels(said, {}, {}))
    fit = ac.fit(ac.load_model({"name": "m", "equations": {"y": {"formula": "y ~ x"}}}), labelled)
    write_fit(fit, tmp_path)
    page = ac.report(fit, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "How well staff know &lt;b&gt;the work&lt;/b&gt;" in page
    assert "Not read by the model" not in page
    found = read(tmp_path)
    assert said["x"] in paper_tables(found)[0].note
    assert "<b>the work" not in to_html(paper_tables(found), methods_words(found))
