"""Any column name works wherever a name is taken, in backticks or not."""

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from click.testing import CliRunner

import acmodels as ac
from acmodels.cli import main
from acmodels.data import numeric, study
from acmodels.effects.predictions import comparisons, predictions, slopes
from acmodels.errors import DataError, ModelError
from acmodels.inference.fitting import Fit, fit
from acmodels.load import load_design, load_model, load_plan
from acmodels.priors import resolve_priors
from acmodels.robustness.confounding import read_pair
from acmodels.robustness.leave_out import influence
from acmodels.simulation import simulate
from acmodels.spec.names import Names, level_of, parameter, pieces, plain, quoted, spelled
from acmodels.spec.parsing import parse_formula
from acmodels.system import build_system, parameters

PLAIN = ("x", "w", "f", "t", "g", "h", "m", "y", "wt")
ODD = {
    "spaces": ("part cap", "mod er", "my f", "a t", "school id", "rater id", "the m", "post y",
               "w t"),
    "calls": ("part (cap)", "log(x)", "within(m, g)", "sd(x)", "group (1)", "lag(2)", "m (mean)",
              "score (max)", "w (kg)"),
    "marks": ("a:b", "c*d", "e|f", "g~h", "i/j", "k+l", "m-n", "o^p", "q%r"),
    "brackets": ("x[1]", "x[2]", "f[a b]", "t[0]", "g[1]", "h{2}", "m[t]", "y[3]", "w[]"),
    "quotes": ("it's", 'say "x"', "a`b", "c\\d", "e,f", "g;h", "m'", "y''", "w&t"),
    "unicode": ("größe", "naïve é", "因子", "тест", "école №", "हिन्दी", "μ", "ψ̂", "w€"),
    "digits": ("2019", "3rd", "1", "0", "9 g", "8.5", "1e5", "2y", "3.w"),
    "keywords": ("class", "lambda", "None", "True", "and", "nan", "import", "def", "pass"),
    "dots": (".x", "w.", "f..1", "t.n", "g.id", "_h", "m.t.1", "y.2", "-w"),
}  # fmt: skip


def data() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 96
    g = np.repeat(np.arange(12), 8)
    frame = pd.DataFrame({"x": rng.normal(size=n), "w": rng.normal(size=n)})
    frame["f"] = rng.choice(["a b", "c:d", "e[1]"], n)
    frame["t"] = rng.integers(0, 2, n)
    frame["g"] = [f"s{k}" for k in g]
    frame["h"] = [f"r{k % 7}" for k in range(n)]
    frame["m"] = 0.4 * frame.x + 0.2 * frame.x * frame.w + rng.normal(size=n)
    frame["y"] = 0.5 * frame.m + rng.normal(size=12)[g] + rng.normal(size=n)
    frame["wt"] = rng.uniform(0.5, 1.5, n)
    return frame


def table(names: tuple[str, ...], *, ticks: bool) -> dict[str, Any]:
    x, w, f, t, g, h, m, y, wt = names
    b = quoted if ticks else str
    q = quoted
    return {
        "name": "t",
        "equations": {
            b(m): {"formula": f"{q(m)} ~ {q(x)}*{q(w)} + {q(t)}"},
            b(y): {
                "formula": f'{q(y)} ~ {q(m)} + {q(x)} + square({q(x)}) + factor({q(f)}, ref="c:d") '
                f"+ between({q(w)}, {q(g)}) + (1 + {q(x)} || {q(g)}) + (1 | {q(h)})",
                "weights": b(wt),
            },
        },
        "priors": {
            f"{b(m)} ~ {b(x)}": {"dist": "Normal", "mu": 0, "sigma": 1},
            f"sd({b(y)} ~ 1 | {b(h)})": {"dist": "HalfNormal", "sigma": 0.7},
            f"{b(y)} ~ *": {"dist": "Normal", "mu": 0, "sigma": 2},
            f"sigma({b(y)})": {"dist": "HalfNormal", "sigma": 3},
        },
        "estimands": {
            "ind": {"kind": "indirect", "from": b(x), "via": [b(m)], "to": b(y),
                    "at": {b(w): [-1.0, 1.0]}},
            "index": {"kind": "index_of_moderated_mediation", "from": b(x), "via": [b(m)],
                      "to": b(y), "moderator": b(w)},
            "level": {"kind": "direct", "from": f"{b(f)}[a b]", "to": b(y)},
            "between": {"kind": "direct", "from": f"between({b(w)}, {b(g)})", "to": b(y)},
            "total": {"kind": "total", "from": b(t), "to": b(y)},
            "turn": {"kind": "turning_point", "from": b(x), "to": b(y)},
            "one": {"kind": "coefficient", "parameter": f"{b(y)} ~ {b(m)}"},
            "share": {"kind": "variance_share", "parameter": f"sd({b(y)} ~ 1 | {b(h)})"},
        },
        "propositions": {
            "P1": {"estimand": "ind", "at": f"{b(w)}=1", "region": {"above": 0.0}},
        },
    }  # fmt: skip


