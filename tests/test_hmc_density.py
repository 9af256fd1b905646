"""The density that hmc samples where values are missing, against those that NUTS is held to.

`test_missing_density` writes likelihoods out by hand: incomplete predictors and mediators, latent
means, correlated residuals, and constructs with raters, rater groups, a marker and a reversed item.
"""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from acmodels.data import study
from acmodels.engines import Sampling, engine
from acmodels.engines.hmc import draws, mode, sampling
from acmodels.engines.hmc.arrays import design
from acmodels.engines.hmc.design import Design, components
from acmodels.load import load_model
from acmodels.priors import resolve_priors
from acmodels.system import build_system
from test_missing_density import CASES, Case, gone, prior, units

OTHERS = {"factors", "predictors of units", "means"}
"""Cases left to NUTS: discrete missing values beside others, means of incomplete values."""
TAKEN = [name for name in CASES if name not in OTHERS]

type Found = tuple[dict[str, float], dict[str, Any], dict[str, Any]]


def designs(name: str, joint: bool | None = None) -> tuple[Case, list[Design]]:
    """A case, and the components of its model that hmc samples."""
    table, lost, hand = CASES[name]
    data = gone(**lost)
    model = load_model({"name": "test", **table})
    system = build_system(model, study(data))
    both = system.sampled
    priors = resolve_priors(model.priors, both.layout, both.responses)
    assert engine("hmc").unfit(both.layout, priors) is None
    case = Case(data, system, priors, None, None, None, None, None, hand)
    found = components(both.layout)
    return case, [design(both.layout, priors, both.responses, of, joint=joint) for of in found]


def somewhere(d: Design, rng: np.random.Generator) -> Any:
    x = d.start + 0.3 * rng.normal(size=len(d.start)) * np.minimum(d.unit, 1.0) * ~d.frozen
    x[d.walls] = np.abs(x[d.walls])
    return x


def natural(d: Design, x: Any) -> Found:
    """Return what coordinates stand for."""
    neff = int(d.arrays.sizes[0])
    u = mode.slopes(d, x)[3][1 : 1 + neff]
    fixed = x[None, None, neff:]
    found = draws.coefficient_draws(d, fixed) | draws.residual_draws(d, fixed)
    more, groups, cells = draws.group_draws(d, fixed, u[None, None])
    values = {k: float(v[0, 0]) for k, v in (found | more).items()}
    mine = {k: v[0, 0] for k, v in groups.items()}
    return values, mine, {k: v[0, 0] for k, v in cells.items()}


def jacobian(d: Design, case: Case, x: Any) -> float:
    """Log determinant of the map to parameters, group effects and missing values."""
    free = np.flatnonzero(~d.frozen)

    def flat(at: Any) -> Any:
        values, groups, cells = natural(d, at)
        own = [v for k, v in values.items() if case.priors[k].held is None]
        return np.concatenate([own, *(v.ravel() for v in (*groups.values(), *cells.values()))])

    h = 1e-6 * np.eye(len(x))[free]
    table = np.stack([(flat(x + a) - flat(x - a)) / 2e-6 for a in h])
    return float(np.linalg.slogdet(table)[1])


def by_hand(case: Case, found: Found) -> float:
    values, groups, cells = found
    joint = case.system.sampled
    data = case.data.copy()
    for gap in joint.layout.missing:
        if gap.discrete:
            continue
        here = gap.cell >= 0
        if joint.layout.measure(gap.variable) is not None:
            data[gap.variable] = np.nan
        data.loc[here, gap.variable] = cells[gap.variable][gap.cell[here]]
    if case.hand is units:  # known for a unit from another of its rows
        data["w"] = data.groupby("g")["w"].transform("first")
    rows: Any = data.to_dict("records")
    return prior(case, values, groups) + float(case.hand(rows, values, groups))


WAYS = [
    *((name, None) for name in TAKEN),
    *((name, False) for name in TAKEN if "panel" not in CASES[name][0]),  # as beside discrete ones
]
"""Cases with the coordinates that they have, and with those of each block."""


@pytest.mark.parametrize(("name", "joint"), WAYS)
def test_the_density_is_the_one_by_hand(name: str, joint: bool | None) -> None:
    case, parts = designs(name, joint)
    rng = np.random.default_rng(11)
    parts = [mode.anchored(d, somewhere(d, rng))[0] for d in parts]
    ours, theirs = [], []
    for _ in range(3):
        at = [somewhere(d, rng) for d in parts]
        ours.append(sum(mode.slopes(d, x)[0] for d, x in zip(parts, at, strict=True)))
        every = [natural(d, x) for d, x in zip(parts, at, strict=True)]
        merged = tuple({k: v for f in every for k, v in f[i].items()} for i in range(3))
        values = {**{n: p.held for n, p in case.priors.items() if p.held is not None}, **merged[0]}
        turn = sum(jacobian(d, case, x) for d, x in zip(parts, at, strict=True))
        theirs.append(by_hand(case, cast("Found", (values, *merged[1:]))) + turn)
    assert np.ptp(ours) > 0.1
    gaps = np.array(ours) - np.array(theirs)
    np.testing.assert_allclose(gaps, gaps[0], rtol=0, atol=1e-6 * max(map(abs, theirs)) + 1e-5)


