"""Predictions, comparisons and slopes against brute force, draw by draw and row by row."""

import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

sys.path.insert(0, str(Path(__file__).parent))

import acmodels as ac
from acmodels.inference.fitting import Fit
from fakes import fake_fit, fake_frame

FORMULA = "yes ~ x*z + sector + center(m) + (1 + x | district)"


def made(formula: str = FORMULA, family: str = "bernoulli", **changes: Any) -> Fit:
    response = formula.partition("~")[0].strip()
    table = {"name": "t", "equations": {response: {"formula": formula, "family": family}}}
    return fake_fit(table, fake_frame().assign(**changes))


def draws(fit: Fit, name: str) -> np.ndarray:
    return fit.draws[name].reshape(-1)


def linear(fit: Fit, frame: pd.DataFrame, mean_m: float) -> np.ndarray:
    """The linear predictor of FORMULA without group effects, (draw, row)."""
    x, z, m = (frame[c].to_numpy() for c in ("x", "z", "m"))
    public = (frame["sector"] == "Public").to_numpy(float)
    columns = {"1": np.ones(len(frame)), "x": x, "z": z, "sector[Public]": public,
               "center(m)": m - mean_m, "x:z": x * z}  # fmt: skip
    return sum(np.outer(draws(fit, f"yes ~ {n}"), v) for n, v in columns.items())


