"""Verdicts mean what the proposition says: each kind on studies that are so, are not, and fool.

The studies are made by `traps`, with plain NumPy. Each test runs a few of them, at effects whose
chance of a wrong outcome is far below 1e-3 for the right rule, and at which the naive analysis
named in the test is wrong nearly always.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from acmodels.data import study
from acmodels.theory.assessment import Assessment, assess, not_adjusted
from acmodels.theory.compiler import compile_proposition
from traps import Rows, theory


def judged(f: Any, table: Any, draws: int = 250) -> Assessment:
    return assess(table, framework=f, draws=draws)


def status(f: Any, table: Any) -> str:
    row = judged(f, table).verdicts.iloc[0]
    how = f" {row['how']}" if row["how"] else ""
    return f"{row['status']}{how}"


def effect(x: str = "x", y: str = "y", sign: str = "+", **more: Any) -> dict[str, Any]:
    return {"kind": "effect", "from": x, "to": y, "sign": sign, **more}


LEVELS = {"x": "department", "z": "department", "y": "partnership"}


def without_partner(r: Rows, **columns: np.ndarray) -> pd.DataFrame:
    return r.table(**columns).drop(columns="partner")


# --- effect -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Any:
    arrows = ["x > y", "z > x", "z > y"]
    return theory(tmp_path_factory.mktemp("plain"), LEVELS, arrows, effect())


def confounded(seed: int, slope: float) -> tuple[Rows, dict[str, np.ndarray]]:
    r = Rows(seed)
    z = r.draw("department")
    x = 0.8 * z + 0.6 * r.draw("department")
    y = slope * x + 0.6 * z + r.draw("department", 0.3) + r.draw("district", 0.5) + r.draw()
    return r, {"x": x, "z": z, "y": y}


def test_effect_is_found_in_any_units(plain: Any) -> None:
    r, v = confounded(1, 0.5)
    assert status(plain, without_partner(r, **v)) == "supported"
    other = v | {"x": 1000 * v["x"] + 5000, "y": v["y"] / 50 - 3}
    found = judged(plain, without_partner(r, **other))
    assert found.verdicts["status"].iloc[0] == "supported"
    same = judged(plain, without_partner(r, **v))
    assert found.verdicts["mean"].iloc[0] == pytest.approx(same.verdicts["mean"].iloc[0], abs=0.02)


def test_effect_of_a_common_cause_is_not_one(plain: Any) -> None:
    r, v = confounded(2, 0.0)
    assert np.corrcoef(v["x"], v["y"])[0, 1] > 0.2  # what a naive test would see
    assert status(plain, without_partner(r, **v)) != "supported"


def test_an_unmeasured_common_cause_is_named(plain: Any) -> None:
    r, v = confounded(2, 0.0)
    del v["z"]
    found = judged(plain, without_partner(r, **v))
    row = found.verdicts.iloc[0]
    assert row["status"] == "supported"  # no rule on the data can tell
    assert row["not_adjusted_for"] == "z"


@pytest.fixture(scope="module")
def by_rows(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A common cause of departments that is measured on their partnerships."""
    levels = LEVELS | {"z": "partnership"}
    return theory(tmp_path_factory.mktemp("rows"), levels, ["x > y", "z > x", "z > y"], effect())


def few_rows(seed: int, slope: float) -> pd.DataFrame:
    r = Rows(seed)
    u = r.draw("department")
    z = u + r.draw()
    x = 0.8 * u + 0.6 * r.draw("department")
    y = slope * x + 0.8 * u + r.draw("department", 0.3) + 0.5 * r.draw()
    return without_partner(r, x=x, z=z, y=y)