def fitted(names: tuple[str, ...], *, ticks: bool) -> Fit:
    frame = data().rename(columns=dict(zip(PLAIN, names, strict=True)))
    return fit(load_model(table(names, ticks=ticks)), frame, draws=50, chains=2, engine="collapsed")


@pytest.fixture(scope="module")
def reference() -> Fit:
    return fitted(PLAIN, ticks=False)


@pytest.mark.parametrize("ticks", [False, True])
@pytest.mark.parametrize("kind", list(ODD))
def test_a_model_says_the_same_whatever_its_columns_are_called(
    kind: str, ticks: bool, reference: Fit
) -> None:
    found = fitted(ODD[kind], ticks=ticks)
    assert np.allclose(found.effects.table["mean"], reference.effects.table["mean"], rtol=1e-9)
    assert list(found.effects.table["at"][:2]) == [f"{ODD[kind][1]}={v}" for v in (-1, 1)]
    for a, b in zip(found.priors.values(), reference.priors.values(), strict=True):
        assert a.distribution.parameters == pytest.approx(b.distribution.parameters)
        assert (a.stated is None) == (b.stated is None)


def test_names_in_functions_and_options(reference: Fit) -> None:
    names = ODD["calls"]
    x, _, f, _, g, _, m, y, _ = names
    found = fitted(names, ticks=True)
    frame = data().rename(columns=dict(zip(PLAIN, names, strict=True)))
    for b in (quoted, str):
        one = comparisons(found, {b(x): 1}, response=b(y))
        two = comparisons(reference, {"x": 1}, response="y")
        assert one["mean"].to_numpy() == pytest.approx(two["mean"].to_numpy(), rel=1e-6)
        assert list(one["term"]) == [x]
        assert len(slopes(found, b(x), response=b(m))) == 1
        held = predictions(found, by=b(f), at={b(x): [0.0, 1.0]}, response=b(y))
        assert list(held.columns[:2]) == [x, f]
        assert len(predictions(found, by=b(g), response=b(y), groups="observed")) == 12
    assert read_pair(f"{m}:{y}@{g}", Names(frozenset(names))) == (m, y, quoted(g))
    assert read_pair(f"`{m}`:`{y}`") == (m, y, None)
    assert set(influence(found, frame, quoted(g)).table["unit"]) >= {"s0", "s11"}