def of_new_groups(fit: Fit, eta: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Expectation over new groups by a fine grid of the standard normal."""
    a, b = draws(fit, "sd(yes ~ 1 | district)"), draws(fit, "sd(yes ~ x | district)")
    r = draws(fit, "cor(yes ~ 1, yes ~ x | district)")
    sd = np.sqrt(a[:, None] ** 2 + np.outer(b**2, x**2) + 2 * np.outer(a * b * r, x))
    t = np.linspace(-7, 7, 561)
    weight = np.exp(-(t**2) / 2)
    weight /= weight.sum()
    return sum(w * expit(eta + sd * s) for s, w in zip(t, weight, strict=True))


def close(table: pd.DataFrame, by_hand: np.ndarray) -> None:
    """Mean, median and interval of (draw, quantity) are the table's."""
    np.testing.assert_allclose(table["mean"], by_hand.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(table["sd"], by_hand.std(axis=0, ddof=1), rtol=1e-5)
    np.testing.assert_allclose(table["median"], np.median(by_hand, axis=0), rtol=1e-6)
    low, high = np.quantile(by_hand, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(table[["lower", "upper"]], np.c_[low, high], rtol=1e-5)


def test_rows_as_observed_with_their_groups() -> None:
    fit, frame = made(), fake_frame()
    u = next(iter(fit.draws.group_effects.values()))
    code = fit.system.layout.blocks[0].code
    u = u.reshape(-1, *u.shape[2:])[:, code]
    eta = linear(fit, frame, frame["m"].mean()) + u[..., 0] + u[..., 1] * frame["x"].to_numpy()
    table = ac.predictions(fit)
    close(table, expit(eta))
    assert list(table["rowid"]) == list(range(72))
    assert list(table["sector"]) == list(frame["sector"])
    close(ac.predictions(fit, scale="linear"), eta)


def test_averages_are_over_rows_and_new_groups() -> None:
    fit, frame = made(), fake_frame()
    hand = []
    for z in (-1.0, 2.0):
        eta = linear(fit, frame.assign(z=z), frame["m"].mean())
        hand.append(of_new_groups(fit, eta, frame["x"].to_numpy()).mean(axis=1))
    table = ac.predictions(fit, at={"z": [-1, 2]})
    close(table, np.column_stack(hand))
    assert list(table["z"]) == [-1.0, 2.0]


def test_by_a_factor_and_by_a_grouping() -> None:
    fit, frame = made(), fake_frame()
    full = of_new_groups(fit, linear(fit, frame, frame["m"].mean()), frame["x"].to_numpy())
    hand = [full[:, frame["sector"] == s].mean(axis=1) for s in ("Private", "Public")]
    table = ac.predictions(fit, by="sector")
    assert list(table["sector"]) == ["Private", "Public"]
    close(table, np.column_stack(hand))
    assert len(ac.predictions(fit, by="district")) == 12
    close(ac.predictions(fit, by=True), full.mean(axis=1)[:, None])


def test_another_table_rests_on_the_fits_centre() -> None:
    fit, frame = made(), fake_frame()
    new = frame.iloc[:5].assign(m=lambda f: f["m"] + 1, district="nowhere")
    eta = linear(fit, new, frame["m"].mean())
    close(ac.predictions(fit, new), of_new_groups(fit, eta, new["x"].to_numpy()))


def test_groups_not_seen_are_refused_with_the_levels() -> None:
    new = fake_frame().iloc[:3].assign(district=["Innsmouth-001", "Arkham", "Dunwich"])
    with pytest.raises(ac.InputError, match=r"no district 'Arkham', 'Dunwich'.*Innsmouth-000"):
        ac.predictions(made(), new, groups="observed")


def test_comparisons_of_numbers_and_factors() -> None:
    fit, frame = made(), fake_frame()
    x, m = frame["x"], frame["m"].mean()

    def average(changed: pd.DataFrame) -> np.ndarray:
        return of_new_groups(fit, linear(fit, changed, m), changed["x"].to_numpy()).mean(axis=1)

    plain = average(frame)
    public = average(frame.assign(sector="Public")) - average(frame.assign(sector="Private"))
    table = ac.comparisons(fit, {"x": None, "z": [0, 2], "sector": None, "m": 0.5})
    hand = [
        average(frame.assign(x=x + 1)) - plain,
        average(frame.assign(z=2.0)) - average(frame.assign(z=0.0)),
        public,
        average(frame.assign(m=frame["m"] + 0.5)) - plain,
    ]
    close(table, np.column_stack(hand))
    assert list(table["contrast"]) == ["+1", "2 - 0", "Public - Private", "+0.5"]
    assert list(table.columns[:2]) == ["term", "contrast"]


def test_slopes_are_derivatives() -> None:
    """On the linear scale b_x + b_xz z + 2 b_xx x; with an identity link the response's."""
    fit, frame = made("y ~ x*z + square(x) + (1 | district)", "gaussian"), fake_frame()
    b = {n: draws(fit, f"y ~ {n}") for n in ("x", "x:z", "square(x)")}
    hand = b["x"] + b["x:z"] * frame["z"].mean() + 2 * b["square(x)"] * frame["x"].mean()
    table = ac.slopes(fit, "x")
    np.testing.assert_allclose(table["mean"], hand.mean(), rtol=1e-7)
    assert len(ac.slopes(fit, "x", by="district")) == 12


def test_slopes_with_a_link_are_near_a_small_step() -> None:
    fit = made()
    slope = ac.slopes(fit, "x", groups="observed")["mean"][0]
    step = ac.comparisons(fit, {"x": 1e-3}, groups="observed")["mean"][0] / 1e-3
    assert slope == pytest.approx(step, rel=1e-3)


def test_offsets_move_with_what_they_rest_on() -> None:
    fit = made("y ~ x + offset(z)", "gaussian")
    table = ac.comparisons(fit, {"z": 1})
    assert table["mean"][0] == pytest.approx(1.0)
    assert table["sd"][0] == pytest.approx(0.0, abs=1e-9)


def test_means_and_commonest_levels() -> None:
    fit, frame = made(), fake_frame()
    table = ac.predictions(fit, "mean")
    means = frame[["x", "z", "m"]].mean().to_frame().T.assign(sector="Private")
    eta = linear(fit, means, frame["m"].mean())
    close(table, of_new_groups(fit, eta, means["x"].to_numpy()))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda f: ac.predictions(f, at={"xx": 1}), "no predictor .* did you mean 'x'"),
        (lambda f: ac.predictions(f, at={"sector": "Publc"}), "no level 'Publc'; did you mean"),
        (lambda f: ac.predictions(f, at={"x": "much"}), "is a number"),
        (lambda f: ac.predictions(f, by="nobody"), "neither a predictor nor a grouping"),
        (lambda f: ac.predictions(f, response="n"), "'n' has no equation"),
        (lambda f: ac.predictions(f, groups="old"), "groups must be"),
        (lambda f: ac.predictions(f, scale="log"), "scale must be"),
        (lambda f: ac.predictions(f, "mean", groups="observed"), "held values belong to no group"),
        (lambda f: ac.predictions(f, fake_frame()[["x"]]), "no column 'z', 'sector', 'm'"),
        (lambda f: ac.slopes(f, "sector"), "is a factor and has no slope"),
        (lambda f: ac.comparisons(f, {"x": "sdd"}), "takes a step"),
        (lambda f: ac.plot_predictions(f, ["x", "z", "m"], "p.svg"), "one or two predictors"),
    ],
)
def test_errors_are_plain(call: Callable[[Fit], Any], said: str) -> None:
    with pytest.raises(ac.InputError, match=said):
        call(made())


def test_a_value_that_a_transform_cannot_take() -> None:
    fit = made("y ~ log(w)", "gaussian", w=lambda f: 1 + f["x"] ** 2)
    with pytest.raises(ac.InputError, match=r"'log\(w\)' is not a finite number"):
        ac.predictions(fit, at={"w": -1})