def test_a_common_cause_with_few_rows_in_each_unit_has_a_latent_mean(by_rows: Any) -> None:
    """Its mean over three rows errs, and what it leaves over would pass for an effect."""
    for seed in range(2, 5):
        found = judged(by_rows, few_rows(seed, 0.0))
        assert found.verdicts["status"].iloc[0] != "supported"
        assert found.verdicts["not_adjusted_for"].iloc[0] == ""
        names = [e.response.name for e in next(iter(found.files.values())).equations]
        assert names == ["z", "y"]
    assert status(by_rows, few_rows(2, 1.2)) == "supported"


def test_a_common_cause_whose_mean_is_observed_is_adjusted_for_in_part(by_rows: Any) -> None:
    """With a value missing, its equation would not be fitted exactly: the mean stays observed."""
    table = few_rows(2, 0.0)
    table.loc[0, "z"] = np.nan
    compiled = compile_proposition(by_rows, by_rows.propositions["H"], study(table))
    assert not_adjusted(compiled) == ["z (in part)"]
    ((name, reliability),) = compiled.compiled[0].adjustment[0].partly
    assert name == "z"
    # 1 / (1 + 1/3) in the population; its standard error at 180 units of three rows is about 0.03
    # (delta method on the F ratio of the one-way analysis, with 179 and 360 degrees of freedom)
    error = 0.25 * np.sqrt(2 / 179 + 2 / 360)
    assert reliability == pytest.approx(0.75, abs=4 * error)


def test_contrary_effect_is_reversed(plain: Any) -> None:
    r, v = confounded(3, -0.6)
    assert status(plain, without_partner(r, **v)) == "contradicted reversed"


def test_randomized_cause_needs_no_adjustment(plain: Any) -> None:
    from dataclasses import replace

    from acmodels.data import study

    r = Rows(4)
    x = r.draw("department")
    y = 0.5 * x + r.draw("department", 0.3) + r.draw()
    table = study(without_partner(r, x=x, y=y))
    row = judged(plain, replace(table, randomized=("x",))).verdicts.iloc[0]
    assert row["status"] == "supported"
    assert row["not_adjusted_for"] == ""
    assert judged(plain, table).verdicts["not_adjusted_for"].iloc[0] == "z"


def test_opposite_slopes_within_and_between(plain: Any) -> None:
    """Departments differ in the direction claimed; their districts differ the other way."""
    r = Rows(5)
    d = r.draw("district", 1.5)
    x = d + r.draw("department", 0.7)
    y = 0.6 * (x - d) - 0.8 * d + r.draw("department", 0.3) + r.draw()
    assert np.polyfit(x, y, 1)[0] < 0  # what a naive regression would see
    z = r.draw("department")
    assert status(plain, without_partner(r, x=x, y=y, z=z)) == "supported"


def test_waves_are_no_independent_rows(tmp_path: Path) -> None:
    """Eight waves of 16 partnerships with stable levels that have nothing to do with each other.

    Of 20 such studies more than three are called supported with a probability of 2e-3 (binomial,
    at 0.025 each), by the right rule.
    """
    f = theory(tmp_path / "f", {"x": "partnership", "y": "partnership"}, ["x > y"], effect())
    naive = wrong = 0
    for seed in range(100, 120):
        rng = np.random.default_rng(seed)
        n, waves = 16, 8
        x, y = rng.standard_normal((2, n, 1)) + 0.2 * rng.standard_normal((2, n, waves))
        table = pd.DataFrame(
            {
                "partnership": np.repeat([f"r{k}" for k in range(n)], waves),
                "wave": np.tile(np.arange(1, waves + 1), n),
                "x": x.ravel(), "y": y.ravel(),
            }
        )  # fmt: skip
        slope, at_zero = np.polyfit(table["x"], table["y"], 1)
        residual = table["y"] - slope * table["x"] - at_zero
        naive += abs(slope) > 2 * residual.std() / table["x"].std() / np.sqrt(n * waves)
        wrong += status(f, table) == "supported"
    assert naive >= 8
    assert wrong <= 3


