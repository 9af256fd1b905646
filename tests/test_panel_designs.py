"""Designs with waves: who is in which wave, and that studies have the moments that truths imply."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acmodels.errors import AcmodelsError
from acmodels.load import load_design
from acmodels.simulation import simulate

CROSS = "factor(wave) + within(lag(x), person) + within(lag(y), person) + (1 |u| person)"
MODEL = f"""
name = "cross"
residual_correlation = [["x", "y"]]
[panel]
unit = "person"
wave = "wave"
[equations.x]
formula = "x ~ {CROSS}"
[equations.y]
formula = "y ~ {CROSS}"
[estimands.loop]
kind = "feedback"
from = "x"
to = "y"
"""
B = np.array([[0.4, 0.2], [0.3, 0.5]])
TRUTH = {f"{a} ~ within(lag({b}), person)": B[i, j]
         for i, a in enumerate("xy") for j, b in enumerate("xy")}  # fmt: skip
TRUTH |= {"sigma1(x)": 1.5, "sigma1(y)": 0.8, "cor1(x, y)": 0.4, "cor(x, y)": -0.2,
          "sd(x ~ 1 | person)": 0.7, "sd(y ~ 1 | person)": 0.5,
          "cor(x ~ 1, y ~ 1 | person)": 0.3}  # fmt: skip


def design(folder: Path, units: str, more: str = "", model: str = MODEL, **truth: float) -> Any:
    (folder / "model.toml").write_text(model)
    said = "\n".join(f'"{k}" = {v}' for k, v in truth.items())
    text = f'model = "model.toml"\n[units]\n{units}\n[truth]\n{said}\n{more}'
    (folder / "design.toml").write_text(text)
    return load_design(folder / "design.toml")


def test_every_unit_has_a_row_in_each_wave(tmp_path: Path) -> None:
    made = simulate(design(tmp_path, "school = 3\nperson = {per = 'school', n = 5}\nwave = 4"))
    frame = made.study.frame
    assert len(frame) == 60
    assert (frame.groupby("person")["wave"].apply(list).map(tuple) == (1, 2, 3, 4)).all()
    assert frame["school"].nunique() == 3
    assert made.truth["sigma1(x)"] == 1.0
    assert made.truth["cor1(x, y)"] == 0.0


def test_several_rows_of_a_unit_in_a_wave_and_values_of_units_in_waves(tmp_path: Path) -> None:
    model = """
name = "raters"
[panel]
unit = "person"
wave = "wave"
[equations.x]
formula = "x ~ w + lag(x) + (1 | person)"
level = "person"
[equations.y]
formula = "y ~ v + lag(x) + (1 | person)"
"""
    made = simulate(design(tmp_path, "person = 6\nwave = 3\nrow = {per = 'person', n = 2}",
                           model=model))  # fmt: skip
    frame = made.study.frame
    assert len(frame) == 6 * 3 * 2
    by = frame.groupby(["person", "wave"])
    assert (by.size() == 2).all()
    for one in ("x", "w"):
        assert (by[one].nunique() == 1).all()
        assert frame[one].nunique() == 18
    assert frame["v"].nunique() == 36


def test_who_leaves_does_not_come_back(tmp_path: Path) -> None:
    made = simulate(design(tmp_path, "person = 400\nwave = 4", "[loss]\nattrition = 0.2\n"))
    last = made.study.frame.groupby("person")["wave"]
    assert (last.max() == last.size()).all()
    share = (last.max() == 4).mean()
    assert abs(share - 0.8**3) < 4 * np.sqrt(0.25 / 400)


def test_a_study_has_the_moments_that_its_truth_implies(tmp_path: Path) -> None:
    """Covariances of 3,000 units: each within 5 standard errors of what the truth implies."""
    N, W = 3000, 4
    made = simulate(design(tmp_path, f"person = {N}\nwave = {W}", **TRUTH))
    data = made.study.frame[["x", "y"]].to_numpy().reshape(N, 2 * W)
    first = np.array([[1.5**2, 0.4 * 1.5 * 0.8], [0.4 * 1.5 * 0.8, 0.8**2]])
    noise = np.array([[1.0, -0.2], [-0.2, 1.0]])
    units = np.array([[0.49, 0.3 * 0.35], [0.3 * 0.35, 0.25]])
    V = np.zeros((2 * W, 2 * W))
    here = first
    for t in range(W):
        lagged = here
        for s in range(t, W):
            V[2 * s : 2 * s + 2, 2 * t : 2 * t + 2] = lagged
            V[2 * t : 2 * t + 2, 2 * s : 2 * s + 2] = lagged.T
            lagged = B @ lagged
        here = B @ here @ B.T + noise
    V += np.kron(np.ones((W, W)), units)
    got = np.cov(data.T)
    error = np.sqrt((V**2 + np.outer(np.diag(V), np.diag(V))) / N)
    assert np.max(np.abs(got - V) / error) < 5
    assert made.effects["loop"] == pytest.approx(0.2 * 0.3)


def test_a_panel_needs_its_units_in_the_design(tmp_path: Path) -> None:
    with pytest.raises(AcmodelsError) as said:
        simulate(design(tmp_path, "person = 40"))
    assert "wave = 4" in str(said.value)
