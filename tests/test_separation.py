"""Coefficients that the data do not bound are found, named, and never invented."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from acmodels.data import study
from acmodels.load import load_model
from acmodels.system import System, build_system
from acmodels.system.columns import design_matrix

FAMILIES = ("bernoulli", "binomial", "ordinal", "poisson", "negative_binomial")


def build(data: pd.DataFrame, formula: str, family: str = "bernoulli", **more: Any) -> System:
    options = {"trials": "k"} if family == "binomial" else {}
    equation = {"formula": formula, "family": family, **options}
    return build_system(
        load_model({"name": "t", "equations": {"y": equation}, **more}), study(data)
    )


def found(system: System) -> set[str]:
    return {n for s in system.separated for n in s.names}


def oracle(system: System) -> set[str]:
    """Coefficients that move along some harmless direction: two linear programs for each."""
    (e,) = system.layout.equations
    X, y = design_matrix(system.layout, e, system.responses), system.responses["y"]
    cuts = len(e.codes) - 1 if e.codes else 0
    up: list[np.ndarray] = []
    level: list[np.ndarray] = []
    for x, v, k in zip(X, y, e.trials if e.trials is not None else np.ones(len(y)), strict=True):
        row = np.concatenate([np.zeros(cuts), x])
        if e.family in ("poisson", "negative_binomial"):
            (level if v > 0 else up).append(-row)
        elif e.family == "ordinal":
            c = int(v) - e.codes[0]
            if c < cuts:
                up.append(np.eye(len(row))[c] - row)
            if c > 0:
                up.append(row - np.eye(len(row))[c - 1])
        elif 0 < v < k:
            level.append(row)
        else:
            up.append(row if v == k else -row)
    one = np.eye(cuts + X.shape[1])
    up += [one[c + 1] - one[c] for c in range(cuts - 1)]
    names = [*e.thresholds, *(e.coefficient(c) for c in e.columns)]
    out: set[str] = set()
    for j, name in enumerate(names):
        for sign in (1.0, -1.0):
            lp = linprog(
                -sign * np.eye(len(names))[j],
                A_ub=-np.array(up) if up else None, b_ub=np.zeros(len(up)) if up else None,
                A_eq=np.array(level) if level else None,
                b_eq=np.zeros(len(level)) if level else None,
                bounds=(-1, 1),
            )  # fmt: skip
            if -lp.fun > 1e-6:
                out.add(name)
    return out


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_found_is_what_linear_programs_of_each_coefficient_find(family: str) -> None:
    rng = np.random.default_rng(FAMILIES.index(family))
    both = set[bool]()
    for turn in range(24):
        n = int(rng.integers(12, 45))
        d = pd.DataFrame({"x": rng.integers(-3, 4, n), "z": rng.integers(0, 2, n)})
        d["f"], d["k"] = rng.choice(list("abc"), n), rng.integers(1, 4, n)
        a, b, c = 2 * rng.normal(size=3)
        eta = a * d.x + b * d.z + c * (d.f == "b")
        p = 1 / (1 + np.exp(-eta))
        y = {
            "bernoulli": (rng.random(n) < p).astype(int),
            "binomial": rng.binomial(d.k, p),
            "ordinal": 1 + (eta + rng.logistic(size=n) > -1).astype(int) + (eta > 1).astype(int),
        }
        d["y"] = y.get(family, rng.poisson(np.exp(np.clip(eta - 1, -5, 3))))
        if d.y.nunique() < 2 or min(d.z.nunique(), d.f.nunique() - 1) < 2:
            continue
        formula = ("y ~ x + z", "y ~ x + f", "y ~ z*f", "y ~ f + x:z")[turn % 4]
        system = build(d, formula, family)
        assert found(system) == oracle(system), (formula, d)
        both.add(bool(system.separated))
    assert both == {True, False}


def study_of(n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    d = pd.DataFrame({"x": rng.normal(size=n), "t": rng.integers(0, 2, n)})
    d["f"], d["g"] = rng.choice(["north", "south", "west"], n), [f"g{i % 20}" for i in range(n)]
    d["y"] = rng.integers(0, 2, n)
    return d


def message(system: System) -> str:
    (one,) = system.separated
    assert one.message in [f.message for f in system.findings]
    return one.message


def test_the_message_names_coefficient_term_category_and_prior() -> None:
    d = study_of()
    d.loc[d.t == 1, "y"] = 1
    said = message(build(d, "y ~ x + t"))
    count = int((d.t == 1).sum())
    for word in ("y ~ t", "term t", f"each of the {count} rows with t = 1 has y = 1", "the prior"):
        assert word in said
    assert "group effects" not in said
    said = message(build(d, "y ~ x + t + (1 | g)"))
    assert "Only the population-level terms were checked" in said


def test_a_reference_level_whose_outcomes_are_alike_is_named() -> None:
    d = study_of()
    d.loc[d.f == "north", "y"] = 0
    system = build(d, "y ~ x + f")
    assert found(system) == {"y ~ 1", "y ~ f[south]", "y ~ f[west]"}
    assert "rows with f = north has y = 0" in message(system)


@pytest.mark.parametrize("family", ["poisson", "negative_binomial"])
def test_a_level_of_zeros_among_counts(family: str) -> None:
    d = study_of()
    d["y"] = np.random.default_rng(0).poisson(2.0, len(d))
    assert not build(d, "y ~ x + f", family).separated
    d.loc[d.f == "west", "y"] = 0
    system = build(d, "y ~ x + f", family)
    assert found(system) == {"y ~ f[west]"}
    assert "rows with f = west has y = 0" in message(system)


def test_a_middle_category_alone_is_bounded_and_an_outer_one_is_not() -> None:
    d = study_of()
    d["y"] = np.random.default_rng(0).integers(1, 6, len(d))
    for value, names in ((3, set[str]()), (5, {"y ~ t"}), (1, {"y ~ t"})):
        system = build(d.assign(y=np.where(d.t == 1, value, d.y)), "y ~ x + t", "ordinal")
        assert found(system) == names


def test_complete_separation_is_said_and_one_row_that_overlaps_ends_it() -> None:
    d = study_of()
    d["year"] = 2000 + d.x / 100
    d["y"] = (d.x > 0.2).astype(int)
    system = build(d, "y ~ year")
    assert found(system) == {"y ~ 1", "y ~ year"}
    assert "complete separation" in message(system)
    assert "year alone tells them apart" in message(system)
    order = np.argsort(d.x.to_numpy())
    first = int(np.flatnonzero(d.y.to_numpy()[order] == 1)[0])
    swapped = d.y.to_numpy().copy()
    swapped[order[[first - 2, first + 1]]] = [1, 0]
    assert not build(d.assign(y=swapped), "y ~ year").separated


def test_steps_of_a_monotonic_effect_have_one_sign() -> None:
    rng = np.random.default_rng(2)
    d = pd.DataFrame({"o": np.repeat([1, 2, 3], 40), "y": rng.integers(0, 2, 120)})
    d.loc[d.o == 2, "y"] = 1  # up, then down: no monotonic effect does that without end
    assert not build(d, "y ~ mo(o)").separated
    d.loc[d.o == 3, "y"] = 1
    assert found(build(d, "y ~ mo(o)")) == {"y ~ mo(o)"}


def test_rows_with_missing_values_and_with_no_weight_say_nothing() -> None:
    d = study_of()
    d.loc[d.t == 1, "y"] = 1
    d.loc[d.index[d.t == 1][:2], "y"] = 0
    d.loc[d.index[d.t == 1][:2], "x"] = np.nan
    system = build(d, "y ~ x + t")
    assert f"{len(d) - 2} rows without missing values" in message(system)
    d["w"] = np.where(d.x.isna(), 0.0, 1.0)
    full = d.fillna({"x": 0.0})
    assert not build(full, "y ~ x + t").separated
    equation = {"formula": "y ~ x + t", "family": "bernoulli", "weights": "w"}
    system = build_system(load_model({"name": "t", "equations": {"y": equation}}), study(full))
    assert found(system) == {"y ~ t"}


def test_ten_thousand_rows_take_seconds() -> None:
    import time

    rng = np.random.default_rng(0)
    X = rng.normal(size=(10_000, 20))
    d = pd.DataFrame(X, columns=[f"x{k}" for k in range(20)])
    eta = X @ rng.normal(size=20) * 0.5
    d["t"], d["y"] = rng.integers(0, 2, 10_000), (rng.random(10_000) < 1 / (1 + np.exp(-eta))) * 1
    formula = "y ~ t + " + " + ".join(f"x{k}" for k in range(20))
    started = time.perf_counter()
    assert not build(d, formula).separated
    d.loc[d.t == 1, "y"] = 1
    assert found(build(d, formula)) == {"y ~ t"}
    assert time.perf_counter() - started < 60  # 2 s on a machine with nothing else to do


def test_an_equation_with_latent_means_is_looked_at_by_the_observed_ones() -> None:
    rng = np.random.default_rng(2)
    g = np.repeat(np.arange(12), 6)
    x = rng.normal(size=12)[g] + rng.normal(size=72)
    mean = pd.Series(x).groupby(g).transform("mean").to_numpy()
    frame = pd.DataFrame({"g": [f"g{k}" for k in g], "x": x, "y": (mean > 0).astype(int)})
    equations = {
        "x": {"formula": "x ~ 1 + (1 | g)"},
        "y": {"formula": "y ~ between(x, g)", "family": "bernoulli"},
    }
    system = build_system(load_model({"name": "t", "equations": equations}), study(frame))
    assert "y ~ between(x, g)" in found(system)
    assert "observed unit means" in system.separated[0].message
    frame["y"] = rng.integers(0, 2, 72)
    equations["y"]["formula"] = "y ~ between(x, g) + within(x, g)"
    assert not found(build_system(load_model({"name": "t", "equations": equations}), study(frame)))
