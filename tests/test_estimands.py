"""Estimands against definitions written out by hand, on random draws."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acmodels.data import study
from acmodels.errors import EstimandError, InputError, ModelError
from acmodels.estimands import Context, Row, evaluate, warnings
from acmodels.load import load_model
from acmodels.system import build_system, parameters

SHAPE = (2, 5)
N = 60
K_SE = 4.5
"""Standard errors allowed in a Monte Carlo comparison: about 1e-5 a test."""


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    g = np.arange(N) % 6
    level = rng.normal(size=(6, 2))[g]
    columns = {c: rng.normal(0.5, 1.2, N) for c in ("x", "w", "v", "m", "n", "q", "y", "z")}
    return pd.DataFrame(
        {
            **columns,
            "pos": np.exp(columns["w"]),
            "s": rng.choice(["A", "B", "C"], N),
            "two": rng.choice(["no", "yes"], N),
            "g": [f"g{i}" for i in g],
            "h": [f"h{i}" for i in np.arange(N) % 4],
            "b": np.arange(N) % 2,
            "k": np.arange(N) % 5,
            "t": np.full(N, 5),
            "se": np.full(N, 0.4),
            "ux": level[:, 0],
            "um": level[:, 1],
        }
    )


DATA = frame()


def context(
    equations: Mapping[str, str | Mapping[str, Any]],
    estimands: Mapping[str, Mapping[str, Any]],
    seed: int = 0,
    data: pd.DataFrame = DATA,
) -> Context:
    """A model with random draws in place of a posterior."""
    tables = {r: ({"formula": e} if isinstance(e, str) else dict(e)) for r, e in equations.items()}
    model = load_model({"name": "t", "equations": tables, "estimands": dict(estimands)})
    system = build_system(model, study(data))
    rng = np.random.default_rng(seed)
    draws: dict[str, np.ndarray] = {}
    for p in parameters(system.layout):
        if p.kind == "cor":
            draws[p.name] = rng.uniform(-0.45, 0.45, SHAPE)  # any three make a valid matrix
        elif p.kind in ("sd", "sigma"):
            draws[p.name] = rng.uniform(0.2, 1.0, SHAPE)
        else:
            draws[p.name] = rng.normal(size=SHAPE)
    return Context(
        system.layout, system.responses, draws.__getitem__, model.estimands, model.source
    )


def rows(c: Context, name: str = "e") -> list[Row]:
    return evaluate(name, c)


def only(c: Context, name: str = "e") -> np.ndarray:
    found = rows(c, name)
    assert [r.at for r in found] == [""]
    assert found[0].draws.shape == SHAPE
    return found[0].draws


def same(found: np.ndarray, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-12)


def indirect(**more: Any) -> dict[str, Any]:
    return {"kind": "indirect", "from": "x", "to": "y", **more}


def refused(
    equations: Mapping[str, str | Mapping[str, Any]],
    estimand: Mapping[str, Any],
    *words: str,
    error: type[InputError] = EstimandError,
) -> None:
    with pytest.raises(error) as caught:
        rows(context(equations, {"e": estimand}))
    text = str(caught.value)
    assert "t: estimands.e" in text
    for word in words:
        assert word in text


# --- simple products -----------------------------------------------------------

PARALLEL = {"m": "m ~ x + w", "n": "n ~ x", "y": "y ~ x + m + n + w"}
SERIAL = {"m": "m ~ x", "n": "n ~ x + m", "y": "y ~ x + m + n"}


def test_coefficient() -> None:
    c = context(PARALLEL, {"e": {"kind": "coefficient", "parameter": "sigma(y)"}})
    same(only(c), c.parameter("sigma(y)"))


def test_parallel_mediators() -> None:
    c = context(
        PARALLEL,
        {
            "e": indirect(),
            "m": indirect(via=["m"]),
            "n": indirect(via=[["n"]]),
            "both": indirect(via=[["m"], ["n"]]),
        },
    )
    p = c.parameter
    by_m, by_n = p("m ~ x") * p("y ~ m"), p("n ~ x") * p("y ~ n")
    same(only(c, "m"), by_m)
    same(only(c, "n"), by_n)
    same(only(c), by_m + by_n)
    same(only(c, "both"), by_m + by_n)


def test_serial_mediators() -> None:
    c = context(
        SERIAL,
        {
            "e": indirect(),
            "chain": indirect(via=["m", "n"]),
            "m": indirect(via=["m"]),
            "some": indirect(via=[["m", "n"], ["n"]]),
        },
    )
    p = c.parameter
    chain = p("m ~ x") * p("n ~ m") * p("y ~ n")
    by_m, by_n = p("m ~ x") * p("y ~ m"), p("n ~ x") * p("y ~ n")
    same(only(c, "chain"), chain)
    same(only(c, "m"), by_m)
    same(only(c, "some"), chain + by_n)
    same(only(c), chain + by_m + by_n)


def test_an_effect_of_a_mediator_and_on_a_mediator() -> None:
    c = context(
        SERIAL,
        {
            "e": {"kind": "indirect", "from": "m", "to": "y"},
            "on": {"kind": "total", "from": "x", "to": "n"},
        },
    )
    p = c.parameter
    same(only(c), p("n ~ m") * p("y ~ n"))
    same(only(c, "on"), p("n ~ x") + p("m ~ x") * p("n ~ m"))


MODERATED = {"m": "m ~ x*w + v", "n": "n ~ x", "y": "y ~ x*v + m*v + m:w + n + square(x)"}


@pytest.mark.parametrize(
    "equations",
    [
        PARALLEL,
        SERIAL,
        MODERATED,
        {"m": "m ~ x + (1 + x |i| g)", "y": "y ~ x + m + (0 + m + x |i| g)"},
        {"m": "m ~ x*s", "y": "y ~ s*m + x"},
        {"m": "m ~ log(pos):x + x", "y": "y ~ square(m) + x + center(m):w"},
    ],
    ids=str,
)
@pytest.mark.parametrize("seed", [1, 2])
def test_total_is_direct_plus_indirect_on_every_draw(equations: dict[str, str], seed: int) -> None:
    ends = {"from": "x", "to": "y"}
    c = context(equations, {k: {"kind": k, **ends} for k in ("total", "direct", "indirect")}, seed)
    same(only(c, "total"), only(c, "direct") + only(c, "indirect"))


def test_total_without_a_direct_arrow_or_without_mediators() -> None:
    total = {"kind": "total", "from": "x", "to": "y"}
    c = context({"m": "m ~ x", "y": "y ~ m"}, {"e": total})
    same(only(c), c.parameter("m ~ x") * c.parameter("y ~ m"))
    c = context({"y": "y ~ x"}, {"e": total})
    same(only(c), c.parameter("y ~ x"))


# --- moderators ------------------------------------------------------------------


def test_moderated_indirect_at_values_and_on_average() -> None:
    at = {"w": [-1, 0, 2.5], "v": [1]}
    c = context(MODERATED, {"e": indirect(via=["m"], at=at), "mean": indirect(via=["m"])})
    p, w, v = c.parameter, DATA["w"].to_numpy(), DATA["v"].to_numpy()

    def effect(w: Any, v: Any) -> Any:
        first = p("m ~ x") + p("m ~ x:w") * w
        return first * (p("y ~ m") + p("y ~ v:m" if "y ~ v:m" in known else "y ~ m:v") * v
                        + p("y ~ m:w") * w)  # fmt: skip

    known = {q.name for q in parameters(c.layout)}
    found = rows(c)
    assert [r.at for r in found] == ["w=-1; v=1", "w=0; v=1", "w=2.5; v=1"]
    for row, value in zip(found, at["w"], strict=True):
        same(row.draws, effect(value, 1.0))
    same(only(c, "mean"), np.mean([effect(a, b) for a, b in zip(w, v, strict=True)], axis=0))


def test_one_moderator_held_leaves_the_other_as_observed() -> None:
    c = context(MODERATED, {"e": indirect(via=["m"], at={"w": [2]})})
    p, v = c.parameter, DATA["v"].to_numpy()
    second = p("y ~ m") + p("y ~ m:v") * v.mean() + p("y ~ m:w") * 2
    same(rows(c)[0].draws, (p("m ~ x") + 2 * p("m ~ x:w")) * second)


@pytest.mark.parametrize(
    ("value", "label"),
    [(1, "w=1"), (0.1, "w=0.1"), (1e-7, "w=1e-07"), (1234567, "w=1.23457e+06"), (-0.5, "w=-0.5")],
)
def test_at_labels_are_percent_g(value: float, label: str) -> None:
    c = context({"m": "m ~ x*w", "y": "y ~ m"}, {"e": indirect(at={"w": [value]})})
    assert [r.at for r in rows(c)] == [label]


def test_index_of_moderated_mediation_is_the_difference_between_one_and_zero() -> None:
    equations = {"m": "m ~ x*w + s", "y": "y ~ m*v + x"}
    kind = {**indirect(), "kind": "index_of_moderated_mediation"}
    c = context(
        equations,
        {
            "w": {**kind, "moderator": "w"},
            "v": {**kind, "moderator": "v"},
            "at_w": indirect(at={"w": [1, 0]}),
            "at_v": indirect(at={"v": [1, 0]}),
            "v_at_w": {**kind, "moderator": "v", "at": {"w": [0, 2]}},
        },
    )
    p = c.parameter
    for name in ("w", "v"):
        high, low = rows(c, f"at_{name}")
        same(only(c, name), high.draws - low.draws)
    same(only(c, "w"), p("m ~ x:w") * (p("y ~ m") + p("y ~ m:v") * DATA["v"].mean()))
    found = rows(c, "v_at_w")
    assert [r.at for r in found] == ["w=0", "w=2"]
    same(found[1].draws, (p("m ~ x") + 2 * p("m ~ x:w")) * p("y ~ m:v"))


def test_index_by_a_factor_is_level_less_reference() -> None:
    kind = {**indirect(), "kind": "index_of_moderated_mediation"}
    c = context(
        {"m": 'm ~ x*factor(s, ref="B")', "y": "y ~ m"},
        {"e": {**kind, "moderator": "s[C]"}, "a": {**kind, "moderator": "s[A]"}},
    )
    same(only(c), c.parameter("m ~ x:factor(s)[C]") * c.parameter("y ~ m"))
    same(only(c, "a"), c.parameter("m ~ x:factor(s)[A]") * c.parameter("y ~ m"))


INDEX = {"kind": "index_of_moderated_mediation", "from": "x", "to": "y"}


@pytest.mark.parametrize(
    ("equations", "moderator", "word"),
    [
        ({"m": "m ~ x*w", "y": "y ~ m*w"}, "w", "more than one step"),
        ({"m": "m ~ x + w", "y": "y ~ m"}, "w", "does not moderate any step"),
        ({"m": "m ~ x*square(w)", "y": "y ~ m"}, "w", "curve"),
        ({"m": "m ~ x:w", "y": "y ~ m + v"}, "u", "predicts nothing"),
        ({"m": "m ~ x*s", "y": "y ~ m"}, "s", "3 levels"),
        ({"m": "m ~ x", "y": "y ~ square(m)"}, "m", "on the path"),
    ],
)
def test_no_index(equations: dict[str, str], moderator: str, word: str) -> None:
    refused(equations, {**INDEX, "moderator": moderator}, word)


# --- factors, curves ---------------------------------------------------------------


def test_effects_of_a_factors_level() -> None:
    total = {"kind": "total", "to": "y"}
    c = context(
        {"m": "m ~ 0 + s", "y": 'y ~ m + factor(s, ref="B") + two'},
        {
            "e": {**total, "from": "s[C]"},
            "two": {"kind": "direct", "from": "two", "to": "y"},
            "yes": {"kind": "direct", "from": "two[yes]", "to": "y"},
        },
    )
    p = c.parameter
    first = p("m ~ s[C]") - p("m ~ s[B]")  # the stated reference holds along the whole path
    same(only(c), first * p("y ~ m") + p("y ~ factor(s)[C]"))
    same(only(c, "two"), p("y ~ two[yes]"))
    same(only(c, "yes"), p("y ~ two[yes]"))


def test_moderation_by_a_factor_at_its_levels() -> None:
    c = context({"m": "m ~ x*s", "y": "y ~ m"}, {"e": indirect(at={"s": ["A", "C"]})})
    p = c.parameter
    found = rows(c)
    assert [r.at for r in found] == ["s=A", "s=C"]
    same(found[0].draws, p("m ~ x") * p("y ~ m"))
    same(found[1].draws, (p("m ~ x") + p("m ~ x:s[C]")) * p("y ~ m"))


def test_slope_at_values_of_the_variable_itself() -> None:
    slope = {"kind": "slope_at", "from": "x", "to": "y"}
    c = context(
        {"y": "y ~ x + square(x) + x:w + square(standardize(x)):v"},
        {"e": {**slope, "at": {"x": [0, 2]}}, "w": {**slope, "at": {"x": [1], "w": [3]}}},
    )
    p, x = c.parameter, DATA["x"].to_numpy()
    w, v = float(DATA["w"].to_numpy().mean()), float(DATA["v"].to_numpy().mean())

    def by_hand(at: float, w: float) -> np.ndarray:
        bend = 2 * (at - x.mean()) / x.var(ddof=1) * v
        return (
            p("y ~ x")
            + 2 * at * p("y ~ square(x)")
            + w * p("y ~ x:w")
            + bend * p("y ~ square(standardize(x)):v")
        )

    assert [r.at for r in rows(c)] == ["x=0", "x=2"]
    for row, at in zip(rows(c), (0.0, 2.0), strict=True):
        same(row.draws, by_hand(at, w))
    same(rows(c, "w")[0].draws, by_hand(1.0, 3.0))


def test_average_slope_of_a_curve_is_over_the_rows() -> None:
    c = context(
        {"y": "y ~ log(pos) + sqrt(pos)"}, {"e": {"kind": "direct", "from": "pos", "to": "y"}}
    )
    p, x = c.parameter, DATA["pos"].to_numpy()
    same(
        only(c), p("y ~ log(pos)") * np.mean(1 / x) + p("y ~ sqrt(pos)") * np.mean(0.5 / np.sqrt(x))
    )


def test_from_a_term_as_written_is_per_unit_of_that_term() -> None:
    c = context(
        {"y": "y ~ log(pos) + pos"}, {"e": {"kind": "direct", "from": "log(pos)", "to": "y"}}
    )
    same(only(c), c.parameter("y ~ log(pos)"))


def test_a_curved_mediator_averages_the_product_over_units() -> None:
    c = context({"m": "m ~ x*w", "y": "y ~ square(m)"}, {"e": indirect()})
    p, m, w = c.parameter, DATA["m"].to_numpy(), DATA["w"].to_numpy()
    first = p("m ~ x")[..., None] + p("m ~ x:w")[..., None] * w
    same(only(c), np.mean(first * 2 * m * p("y ~ square(m)")[..., None], axis=-1))


# --- random slopes -------------------------------------------------------------------

SHARED = {"m": "m ~ x + (1 + x |i| g)", "y": "y ~ x + m + (1 + m |i| g)"}
AB = "cor(m ~ x, y ~ m | g)"


def test_shared_slopes_add_their_covariance() -> None:
    c = context(SHARED, {"e": indirect()})
    p = c.parameter
    covariance = p(AB) * p("sd(m ~ x | g)") * p("sd(y ~ m | g)")
    same(only(c), p("m ~ x") * p("y ~ m") + covariance)
    assert np.ptp(covariance) > 0


@pytest.mark.parametrize(
    "equations",
    [
        {"m": "m ~ x + (1 + x | g)", "y": "y ~ x + m + (1 + m | g)"},
        {"m": "m ~ x + (1 + x | g)", "y": "y ~ x + m + (1 + m | h)"},
        {"m": "m ~ x + (1 + x |i| g)", "y": "y ~ x + m + (1 |i| g) + (0 + m | g)"},
        {"m": "m ~ x + (1 + x |i| g)", "y": "y ~ x + m + (1 + m |j| g)"},
        {"m": "m ~ x + (1 + x || g)", "y": "y ~ x + m + (1 + m || g)"},
    ],
    ids=str,
)
def test_slopes_without_a_shared_id_have_no_covariance(equations: dict[str, str]) -> None:
    c = context(equations, {"e": indirect()})
    same(only(c), c.parameter("m ~ x") * c.parameter("y ~ m"))
    said = [w for w in warnings(c) if "|id|" in w]
    assert len(said) == (0 if "h)" in equations["y"] else 1)


def test_moderated_shared_slopes() -> None:
    equations = {"m": "m ~ x*w + (0 + x + x:w |i| g)", "y": "y ~ x + m + (0 + m + m:w |i| g)"}
    c = context(equations, {"e": indirect(at={"w": [2]}), "mean": indirect()})
    p = c.parameter

    def cov(a: str, b: str) -> np.ndarray:
        return p(f"cor({a}, {b} | g)") * p(f"sd({a} | g)") * p(f"sd({b} | g)")

    def by_hand(w: float, w2: float, w3: float) -> np.ndarray:
        # (a + a' w + u_a + u_a' w) (b + u_b + u_b' w), with w, w^2 and w^3 averaged by the caller
        del w3
        fixed = p("m ~ x") * p("y ~ m") + p("m ~ x:w") * p("y ~ m") * w
        return (
            fixed
            + cov("m ~ x", "y ~ m")
            + w * (cov("m ~ x:w", "y ~ m") + cov("m ~ x", "y ~ m:w"))
            + w2 * cov("m ~ x:w", "y ~ m:w")
        )

    w = DATA["w"].to_numpy()
    same(rows(c)[0].draws, by_hand(2.0, 4.0, 8.0))
    same(only(c, "mean"), by_hand(w.mean(), (w**2).mean(), (w**3).mean()))


THREE = {
    "m": "m ~ x + (1 + x |i| g)",
    "n": "n ~ m + (1 + m |i| g)",
    "y": "y ~ n + x + (1 + n |i| g)",
}


def test_serial_shared_slopes_against_isserlis_and_monte_carlo() -> None:
    c = context(THREE, {"e": indirect(via=["m", "n"])})
    p = c.parameter
    slopes = ["m ~ x", "n ~ m", "y ~ n"]
    mean = np.stack([p(s) for s in slopes], axis=-1)
    sd = np.stack([p(f"sd({s} | g)") for s in slopes], axis=-1)
    R = np.broadcast_to(np.eye(3), (*SHAPE, 3, 3)).copy()
    for i in range(3):
        for j in range(i):
            R[..., i, j] = R[..., j, i] = p(f"cor({slopes[j]}, {slopes[i]} | g)")
    S = R * sd[..., :, None] * sd[..., None, :]
    a, b, d = mean[..., 0], mean[..., 1], mean[..., 2]
    by_hand = a * b * d + a * S[..., 1, 2] + b * S[..., 0, 2] + d * S[..., 0, 1]
    same(only(c), by_hand)
    # and by brute force on one draw
    rng = np.random.default_rng(1)
    drawn = rng.multivariate_normal(mean[0, 0], S[0, 0], size=400_000).prod(axis=1)
    mcse = drawn.std() / np.sqrt(len(drawn))
    assert abs(drawn.mean() - only(c)[0, 0]) < K_SE * mcse


def test_four_correlated_slopes_against_monte_carlo() -> None:
    equations = {
        "m": "m ~ x + (0 + x |i| g)",
        "n": "n ~ m + (0 + m |i| g)",
        "q": "q ~ n + (0 + n |i| g)",
        "y": "y ~ q + (0 + q |i| g)",
    }
    c = context(equations, {"e": indirect(via=["m", "n", "q"])})
    p = c.parameter
    slopes = ["m ~ x", "n ~ m", "q ~ n", "y ~ q"]
    R = np.eye(4)
    for i in range(4):
        for j in range(i):
            # shrunk, so that four correlations at random are a valid matrix
            R[i, j] = R[j, i] = p(f"cor({slopes[j]}, {slopes[i]} | g)")[0, 0]
    assert np.linalg.eigvalsh(R)[0] > 0
    sd = np.array([p(f"sd({s} | g)")[0, 0] for s in slopes])
    mean = np.array([p(s)[0, 0] for s in slopes])
    rng = np.random.default_rng(2)
    drawn = rng.multivariate_normal(mean, R * np.outer(sd, sd), size=400_000).prod(axis=1)
    assert abs(drawn.mean() - only(c)[0, 0]) < K_SE * drawn.std() / np.sqrt(len(drawn))


def test_two_groupings_each_with_its_own_covariance() -> None:
    equations = {
        "m": "m ~ x + (0 + x |i| g) + (0 + x |j| h)",
        "y": "y ~ m + (0 + m |i| g) + (0 + m |j| h)",
    }
    c = context(equations, {"e": indirect()})
    p = c.parameter
    wanted = p("m ~ x") * p("y ~ m")
    for group in ("g", "h"):
        wanted = wanted + (
            p(f"cor(m ~ x, y ~ m | {group})")
            * p(f"sd(m ~ x | {group})")
            * p(f"sd(y ~ m | {group})")
        )
    same(only(c), wanted)


def test_a_slope_that_only_varies_still_carries_covariance() -> None:
    c = context({"m": "m ~ x + (0 + x |i| g)", "y": "y ~ x + (0 + m |i| g)"}, {"e": indirect()})
    p = c.parameter
    same(only(c), p(AB) * p("sd(m ~ x | g)") * p("sd(y ~ m | g)"))


def test_effects_do_not_depend_on_the_order_of_rows_or_equations() -> None:
    estimands = {"e": indirect(at={"w": [1]}), "t": {"kind": "total", "from": "x", "to": "y"}}
    equations = {"m": "m ~ x*w + (1 + x |i| g)", "y": "y ~ m + x + (1 + m |i| g)"}
    a = context(equations, estimands, 4)
    b = context(equations, estimands, 4, DATA.iloc[::-1].reset_index(drop=True))
    same(rows(a)[0].draws, rows(b)[0].draws)
    same(only(a, "t"), only(b, "t"))
    turned = context(dict(reversed(list(equations.items()))), estimands)
    turned = Context(
        turned.layout,
        turned.responses,
        lambda n: a.parameter(n if n in known else _swap(n)),
        turned.estimands,
        "t",
    )
    known = {p.name for p in parameters(a.layout)}
    same(rows(a)[0].draws, rows(turned)[0].draws)


def _swap(name: str) -> str:
    """cor(a, b | g) as cor(b, a | g)."""
    inside, group = name.removeprefix("cor(").removesuffix(")").split(" | ")
    first, second = inside.split(", ")
    return f"cor({second}, {first} | {group})"


# --- levels ---------------------------------------------------------------------


def test_units_of_the_outcome_count_once() -> None:
    """A moderator at district level is averaged over districts where the outcome is theirs."""
    uneven = DATA.iloc[[*range(N), *([0] * 30)]].reset_index(drop=True)  # g0 has many rows
    equations = {
        "um": {"formula": "um ~ ux*wu", "level": "g"},
        "yu": {"formula": "yu ~ um", "level": "g"},
    }
    code = uneven["g"].str.removeprefix("g").astype(int).to_numpy()
    rng = np.random.default_rng(0)
    uneven = uneven.assign(wu=rng.normal(size=6)[code], yu=rng.normal(size=6)[code])
    c = context(
        equations,
        {"e": {"kind": "indirect", "from": "ux", "to": "yu"}},
        data=uneven,
    )
    p = c.parameter
    wu = uneven.groupby("g")["wu"].first().mean()
    same(only(c), (p("um ~ ux") + p("um ~ ux:wu") * wu) * p("yu ~ um"))


# --- contrasts, ranks, shares ---------------------------------------------------------


def test_contrast_is_the_first_less_the_second() -> None:
    c = context(
        PARALLEL,
        {
            "m": indirect(via=["m"]),
            "n": indirect(via=["n"]),
            "e": {"kind": "contrast", "of": ["m", "n"]},
        },
    )
    same(only(c), only(c, "m") - only(c, "n"))


def test_contrast_row_by_row() -> None:
    estimands = {
        "one": indirect(),
        "some": indirect(at={"w": [0, 1]}),
        "same": {"kind": "indirect", "from": "x", "to": "y", "at": {"w": [0, 1]}},
        "other": indirect(at={"w": [2, 3]}),
        "a": {"kind": "contrast", "of": ["some", "one"]},
        "b": {"kind": "contrast", "of": ["one", "some"]},
        "c": {"kind": "contrast", "of": ["some", "same"]},
        "e": {"kind": "contrast", "of": ["some", "other"]},
    }
    c = context({"m": "m ~ x*w", "y": "y ~ m"}, estimands)
    for first, second in zip(rows(c, "a"), rows(c, "b"), strict=True):
        assert first.at == second.at
        same(first.draws, -second.draws)
    assert all(np.all(r.draws == 0) for r in rows(c, "c"))
    with pytest.raises(EstimandError, match=r"t: estimands\.e\.of: .*different values"):
        rows(c)


def test_rank_shares_ties_and_is_one_for_the_largest() -> None:
    c = context(
        {"y": "y ~ x + w + v + z"},
        {
            **{k: {"kind": "coefficient", "parameter": f"y ~ {k}"} for k in "xwvz"},
            "e": {"kind": "rank", "of": ["x", "w", "v", "z"]},
        },
    )
    values = {"x": 0.5, "w": 2.0, "v": 0.5, "z": -9.0}
    fixed = Context(
        c.layout, c.responses, lambda n: np.full((1, 1), values[n[-1]]), c.estimands, c.source
    )
    found = {r.at: float(r.draws[0, 0]) for r in evaluate("e", fixed)}
    assert found == {"of=x": 2.5, "of=w": 1.0, "of=v": 2.5, "of=z": 4.0}
    free = np.stack([r.draws for r in rows(c)])
    same(free.sum(axis=0), np.full(SHAPE, 10.0))
    order = np.argsort(-np.stack([c.parameter(f"y ~ {k}") for k in "xwvz"]), axis=0)
    assert np.all(np.take_along_axis(free, order, axis=0) == np.arange(1, 5)[:, None, None])


def test_variance_share_of_a_random_intercept_is_the_icc() -> None:
    share = {"kind": "variance_share", "parameter": "sd(y ~ 1 | g)"}
    c = context({"y": "y ~ x + (1 | g) + (1 | h)"}, {"e": share})
    p = c.parameter
    parts = [p(n) ** 2 for n in ("sd(y ~ 1 | g)", "sd(y ~ 1 | h)", "sigma(y)")]
    same(only(c), parts[0] / sum(parts))


@pytest.mark.parametrize(
    ("equation", "residual"),
    [
        ({"formula": "b ~ x + (1 | g)", "family": "bernoulli"}, np.pi**2 / 3),
        ({"formula": "b ~ x + (1 | g)", "family": "bernoulli", "link": "probit"}, 1.0),
        ({"formula": "b ~ 0 + (1 | g)", "family": "bernoulli"}, np.pi**2 / 3),
        ({"formula": "b ~ x + (1 | g)", "family": "binomial", "trials": "t"}, np.pi**2 / 3),
    ],
    ids=str,
)
def test_variance_share_on_the_latent_scale(equation: dict[str, str], residual: float) -> None:
    c = context({"b": equation}, {"e": {"kind": "variance_share", "parameter": "sd(b ~ 1 | g)"}})
    v = c.parameter("sd(b ~ 1 | g)") ** 2
    same(only(c), v / (v + residual))


def test_variance_share_with_random_slopes() -> None:
    c = context(
        {"y": "y ~ x + (1 + x | g)", "m": "m ~ w + (1 |i| g)"},
        {
            "e": {"kind": "variance_share", "parameter": "sd(y ~ 1 | g)"},
            "slope": {"kind": "variance_share", "parameter": "sd(y ~ x | g)"},
        },
    )
    p, x = c.parameter, DATA["x"].to_numpy()
    i, s = p("sd(y ~ 1 | g)"), p("sd(y ~ x | g)")
    cov = p("cor(y ~ 1, y ~ x | g)") * i * s
    # mean over rows of var(u0 + u1 x), and the residual
    total = np.mean([i**2 + 2 * cov * v + s**2 * v**2 for v in x], axis=0) + p("sigma(y)") ** 2
    same(only(c), i**2 / total)
    same(only(c, "slope"), s**2 * np.mean(x**2) / total)


def test_variance_share_counts_only_its_own_equation() -> None:
    c = context(
        {"y": "y ~ x + (1 |i| g)", "m": "m ~ w + (1 |i| g)"},
        {"e": {"kind": "variance_share", "parameter": "sd(y ~ 1 | g)"}},
    )
    v, r = c.parameter("sd(y ~ 1 | g)") ** 2, c.parameter("sigma(y)") ** 2
    same(only(c), v / (v + r))


# --- what is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("equations", "estimand", "words"),
    [
        ({"m": "m ~ w", "y": "y ~ m + x"}, indirect(), ("no path", "'x'", "'y'")),
        (PARALLEL, indirect(via=["m", "n"]), ("no arrow from 'm' to 'n'", "equations.n")),
        (PARALLEL, indirect(via=["mm"]), ("'mm' has no equation", "did you mean 'm'?")),
        (PARALLEL, indirect(via=[]), ("via", "at least one")),
        (PARALLEL, indirect(via=[["m"], ["m"]]), ("named twice",)),
        (PARALLEL, {"kind": "direct", "from": "v", "to": "y"}, ("'v' predicts nothing",)),
        (SERIAL, {"kind": "direct", "from": "y", "to": "m"}, ("'y' predicts nothing",)),
        (PARALLEL, {"kind": "direct", "from": "x", "to": "w"}, ("'w' has no equation",)),
        (PARALLEL, {"kind": "total", "from": "m", "to": "n"}, ("no path leads",)),
        (PARALLEL, {"kind": "total", "from": "m", "to": "m"}, ("same variable",)),
        ({"y": "y ~ w", "m": "m ~ x"}, {"kind": "direct", "from": "x", "to": "y"}, ("no arrow",)),
        (PARALLEL, indirect(at={"w": [1]}), ("'w' does not moderate any step",)),
        (PARALLEL, {"kind": "slope_at", "from": "x", "to": "y"}, ("needs at",)),
        (MODERATED, indirect(at={"ww": [1]}), ("'ww' is in no formula", "did you mean 'w'?")),
        ({"m": "m ~ x*s", "y": "y ~ m"}, indirect(at={"s": ["D"]}), ("no level 'D'", "A, B, C")),
        ({"m": "m ~ x*w", "y": "y ~ m"}, indirect(at={"w": ["a"]}), ("number", "'a'")),
        ({"y": "y ~ s"}, {"kind": "direct", "from": "s", "to": "y"}, ("3 levels", "s[C]")),
        ({"y": "y ~ s"}, {"kind": "direct", "from": "s[D]", "to": "y"}, ("s[D]",)),
        ({"y": "y ~ x"}, {"kind": "direct", "from": "log(x)", "to": "y"}, ("log(x)",)),
        ({"y": "y ~ x"}, {"kind": "direct", "from": "os.system('x')", "to": "y"}, ("from",)),
        (PARALLEL, {"kind": "coefficient", "parameter": "y ~ mm"}, ("did you mean 'y ~ m'?",)),
        (PARALLEL, {"kind": "variance_share", "parameter": "sigma(y)"}, ("not a group sd",)),
        (
            {"y": {"formula": "y ~ x + (1 | g)", "se": "se"}},
            {"kind": "variance_share", "parameter": "sd(y ~ 1 | g)"},
            ("known standard errors",),
        ),
    ],
)
def test_refusals(
    equations: dict[str, Any], estimand: dict[str, Any], words: tuple[str, ...]
) -> None:
    refused(equations, estimand, *words)


@pytest.mark.parametrize(
    ("estimands", "words"),
    [
        ({"e": {"kind": "contrast", "of": ["a", "b"]}}, ("no estimand 'a'", "no estimand 'b'")),
        ({"e": {"kind": "contrast", "of": ["e", "e"]}}, ("refers to itself",)),
        (
            {"e": {"kind": "rank", "of": ["f", "f"]}, "f": {"kind": "rank", "of": ["e", "e"]}},
            ("refers to itself",),
        ),
        ({"e": {"from": "x", "to": "y"}}, ("say which kind",)),
        ({"e": {"kind": "indirct"}}, ("unknown kind 'indirct'", "did you mean 'indirect'?")),
        ({"e": indirect(form="x")}, ("unknown key 'form'", "did you mean 'from'?")),
        ({"e": {"kind": "indirect", "from": "x"}}, ("the key 'to' is missing",)),
        ({"e": indirect(scale="log")}, ("'linear'", "'response'")),
        ({"e": indirect(at={"w": 1})}, ("estimands.e.at.w: must be a list",)),
        ({"e": indirect(via=["m", 3])}, ("estimands.e.via.1: must be text",)),
        ({"e": indirect(via=[["m"], [3]])}, ("estimands.e.via.1.0: must be text",)),
        ({"e": indirect(via="m")}, ("estimands.e.via: must be a list",)),
        ({"e": {"kind": "rank", "of": ["x"]}}, ("at least 2",)),
    ],
)
def test_tables_that_cannot_be_read(
    estimands: dict[str, dict[str, Any]], words: tuple[str, ...]
) -> None:
    with pytest.raises((EstimandError, ModelError)) as caught:
        context(PARALLEL, estimands)
    for word in words:
        assert word in str(caught.value)
    assert "\n\n" not in str(caught.value)


def test_a_rank_of_several_rows_is_refused() -> None:
    estimands = {
        "a": indirect(at={"w": [0, 1]}),
        "b": {"kind": "direct", "from": "m", "to": "y"},
        "e": {"kind": "rank", "of": ["a", "b"]},
        "f": {"kind": "rank", "of": ["b", "b"]},
    }
    c = context({"m": "m ~ x*w", "y": "y ~ m"}, estimands)
    with pytest.raises(EstimandError, match="2 rows"):
        rows(c)
    with pytest.raises(EstimandError, match="named twice"):
        rows(c, "f")


def test_at_names_variables_not_transforms() -> None:
    """`at = { "center(w)" = [0] }` would hold w, not w less its mean, at 0."""
    refused(
        {"m": "m ~ x*center(w)", "y": "y ~ m"}, indirect(at={"center(w)": [0]}), "center(w)", "'w'"
    )


# --- warnings ----------------------------------------------------------------------


def test_a_one_one_one_path_on_undecomposed_variables_earns_a_warning() -> None:
    c = context(SHARED, {"e": indirect()})
    assert any("within and between" in w for w in warnings(c))
    c = context(PARALLEL, {"e": indirect()})
    assert warnings(c) == []


def test_a_path_through_a_link_earns_a_warning() -> None:
    c = context(
        {"b": {"formula": "b ~ x", "family": "bernoulli"}, "y": "y ~ b"},
        {"e": indirect()},
    )
    assert any("logit" in w for w in warnings(c))


# --- laws ---------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    w=st.floats(-5, 5).map(lambda v: round(v, 3)),
    v=st.floats(-5, 5).map(lambda v: round(v, 3)),
    seed=st.integers(0, 2**16),
)
def test_a_moderated_effect_is_a_product_of_slopes_at_any_values(
    w: float, v: float, seed: int
) -> None:
    at = {"w": [w], "v": [v]}
    c = context({"m": "m ~ x*w", "y": "y ~ m*v"}, {"e": indirect(at=at)}, seed)
    p = c.parameter
    wanted = (p("m ~ x") + w * p("m ~ x:w")) * (p("y ~ m") + v * p("y ~ m:v"))
    same(rows(c)[0].draws, wanted)


# --- factors as causes -------------------------------------------------------


def _factor_study() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    n = 90
    kinds = np.array(["NGO", "Private", "Public"])[rng.integers(3, size=n)]
    flag = np.array(["true", "false"])[rng.integers(2, size=n)]
    frame = pd.DataFrame({"sector": kinds, "flag": flag, "w": rng.normal(size=n)})
    return frame.assign(m=rng.normal(size=n), y=rng.normal(size=n))


def _factor_rows(
    equations: dict[str, str], estimand: dict[str, object], truth: dict[str, float]
) -> list[tuple[str, float]]:
    model = load_model(
        {
            "name": "f",
            "equations": {r: {"formula": f} for r, f in equations.items()},
            "estimands": {"e": estimand},
        }
    )
    system = build_system(model, study(_factor_study()))
    context = Context(
        system.layout,
        system.responses,
        lambda name: np.full((1, 1), truth.get(name, 0.0)),
        model.estimands,
        "f",
    )
    return [(r.at, float(r.draws[0, 0])) for r in evaluate("e", context)]


FACTOR_TRUTH = {"y ~ sector[Public]": 0.5, "y ~ sector[Private]": 0.2}


def test_a_direct_effect_of_a_level_is_set_against_its_own_equations_reference() -> None:
    equations = {"m": 'm ~ factor(sector, ref="Public")', "y": "y ~ m + sector"}
    for level, value in (("Public", 0.5), ("Private", 0.2)):
        estimand = {"kind": "direct", "from": f"sector[{level}]", "to": "y"}
        assert _factor_rows(equations, estimand, FACTOR_TRUTH) == [("", pytest.approx(value))]


def test_paths_over_equations_with_different_references_are_refused() -> None:
    equations = {"m": 'm ~ factor(sector, ref="Public")', "y": "y ~ m + sector"}
    estimand = {"kind": "total", "from": "sector[Private]", "to": "y"}
    with pytest.raises(EstimandError, match="different references"):
        _factor_rows(equations, estimand, FACTOR_TRUTH)


def test_the_reference_level_has_no_effect_to_estimate() -> None:
    with pytest.raises(EstimandError, match="is the reference level"):
        _factor_rows(
            {"y": "y ~ sector"}, {"kind": "direct", "from": "sector[NGO]", "to": "y"}, FACTOR_TRUTH
        )


def test_booleans_have_one_spelling_whatever_the_files() -> None:
    rows = _factor_rows(
        {"y": "y ~ w * flag"},
        {"kind": "direct", "from": "w", "to": "y", "at": {"flag": [True, False]}},
        {"y ~ w": 1.0, "y ~ w:flag[True]": 2.0},
    )
    assert rows == [("flag=True", pytest.approx(3.0)), ("flag=False", pytest.approx(1.0))]


@pytest.mark.parametrize("values", [[], [0.1, 0.1]])
def test_at_needs_distinct_values(values: list[float]) -> None:
    with pytest.raises(EstimandError):
        _factor_rows(
            {"y": "y ~ w * flag"},
            {"kind": "direct", "from": "flag", "to": "y", "at": {"w": values}},
            {},
        )
