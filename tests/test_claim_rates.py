"""Studies of the error rates of verdicts, and that a run can stop (analyses/claim_rates)."""

import sys
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from acmodels.theory.assessment import assess
from acmodels.theory.claims import kinds

FOLDER = Path(__file__).parents[1] / "analyses" / "claim_rates"


@pytest.fixture(scope="module")
def made() -> ModuleType:
    """The script, whose modules lie beside it."""
    import importlib.util

    sys.path.insert(0, str(FOLDER))
    spec = importlib.util.spec_from_file_location("claim_rates", FOLDER / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path.remove(str(FOLDER))
    return module


def test_every_kind_has_classes_with_every_truth(made: ModuleType) -> None:
    unknown = {
        "lag",
        "growth",
        "shock",
        "duration",
        "structure",
        "forecast",
    }  # no rates are known yet
    assert {c.kind for c in made.CLASSES} == set(kinds()) - unknown
    for c in made.CLASSES:
        truths = {w.truth for w in c.worlds.values()}
        assert {"true", "trap"} <= truths, c.name
        assert all(w.holds for w in c.worlds.values() if w.truth == "true")
        assert not any(w.holds for w in c.worlds.values() if w.truth in ("no effect", "contrary"))
    names = [(c.kind, c.name) for c in made.CLASSES]
    assert len(set(names)) == len(names)


def test_studies_have_what_the_claim_needs_and_hang_on_their_number_alone(made: ModuleType) -> None:
    for k, c in enumerate(made.CLASSES):
        framework = made.theory(k)
        for world in c.worlds:
            table = made.drawn((k, world, 20, 3))
            assert set(table.columns) - set(c.units) <= set(framework.constructs)
            assert table.equals(made.drawn((k, world, 20, 3)))
            other = made.drawn((k, world, 20, 4))
            assert not table.equals(other)


@pytest.mark.parametrize("kind", ["effect", "order", "curve"])
def test_verdicts_are_those_of_assess(made: ModuleType, kind: str) -> None:
    k = next(k for k, c in enumerate(made.CLASSES) if c.kind == kind)
    task = (k, "true", 20, 1)
    found = assess(made.drawn(task), framework=made.theory(k), draws=made.DRAWS, cores=1)
    row = found.verdicts.iloc[0]
    assert made.judge(task)[1:3] == (row["status"], row["how"])


def test_a_run_goes_on_where_it_stopped(
    made: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[tuple[int, str, int, int]] = []

    def judge(task: tuple[int, str, int, int]) -> tuple[object, str, str, float]:
        if len(judged) == 7:
            raise KeyboardInterrupt
        judged.append(task)
        return task, "supported" if task[3] else "undecided", "", 0.1

    monkeypatch.setattr(made, "judge", judge)
    monkeypatch.setattr(made, "STORE", tmp_path / "runs" / "studies.sqlite")
    monkeypatch.setattr(made, "RATES", tmp_path / "rates.csv")
    monkeypatch.setattr(sys, "argv", ["run.py", "2", "--classes", "order"])
    with pytest.raises(KeyboardInterrupt):
        made.main()
    first, judged[:] = list(judged), []
    made.main()
    assert not set(first) & set(judged)
    rates = pd.read_csv(tmp_path / "rates.csv")
    assert list(rates.columns) == list(made.COLUMNS)
    assert not rates.isna().any().any()
    assert (rates["studies"] == 2).all()
    assert (rates["supported"] == 1).all()
    assert (rates["undecided"] == 1).all()
    assert list(rates["false"]) == [int(not holds) for holds in rates["holds"]]
