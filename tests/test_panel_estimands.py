"""Effects over waves against powers of matrices, written out with NumPy."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from acmodels.data import study
from acmodels.errors import AcmodelsError
from acmodels.estimands import Context, evaluate
from acmodels.inference.effect_rows import effect_rows
from acmodels.load import load_model
from acmodels.system import build_system, parameters

B1 = np.array([[0.4, 0.2], [-0.3, 0.5]])
"""Row: into x, y; column: from x, y."""
B2 = np.array([[0.1, 0.0], [0.0, -0.2]])
C = 0.6
"""Of x on y within a wave."""
D = {"x": (0.7, 0.0), "y": (0.0, -0.5)}
"""Of the event in its wave and one later."""

LAGS = " + ".join(
    f"within(lag({v}{k}), person)" for v in ("x", "y") for k in ("", ", 2")
)  # fmt: skip
EQUATIONS = {
    "x": f"x ~ factor(wave) + event + {LAGS} + (1 |u| person)",
    "y": f"y ~ factor(wave) + x + lag(event) + {LAGS} + (1 |u| person)",
}
PLAIN = {
    "x": "x ~ lag(x) + lag(y) + (1 | person)",
    "y": "y ~ lag(x) + lag(y) + (1 | person)",
}


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    n = 12 * 5
    data = pd.DataFrame({"person": [f"p{k // 5}" for k in range(n)]})
    data["wave"] = np.tile(np.arange(5), 12)
    data["event"] = (rng.random(n) < 0.3).astype(float)
    for c in ("x", "y", "z"):
        data[c] = rng.normal(size=n)
    return data


def rows(
    estimands: dict[str, Any],
    values: dict[str, Any],
    equations: dict[str, str] | None = None,
) -> dict[str, np.ndarray]:
    """Estimands by name and row, at values of parameters (others 0): numbers or (chain, draw)."""
    context = at(estimands, values, equations)
    return {f"{n} {r.at}".strip(): r.draws for n in estimands for r in evaluate(n, context)}


def at(
    estimands: dict[str, Any], values: dict[str, Any], equations: dict[str, str] | None = None
) -> Context:
    model = load_model(
        {
            "name": "test",
            "panel": {"unit": "person", "wave": "wave"},
            "equations": {k: {"formula": f} for k, f in (equations or EQUATIONS).items()},
            "estimands": estimands,
        }
    )
    system = build_system(model, study(frame()))
    known = {p.name for p in parameters(system.layout)}
    assert set(values) <= known, set(values) - known
    shape = np.broadcast_shapes((1, 1), *(np.shape(v) for v in values.values()))
    return Context(
        system.layout,
        system.responses,
        lambda n: np.broadcast_to(np.asarray(values.get(n, 0.0), dtype=float), shape),
        model.estimands,
        "test",
    )


def truth() -> dict[str, float]:
    out = {"y ~ x": C, "x ~ event": D["x"][0], "y ~ lag(event)": D["y"][1]}
    for i, into in enumerate(("x", "y")):
        for j, source in enumerate(("x", "y")):
            out[f"{into} ~ within(lag({source}), person)"] = B1[i, j]
            out[f"{into} ~ within(lag({source}, 2), person)"] = B2[i, j]
    return out


def powers(most: int) -> list[np.ndarray]:
    """Moving-average matrices: what a change of either variable at t makes of both at t + h."""
    root = np.linalg.inv(np.eye(2) - np.array([[0, 0], [C, 0]]))
    companion = np.zeros((4, 4))
    companion[:2, :2], companion[:2, 2:] = root @ B1, root @ B2
    companion[2:, :2] = np.eye(2)
    return [np.linalg.matrix_power(companion, h)[:2, :2] @ root for h in range(most + 1)]


@pytest.mark.parametrize(("source", "to"), [("x", "x"), ("x", "y"), ("y", "x"), ("y", "y")])
def test_impulses_are_powers_of_the_companion_matrix(source: str, to: str) -> None:
    asked = {"e": {"kind": "impulse", "from": source, "to": to, "horizon": [0, 1, 2, 5]}}
    got = rows(asked, truth())
    want = powers(5)
    i, j = (("x", "y").index(v) for v in (to, source))
    for h in (0, 1, 2, 5):
        np.testing.assert_allclose(got[f"e horizon={h}"], want[h][i, j], atol=1e-12)


def test_an_event_acts_in_its_wave_and_one_later() -> None:
    got = rows({"e": {"kind": "impulse", "from": "event", "to": "y"}}, truth())
    P = powers(3)
    first, later = np.array([D["x"][0], 0.0]), np.array([0.0, D["y"][1]])
    assert list(got) == ["e horizon=1", "e horizon=2", "e horizon=3"]
    for h in (1, 2, 3):
        np.testing.assert_allclose(got[f"e horizon={h}"], (P[h] @ first + P[h - 1] @ later)[1])


def test_the_long_run_is_the_sum_of_all_impulses() -> None:
    asked = {
        "of x": {"kind": "long_run", "from": "x", "to": "y"},
        "of event": {"kind": "long_run", "from": "event", "to": "y"},
        "radius": {"kind": "spectral_radius"},
    }
    got = rows(asked, truth())
    total = sum(powers(400), np.zeros((2, 2)))
    np.testing.assert_allclose(got["of x"], total[1, 0])
    np.testing.assert_allclose(got["of event"], (total @ [D["x"][0], D["y"][1]])[1])
    assert 0 < got["radius"] < 1


def test_radius_and_feedback_of_one_lag() -> None:
    values = {f"{a} ~ lag({b})": B1[i, j] for i, a in enumerate("xy") for j, b in enumerate("xy")}
    asked = {
        "radius": {"kind": "spectral_radius"},
        "loop": {"kind": "feedback", "from": "x", "to": "y"},
    }
    got = rows(asked, values, PLAIN)
    np.testing.assert_allclose(got["radius"], np.abs(np.linalg.eigvals(B1)).max())
    np.testing.assert_allclose(got["loop"], B1[0, 1] * B1[1, 0])


def test_a_lagged_moderator_counts_at_its_mean() -> None:
    equations = {**PLAIN, "y": "y ~ lag(x)*z + lag(y) + (1 | person)"}
    got = rows(
        {"e": {"kind": "impulse", "from": "x", "to": "y", "horizon": [1]}},
        {"y ~ lag(x)": 0.3, "y ~ lag(x):z": 0.2},
        equations,
    )
    data = frame()
    np.testing.assert_allclose(got["e horizon=1"], 0.3 + 0.2 * data["z"][data["wave"] > 0].mean())


@pytest.mark.parametrize("share", [0.96, 0.90])
def test_a_sum_that_may_not_end_is_withheld(share: float) -> None:
    draws = np.where(np.arange(200) < 200 * share, 0.8, 1.01)[None, :]
    asked = {"all": {"kind": "long_run", "from": "x", "to": "x"}}
    equations = {"x": "x ~ lag(x) + (1 | person)"}
    (row,) = effect_rows(at(asked, {"x ~ lag(x)": draws}, equations)).withheld(0.95)
    assert bool(row.withheld) == (share < 0.95)
    if row.withheld:
        assert "probability that shocks fade" in row.withheld
        assert np.isnan(row.draws).all()


@pytest.mark.parametrize(
    ("asked", "equations", "words"),
    [
        ({"kind": "spectral_radius"}, {"x": "x ~ z", "y": "y ~ x"}, ("has a lag()",)),
        ({"kind": "impulse", "from": "q", "to": "y"}, PLAIN, ("no equation reads 'q'",)),
        ({"kind": "impulse", "from": "x", "to": "z"}, PLAIN, ("'z' has no equation",)),
        (
            {"kind": "impulse", "from": "x", "to": "y", "horizon": [1, 1]},
            PLAIN,
            ("horizon", "twice"),
        ),
        ({"kind": "impulse", "from": "x", "to": "y", "horizon": [-1]}, PLAIN, ("horizon",)),
        (
            {"kind": "feedback", "from": "x", "to": "y"},
            {**PLAIN, "x": "x ~ lag(x)"},
            ("no lag(y)", "no loop"),
        ),
        (
            {"kind": "impulse", "from": "x", "to": "y"},
            {**PLAIN, "y": "y ~ lag(x):lag(y)"},
            ("product of two variables",),
        ),
        (
            {"kind": "long_run", "from": "x", "to": "y"},
            {**PLAIN, "y": "y ~ square(x) + lag(x)"},
            ("not linear in 'x'",),
        ),
    ],
)
def test_what_has_no_one_effect_over_waves(
    asked: dict[str, Any], equations: dict[str, str], words: tuple[str, ...]
) -> None:
    with pytest.raises(AcmodelsError) as said:
        rows({"e": asked}, {}, equations)
    for w in words:
        assert w in str(said.value)