# --- mediation --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Any:
    levels = {"x": "department", "m": "partnership", "y": "partnership"}
    claim = {"kind": "mediation", "from": "x", "via": ["m"], "to": "y", "sign": "+"}
    return theory(tmp_path_factory.mktemp("chain"), levels, ["x > m", "m > y", "x > y"], claim)


def mediated(
    seed: int, a: float, within: float, between: float, direct: float = 0.0
) -> pd.DataFrame:
    r = Rows(seed, departments=2, partnerships=5)
    x = r.draw("department")
    u, e = r.draw("department", 0.8), r.draw()
    m = a * x + u + e
    y = between * (a * x + u) + within * e + direct * x + r.draw("department", 0.3) + r.draw()
    return without_partner(r, x=x, m=m, y=y)


def test_mediation_is_found(chain: Any) -> None:
    found = judged(chain, mediated(1, 0.7, 0.6, 0.6))
    assert found.verdicts["status"].iloc[0] == "supported"
    parts = found.parts.set_index("part")
    assert {"step x > m", "step m > y", "direct effect", "total effect"} <= set(parts.index)


def test_mediation_that_runs_within_departments_only_is_none(chain: Any) -> None:
    """The mediator moves the outcome within departments; the cause moves it between them."""
    for seed in (2, 3):
        table = mediated(seed, 0.8, 0.8, 0.0, direct=0.3)
        m = table["m"] - table.groupby("department")["m"].transform("mean")
        assert np.corrcoef(m, table["y"])[0, 1] > 0.3
        assert status(chain, table) != "supported"


def test_first_step_of_one_path_and_second_of_another_is_no_path(tmp_path: Path) -> None:
    levels = {"x": "department", "m": "partnership", "n": "partnership", "y": "partnership",
              "both": "partnership"}  # fmt: skip
    claim = {"kind": "mediation", "from": "x", "via": ["both"], "to": "y", "sign": "+"}
    f = theory(tmp_path / "f", levels, ["x > both", "both > y", "x > y"], claim,
               parts={"both": ["m", "n"]})  # fmt: skip
    r = Rows(1, departments=2, partnerships=5)
    x = r.draw("department")
    m = 0.8 * x + r.draw()
    n = r.draw() + r.draw("department", 0.5)
    y = 0.8 * n + 0.3 * x + r.draw()
    found = judged(f, without_partner(r, x=x, m=m, n=n, y=y))
    assert found.verdicts["status"].iloc[0] != "supported"
    assert {"through m", "through n"} <= set(found.parts["part"])


TWO = {"x": "department", "m": "partnership", "n": "partnership", "y": "partnership"}


def two_paths(folder: Path, via: Sequence[Sequence[str]], levels: Any = None) -> Any:
    claim = {"kind": "mediation", "from": "x", "via": via, "to": "y", "sign": "+"}
    return theory(folder, levels or TWO, ["x > m", "x > n", "m > y", "n > y", "x > y"], claim)


def test_mediators_of_two_paths_share_what_departments_and_raters_have(tmp_path: Path) -> None:
    """What n of a department is moves y, and m, which moves nothing, shares it and its noise."""
    f = two_paths(tmp_path / "f", [["m"], ["n"]])
    second: list[float] = []
    files: list[Any] = []
    for seed in range(8):
        r = Rows(seed, districts=100, departments=1, partnerships=4)
        x, both, rater = r.draw("department"), r.draw("department", 0.8), 0.7 * r.draw()
        of_n = both + r.draw("department", 0.5)
        m = 0.6 * x + both + r.draw("department", 0.5) + rater + 0.7 * r.draw()
        n = of_n + rater + 0.7 * r.draw()
        y = 0.7 * of_n + 0.2 * x + r.draw("department", 0.4) + r.draw()
        found = judged(f, without_partner(r, x=x, m=m, n=n, y=y).drop(columns="district"))
        assert found.verdicts["status"].iloc[0] != "supported"
        second.append(float(found.parts.set_index("part")["mean"]["step m > y"]))
        files += found.files.values()
    file = files[-1]
    assert [e.response.name for e in file.equations] == ["m", "n", "y"]
    assert all("(1 |u| department)" in e.formula for e in file.equations[:2])
    assert file.top["residual_correlation"] == [["m", "n"]]
    # with the mean of n as it is observed, this is 0.24; its Monte Carlo error is about 0.05
    assert abs(float(np.mean(second))) < 0.12


