"""The world: what flows is what the arrows say, and people report on it as they are said to."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import acmodels as ac
from acmodels.cli import run as cli
from acmodels.data import labels, numeric
from acmodels.errors import ModelError
from acmodels.framework import constructs, propositions
from acmodels.worlds import Scenario, World, scenario, scenarios, variables, world
from acmodels.worlds.answers import FACET, REVERSED
from acmodels.worlds.flow import flow
from acmodels.worlds.scenario import contraries
from acmodels.worlds.truth import total_effects
from acmodels.worlds.units import make_units
from monte_carlo import allowed, sd_error

LARGE = {"districts": 150, "partners": 12, "departments": 2, "partnerships": 2, "staff": 1}


def made(base: str, waves: int, seed: int) -> World:
    """A world without its study: truth only, which is what these tests look at."""
    size = {**LARGE, "waves": waves}
    s = scenario({"world": base, "size": size})
    units = make_units(s, seed)
    values, stays = flow(s, units, seed)
    bare = ac.study(pd.DataFrame({"x": [0.0]}))
    return World(s, seed, units, values, stays, bare, {})


def slopes(w: World) -> dict[str, tuple[float, float]]:
    """Every arrow by least squares on its causes, with its standard error."""
    out: dict[str, tuple[float, float]] = {}
    for v in variables().values():
        if not v.arrows or not v.noise or v.kind != "normal":
            continue
        names, terms, own = w.causes(v.name)
        x = np.column_stack([np.ones(len(own)), terms])
        beta, *_ = np.linalg.lstsq(x, own, rcond=None)
        left = own - x @ beta
        s2 = left @ left / (len(own) - x.shape[1])
        se = np.sqrt(s2 * np.diag(np.linalg.inv(x.T @ x)))
        out |= {n: (float(b), float(e)) for n, b, e in zip(names, beta[1:], se[1:], strict=True)}
    return out


def z(w: World, against: Scenario) -> dict[str, float]:
    return {n: (b - against.arrows[n]) / e for n, (b, e) in slopes(w).items()}


# --- what it is made of -----------------------------------------------------------------


def test_every_arrow_has_a_source_in_the_framework() -> None:
    known = propositions()
    for v in variables().values():
        assert v.name in constructs()
        for a in v.arrows:
            assert set(a.propositions) <= set(known), a.name
            assert a.propositions or a.source.startswith("assumed: "), a.name


def test_every_scenario_loads_and_every_contrary_differs() -> None:
    base = scenario("baseline").arrows
    for name in scenarios():
        s = scenario(name)
        assert set(s.arrows) == set(base)
        if name.startswith("contrary_"):
            assert s.arrows != base
    assert set(contraries()) <= set(propositions())
    assert len(contraries()) >= 55


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"world": "basline"}, "no scenario 'basline'; did you mean 'baseline'?"),
        ({"world": "baseline", "sise": {}}, "unknown key 'sise'; did you mean 'size'?"),
        (
            {"world": "baseline", "arrows": {"routines ~ prior_knowlege": 1.0}},
            "arrows: no arrow 'routines ~ prior_knowlege'; did you mean "
            "'routines ~ prior_knowledge'?",
        ),
        ({"world": "baseline", "off": ["x ~ *"]}, "off: 'x ~ *' is no arrow"),
        ({"world": "baseline", "events": {"flood": 0.1}}, "events: no event 'flood'"),
        ({"world": "baseline", "fixed": {"trst": [0]}}, "did you mean 'trust'?"),
        ({"world": "baseline", "size": {"districts": 0}}, "size.districts"),
        (
            {"world": "baseline", "size": {"partners": 1, "partnerships": 2}},
            "cannot have 2 partners when there are 1",
        ),
    ],
)
def test_what_is_wrong_is_named(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=re.escape(said)):
        world(table)


# --- what flows is what the arrows say --------------------------------------------------


def test_a_regression_on_the_truth_finds_every_arrow() -> None:
    w = made("baseline", 3, 11)
    found = z(w, w.scenario)
    arrows = {a.name for v in variables().values() if v.noise for a in v.arrows}
    assert set(found) == arrows
    bound = norm.isf(0.001 / (2 * len(found)))
    assert {n: v for n, v in found.items() if abs(v) > bound} == {}
    # were the arrows others than they are, this would show
    contrary = z(made("contrary_P41", 3, 11), w.scenario)
    assert max(abs(v) for v in contrary.values()) > 3 * bound


def test_nothing_shows_in_the_null_world() -> None:
    w = made("null", 3, 12)
    found = z(w, w.scenario)
    assert all(w.scenario.arrows[n] == 0 for n in found)
    bound = norm.isf(0.001 / (2 * len(found)))
    assert max(abs(v) for v in found.values()) < bound
    y = w.values["collective_knowledge"][0]
    x = w.units.bring(w.values["prior_knowledge"][0], "department", "partnership", 0)
    r = np.corrcoef(x, y)[0, 1]
    assert abs(r) < allowed(1 / np.sqrt(w.units.size["department"]))  # Fisher's error of a zero r


@pytest.mark.statistical
def test_arrows_are_recovered_over_200_worlds() -> None:
    """Means of 200 regressions, each within 4.5 Monte Carlo errors, and the errors as stated."""
    every = [slopes(made("baseline", 2, seed)) for seed in range(1000, 1200)]
    size = scenario("baseline").arrows
    wide = norm.isf(0.001 / (2 * len(every[0])))
    for name in every[0]:
        b = np.array([one[name][0] for one in every])
        e = np.array([one[name][1] for one in every])
        assert abs(b.mean() - size[name]) < wide * b.std(ddof=1) / np.sqrt(len(b)), name
        near = allowed(sd_error(len(b)), comparisons=len(every[0]))
        assert b.std(ddof=1) == pytest.approx(np.sqrt((e**2).mean()), rel=near), name


def test_total_effects_are_what_an_intervention_does() -> None:
    """Prior knowledge of all set to 0, then to 1, in a world without products."""
    off = [n for n in scenario("baseline").arrows if ":" in n or "square(" in n]
    arrows = dict.fromkeys(off, 0.0)
    levels: list[dict[str, np.ndarray]] = []
    for x in (0.0, 1.0):
        s = scenario(
            {
                "world": "baseline",
                "size": {"districts": 4, "waves": 2},
                "arrows": arrows,
                "fixed": {"prior_knowledge": [x]},
            }
        )
        levels.append(flow(s, make_units(s, 3), 3)[0])
    names, total, later = total_effects(s)
    at = names.index("prior_knowledge")
    late = {**s.arrows, "baseline_capacity ~ first(capacity)": 0.0}
    second = total_effects(scenario({"world": "baseline", "arrows": late}))[1]
    for outcome in ("routines", "collective_knowledge", "policy_and_routines", "capacity"):
        moved = levels[1][outcome] - levels[0][outcome]
        want = total[names.index(outcome), at]
        again = second[names.index(outcome), at]
        np.testing.assert_allclose(moved[0], want, rtol=1e-10)
        # in the second wave what is set acts anew, beside what the first wave left behind
        lag = later[names.index(outcome), at]
        carried = lag - _through_itself(names, s, outcome, at)
        np.testing.assert_allclose(moved[1], again + carried, rtol=1e-10)
    assert total[names.index("collective_knowledge"), at] > 0.35 * 0.35  # by way of routines alone


def _through_itself(names: tuple[str, ...], s: Scenario, outcome: str, at: int) -> float:
    """What reaches an outcome a wave later by way of prior knowledge, which is held fixed."""
    _, total, _ = total_effects(s)
    late = {**s.arrows, "baseline_capacity ~ first(capacity)": 0.0}
    second = total_effects(scenario({"world": "baseline", "arrows": late}))[1]
    back = sum(
        s.arrows[a.name] * total[names.index(a.term.factors[0].name), at]
        for a in variables()["prior_knowledge"].arrows
        if a.term.factors[0].function == "lag"
    )
    return float(second[names.index(outcome), at] * back)


def test_effects_in_the_truth_are_sums_over_paths() -> None:
    truth = world({"world": "baseline", "size": {"districts": 2}}).truth
    paths = truth["indirect(prior_knowledge -> routines -> collective_knowledge)"]
    assert paths == pytest.approx(0.35 * 0.35)
    ties = truth["indirect(similar_norms -> informal_ties -> collective_knowledge)"]
    # by ties directly, and by their strength, which acts in a product only
    assert ties == pytest.approx(0.30 * 0.20)
    norms = truth["total(similar_norms -> collective_knowledge)"]
    # less distance, less conflict, more trust, more risks taken
    trust = -1.0 * 0.4 * -0.35 * (0.10 + 0.4 * 0.12)
    assert norms == pytest.approx(0.20 * 0.35 + 0.30 * 0.20 + 0.2 * 0.15 + trust)
    back = truth["total(collective_knowledge -> prior_knowledge, 1 wave later)"]
    assert back == pytest.approx(0.20)


def test_more_waves_leave_the_first_ones_alone() -> None:
    one, three = made("baseline", 1, 5), made("baseline", 3, 5)
    for name in variables():
        np.testing.assert_array_equal(one.values[name][0], three.values[name][0])
    other = made("baseline", 1, 6)
    assert not np.allclose(one.values["leadership"], other.values["leadership"])


def test_an_arrow_changes_only_what_is_downstream() -> None:
    base, without = made("baseline", 1, 5), made("contrary_P74", 1, 5)
    for name in ("trust", "collective_knowledge", "informal_ties"):
        changed = name == "collective_knowledge"  # by way of research and theory
        same = np.allclose(base.values[name], without.values[name])
        assert same is not changed, name
    assert not np.allclose(base.values["goal_progress"], without.values["goal_progress"])


# --- the study ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def study_world() -> World:
    return world({"world": "baseline", "size": {"districts": 60, "waves": 2}}, seed=4)


def raters(w: World, name: str) -> np.ndarray:
    """How many answer on each unit in the first wave."""
    r = w.study.tables["responses"].frame
    mine = r[(r["wave_id"] == 1) & r["item_id"].astype(str).str.startswith(f"{name}_")]
    return mine.groupby("target_id", observed=True)["person_id"].nunique().to_numpy()


def answered(name: str, people: np.ndarray) -> tuple[float, float]:
    """What is said of answers, drawn anew for 20,000 units with as many raters.

    Returns:
        The correlation of a unit's score with its construct, and that of a person's answers to the
        construct's first item and its fourth, before it is turned.
    """
    v, a = variables()[name], scenario("baseline").answers
    rng = np.random.default_rng(9)
    n = rng.choice(people, 20_000)
    z = rng.normal(size=len(n))
    own = rng.normal(size=(len(v.facets) or 1, len(n)))
    parts = np.sqrt(1 - FACET) * z + np.sqrt(FACET) * own if v.facets else z[None]
    unit = np.repeat(np.arange(len(n)), n)
    lenient = a.leniency * rng.normal(size=len(unit))
    extreme = np.exp(a.extremity * rng.normal(size=len(unit)))
    cuts = np.linspace(-1.5, 1.5, a.points - 1)
    items = []
    for k in range(v.items):
        latent = a.loading * parts[k % len(parts)][unit] + lenient
        latent = latent + np.sqrt(1 - a.loading**2) * rng.normal(size=len(unit))
        items.append(1 + np.searchsorted(cuts, extreme * latent))
    score = np.bincount(unit, weights=np.mean(items, axis=0)) / n
    last = items[REVERSED - 1] if len(items) >= REVERSED else items[-1]
    return float(np.corrcoef(z, score)[0, 1]), float(np.corrcoef(items[0], last)[0, 1])


def test_scores_follow_what_they_measure(study_world: World) -> None:
    study = study_world.study
    units, values = study_world.units, study_world.values
    first = labels(study, "wave_id") == "1"
    place = {p: k for k, p in enumerate(labels(study.tables["partnerships"], "partnership_id"))}
    at = np.array([place[p] for p in labels(study, "partnership_id")[first]])
    for name in ("collective_knowledge", "routines", "prior_knowledge", "resources", "policy"):
        level = variables()[name].level
        true = units.bring(values[name][0], level, "partnership", 0)[at]
        score = numeric(study, name)[first]
        ok = np.isfinite(score)
        # Fisher's z of as many units as the construct has
        place = units.bring(np.arange(units.size[level]), level, "partnership", 0)[at]
        n = len(np.unique(place[ok]))
        want = answered(name, raters(study_world, name))[0]
        gap = np.arctanh(np.corrcoef(true[ok], score[ok])[0, 1]) - np.arctanh(want)
        assert abs(gap) < allowed(1 / np.sqrt(n - 3), comparisons=5), name
    coded = numeric(study, "applicability")[first]
    error = coded - values["applicability"][0][at]
    assert error.std() == pytest.approx(0.2, rel=allowed(sd_error(len(error))))


def test_people_answer_as_the_scenario_says() -> None:
    say = {"nonresponse": 0.3, "skipped": 0.1, "attrition": 0.2, "partner_exit": 0.0}
    w = world({"world": "baseline", "size": {"districts": 60, "waves": 3}, "answers": say}, seed=2)
    r, m = w.study.tables["responses"], w.study.tables["memberships"]
    missing = np.isnan(numeric(r, "value"))
    assert missing.mean() == pytest.approx(0.1, abs=allowed(np.sqrt(0.09 / len(missing))))
    assert set(labels(r, "missing_reason")[missing]) == {"skipped"}
    waves, active = labels(m, "wave_id"), numeric(m, "active")
    n = (waves == "1").sum()
    rate = [active[waves == w].mean() for w in ("1", "2", "3")]
    assert rate[0] == pytest.approx(0.7, abs=allowed(np.sqrt(0.21 / n)))
    assert rate[0] > rate[1] > rate[2]


def test_turned_items_go_the_other_way_as_they_were_given(study_world: World) -> None:
    r, items = study_world.study.tables["responses"], study_world.study.tables["items"]
    turned = set(labels(items, "item_id")[numeric(items, "reverse") > 0])
    assert turned
    long = r.frame[r.frame["wave_id"] == 1]
    keys = ["person_id", "target_id"]
    wide = long.pivot_table(index=keys, columns="item_id", values="value", observed=True)
    for item in sorted(turned):
        other = f"{item.rsplit('_', 1)[0]}_1"
        name = item.rsplit("_", 1)[0]
        want = -answered(name, raters(study_world, name))[1]
        n = wide.dropna(subset=[item, other]).index.get_level_values("target_id").nunique()
        gap = np.arctanh(wide[item].corr(wide[other])) - np.arctanh(want)
        assert abs(gap) < allowed(1 / np.sqrt(n - 3), comparisons=len(turned)), item


def test_two_departments_differ_in_what_they_are_said_to_differ_in() -> None:
    w = world("two_departments", seed=7)
    assert w.units.size == {"district": 1, "department": 2, "partner": 1, "partnership": 2}
    for name in ("prior_knowledge", "communication"):
        np.testing.assert_array_equal(w.values[name], [[-1.2, 1.2]] * 3)
    learned = w.values["collective_knowledge"]
    assert (learned[:, 1] > learned[:, 0]).all()


def test_simulate_writes_a_study_that_is_read_again(tmp_path: Path) -> None:
    small = tmp_path / "small.toml"
    small.write_text('world = "baseline"\n[size]\ndistricts = 12\npartners = 8\nwaves = 2\n')
    cli(["simulate", str(small), "--out", str(tmp_path / "one"), "--seed", "3", "--quiet"])
    read = ac.load_study(tmp_path / "one")
    again = world(scenario(small), seed=3).study
    assert read.n_rows == again.n_rows
    for name in ("collective_knowledge", "applicability", "share_tacit", "routine_depth"):
        np.testing.assert_allclose(numeric(read, name), numeric(again, name), rtol=1e-12)
    leaid = labels(read.tables["districts"], "leaid")
    assert all(re.fullmatch(r"\d{7}", v) for v in leaid)
    assert any(v.startswith("0") for v in leaid)
    truth = json.loads((tmp_path / "one" / "truth.json").read_text())
    assert truth["routines ~ prior_knowledge"] == 0.35
    fit = ac.fit(ac.load_model("capacity_conditions"), read, draws=200)
    assert fit.diagnostics.engine == "collapsed"
    book = (tmp_path / "one" / "codebook.md").read_text()
    assert "| collective_knowledge | Collective knowledge | partnership | 4 items |" in book
