"""Verdicts answer the statement: some part differs, steps as the theory has them, parts untestable.

Studies are plain NumPy, at effects whose chance of a wrong outcome is far below 1e-3.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from test_claims import effect, judged, status
from traps import theory


def normal(seed: int, *names: str, n: int = 400) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(n) for name in names}


def rows_of(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "partnership")


# --- a composite's effects differ where those of some part do ---------------------------


@pytest.fixture(scope="module")
def unlike(tmp_path_factory: pytest.TempPathFactory) -> Any:
    claim = {"kind": "contrast", "sign": "differs",
             "of": [{"from": "all", "to": "y"}, {"from": "all", "to": "t"}]}  # fmt: skip
    return theory(tmp_path_factory.mktemp("unlike"), rows_of("a", "b", "all", "y", "t"),
                  ["all > y", "all > t"], claim, parts={"all": ["a", "b"]})  # fmt: skip


def test_parts_whose_differences_cancel_do_differ(unlike: Any) -> None:
    """On average a and b move y and t alike, and neither of them does."""
    v = normal(1, "a", "b", "e", "u")
    y = 0.6 * v["a"] + 0.1 * v["b"] + v["e"]
    t = 0.1 * v["a"] + 0.6 * v["b"] + v["u"]
    found = judged(unlike, pd.DataFrame({"a": v["a"], "b": v["b"], "y": y, "t": t}))
    assert found.verdicts["status"].iloc[0] == "supported"
    assert set(found.parts["from"]) == {"a", "b"}


def test_one_part_that_differs_is_enough(unlike: Any) -> None:
    v = normal(2, "a", "b", "e", "u")
    y = 0.6 * v["a"] + 0.3 * v["b"] + v["e"]
    t = 0.3 * v["b"] + v["u"]
    assert status(unlike, pd.DataFrame({"a": v["a"], "b": v["b"], "y": y, "t": t})) == "supported"


def test_parts_that_do_not_differ(unlike: Any) -> None:
    for seed in range(3, 6):
        v = normal(seed, "a", "b", "e", "u")
        y = 0.5 * v["a"] + 0.1 * v["b"] + v["e"]
        t = 0.5 * v["a"] + 0.1 * v["b"] + v["u"]
        table = pd.DataFrame({"a": v["a"], "b": v["b"], "y": y, "t": t})
        assert status(unlike, table) != "supported"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Any:
    claim = {"kind": "contrast", "sign": "differs",
             "of": [{"from": "all", "to": "y", "at": {"w": -1}},
                    {"from": "all", "to": "y", "at": {"w": 1}}]}  # fmt: skip
    return theory(tmp_path_factory.mktemp("elsewhere"), rows_of("a", "b", "all", "w", "y"),
                  ["all > y by w"], claim, parts={"all": ["a", "b"]})  # fmt: skip


@pytest.mark.parametrize(("of_a", "of_b", "expected"), [(0.4, -0.4, True), (0.0, 0.0, False)])
def test_which_part_helps_may_depend_on_a_moderator(
    elsewhere: Any, of_a: float, of_b: float, expected: bool
) -> None:
    v = normal(7, "a", "b", "w", "e")
    y = 0.3 * (v["a"] + v["b"]) + v["w"] * (of_a * v["a"] + of_b * v["b"]) + v["e"]
    table = pd.DataFrame({"a": v["a"], "b": v["b"], "w": v["w"], "y": y})
    assert (status(elsewhere, table) == "supported") is expected


def test_curvature_of_a_part_is_no_change_with_a_moderator(elsewhere: Any) -> None:
    v = normal(8, "a", "w", "k", "e")
    b = 0.7 * v["w"] + 0.7 * v["k"]
    y = 0.3 * v["a"] + 0.3 * b + 0.4 * b**2 + v["e"]
    table = pd.DataFrame({"a": v["a"], "b": b, "w": v["w"], "y": y})
    assert status(elsewhere, table) != "supported"


# --- a moderated path runs as the theory has its steps ----------------------------------


def test_two_contrary_steps_are_no_path(tmp_path: Path) -> None:
    """Their product has the direction claimed."""
    claim = {"kind": "moderated_mediation", "from": "x", "via": ["m"], "to": "y", "by": "w",
             "leg": "first", "sign": "+"}  # fmt: skip
    f = theory(tmp_path / "f", rows_of("x", "m", "w", "y"), ["x > m by w", "m > y -", "x > y"],
               claim)  # fmt: skip
    v = normal(1, "x", "w", "e", "u", n=500)
    for sign, expected in ((-1.0, True), (1.0, False)):
        m = sign * (0.3 + 0.4 * v["w"]) * v["x"] + v["e"]
        table = pd.DataFrame({"x": v["x"], "w": v["w"], "m": m, "y": sign * 0.6 * m + v["u"]})
        assert (status(f, table) == "supported") is expected


# --- claims of which some cannot be tested ----------------------------------------------


def test_one_contrary_claim_contradicts_the_whole_though_another_has_no_data(
    tmp_path: Path,
) -> None:
    claim = {"all": [effect("a"), effect("b")]}
    f = theory(tmp_path / "f", rows_of("a", "b", "y"), ["a > y", "b > y"], claim)
    v = normal(1, "a", "e")
    against = judged(f, pd.DataFrame({"a": v["a"], "y": -0.5 * v["a"] + v["e"]}))
    row = against.verdicts.iloc[0]
    assert (row["status"], row["how"]) == ("contradicted", "reversed")
    assert "the data lack the cause 'b'" in row["reason"]
    for slope in (0.5, 0.0):
        found = judged(f, pd.DataFrame({"a": v["a"], "y": slope * v["a"] + v["e"]}))
        row = found.verdicts.iloc[0]
        assert row["status"] == "not_testable"
        assert "Its other claim holds with probability" in row["reason"]