def test_effects_of_several_paths_add_up(tmp_path: Path) -> None:
    f = two_paths(tmp_path / "f", [["m"], ["n"]])
    r = Rows(4, districts=100, departments=1, partnerships=4)
    x = r.draw("department")
    m, n = (-0.6 * x + r.draw("department", 0.4) + r.draw() for _ in range(2))
    y = -0.5 * m - 0.5 * n + 0.3 * x + r.draw("department", 0.4) + r.draw()
    parts = judged(
        f, without_partner(r, x=x, m=m, n=n, y=y).drop(columns="district")
    ).parts.set_index("part")["mean"]
    through = parts["through m"] + parts["through n"]
    assert through == pytest.approx(parts["sum over paths"])
    assert through + parts["direct effect"] == pytest.approx(parts["total effect"])


def test_an_indirect_effect_that_lowers_is_shown_with_its_sign(tmp_path: Path) -> None:
    claim = {"kind": "mediation", "from": "x", "via": ["m"], "to": "y", "sign": "-"}
    levels = {"x": "department", "m": "partnership", "y": "partnership"}
    f = theory(tmp_path / "f", levels, ["x > m", "m > y", "x > y"], claim)
    found = judged(f, mediated(1, 0.7, -0.6, -0.6))
    row, parts = found.verdicts.iloc[0], found.parts.set_index("part")
    assert row["status"] == "supported"
    assert row["mean"] < 0
    assert float(parts["p_region"]["through m"]) > 0.975
    mean = parts["mean"]
    assert mean["total effect"] == pytest.approx(mean["through m"] + mean["direct effect"])


def test_mediators_abreast() -> None:
    from acmodels.theory.claims.mediation import abreast, sequence

    assert sequence([("b",), ("a", "b")]) == ("a", "b")
    assert abreast([("a", "b"), ("c",)]) == [["a", "c"], ["b"]]
    assert abreast([("a",), ("a", "b")]) == [["a"], ["b"]]


def test_paths_in_opposite_orders_are_refused(tmp_path: Path) -> None:
    f = two_paths(tmp_path / "f", [["m", "n"], ["n", "m"]])
    r = Rows(4, departments=2, partnerships=4)
    table = without_partner(r, **{c: r.draw() for c in TWO})
    row = judged(f, table).verdicts.iloc[0]
    assert row["status"] == "not_testable"
    assert "opposite orders" in row["reason"]


def test_common_cause_of_mediator_and_outcome(tmp_path: Path) -> None:
    levels = {"x": "department", "m": "partnership", "y": "partnership", "c": "partnership"}
    claim = {"kind": "mediation", "from": "x", "via": ["m"], "to": "y", "sign": "+"}
    arrows = ["x > m", "m > y", "x > y", "c > m", "c > y"]
    f = theory(tmp_path / "f", levels, arrows, claim)
    r = Rows(2, departments=2, partnerships=5)
    x, c = r.draw("department"), r.draw() + r.draw("department", 0.5)
    m = 0.7 * x + c + r.draw("department", 0.3) + 0.5 * r.draw()
    y = c + r.draw("department", 0.3) + r.draw()
    assert status(f, without_partner(r, x=x, m=m, y=y, c=c)) != "supported"
    row = judged(f, without_partner(r, x=x, m=m, y=y)).verdicts.iloc[0]
    assert row["not_adjusted_for"] == "c"


