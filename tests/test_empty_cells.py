"""Cells of a product without rows are named wherever something is asked of them."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import acmodels as ac
from acmodels.errors import InputError
from acmodels.inference.fitting import rehearse
from acmodels.reporting.robustness import influence_lines

FORMULA = "y ~ size * sector + z + (1 | g)"
CELL = "size = small and sector = rural"


def data(*, empty: bool = True, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = 180
    size = rng.choice(["large", "small"], n)
    sector = rng.choice(["city", "rural", "town"], n)
    if empty:
        sector = np.where((size == "small") & (sector == "rural"), "town", sector)
    g = np.arange(n) % 15
    y = (
        (size == "small")
        + 0.5 * (sector == "town")
        + rng.normal(0, 0.7, 15)[g]
        + rng.normal(size=n)
    )
    return pd.DataFrame(
        {"size": size, "sector": sector, "z": rng.normal(size=n), "y": y, "g": [f"g{k}" for k in g]}
    )


def model(**more: Any) -> Any:
    return ac.load_model({"name": "cells", "equations": {"y": {"formula": FORMULA}}, **more})


@pytest.fixture(scope="module")
def fitted() -> Any:
    return ac.fit(model(), data(), draws=250, cores=1)


@pytest.mark.parametrize("pattern", ["y ~ size[small]:sector[rural]", "y ~ *:sector[rural]"])
def test_a_prior_of_a_column_that_was_left_out_says_why(pattern: str) -> None:
    prior = {pattern: {"dist": "Normal", "mu": 0, "sigma": 1}}
    with pytest.raises(InputError) as error:
        rehearse(model(priors=prior), data())
    assert "was left out of the model" in str(error.value)
    assert CELL in str(error.value)
    rehearse(model(priors=prior), data(empty=False))


def test_an_estimand_of_a_column_that_was_left_out_says_why() -> None:
    parameter = {"kind": "coefficient", "parameter": "y ~ size[small]:sector[rural]"}
    with pytest.raises(InputError, match=CELL):
        rehearse(model(estimands={"b": parameter}), data())


@pytest.mark.parametrize(
    ("at", "source", "said"),
    [("rural", "size[small]", True), ("town", "size[small]", False), ("rural", "z", True)],
)
def test_an_estimand_at_a_cell_without_rows_is_warned_of(at: str, source: str, said: bool) -> None:
    total = {"kind": "total", "from": source, "to": "y", "at": {"sector": [at]}}
    if source == "z":
        formula = "y ~ size * sector + z * sector + (1 | g)"
        spec = ac.load_model(
            {"name": "c", "equations": {"y": {"formula": formula}}, "estimands": {"t": total}}
        )
    else:
        spec = model(estimands={"t": total})
    found = [f.message for f in rehearse(spec, data()).findings if "estimands.t" in f.message]
    assert any(CELL in m for m in found) == said


def test_predictions_for_a_cell_without_rows_are_warned_of(fitted: Any) -> None:
    with pytest.warns(UserWarning, match=CELL):
        ac.predictions(fitted, at={"size": "small", "sector": "rural"})
    with pytest.warns(UserWarning, match=CELL):
        ac.comparisons(fitted, "sector", by="size")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ac.predictions(fitted)
        ac.predictions(fitted, at={"size": "large", "sector": "rural"})
        ac.comparisons(fitted, "z")


@pytest.mark.parametrize("what", ["cell", "level"])
def test_a_unit_that_alone_holds_a_cell_or_a_level_is_said(what: str) -> None:
    frame = data(empty=what == "cell")
    if what == "cell":
        frame.loc[(frame["g"] == "g3") & (frame["size"] == "small"), "sector"] = "rural"
        frame.loc[frame.index[frame["g"] == "g3"][:3], ["size", "sector"]] = ["small", "rural"]
    else:
        frame.loc[frame["g"] == "g3", "sector"] = "village"
        frame.loc[frame.index[frame["g"] == "g3"][:4], "size"] = "small"
    total = {"kind": "coefficient", "parameter": "y ~ z"}
    spec = model(estimands={"z": total})
    fit = ac.fit(spec, frame, draws=250, cores=1)
    found = ac.influence(fit, frame, "g")
    how = found.table.set_index("unit")["how"]
    assert how["g3"] == "not possible"
    assert set(how.drop("g3")) == {"refit"}
    (said,) = found.notes
    assert "'g3'" in said
    assert (CELL if what == "cell" else "village") in said
    assert any(said in line for line in influence_lines(found))