def test_designs_and_plans_take_any_name(tmp_path: Path) -> None:
    def plan(y: str, x: str, g: str, b: Any) -> dict[str, Any]:
        file = tmp_path / f"{abs(hash((y, b(y))))}.toml"
        q = quoted
        file.write_text(
            f"name = 't'\n[equations.'{y}']\nformula = '{q(y)} ~ {q(x)} + (1 | {q(g)})'\n"
            f"[estimands.e]\nkind = 'direct'\nfrom = '{x}'\nto = '{y}'\n"
        )
        return {
            "model": str(file),
            "units": {b(g): 10, "row": {"per": b(g), "n": 4}},
            "truth": {f"{b(y)} ~ {b(x)}": 0.3, f"sd({b(y)} ~ 1 | {b(g)})": 0.2},
            "exogenous": {b(x): {"level": "row", "icc": {b(g): 0.2}}},
            "grid": {b(g): [5, 6], f"{b(y)} ~ {b(x)}": [0.5], f"{b(x)}.sigma": [2.0]},
            "criterion": {"estimand": "e"},
            "cost": {b(g): 10.0},
            "design_prior": {f"sigma({b(y)})": {"dist": "HalfNormal", "sigma": 1}},
        }

    ref = None
    for names in (("y", "x", "g"), ("post (y)", "x (1)", "group (n)"), ("a.b", "c.d", "e.f g")):
        for b in (quoted, str):
            loaded = load_plan(plan(*names, b))
            first, second = loaded.cells
            assert (first.cost, second.cost) == (50.0, 60.0)
            assert list(loaded.design_prior) == [f"sigma({names[0]})"]
            made = simulate(second.design, seed=2)
            seen = (made.truth[f"{names[0]} ~ {quoted(names[1])}"], list(made.truth.values()),
                    float(made.study.frame[names[0]].sum()))  # fmt: skip
            ref = ref or seen
            assert seen == ref
            assert seen[0] == 0.5
            design = {k: v for k, v in plan(*names, b).items() if k in
                      ("model", "units", "truth", "exogenous")}  # fmt: skip
            assert simulate(load_design(design)).truth[f"{names[0]} ~ {quoted(names[1])}"] == 0.3


def test_what_means_something_else_keeps_its_meaning() -> None:
    names = Names(frozenset({"a", "b", "a:b", "log(x)", "x", "f", "f[1]"}), frozenset({"a:b"}))
    assert spelled("a:b", names) == "a:b"
    assert spelled("`a:b`", names) == "`a:b`"
    assert spelled("log(x)", names) == "`log(x)`"
    assert spelled("f[1]", names) == "`f[1]`"  # a column of that name comes first
    assert parameter("y ~ f[1]", names) == "y ~ f[1]"  # among terms it is the level
    assert parameter("sd(`y` ~ log(x) | `a b`)", names) == "sd(y ~ `log(x)` | `a b`)"
    assert parameter("`y 2` | t1", names) == "y 2 | t1"
    assert parameter("cor(`y 2`, z)", names) == "cor(y 2, z)"
    assert parameter("* ~ *", names) == "* ~ *"


def test_parts_of_names() -> None:
    for name in [n for names in ODD.values() for n in names]:
        assert plain(quoted(name)) == name == plain(name)
        assert parse_formula(f"y ~ {quoted(name)}").variables() == (name,)
        assert level_of(f"{quoted(name)}[a[b]]") == (quoted(name), "a[b]")
        assert pieces(f"{quoted(name)}:x:{quoted(name)}", ":") == [quoted(name), "x", quoted(name)]
    assert level_of("`q[1]`") == ("`q[1]`", None)


def test_two_tables_of_one_response_are_refused() -> None:
    from acmodels.errors import ModelError

    with pytest.raises(ModelError, match="'y' has two equations"):
        load_model(
            {"name": "t", "equations": {"y": {"formula": "y ~ x"}, "`y`": {"formula": "y ~ z"}}}
        )


def test_by_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = ODD["calls"]
    frame = data().rename(columns=dict(zip(PLAIN, names, strict=True)))
    frame.to_csv("data.csv", index=False)
    x, m, y, g = names[0], names[6], names[7], names[4]
    Path("m.toml").write_text(
        f"name = 't'\n[equations.'{m}']\nformula = '`{m}` ~ `{x}` + (1 | `{g}`)'\n"
        f"[equations.'{y}']\nformula = '`{y}` ~ `{m}` + `{x}` + (1 | `{g}`)'\n"
        f"[estimands.e]\nkind = 'indirect'\nfrom = '{x}'\nvia = ['`{m}`']\nto = '{y}'\n"
    )
    runner = CliRunner()
    done = runner.invoke(
        main,
        ["fit", "m.toml", "data.csv", "--out", "o", "--draws", "50", "--engine", "collapsed",
         "--leave-out", f"`{g}`",
         "--confounding", f"{m}:{y}@{g}", "--quiet"],
    )  # fmt: skip
    assert done.exit_code in (0, 3), done.output
    for file in ("influence.csv", "confounding.csv", "report.html", "posterior.nc"):
        assert (Path("o") / file).exists()
    Path("c.toml").write_text('"`score (max)`" = "`mean of items (2)`"\n')
    frame.rename(columns={y: "mean of items (2)"}).to_csv("other.csv", index=False)
    done = runner.invoke(main, ["check", "other.csv", "m.toml", "--columns", "c.toml"])
    assert done.exit_code == 0, done.output
    done = runner.invoke(main, ["check", "data.csv", "m.toml"])
    assert done.exit_code == 0
    assert re.search(r"score \(max\)", done.output)