def test_confounder_that_the_cause_moves_has_an_equation(tmp_path: Path) -> None:
    levels = {"x": "department", "m": "partnership", "y": "partnership", "c": "partnership"}
    claim = {"kind": "mediation", "from": "x", "via": ["m"], "to": "y", "sign": "+"}
    arrows = ["x > m", "m > y", "x > y", "c > m", "c > y", "x > c"]
    f = theory(tmp_path / "f", levels, arrows, claim)
    r = Rows(3, departments=2, partnerships=5)
    x = r.draw("department")
    c = 0.7 * x + r.draw()
    m = 0.5 * x + c + 0.5 * r.draw() + r.draw("department", 0.3)
    y = c + 0.3 * x + r.draw("department", 0.3) + r.draw()
    found = judged(f, without_partner(r, x=x, m=m, y=y, c=c))
    assert found.verdicts["status"].iloc[0] != "supported"
    (file,) = found.files.values()
    assert [e.response.name for e in file.equations] == ["c", "m", "y"]


# --- moderation -------------------------------------------------------------------------


def moderation(**more: Any) -> dict[str, Any]:
    return {"kind": "moderation", "from": "x", "by": "w", "to": "y", "sign": "+"} | more


MODERATED = {"x": "partnership", "w": "partnership", "c": "partnership", "y": "partnership"}


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Any:
    arrows = ["x > y by w", "c > y", "c > w", "c > x"]
    return theory(tmp_path_factory.mktemp("product"), MODERATED, arrows, moderation())


@pytest.fixture(scope="module")
def only(tmp_path_factory: pytest.TempPathFactory) -> Any:
    arrows = ["x > y by w", "c > y", "c > w", "c > x"]
    return theory(tmp_path_factory.mktemp("only"), MODERATED, arrows, moderation(only_where="high"))


def moderated(seed: int, mean: Any, r: float = 0.5, c: float = 0.6) -> pd.DataFrame:
    rows = Rows(seed, districts=50, departments=2, partnerships=5)
    x = rows.draw()
    w = r * x + np.sqrt(1 - r * r) * rows.draw()
    k = c * w + np.sqrt(1 - c * c) * rows.draw()
    y = mean(x, w, k) + rows.draw("district", 0.3) + rows.draw()
    table = without_partner(rows, x=x, w=w, c=k, y=y)
    return table.drop(columns="department")


@pytest.mark.parametrize(
    ("mean", "expected"),
    [
        (lambda x, w, c: 0.3 * x + 0.2 * w + 0.3 * x * w, "supported"),
        (lambda x, w, c: 0.3 * x + 0.2 * w - 0.3 * x * w, "contradicted reversed"),
    ],
)
def test_moderation_is_found(product: Any, mean: Any, expected: str) -> None:
    assert status(product, moderated(1, mean)) == expected


@pytest.mark.parametrize(
    "mean",
    [
        lambda x, w, c: 0.3 * x + 0.3 * w,
        lambda x, w, c: 0.3 * x + 0.3 * w + 0.3 * x * x,  # curvature of correlated variables
        lambda x, w, c: 0.2 * x + 0.2 * w + 0.3 * c + 0.3 * x * c,  # the covariate moderates
    ],
    ids=["none", "curvature", "covariate"],
)
def test_what_is_no_moderation(product: Any, mean: Any) -> None:
    for seed in (1, 2):
        assert status(product, moderated(seed, mean)) != "supported"


def test_only_where_high(only: Any) -> None:
    assert (
        status(only, moderated(1, lambda x, w, c: 0.35 * x + 0.2 * w + 0.35 * x * w)) == "supported"
    )
    everywhere = moderated(1, lambda x, w, c: 0.6 * x + 0.2 * w + 0.15 * x * w)
    assert status(only, everywhere) == "undecided"


def test_moderation_by_several_at_once(tmp_path: Path) -> None:
    f = theory(tmp_path / "f", MODERATED, ["x > y by w", "x > y by c"],
               moderation(by=["w", "c"], sign="differs"))  # fmt: skip
    table = moderated(3, lambda x, w, c: 0.3 * x * w * c, r=0.0, c=0.0)
    assert status(f, table) == "supported"