def test_several_equations_need_to_be_told_apart() -> None:
    table = {"name": "t", "equations": {"m": {"formula": "m ~ x"}, "y": {"formula": "y ~ m + x"}}}
    fit = fake_fit(table, fake_frame())
    with pytest.raises(ac.InputError, match="say response="):
        ac.predictions(fit)
    direct = ac.comparisons(fit, "x", response="y")
    np.testing.assert_allclose(direct["mean"], draws(fit, "y ~ x").mean())  # m as observed


@pytest.mark.parametrize("condition", [["x"], ["x", "z"], ["sector", "z"], ["x", "sector"]])
def test_a_drawing(tmp_path: Path, condition: list[str]) -> None:
    fit = made()
    path = ac.plot_predictions(fit, condition, tmp_path / "new" / "p.svg")
    tree = ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314
    assert tree.tag == "{http://www.w3.org/2000/svg}svg"
    kinds = {k.get("class", "").split(" ")[0] for k in tree.iter()}
    assert ({"whisker", "dot"} if condition[0] == "sector" else {"band", "curve"}) <= kinds
    assert "Innsmouth" not in path.read_text(encoding="utf-8")


def test_hostile_names_are_inert_in_a_drawing(tmp_path: Path) -> None:
    name = "<script>alert(1)</script>"
    table = {"name": "t", "equations": {"y": {"formula": f"y ~ `{name}`"}}}
    fit = fake_fit(table, fake_frame().rename(columns={"x": name}))
    text = ac.plot_predictions(fit, [name], tmp_path / "p.svg").read_text(encoding="utf-8")
    assert "<script" not in text
    ET.fromstring(text)  # noqa: S314


def ordinal_fit(link: str, groups: str = "") -> Fit:
    codes = np.random.default_rng(3).integers(2, 6, len(fake_frame()))
    table = {
        "name": "t",
        "equations": {"q": {"formula": f"q ~ x{groups}", "family": "ordinal", "link": link}},
    }
    return fake_fit(table, fake_frame().assign(q=codes))


def by_hand(fit: Fit, link: str, eta: np.ndarray) -> np.ndarray:
    """P(q = code) by differences of the distribution function, (draw, row, category)."""
    from scipy.special import ndtr

    cdf = expit if link == "logit" else ndtr
    cuts = np.stack([draws(fit, f"q | t{k}") for k in (1, 2, 3)], axis=-1)[:, None, :]
    below = cdf(cuts - eta[..., None])
    ends = np.zeros((*eta.shape, 1))
    return np.diff(np.concatenate([ends, below, ends + 1], axis=-1), axis=-1)


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_an_ordinal_response_has_a_probability_for_each_category(link: str) -> None:
    fit = ordinal_fit(link)
    x = fake_frame()["x"].to_numpy()
    found = ac.predictions(fit)
    p = by_hand(fit, link, np.outer(draws(fit, "q ~ x"), x))
    assert list(found["category"][:4]) == [2, 3, 4, 5]
    assert list(found["rowid"][:5]) == [0, 0, 0, 0, 1]
    close(found, p.reshape(len(p), -1))
    np.testing.assert_allclose(found.groupby("rowid")["mean"].sum(), 1.0)
    held = ac.predictions(fit, at={"x": [-1.0, 1.0]})
    assert list(held["category"]) == [2, 3, 4, 5] * 2
    np.testing.assert_allclose(held.groupby("x")["mean"].sum(), 1.0)
    change = ac.comparisons(fit, {"x": [-1.0, 1.0]})
    ends = held["mean"].to_numpy().reshape(2, 4)
    np.testing.assert_allclose(change["mean"], ends[1] - ends[0])
    slope = ac.slopes(fit, "x")
    assert abs(slope["mean"].sum()) < 1e-8
    assert "category" not in ac.predictions(fit, scale="linear")


def test_probabilities_of_categories_are_averaged_over_new_groups() -> None:
    fit = ordinal_fit("probit", " + (1 | district)")
    found = ac.predictions(fit, at={"x": 0.5})
    sd = draws(fit, "sd(q ~ 1 | district)")
    shrink = np.sqrt(1 + sd**2)[:, None]  # probit with a normal effect is probit again
    cuts = np.stack([draws(fit, f"q | t{k}") for k in (1, 2, 3)], axis=-1)
    from scipy.special import ndtr

    below = ndtr((cuts - 0.5 * draws(fit, "q ~ x")[:, None]) / shrink)
    ends = np.zeros((len(below), 1))
    close(found, np.diff(np.concatenate([ends, below, ends + 1], axis=1), axis=1))


def test_a_drawing_of_categories(tmp_path: Path) -> None:
    fit = ordinal_fit("logit")
    text = ac.plot_predictions(fit, ["x"], tmp_path / "p.svg").read_text()
    assert "Probability of each category of q by x" in text
    assert all(f"q = {k}" in text for k in (2, 3, 4, 5))