@pytest.mark.parametrize(("name", "joint"), WAYS)
def test_gradients_are_slopes_of_the_density(name: str, joint: bool | None) -> None:
    rng = np.random.default_rng(4)
    for d in designs(name, joint)[1]:
        there, _ = mode.anchored(d, somewhere(d, rng))
        for at in (d, there):
            x = somewhere(at, rng)
            g = mode.slopes(at, x)[1]
            for _ in range(6):
                way, h = rng.normal(size=len(x)) * ~d.frozen, 1e-5
                rise = (mode.slopes(at, x + h * way)[0] - mode.slopes(at, x - h * way)[0]) / (2 * h)
                assert rise == pytest.approx(float(g @ way), rel=3e-5, abs=3e-3)


def test_ratings_change_how_it_is_computed_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, [d] = designs("constructs")
    monkeypatch.setattr("acmodels.engines.hmc.arrays.ratings", lambda *_: [])
    _, [plain] = designs("constructs")
    assert len(d.arrays.rate) > 1
    assert len(plain.arrays.rate) == 1 < len(plain.arrays.pair_k)
    x = somewhere(d, np.random.default_rng(4))
    lp, g, *_ = mode.slopes(d, x)
    other, slope, *_ = mode.slopes(plain, x)
    assert lp == pytest.approx(other, rel=1e-7)
    assert g == pytest.approx(slope, rel=1e-4, abs=1e-4)


def sampled(d: Design) -> Any:
    """Draws of a component."""
    few = Sampling(draws=200, chains=2, cores=1)
    tell = sampling._Teller(few, 1)  # pyright: ignore[reportPrivateUsage]
    return sampling.draw(d, 1, few, tell)[0]


def latent_mean(family: str, joint: bool, level: float) -> Design:
    """An outcome on the latent mean of a mediator whose predictor is far from zero."""
    rng = np.random.default_rng(6)
    g = np.repeat(np.arange(30), 4)
    x = level + rng.normal(size=120)
    m = 0.5 * x + 0.7 * rng.normal(size=30)[g] + rng.normal(size=120)
    y = 0.3 * m + 0.6 * rng.normal(size=120)
    y = np.digitize(y, np.quantile(y, [0.3, 0.7])) + 1 if family == "ordinal" else y
    frame = {"g": [f"g{k}" for k in g], "x": x, "m": m, "y": y}
    formulas = {"m": "m ~ x + (1 | g)", "y": "y ~ m + between(m, g) + (1 | g)"}
    equations: dict[str, Any] = {k: {"formula": v} for k, v in formulas.items()}
    equations["y"]["family"] = family
    model = load_model({"name": "test", "equations": equations})
    both = build_system(model, study(pd.DataFrame(frame))).sampled
    priors = resolve_priors(model.priors, both.layout, both.responses)
    (of,) = components(both.layout)
    return design(both.layout, priors, both.responses, of, joint=joint)


@pytest.mark.parametrize("family", ["gaussian", "ordinal"])
@pytest.mark.parametrize("joint", [True, False])
def test_a_shear_moves_the_constant_and_nothing_else(family: str, joint: bool) -> None:
    d = latent_mean(family, joint, 5.0)
    part = d.parts[-1]
    assert part.shear
    bare = replace(
        d,
        parts=(*d.parts[:-1], replace(part, shear=())),
        arrays=d.arrays._replace(shear_weight=np.zeros_like(d.arrays.shear_weight)),
    )
    x = somewhere(d, np.random.default_rng(2))
    for of in d.parts:
        x[of.slope0] += 0.8  # slopes start at 0, where a shear is nothing
    place = part.cut0 if family == "ordinal" else part.constant
    name = "y | t1" if family == "ordinal" else "y ~ 1"
    away = natural(d, x)[0][name] - natural(bare, x)[0][name]
    assert abs(away) > 0.1
    moved = x.copy()
    moved[place] += away
    assert mode.slopes(d, x)[0] == pytest.approx(mode.slopes(bare, moved)[0], rel=1e-9)
    assert natural(bare, moved)[0] == pytest.approx(natural(d, x)[0])
    way, h = np.random.default_rng(3).normal(size=len(x)) * ~d.frozen, 1e-5
    rise = (mode.slopes(d, x + h * way)[0] - mode.slopes(d, x - h * way)[0]) / (2 * h)
    assert rise == pytest.approx(float(mode.slopes(d, x)[1] @ way), rel=3e-5, abs=3e-3)


def test_where_zero_is_does_not_slow_a_latent_mean() -> None:
    """Steps are as long where a predictor of the mediator lies around 50 as around 0."""
    steps = [
        sampled(latent_mean("gaussian", True, level)).stats[..., 1].mean() for level in (0.0, 50.0)
    ]
    assert steps[1] < 1.3 * steps[0]