# --- the other kinds --------------------------------------------------------------------


def several(tmp_path: Path, claim: Mapping[str, Any], names: str = "abcd", **more: Any) -> Any:
    levels = dict.fromkeys(names, "partnership") | {"y": "partnership", "t": "partnership"}
    arrows = [f"{n} > {o}" for n in names for o in ("y", "t")]
    return theory(tmp_path / "several", levels, arrows, claim, **more)


def of_four(seed: int, slopes: tuple[float, ...], n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((n, 1))
    x = 0.6 * common + 0.8 * rng.standard_normal((n, len(slopes)))
    y = x @ np.array(slopes) + rng.standard_normal(n)
    t = 0.4 * x[:, 0] + rng.standard_normal(n)
    return pd.DataFrame(dict(zip("abcd", x.T, strict=False)) | {"y": y, "t": t})


def test_contrast_of_causes(tmp_path: Path) -> None:
    claim = {"kind": "contrast", "sign": "+",
             "of": [{"from": "a", "to": "y"}, {"from": "b", "to": "y"}]}  # fmt: skip
    f = several(tmp_path, claim)
    assert status(f, of_four(1, (0.6, 0.1, 0.1, 0.1))) == "supported"
    assert status(f, of_four(1, (0.1, 0.6, 0.1, 0.1))) == "contradicted reversed"
    scaled = of_four(2, (0.3, 0.3, 0.1, 0.1))
    scaled["a"] *= 0.01  # a larger coefficient, and no larger effect
    assert status(f, scaled) != "supported"


def test_contrast_of_outcomes(tmp_path: Path) -> None:
    claim = {"kind": "contrast", "sign": "differs",
             "of": [{"from": "a", "to": "y"}, {"from": "a", "to": "t"}]}  # fmt: skip
    f = several(tmp_path, claim)
    table = of_four(1, (-0.4, 0.0, 0.0, 0.0))
    assert status(f, table) == "supported"
    table["y"] = 0.4 * table["a"] + np.random.default_rng(5).standard_normal(len(table))
    assert status(f, table) != "supported"


def test_order(tmp_path: Path) -> None:
    f = several(tmp_path, {"kind": "order", "from": list("abcd"), "to": "y"})
    assert status(f, of_four(1, (0.8, 0.05, 0.05, 0.05))) == "supported"
    equal = [status(f, of_four(seed, (0.2, 0.2, 0.2, 0.2))) for seed in range(4)]
    assert "supported" not in equal
    assert status(f, of_four(3, (0.2, 0.2, 0.2, 0.2), n=60_000)) == "contradicted negligible"


@pytest.mark.parametrize(
    ("mean", "shape", "expected"),
    [
        (lambda x: -0.4 * x * x, "inverted U", "supported"),
        (lambda x: 0.5 * x, "inverted U", "contradicted reversed"),
        (lambda x: 1.2 * (1 - np.exp(-0.8 * (x + 2.5))), "inverted U", None),
        (lambda x: 0.4 * x * x, "U", "supported"),
        (lambda x: 2 * (1 - np.exp(-1.2 * (x + 2))), "saturating", "supported"),
        (lambda x: 0.6 * x, "saturating", None),
    ],
)
def test_curve(tmp_path: Path, mean: Any, shape: str, expected: str | None) -> None:
    f = several(tmp_path, {"kind": "curve", "from": "a", "to": "y", "shape": shape}, names="a")
    rng = np.random.default_rng(1)
    x = rng.uniform(-2, 2, 600)
    y = mean(x) + 0.7 * rng.standard_normal(600)
    found = status(f, pd.DataFrame({"a": x, "y": y}))
    assert (found == expected) if expected is not None else (found != "supported")


def test_congruence_on_one_metric(tmp_path: Path) -> None:
    claim = {"kind": "congruence", "from": ["a", "b"], "to": "y", "one_metric": True}
    f = several(tmp_path, claim, names="ab")
    rng = np.random.default_rng(1)
    a, b = rng.normal(3, 1, (2, 500))
    e = rng.standard_normal(500)
    assert status(f, pd.DataFrame({"a": a, "b": b, "y": -0.3 * (a - b) ** 2 + e})) == "supported"
    main = pd.DataFrame({"a": a, "b": b, "y": 0.4 * a + 0.4 * b + e})
    assert status(f, main) != "supported"
    product = pd.DataFrame({"a": a, "b": b, "y": 0.3 * (a + b) + 0.4 * (a - 3) * (b - 3) + e})
    assert status(f, product) == "undecided"  # it bends down along misfit, and has no ridge
    shifted = pd.DataFrame({"a": a, "b": b, "y": -0.3 * (a - b - 2) ** 2 + e})
    assert status(f, shifted) == "undecided"


def test_variance(tmp_path: Path) -> None:
    levels = {"y": "partnership", "x": "partnership"}
    claim = {"kind": "variance", "unit": "department", "of": "y", "minimum": 0.05}
    f = theory(tmp_path / "f", levels, ["x > y"], claim)
    r = Rows(1, partnerships=5)
    apart = r.draw("department", 0.7) + r.draw("district", 0.3) + r.draw()
    assert status(f, without_partner(r, y=apart)) == "supported"
    none = r.draw("district", 0.7) + r.draw()
    assert status(f, without_partner(r, y=none)) != "supported"


def test_variance_of_two_units_is_their_difference(tmp_path: Path) -> None:
    """One district, two departments: a verdict on whether they differ, by their raters."""
    levels = {"y": "partnership", "x": "partnership"}
    claim = {"kind": "variance", "unit": "department", "of": "y", "minimum": 0.05}
    f = theory(tmp_path / "f", levels, ["x > y"], claim)
    rng = np.random.default_rng(1)
    which = np.repeat([0, 1], 20)
    rater = np.repeat(np.arange(20), 2)
    noise = 0.6 * rng.standard_normal(20)[rater] + 0.4 * rng.standard_normal(40)
    base = {
        "district": "d",
        "department": [f"u{k}" for k in which],
        "partnership": [f"r{k}" for k in rater],
    }
    assert status(f, pd.DataFrame(base | {"y": 1.5 * which + noise})) == "supported"
    assert status(f, pd.DataFrame(base | {"y": noise})) != "supported"
    found = judged(f, pd.DataFrame(base | {"y": 1.5 * which + noise}))
    assert any("one district" in n for n in found.propositions["H"].compiled[0].notes)


def test_moderated_mediation(tmp_path: Path) -> None:
    levels = {"x": "partnership", "m": "partnership", "w": "partnership", "y": "partnership"}
    claim = {"kind": "moderated_mediation", "from": "x", "via": ["m"], "to": "y", "by": "w",
             "leg": "first", "sign": "+"}  # fmt: skip
    f = theory(tmp_path / "f", levels, ["x > m by w", "m > y", "x > y"], claim)
    rng = np.random.default_rng(1)
    x, w, e, u = rng.standard_normal((4, 500))
    m = 0.3 * x + 0.4 * x * w + e
    y = 0.6 * m + u
    assert status(f, pd.DataFrame({"x": x, "w": w, "m": m, "y": y})) == "supported"
    m = 0.4 * x + e
    y = 0.5 * m + 0.4 * x * w + u  # the direct effect is moderated, and no step
    assert status(f, pd.DataFrame({"x": x, "w": w, "m": m, "y": y})) != "supported"


@pytest.mark.parametrize("leg", ["first", "second"])
def test_a_moderated_direct_effect_is_no_moderated_step(tmp_path: Path, leg: str) -> None:
    levels: dict[str, str] = dict.fromkeys(("x", "m", "w", "y"), "partnership")
    claim = {"kind": "moderated_mediation", "from": "x", "via": ["m"], "to": "y", "by": "w",
             "leg": leg, "sign": "+"}  # fmt: skip
    arrows = [f"x > m{' by w' * (leg == 'first')}", f"m > y{' by w' * (leg == 'second')}", "x > y"]
    f = theory(tmp_path / "f", levels, arrows, claim)
    for seed in range(3):
        x, w, e, u = np.random.default_rng(seed).standard_normal((4, 500))
        m = 0.7 * x + 0.7 * e
        y = 0.5 * m + 0.5 * x * w + u
        assert status(f, pd.DataFrame({"x": x, "w": w, "m": m, "y": y})) != "supported"


def test_aggregate(tmp_path: Path) -> None:
    levels = {"k": "partnership", "most": "partnership", "least": "partnership", "y": "partnership"}
    claim = {
        "kind": "aggregate",
        "from": "k",
        "rules": ["coverage", "minimum"],
        "to": "y",
        "sign": "+",
    }
    extra = {"most": {"aggregate_of": "k", "rule": "coverage"},
             "least": {"aggregate_of": "k", "rule": "minimum"}}  # fmt: skip
    f = theory(tmp_path / "f", levels, ["k > y", "most > y", "least > y"], claim, extra=extra)
    rng = np.random.default_rng(1)
    most, least, e = rng.standard_normal((3, 400))
    assert (
        status(f, pd.DataFrame({"most": most, "least": least, "y": 0.6 * most + e})) == "supported"
    )
    both = pd.DataFrame({"most": most, "least": least, "y": 0.3 * (most + least) + e})
    assert status(f, both) != "supported"


# --- several claims, missing columns, words ---------------------------------------------


def test_all_claims_of_a_proposition_must_hold(tmp_path: Path) -> None:
    claim = {"all": [effect("a"), effect("b")]}
    f = several(tmp_path, claim)
    assert status(f, of_four(1, (0.5, 0.5, 0.0, 0.0))) == "supported"
    assert status(f, of_four(1, (0.5, -0.5, 0.0, 0.0))) == "contradicted reversed"


def test_the_reason_names_the_chance_of_each_claim(tmp_path: Path) -> None:
    f = several(tmp_path, {"all": [effect("a"), effect("b")]})
    row = judged(f, of_four(1, (0.5, 0.0, 0.0, 0.0))).verdicts.iloc[0]
    assert row["status"] == "undecided"
    assert row["reason"].startswith("Undecided: its 2 claims hold with probabilities above 0.999, ")


def test_two_columns_are_enough(plain: Any) -> None:
    _, v = confounded(1, 0.5)
    table = pd.DataFrame({"x": v["x"], "y": v["y"]})
    assert judged(plain, table).verdicts["status"].iloc[0] in ("supported", "undecided")


def test_what_the_data_lack_is_said(plain: Any) -> None:
    row = judged(
        plain, pd.DataFrame({"y": np.random.default_rng(1).normal(size=50)})
    ).verdicts.iloc[0]
    assert row["status"] == "not_testable"
    assert "the data lack the cause 'x'" in row["reason"]
    few = pd.DataFrame({"x": [1.0, 2, 3, 4], "y": [2.0, 1, 4, 3]})
    row = judged(plain, few).verdicts.iloc[0]
    assert row["status"] == "not_testable"
    assert "at least 8" in row["reason"]


def test_aliases_are_columns_too(tmp_path: Path) -> None:
    f = theory(tmp_path / "f", {"x": "partnership", "y": "partnership"}, ["x > y"], effect(),
               extra={"x": {"aliases": ["x_mean"]}})  # fmt: skip
    rng = np.random.default_rng(1)
    x = rng.standard_normal(200)
    table = pd.DataFrame({"X_Mean": x, "y": 0.5 * x + rng.standard_normal(200)})
    assert status(f, table) == "supported"