def test_priors_are_found_by_either_spelling() -> None:
    frame = data().rename(columns={"x": "part (cap)"})
    for key in ("y ~ part (cap)", "y ~ `part (cap)`", "`y` ~ part (cap)"):
        model = load_model(
            {
                "name": "t",
                "equations": {"y": {"formula": "y ~ `part (cap)`"}},
                "priors": {key: {"dist": "Normal", "mu": 0, "sigma": 3}},
            }
        )
        system = build_system(model, study(frame))
        found = resolve_priors(model.priors, system.layout, system.responses)
        assert found["y ~ `part (cap)`"].distribution.parameters["sigma"] == 3


def spelling(form: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(unicodedata.normalize(form, name) for name in names)


ACCENTS = (
    "élan",
    "à côté",
    "forme é",
    "traité",
    "école",
    "évaluateur",
    "médiateur",
    "résultat",
    "á",
)


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".sav", ".dta", ".parquet", "frame", "folder"])
def test_names_in_both_unicode_forms_are_one_name(tmp_path: Path, suffix: str) -> None:
    """An accented letter is one character (NFC), or a letter and an accent (NFD)."""
    frame = data()
    frame["f"] = frame["f"].str.replace("c:d", "c:d e\u0301")
    frame.columns = spelling("NFD", ACCENTS)
    if suffix in (".sav", ".dta"):  # these formats allow no spaces in names
        frame.columns = [c.replace(" ", "_") for c in frame.columns]
    here = ".csv" if suffix == "folder" else suffix
    path = tmp_path / f"d{here}"
    write: dict[str, Any] = {
        ".csv": lambda: frame.to_csv(path, index=False),
        ".xlsx": lambda: frame.to_excel(path, index=False),
        ".sav": lambda: pyreadstat.write_sav(frame, str(path)),
        ".dta": lambda: pyreadstat.write_dta(frame, str(path), version=15),
        ".parquet": lambda: frame.to_parquet(path),
        "frame": lambda: None,
    }
    write[here]()
    package = {"resources": [{"name": "d", "path": "d.csv"}]}
    (tmp_path / "datapackage.json").write_text(json.dumps(package))
    found = (
        ac.study(frame)
        if suffix == "frame"
        else ac.load_study(tmp_path if suffix == "folder" else path)
    )
    names = spelling("NFC", ACCENTS)
    if suffix in (".sav", ".dta"):
        names = tuple(n.replace(" ", "_") for n in names)
    assert found.names == names
    priors = []
    for form in ("NFC", "NFD"):
        for ticks in (True, False):
            written = json.dumps(table(names, ticks=ticks), ensure_ascii=False)
            written = written.replace('ref=\\"c:d\\"', 'ref=\\"c:d \u00e9\\"')
            model = load_model(json.loads(unicodedata.normalize(form, written)))
            system = build_system(model, found)
            found_priors = resolve_priors(model.priors, system.layout, system.responses)
            priors.append(list(found_priors))
            assert any("[a b]" in name for name in priors[-1])
            assert not any("[c:d" in name for name in priors[-1])  # it is the reference
    assert all(p == priors[0] for p in priors)
    assert all(n == unicodedata.normalize("NFC", n) for n in priors[0])


