"""One more source of values is one file: a toy one is added to the running package."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, t

import acmodels as ac
from acmodels import sources
from acmodels.errors import InputError
from acmodels.spec import formula
from acmodels.system import build_system
from acmodels.system.terms import terms
from monte_carlo import FALSE_ALARM, allowed, sd_error

FIRST = '''"""`first(x, g)`: the value in the first row of a unit."""

import numpy as np

constant = True
mean = None


def values(x):
    _, at = np.unique(x.own_unit, return_index=True)
    return x.own[..., at][..., x.unit]
'''


@pytest.fixture
def first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "first.py").write_text(FIRST)
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(tmp_path)])
    spec = sources.__spec__
    assert spec is not None
    monkeypatch.setattr(spec, "submodule_search_locations", sources.__path__)
    formula.unit_functions.cache_clear()
    yield
    formula.unit_functions.cache_clear()
    sources.unit_function.cache_clear()


def table(y: str, m: str = "m ~ x + (1 | g)") -> dict[str, Any]:
    return {
        "name": "toy",
        "equations": {"m": {"formula": m}, "y": {"formula": y}},
        "estimands": {"effect": {"kind": "coefficient", "parameter": "y ~ first(m, g)"}},
    }


def data(slope: float) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(60), 5)
    x = rng.normal(size=300)
    m = 0.5 * x + rng.normal(size=60)[g] + rng.normal(size=300)
    start = m[np.arange(60) * 5][g]
    y = slope * start + 0.4 * x + rng.normal(size=60)[g] + rng.normal(size=300)
    return pd.DataFrame({"g": [f"u{k}" for k in g], "x": x, "m": m, "y": y})


def test_a_function_that_is_no_file_is_refused() -> None:
    with pytest.raises(InputError, match="unknown function 'first'"):
        ac.load_model(table("y ~ first(m, g) + x"))


@pytest.mark.usefixtures("first")
def test_a_source_is_one_file() -> None:
    """Read from a formula, fitted by the exact engine, and drawn by the generator."""
    model, frame = ac.load_model(table("y ~ first(m, g) + x + (1 | g)")), data(0.7)
    system = build_system(model, ac.study(frame))
    term = next(t for t in terms(system.layout, "y") if t.column.name == "first(m, g)")
    want = frame.groupby("g", sort=False)["m"].transform("first").to_numpy()
    np.testing.assert_array_equal(term.values(system.layout, system.responses), want)
    assert term.endogenous
    assert term.sources[0].latent is None

    found = ac.fit(model, frame, seed=1).estimates.set_index("name")
    # generalized least squares at the true sds, both 1; what 60 units say of an sd is as sure
    # as an sd of 60 numbers, and the slope of what is constant in units is as sure as that
    X = np.column_stack([np.ones(300), want, frame["x"]])
    V = np.eye(300) + (frame["g"].to_numpy()[:, None] == frame["g"].to_numpy())
    C = np.linalg.inv(X.T @ np.linalg.solve(V, X))
    row, se = found.loc["y ~ first(m, g)"], np.sqrt(C[1, 1])
    assert row["mean"] == pytest.approx(0.7, abs=allowed(se))
    assert row["sd"] == pytest.approx(se, rel=allowed(sd_error(60)))


@pytest.mark.usefixtures("first")
def test_a_source_is_simulated_and_recovered(tmp_path: Path) -> None:
    """Generator and engine mean the same by it: intervals cover the truth."""
    (tmp_path / "toy.toml").write_text(
        'name = "toy"\n[equations.m]\nformula = "m ~ x + (1 | g)"\n'
        '[equations.y]\nformula = "y ~ first(m, g) + x + (1 | g)"\n'
    )
    design: dict[str, Any] = {
        "model": str(tmp_path / "toy.toml"),
        "replications": 40,
        "units": {"g": 30, "row": {"per": "g", "n": 4}},
        "exogenous": {"x": {"dist": "Normal", "mu": 0, "sigma": 1}},
        "truth": {
            "m ~ x": 0.5, "y ~ first(m, g)": 0.5, "y ~ x": 0.4,
            "sd(m ~ 1 | g)": 0.5, "sd(y ~ 1 | g)": 0.5, "sigma(m)": 1.0, "sigma(y)": 1.0,
        },
    }  # fmt: skip
    found = ac.recover(design, seed=2).table.set_index("name")
    row = found.loc["y ~ first(m, g)"]
    sd = np.sqrt(row["rmse"] ** 2 - row["bias"] ** 2)
    assert abs(row["bias"]) < t.isf(FALSE_ALARM / 2, 39) * sd / np.sqrt(39)
    # of 40 intervals, with the chance of 0.95 each
    assert row["coverage"] >= binom.ppf(FALSE_ALARM, 40, 0.95) / 40


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("scale", ["linear", "response"])
def test_no_effect_is_followed_through_a_source_that_is_no_mean(scale: str) -> None:
    """What of m the first row of a unit takes is neither its between nor its within part."""
    one = table("y ~ first(m, g) + x + (1 | g)")
    asked = {"kind": "indirect", "from": "x", "to": "y", "scale": scale}
    more = {"values": [0, 1]} if scale == "response" else {}
    one["estimands"] = {"through": {**asked, **more}}
    with pytest.raises(InputError, match=r"through 'm' into first\(\)"):
        ac.fit(ac.load_model(one), data(0.7), seed=1)
