"""What is slow is said before it starts, and progress says of what it is."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import acmodels as ac
from acmodels.inference.speed import slow
from acmodels.priors import resolve_priors
from acmodels.progress import Reporter
from acmodels.system import build_system


def of(formula: str, data: pd.DataFrame, **keys: Any) -> Any:
    spec = ac.load_model({"name": "t", "equations": {"y": {"formula": formula, **keys}}})
    joint = build_system(spec, ac.study(data)).sampled
    return slow(joint.layout, resolve_priors({}, joint.layout, joint.responses, "t"))


def test_a_slow_model_has_its_reason_and_what_is_faster() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"y": rng.integers(1, 8, 60).astype(float), "x": rng.normal(size=60)})
    assert of("y ~ x", data) is None
    assert of("y ~ x", data, family="ordinal") is None  # seconds, by hmc
    incomplete = data.assign(x=data["x"].where(data.index > 2))
    assert of("y ~ x", incomplete, family="ordinal") is None
    ordinal = of("y ~ standardize(x)", incomplete, family="ordinal")
    assert "7 categories" in ordinal.faster[1]
    assert "gaussian" in ordinal.faster[1]
    holes = of("y ~ standardize(x)", incomplete)
    assert (
        "The 3 missing values of 'x'" in holes.faster[0] or "missing values of x" in holes.faster[0]
    )
    assert 'missing = "drop"' in holes.faster[0]


def test_a_plan_with_an_ordinal_outcome_is_foretold(tmp_path: Path) -> None:
    from acmodels.replication import Cell
    from acmodels.replication.slow import forecast as of_runs

    (tmp_path / "o.toml").write_text(
        'name = "o"\n[equations.y]\nformula = "y ~ x"\nfamily = "ordinal"\n'
        '[estimands.b]\nkind = "coefficient"\nparameter = "y ~ x"\n'
        '[priors]\n"y | t1" = { dist = "Constant", value = -1.0 }\n'
    )
    (tmp_path / "plan.toml").write_text(
        'model = "o.toml"\nreplications = 30\n[units]\nrow = 50\n'
        '[truth]\n"y | t1" = -1.0\n"y | t2" = 0.0\n"y | t3" = 1.0\n'
        '[grid]\nrow = [50, 100]\n[criterion]\nestimand = "b"\nrule = "eti"\n'
    )
    plan = ac.load_plan(tmp_path / "plan.toml")
    said = of_runs([Cell(c.design) for c in plan.cells], plan.replications, "auto", 1)
    assert "2 designs with 30 replications, so 60 fits" in said[0]
    assert any("4 categories" in s for s in said)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_plain_lines_say_how_many_and_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("acmodels.progress.time.monotonic", lambda: now[0])
    out = io.StringIO()
    tell = Reporter(stream=out)
    tell("trust (2 of 9): compiling", 0, 1)
    tell("fitting", 0, 200)
    now[0] = 45.0
    tell("fitting", 0, 200)
    now[0] = 100.0
    tell("fitting", 10, 200)
    tell("fitting", 200, 200)
    first, second, none, some = out.getvalue().splitlines()
    assert first.startswith("trust (2 of 9): compiling (half a minute")
    assert second == "fitting …"
    assert none == "fitting: none of 200 done yet, 45 s so far"
    assert some == "fitting: 10 of 200 (5 %), about 32 min left"


def test_a_bar_on_a_terminal() -> None:
    out = Terminal()
    tell = Reporter(stream=out)
    tell("fitting", 0, 4)
    tell("fitting", 2, 4)
    tell("fitting", 4, 4)
    assert "left" in out.getvalue()
    assert "fitting" in out.getvalue()