def test_a_name_in_both_unicode_forms_is_refused_twice(tmp_path: Path) -> None:
    both = spelling("NFC", ("é",)) + spelling("NFD", ("é",))
    frame = pd.DataFrame([[1.0, 2.0], [3.0, 4.0]], columns=list(both))
    frame.to_csv(tmp_path / "d.csv", index=False)
    for source in (frame, tmp_path / "d.csv"):
        with pytest.raises(DataError, match=r"'é' \(2 times\) with different spelling of accents"):
            study(source)
    twice = {"name": "t", "equations": {n: {"formula": f"{n} ~ x"} for n in both}}
    with pytest.raises(ModelError, match="the key 'é' appears twice, with its accents typed"):
        load_model(twice)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_the_file_of_columns_takes_both_unicode_forms(tmp_path: Path, form: str) -> None:
    other = "NFD" if form == "NFC" else "NFC"
    frame = pd.DataFrame({"à": [1.0, 9.0, 3.0], "b": [1.0, 2.0, 3.0]})
    frame.columns = spelling(other, ("à", "b"))
    frame.to_csv(tmp_path / "d.csv", index=False)
    text = 'randomized = ["à"]\n"é" = { column = "à", missing = [9] }\n'
    (tmp_path / "c.toml").write_text(unicodedata.normalize(form, text), encoding="utf-8")
    found = ac.load_study(tmp_path / "d.csv", columns=tmp_path / "c.toml")
    assert "é" in found.names
    assert np.isnan(numeric(found, "é")[1])


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_designs_and_plans_take_both_unicode_forms(tmp_path: Path, form: str) -> None:
    model = tmp_path / unicodedata.normalize(form, "modèle.toml")
    model.write_text('name = "t"\n[equations."é"]\nformula = "é ~ à + (1 | ç)"\n', encoding="utf-8")
    text = (
        f'model = "{model.name}"\n[units]\n"ç" = 8\nrow = {{ per = "ç", n = 4 }}\n'
        '[truth]\n"é ~ à" = 0.5\n[exogenous]\n"à" = { level = "ç" }\n'
    )
    place = tmp_path / "d.toml"
    head, _, rest = text.partition("\n")
    place.write_text(f"{head}\n{unicodedata.normalize(form, rest)}", encoding="utf-8")
    design = load_design(place)
    assert design.truth == {"é ~ à": 0.5}
    assert {"é", "à", "ç"} <= set(simulate(design, 1).study.names)


LOOKALIKES = (
    "sigma(y)", "nu(y)", "sd(y ~ 1 | g)", "cor(a, b)", "a =~ b", "y ~ 1", "y | t1",
    "simo(y ~ x)[1]", "f[1]", "a:b",
)  # fmt: skip


@pytest.mark.parametrize("family", ["gaussian", "ordinal", "student"])
@pytest.mark.parametrize("name", LOOKALIKES)
@pytest.mark.parametrize("place", ["response", "predictor"])
def test_names_that_look_like_parameters_keep_their_kind(
    name: str, place: str, family: str
) -> None:
    """What patterns match by is told from a name alone as from the parameter."""
    from acmodels.priors import _kind, pattern_kind

    rng = np.random.default_rng(1)
    y, x = (name, "x") if place == "response" else ("y", name)
    codes = {y: rng.permutation(np.arange(60) % 4 + 1), x: rng.integers(0, 4, 60)}
    frame = pd.DataFrame({**codes, "z": rng.normal(size=60), "g": np.arange(60) % 6})
    first = quoted(x) if family == "student" else f"mo({quoted(x)})"
    formula = f"{quoted(y)} ~ {first} + {quoted(x)}:z + (1 + z | g)"
    spec = load_model({"name": "t", "equations": {y: {"formula": formula, "family": family}}})
    found = [p for p in parameters(build_system(spec, study(frame)).layout) if p.kind != "step"]
    assert {p.name: pattern_kind(p.name) for p in found} == {p.name: _kind(p) for p in found}


def test_a_colon_in_a_name_makes_no_product(tmp_path: Path) -> None:
    from acmodels.reporting.page import gather

    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.normal(size=(80, 3)), columns=["a:b", "z", "y"])
    spec = load_model({"name": "t", "equations": {"y": {"formula": "y ~ `a:b` + `a:b`:z + z"}}})
    shown = gather(fit(spec, frame, engine="collapsed"), lambda *_: None)
    assert shown["products"] == ["y ~ `a:b`:z"]
    assert "`a:b` × z" in shown["diagram"]
    assert "`a × b`" not in shown["diagram"]
