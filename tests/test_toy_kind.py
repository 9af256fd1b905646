"""A kind of estimand that this file alone knows of, in the running package."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import acmodels as ac
from acmodels import estimands

TOY = '''
"""The absolute value of a parameter, and whether it is above 1: a kind from outside."""

from dataclasses import dataclass

import numpy as np

from acmodels.estimands import Array, Draws, Estimand, Scope, known_parameter
from acmodels.spec.strict import Strict

heading = "Sizes without a sign"


class Settings(Strict):
    parameter: str


@dataclass(frozen=True)
class Size:
    parameter: str
    at: tuple[str, ...] = ("", "large")

    def evaluate(self, draws: Draws) -> list[Array]:
        size = np.abs(draws.parameter(self.parameter))
        return [size, (size > 1).astype(np.float64)]


def resolve(estimand: Estimand, scope: Scope) -> Size:
    where = f"{estimand.where}.parameter"
    return Size(known_parameter(estimand.settings.parameter, scope.layout, where))


def judged(rows):
    return [r for r in rows if r != "large"]


def words(settings: Settings, scale: str, slopes: str) -> str:
    return f"the size of {settings.parameter}{scale}"


def bounds(settings: Settings) -> tuple[float, float]:
    return 0.0, np.inf
'''

MODEL = """
name = "toy"
[equations.y]
formula = "y ~ 1 + x + (1 | g)"
[estimands.size]
kind = "toy_size"
parameter = "y ~ x"
[propositions.T1]
estimand = "size"
region = { above = 0.2 }
statement = "The slope is not small."
"""

DESIGN = """
model = "toy.toml"
replications = 4
[units]
g = 12
row = { per = "g", n = 5 }
[truth]
"y ~ x" = -0.5
"sd(y ~ 1 | g)" = 0.3
"sigma(y)" = 1.0
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a kind, a model and a design; the kind is known while the test runs."""
    kinds = tmp_path / "kinds"
    kinds.mkdir()
    (kinds / "toy_size.py").write_text(TOY)
    (tmp_path / "toy.toml").write_text(MODEL)
    (tmp_path / "design.toml").write_text(DESIGN)
    monkeypatch.setattr(estimands, "__path__", [*estimands.__path__, str(kinds)])
    estimands.kind_names.cache_clear()
    yield tmp_path
    monkeypatch.undo()
    estimands.kind_names.cache_clear()
    estimands.kind.cache_clear()


def data() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    x, g = rng.normal(size=120), np.arange(120) % 12
    y = -0.7 * x + 0.3 * rng.normal(size=12)[g] + rng.normal(size=120)
    return pd.DataFrame({"x": x, "g": [f"g{i}" for i in g], "y": y})


def test_a_kind_is_one_file(folder: Path) -> None:
    model = ac.load_model(folder / "toy.toml")
    fit = ac.fit(model, data(), engine="collapsed", draws=250)
    table = fit.effects.table.set_index("at")
    slope = np.abs(fit.draws["y ~ x"])
    assert table.loc["", "mean"] == pytest.approx(slope.mean())
    assert table.loc["large", "mean"] == pytest.approx((slope > 1).mean())

    verdicts = ac.judge(fit.effects, fit.spec.propositions).set_index("proposition")
    assert verdicts.loc["T1", "mean"] == pytest.approx(slope.mean())
    assert verdicts.loc["T1", "status"] == "supported"

    ac.report(fit, folder / "report.html")
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Sizes without a sign" in page
    assert "the size of y ~ x" in page
    assert "The slope is not small." in page


def test_a_kind_of_one_file_is_recovered(folder: Path) -> None:
    found = ac.recover(folder / "design.toml", replications=4, engine="collapsed", workers=1)
    table = found.table.set_index("name")
    assert table.loc["size", "truth"] == 0.5
    assert table.loc["size", "n"] == 4
    assert "size [large]" in table.index


def test_its_facts_are_asked_for(folder: Path) -> None:
    wide = MODEL.replace("above = 0.2", "above = -1")
    (folder / "wide.toml").write_text(wide)
    with pytest.raises(ac.InputError, match="above 0 whatever"):
        ac.load_model(folder / "wide.toml")


def test_nobody_knows_it_elsewhere() -> None:
    assert "toy_size" not in estimands.kind_names()
    with pytest.raises(ac.InputError, match="unknown kind 'toy_size'"):
        estimands.kind("toy_size")
