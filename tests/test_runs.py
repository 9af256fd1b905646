"""The refit loop: closed forms, resumption, stores, failures."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
import tomllib
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import acmodels as ac
from acmodels.cli import run as cli
from acmodels.errors import InputError, ModelError
from acmodels.replication import job_key, open_store
from acmodels.replication.criterion import power_job
from acmodels.replication.crossing import crossing, wilson
from acmodels.replication.recovery import design_effect
from acmodels.replication.truths import lkj_matrix
from monte_carlo import allowed

K = 4.0
"""Monte Carlo standard errors allowed: one false alarm in 16,000."""

MEAN = """
name = "mean"
[equations.y]
formula = "y ~ 1"
se = "error"
[priors]
"y ~ 1" = { dist = "Normal", mu = 0, sigma = 0.5 }
[estimands.mean]
kind = "coefficient"
parameter = "y ~ 1"
"""
DESIGN = """
model = "mean.toml"
replications = 2000
[units]
row = 25
[truth]
"y ~ 1" = 0.5
[exogenous]
error = { dist = "Gamma", alpha = 1e10, beta = 1e10 }
"""
CRITERION = """
[criterion]
estimand = "mean"
"""


def files(folder: Path, plan: str = DESIGN + CRITERION, model: str = MEAN) -> Path:
    (folder / "mean.toml").write_text(model)
    (folder / "plan.toml").write_text(plan)
    return folder / "plan.toml"


def closed_form(n: int, m: float, s: float = 0.0, tau: float = 0.5) -> float:
    """P(95 % interval of a normal mean excludes 0), unit sds, prior N(0, tau), mean ~ N(m, s)."""
    precision = n + tau**-2
    needed = norm.ppf(0.975) * np.sqrt(precision) / n  # of the sample mean
    sd = np.sqrt(s**2 + 1 / n)
    return float(norm.sf((needed - m) / sd) + norm.cdf((-needed - m) / sd))


def test_power_is_the_closed_form(tmp_path: Path) -> None:
    # tolerance: Monte Carlo error, and that of quantiles of 1,000 draws (their noise is 0.09 sds)
    plan = files(tmp_path, DESIGN + "[grid]\nrow = [10, 25, 40]\n" + CRITERION)
    found = ac.power(ac.load_plan(plan)).table
    for _, row in found.iterrows():
        exact = closed_form(int(row["row"]), 0.5)
        assert abs(row["power"] - exact) < K * row["mcse"]
        assert row["lower"] <= row["power"] <= row["upper"]


def test_assurance_is_the_closed_form(tmp_path: Path) -> None:
    prior = '[design_prior]\n"y ~ 1" = { dist = "Normal", mu = 0.4, sigma = 0.3 }\n'
    found = ac.power(ac.load_plan(files(tmp_path, DESIGN + CRITERION + prior))).table.iloc[0]
    assert abs(found["power"] - closed_form(25, 0.4, 0.3)) < K * found["mcse"]


def test_rules_against_closed_forms(tmp_path: Path) -> None:
    precision = 25 + 4
    half = norm.ppf(0.975) / np.sqrt(precision)
    sd = 1 / np.sqrt(25)

    def beyond(z: float, edge: float) -> float:
        """P(posterior mean exceeds edge by z posterior sds)."""
        needed = (edge + z / np.sqrt(precision)) * precision / 25
        return float(norm.sf((needed - 0.5) / sd))

    for said, exact in (
        (
            'rule = "p_region"\nregion = { above = 0.2 }\nprobability = 0.9',
            beyond(norm.ppf(0.9), 0.2),
        ),
        (  # one side takes half of what is left: 0.95
            'rule = "p_region"\nregion = { outside = [-0.3, 0.2] }\nprobability = 0.9',
            beyond(norm.ppf(0.95), 0.2)
            + float(
                norm.cdf(((-0.3 - norm.ppf(0.95) / np.sqrt(precision)) * precision / 25 - 0.5) / sd)
            ),
        ),
        ('rule = "width"\nvalue = 0.8', float(2 * half <= 0.8)),
        ('rule = "width"\nvalue = 0.6', 0.0),
    ):
        plan = files(tmp_path, DESIGN + CRITERION + said)
        row = ac.power(ac.load_plan(plan), replications=800).table.iloc[0]
        assert abs(row["power"] - exact) < K * row["mcse"], said


JUDGED = """
[propositions.D]
estimand = "mean"
region = { outside = [-0.3, 0.2] }
rope = [-0.1, 0.3]
probability = 0.9
[propositions.A]
all = [{ estimand = "mean", region = { above = 0 } }]
"""


def test_a_proposition_that_something_differs_is_judged_as_a_fit_is(tmp_path: Path) -> None:
    plan = files(tmp_path, DESIGN + '[criterion]\nproposition = "D"\n', MEAN + JUDGED)
    row = ac.power(ac.load_plan(plan), replications=800).table.iloc[0]
    precision = 25 + 4
    edge = max(  # of the posterior mean: one side, and the rope below 0.1
        0.2 + norm.ppf(0.95) / np.sqrt(precision), 0.3 + norm.ppf(0.9) / np.sqrt(precision)
    )
    exact = norm.sf((edge * precision / 25 - 0.5) * 5)
    assert abs(row["power"] - exact) < K * row["mcse"]


def test_power_of_several_claims_is_refused_in_words(tmp_path: Path) -> None:
    plan = files(tmp_path, DESIGN + '[criterion]\nproposition = "A"\n', MEAN + JUDGED)
    with pytest.raises(ModelError, match="A judges several estimands jointly .*: mean"):
        ac.power(ac.load_plan(plan))


CROSSED = """
name = "crossed"
[equations.m]
formula = "m ~ x + (1 | district) + (1 | partner)"
[equations.y]
formula = "y ~ m + x + (1 | district)"
[priors]
"* ~ *" = { dist = "Normal", mu = 0, sigma = 1 }
"sd(*)" = { dist = "HalfNormal", sigma = 1 }
"sigma(*)" = { dist = "HalfNormal", sigma = 1 }
[estimands.indirect]
kind = "indirect"
from = "x"
to = "y"
[propositions.P41]
estimand = "indirect"
region = { above = 0.0 }
"""
GRID = """
model = "mean.toml"
replications = 96
[units]
district = 12
partner = 6
row = { per = "district", n = 6, crossed_with = "partner" }
[truth]
"m ~ x" = 0.4
"y ~ m" = 0.4
[grid]
district = [8, 12, 16]
[criterion]
proposition = "P41"
[cost]
district = 100
"""


def command(plan: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "acmodels", "power", str(plan), "--out", str(out), "--quiet",
            *more]  # fmt: skip


def test_workers_and_kills_change_no_byte(tmp_path: Path) -> None:
    plan = files(tmp_path, GRID, CROSSED)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run(command(plan, whole, "--workers", "1"), check=True)
    for wait in (2.6, 3.2):
        process = subprocess.Popen(command(plan, broken, "--workers", "2"))
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command(plan, broken, "--workers", "2"), check=True)
    assert (whole / "power.csv").read_bytes() == (broken / "power.csv").read_bytes()
    assert list(pd.read_csv(whole / "power.csv").columns) == [
        "district", "estimand", "rule", "power", "mcse", "lower", "upper", "n", "failed", "cost",
    ]  # fmt: skip


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    plan = ac.load_plan(files(tmp_path, GRID, CROSSED))
    first = ac.power(plan, replications=16, out=tmp_path / "out")
    again = ac.power(plan, replications=24, out=tmp_path / "out")
    assert (first.result.fitted, again.result.fitted) == (60, 60)
    pd.testing.assert_frame_equal(
        first.table, ac.power(plan, replications=16, out=tmp_path / "out").table
    )


def test_stores_that_are_refused(tmp_path: Path) -> None:
    plan = ac.load_plan(files(tmp_path))
    out = tmp_path / "out"
    ac.power(plan, replications=8, out=out)
    held = (out / "runs.sqlite").read_bytes()
    with pytest.raises(InputError, match="another run"):
        ac.power(plan, replications=8, out=out, seed=2)
    with closing(sqlite3.connect(out / "runs.sqlite")) as db, db:
        db.execute("UPDATE meta SET value = '0' WHERE key = 'schema'")
    with pytest.raises(InputError, match="format 0"):
        ac.power(plan, replications=8, out=out)
    (out / "runs.sqlite").write_bytes(b"nothing that SQLite knows" * 100)
    with pytest.raises(InputError, match="damaged"):
        ac.power(plan, replications=8, out=out)
    assert (out / "runs.sqlite").read_bytes() == b"nothing that SQLite knows" * 100
    (out / "runs.sqlite").write_bytes(held)
    key = job_key(power_job(plan, 1, "auto", None, None))
    store = open_store(out, key, "power")
    try:
        with pytest.raises(InputError, match="another process"):
            ac.power(plan, replications=8, out=out)
    finally:
        store.close()


def test_a_kill_while_the_store_is_made_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from acmodels.replication import store

    plan = ac.load_plan(files(tmp_path))
    out = tmp_path / "out"
    with monkeypatch.context() as m:
        m.setattr(store, "_TABLES", "CREATE TABLE meta (key, value); CREATE TABLE oops")
        with pytest.raises(InputError):
            ac.power(plan, replications=8, out=out)
    assert not (out / "runs.sqlite").exists()
    assert (out / "runs.sqlite.new").exists()  # as a kill would leave it
    cli(["power", str(tmp_path / "plan.toml"), "--n", "8", "--out", str(out), "--quiet"])
    assert not (out / "runs.sqlite.new").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    plan = ac.load_plan(files(tmp_path))
    (tmp_path / "shut").mkdir(mode=0o500)
    with pytest.raises(InputError, match="cannot be written"):
        ac.power(plan, replications=8, out=tmp_path / "shut" / "out")


def test_failed_fits_are_counted_and_answer_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from acmodels.replication import block, ready

    batch = block._batch

    def spoiled(*args: Any) -> Any:
        found = batch(*args)
        return block._Found(found.names, found.values, found.ess, ("spoiled", *found.reasons[1:]))

    plan = files(tmp_path)
    monkeypatch.setattr(block, "_batch", spoiled)
    monkeypatch.setattr(ready, "_made", {})
    with pytest.raises(SystemExit) as stop:
        cli(["power", str(plan), "--out", str(tmp_path / "out"), "--n", "16"])
    assert stop.value.code == 3
    table = pd.read_csv(tmp_path / "out" / "power.csv")
    assert (int(table["n"][0]), int(table["failed"][0])) == (15, 1)
    assert table["power"].isna().all()
    assert "5 %" in capsys.readouterr().err
    page = (tmp_path / "out" / "report.html").read_text()
    assert "spoiled" in page


def test_recover_and_calibrate_write_what_the_contract_names(tmp_path: Path) -> None:
    plan = files(tmp_path, GRID, CROSSED)
    for name, args, columns in (
        (
            "recovery.csv", ["recover", str(plan)],
            "name,truth,n,failed,bias,rmse,coverage,coverage_mcse,mean_width",
        ),
        (
            "calibration.csv", ["calibrate", str(tmp_path / "mean.toml"), str(plan)],
            "name,n,failed,p_uniform,verdict",
        ),
    ):  # fmt: skip
        out = tmp_path / name
        cli([*args, "--out", str(out), "--n", "40", "--quiet"])
        table = pd.read_csv(out / name)
        assert ",".join(table.columns) == columns
        assert {"runs.sqlite", "report.html", "run.json"} <= {p.name for p in out.iterdir()}
        assert "indirect" in set(table["name"])


def test_a_right_model_is_calibrated_and_a_wrong_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from acmodels.replication import block

    design = ac.load_plan(files(tmp_path, GRID, CROSSED)).cells[0].design
    found = ac.calibrate(design, replications=200)
    assert found.uniform
    assert found.p_model >= 1e-3
    draw = block.generate_stack

    def with_more_noise(*args: Any) -> Any:
        # the engine is told that residuals are what the truth says; they are half as large again
        layout, truth, rngs = args
        larger = {k: v * 1.5 if k.startswith("sigma(") else v for k, v in truth.items()}
        return draw(layout, larger, rngs)

    monkeypatch.setattr(block, "generate_stack", with_more_noise)
    wrong = ac.calibrate(replace(design, replications=200))
    assert not wrong.uniform
    by = wrong.table.set_index("name")["verdict"]
    assert by["sigma(y)"] == "not uniform"
    assert by["log_lik"] == "not uniform"


def test_grid_keys(tmp_path: Path) -> None:
    more = '[grid]\n"loss.attrition" = [0.0, 0.5]\n"y ~ m" = [0.1]\n"exogenous.x.sigma" = [2.0]\n'
    text = GRID.replace("[grid]\ndistrict = [8, 12, 16]\n", more)
    plan = ac.load_plan(files(tmp_path, text + '[exogenous]\nx = { dist = "Normal" }\n', CROSSED))
    assert [c.design.loss.attrition for c in plan.cells] == [0.0, 0.5]
    assert plan.cells[0].design.truth["y ~ m"] == 0.1
    assert ac.load_design(tmp_path / "plan.toml").truth["y ~ m"] == 0.4  # a plan is a design too
    assert plan.cells[0].design.exogenous["x"].distribution.parameters["sigma"] == 2.0
    sizes = [ac.simulate(c.design, seed=3).study.n_rows for c in plan.cells]
    assert sizes[0] == 72
    assert 20 < sizes[1] < 52
    for wrong, said in (
        ("[grid]\ndistrct = [1, 2]\n", "did you mean 'district'"),
        ("[grid]\ndistrict = []\n", "grid"),
    ):
        bad = GRID.replace("[grid]\ndistrict = [8, 12, 16]\n", wrong)
        with pytest.raises(InputError, match=said):
            ac.load_plan(files(tmp_path, bad, CROSSED))


def test_bad_plans(tmp_path: Path) -> None:
    for said, message in (
        ("", "needs a \\[criterion\\]"),
        ("[criterion]\nestimand = 'mena'\n", "did you mean 'mean'"),
        ("[criterion]\nestimand = 'mean'\nproposition = 'P01'\n", "either"),
        ("[criterion]\nproposition = 'P01'\n", "no proposition 'P01'"),
        ("[criterion]\nestimand = 'mean'\nrule = 'width'\n", "needs value"),
        ("[criterion]\nestimand = 'mean'\nrule = 'verdict'\n", "name one"),
        ("[criterion]\nestimand = 'mean'\n[cost]\ndistrict = 4\n", "no such unit"),
        (
            "[criterion]\nestimand = 'mean'\n[design_prior]\n"
            "'y ~ x' = { dist = 'Normal', mu = 0, sigma = 1 }\n",
            "no parameter 'y ~ x'",
        ),
    ):
        path = files(tmp_path, DESIGN + said)
        with pytest.raises(InputError, match=message):
            ac.power(ac.load_plan(path), replications=8)


def test_design_effects_and_intervals() -> None:
    rng = np.random.default_rng(4)
    blocks = np.repeat(np.arange(200), 8)
    alone = (rng.random(1600) < 0.6).astype(float)
    # a variance between 200 blocks over the one within, whose relative error is sqrt(2 / 199)
    assert design_effect(alone, blocks) < 1 + allowed(np.sqrt(2 / 199))
    alike = np.repeat(rng.random(200) < 0.6, 8).astype(float)
    # eight copies of 200 draws: the variance of a share of 200, with its n - 1
    assert design_effect(alike, blocks) == pytest.approx(8.0 * 200 / 199)
    assert design_effect(np.ones(1600), blocks) == 1.0
    # Brown, Cai & DasGupta (2001), table: Wilson's interval of 0 of 10 is (0, 0.278)
    assert wilson(0.0, 10) == pytest.approx((0.0, 0.2775), abs=5e-4)


def test_crossing_of_a_known_curve() -> None:
    rng = np.random.default_rng(8)
    x = np.array([10.0, 20.0, 40.0, 60.0, 80.0])
    truth = norm.cdf(-1.0 + 0.28 * np.sqrt(x))
    exact = ((norm.ppf(0.8) + 1.0) / 0.28) ** 2
    inside = 0
    for _ in range(400):
        n = np.full(5, 500.0)
        found = crossing(x, rng.binomial(500, truth) / n, n, 0.8)
        if found is not None:
            inside += found[1] <= exact <= found[2]
    # 95 % of 400, less four binomial standard errors; a few have no answer (1 % by design)
    assert inside >= 0.95 * 400 - 4 * np.sqrt(400 * 0.95 * 0.05) - 8


def test_lkj_matrices_have_the_known_marginals() -> None:
    rng = np.random.default_rng(5)
    drawn = np.array([lkj_matrix(4, 1.5, rng) for _ in range(4000)])
    # each correlation is Beta(b, b) on (-1, 1) with b = eta - 1 + size / 2
    b = 1.5 - 1 + 4 / 2
    variance = 1 / (2 * b + 1)
    for i in range(4):
        for j in range(i):
            r = drawn[:, i, j]
            assert abs(r.mean()) < K * np.sqrt(variance / 4000)
            error = np.std((r - r.mean()) ** 2) / np.sqrt(4000)
            assert abs(r.var() - variance) < K * error


def test_a_model_is_calibrated_on_the_design_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "d.toml").write_text(
        'model = "m.toml"\n[units]\nrow = 30\n[exogenous]\nerror = '
        '{ dist = "Gamma", alpha = 1e10, beta = 1e10 }\n'
    )
    (tmp_path / "m.toml").write_text('design = "d.toml"\n' + MEAN)
    found = ac.calibrate(ac.load_model(tmp_path / "m.toml"), replications=40)
    assert found.result.fitted == 40
    with pytest.raises(InputError, match="names no design"):
        ac.calibrate(ac.load_model(tomllib.loads(MEAN)))


# --- answers: the smallest effect, fresh seeds, a pilot, a cluster ------------------------------


def solve(power_at: Any, low: float, high: float, target: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(lambda x: power_at(x) - target, low, high))


def test_the_minimum_detectable_effect_is_the_closed_form(tmp_path: Path) -> None:
    grid = '\n[grid]\n"y ~ 1" = [0.3, 0.4, 0.5, 0.6, 0.7]\n'
    found = ac.power(ac.load_plan(files(tmp_path, DESIGN + CRITERION + grid)), replications=800)
    said = [a for a in found.answers if "minimum detectable" in a]
    assert len(said) == 1
    words = said[0].split()
    low, high = float(words[words.index("between") + 1]), float(words[words.index("with", 8) - 1])
    true = solve(lambda m: closed_form(25, m), 0.3, 0.7, 0.8)
    # 95 % limits, widened to four standard errors
    middle, half = (low + high) / 2, (high - low) / 2 * K / 1.96
    assert abs(true - middle) < half
    assert "y ~ 1 with power 0.8" in said[0]


def test_a_chosen_design_is_confirmed_with_fresh_seeds(tmp_path: Path) -> None:
    plan = ac.load_plan(
        files(tmp_path, DESIGN + CRITERION + "\n[grid]\nrow = [15, 25, 35, 45]\n[cost]\nrow = 1\n")
    )
    found = ac.power(plan, replications=800, out=tmp_path / "out", confirm=True)
    assert found.confirmed is not None
    (row,) = found.confirmed.to_dict("records")
    true = solve(lambda n: closed_form(n, 0.5), 15, 45, 0.8)
    (near,) = [a for a in found.answers if "is reached near" in a]
    low, high = (float(w) for w in near.split("between ")[1].split(" with")[0].split(" and "))
    assert abs(row["row"] - true) < K * (high - low) / (2 * 1.96) + 1  # rounded up
    assert row["cost"] == row["row"]
    exact = closed_form(int(row["row"]), 0.5)
    assert abs(row["power"] - exact) < K * row["mcse"]
    assert f"at row = {row['row']:g} the power is" in found.answers[-1]
    # the same again, from what is kept; and other seeds than those of the grid
    again = ac.power(plan, replications=800, out=tmp_path / "out", confirm=True)
    assert again.result.fitted == 0
    pd.testing.assert_frame_equal(again.confirmed, found.confirmed)
    one = ac.power(
        ac.load_plan(files(tmp_path, DESIGN + CRITERION + f"\n[grid]\nrow = [{row['row']:g}]\n")),
        replications=800,
    )
    assert one.table["power"].iloc[0] != row["power"]


def test_a_plan_from_a_pilot_has_the_pilots_posterior(tmp_path: Path) -> None:
    from acmodels.replication.pilot import plan_from_pilot, to_toml

    plan = ac.load_plan("plan_mediation_221")
    model = plan.cells[0].design.model
    assert model is not None
    study = ac.simulate(plan.cells[0].design, seed=3).study
    pilot = ac.fit(model, study, seed=1)
    table = plan_from_pilot(plan, pilot)
    estimates = pilot.estimates.set_index("name")
    prior = table["design_prior"]["outcome ~ mediator"]
    row = estimates.loc["outcome ~ mediator"]
    assert prior["mu"] == pytest.approx(row["mean"], rel=2e-3)
    assert prior["sigma"] == pytest.approx(row["sd"], rel=2e-3)
    spread = table["design_prior"]["sigma(outcome)"]
    log = np.log(pilot.draws["sigma(outcome)"])  # rounded to four digits, as the others are
    assert spread["mu"] == pytest.approx(log.mean(), rel=2e-3)
    assert spread["sigma"] == pytest.approx(log.std(ddof=1), rel=2e-3)
    assert table["truth"]["outcome ~ mediator"] == pytest.approx(row["median"], rel=2e-3)
    table["model"] = str(model.path)
    (tmp_path / "plan.toml").write_text(to_toml(table, "from a pilot"))
    again = ac.load_plan(tmp_path / "plan.toml")
    assert tomllib.loads((tmp_path / "plan.toml").read_text()) == table
    found = ac.power(again, replications=40)
    assert found.trusted
    # what is unknown of the truth pulls power to the middle
    strong = ac.power(plan, replications=40)
    assert found.table["power"].max() <= strong.table["power"].max() + 0.3


def test_a_pilot_of_another_model_is_refused() -> None:
    from acmodels.replication.pilot import plan_from_pilot

    plan = ac.load_plan("plan_mediation_221")
    design = ac.load_design("guidance_types")
    other = ac.fit(design.model, ac.simulate(design).study)
    with pytest.raises(InputError, match="the pilot is of another model: it has no"):
        plan_from_pilot(plan, other)


@pytest.mark.filterwarnings("ignore")  # of the library's own threads, as its workers die
def test_a_cluster_gives_the_same_numbers_though_a_worker_dies(tmp_path: Path) -> None:
    import threading

    from distributed import LocalCluster

    from acmodels.replication.cluster import cluster

    plan = ac.load_plan(files(tmp_path, DESIGN + CRITERION + "\n[grid]\nrow = [15, 25]\n"))
    alone = ac.power(plan, replications=400, workers=1)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None,
                     host="127.0.0.1") as local,
        cluster(local.scheduler_address) as executor,
    ):  # fmt: skip
        assert executor is not None
        killed: list[int] = []

        def kill(what: str, done: int, total: int) -> None:
            del what, total
            if done >= 80 and not killed:
                pid = next(iter(local.workers.values())).pid
                killed.append(pid)
                threading.Thread(target=os.kill, args=(pid, signal.SIGKILL)).start()

        far = ac.power(plan, replications=400, executor=executor, progress=kill)
    assert killed
    pd.testing.assert_frame_equal(alone.table, far.table)


def test_a_cluster_that_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from acmodels.replication import cluster

    monkeypatch.setattr(cluster, "PATIENCE", 1)
    plan = files(tmp_path)
    for more, said in (
        (["--scheduler", "tcp://127.0.0.1:1"], "nobody answers at 'tcp://127.0.0.1:1'"),
        (["--scheduler", "x", "--slurm", "2"], "give one of them"),
        (["--slurm", "2"], "--slurm: "),
    ):
        with pytest.raises(SystemExit) as stop:
            cli(["power", str(plan), "--quiet", "--out", str(tmp_path / "far"), *more])
        assert stop.value.code == 2
        assert said in capsys.readouterr().err
