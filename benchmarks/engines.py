"""Both engines and their peers on one reference problem, in one run; prints Markdown tables.

The reference problem: 60 districts with 5 partnerships each, 40 partners crossed with them, 2
respondents a partnership (600 rows); two mediators and two outcomes on seven predictors, every
equation with group effects of districts and of partners; 48 structural parameters.

Compiling (or preparing) and sampling are timed apart. ESS is the smallest, over all structural
parameters and the indirect effect, of bulk and tail.

usage: python benchmarks/engines.py [--small] [PART ...]

parts: single nuts peers refits sizes large; all of them if none is named. With --small, everything
is of a size to try the script with.
"""

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

DISTRICTS, PARTNERS, RESPONDENTS = 60, 40, 2
XS = tuple(f"x{k}" for k in range(1, 8))
OUTCOMES = {"M1": XS, "M2": XS, "Y1": (*XS, "M1", "M2"), "Y2": (*XS, "M1", "M2")}
TABLE = {
    "name": "reference",
    "equations": {
        r: {"formula": f"{r} ~ {' + '.join(xs)} + (1 | d) + (1 | p)"} for r, xs in OUTCOMES.items()
    },
    "priors": {
        "* ~ *": {"dist": "Normal", "mu": 0, "sigma": 1},
        "sd(*)": {"dist": "HalfNormal", "sigma": 1},
        "sigma(*)": {"dist": "HalfNormal", "sigma": 1},
    },
    "estimands": {"indirect": {"kind": "indirect", "from": "x1", "via": ["M1"], "to": "Y1"}},
}
SEED = 1
PARTS = ("single", "nuts", "peers", "refits", "sizes", "large")
SMALL = "--small" in sys.argv
SCRIPT = str(Path(__file__).resolve())


# --- the problems ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Problem:
    """A model on data, with what every engine is given.

    Attributes:
        frame: the data.
        model, system, priors: as the package has them.
        truth: that the data were drawn from.
    """

    frame: Any
    model: Any
    system: Any
    priors: Any
    truth: Mapping[str, float]


def reference(each: int = 5) -> Problem:
    """The reference problem, with so many partnerships a district."""
    import acmodels as ac
    from acmodels.generate import generate
    from acmodels.priors import resolve_priors
    from acmodels.system import build_layout, build_system, parameters

    model = ac.load_model(TABLE)
    rng = np.random.default_rng(SEED)
    data = _predictors(each, rng)
    layout = build_layout(model, ac.study(data))
    truth: dict[str, float] = {}
    for p in parameters(layout):
        plain = {"sd": 0.4 if p.name.endswith("d)") else 0.3, "sigma": 0.8}
        truth[p.name] = plain.get(p.kind, float(rng.uniform(0.0, 0.3)))
    drawn = generate(layout, truth, rng).responses
    data = data.assign(**{r: drawn[r] for r in OUTCOMES})
    system = build_system(model, ac.study(data))
    priors = resolve_priors(model.priors, system.layout, system.responses)
    return Problem(data, model, system, priors, truth)


def _predictors(each: int, rng: np.random.Generator) -> Any:
    """Four predictors of districts, three of partnerships; partners differ within a district."""
    import pandas as pd

    pairs = DISTRICTS * each
    district = np.repeat(np.arange(DISTRICTS), each)
    rounds = -(-each // PARTNERS)
    partner = np.concatenate(
        [
            np.concatenate([rng.permutation(PARTNERS) for _ in range(rounds)])[:each]
            for _ in range(DISTRICTS)
        ]
    )
    columns: dict[str, Any] = {}
    for k, x in enumerate(XS):
        z = rng.standard_normal(DISTRICTS)[district] if k < 4 else rng.standard_normal(pairs)
        columns[x] = np.repeat((z - z.mean()) / z.std(), RESPONDENTS)
    columns["d"] = np.repeat([f"d{i}" for i in district], RESPONDENTS)
    columns["p"] = np.repeat([f"p{i}" for i in partner], RESPONDENTS)
    return pd.DataFrame(columns)


def least_ess(problem: Problem, posterior: Any) -> float:
    """Smallest bulk or tail ESS of structural parameters and the indirect effect."""
    from acmodels.estimands import Context, evaluate
    from acmodels.posterior import summarize

    model, system = problem.model, problem.system
    context = Context(
        system.layout, system.responses, posterior.__getitem__, model.estimands, model.source
    )
    indirect = evaluate("indirect", context)[0].draws[..., None]
    draws = np.concatenate([posterior.values, indirect], axis=2)
    found = summarize(draws, drawn=posterior)
    return float(min(found["ess_bulk"].min(), found["ess_tail"].min()))


def clock[T](work: Callable[[], T]) -> tuple[float, T]:
    """Seconds, and the result."""
    started = time.perf_counter()
    out = work()
    return time.perf_counter() - started, out


def worker(name: str, **env: str) -> dict[str, float]:
    """Run one of `WORKERS` in a process of its own."""
    command = [sys.executable, SCRIPT, *(["--small"] if SMALL else []), f"--worker={name}"]
    seconds, done = clock(
        lambda: subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **env}
        )
    )
    return {**json.loads(done.stdout.splitlines()[-1]), "process": seconds}


# --- single fits ----------------------------------------------------------------------------


def cold() -> dict[str, float]:
    """The first fit of a process, by stage."""
    started = time.perf_counter()
    from acmodels.engines import Sampling, collapsed

    collapsed.load()

    loaded = time.perf_counter() - started
    read, problem = clock(reference)
    s = problem.system
    prepare, ready = clock(lambda: collapsed.prepare(s.layout, problem.priors, s.responses))
    sample, _ = clock(lambda: ready.sample(s.responses, SEED, Sampling()))
    return {"load": loaded, "read": read, "prepare": prepare, "sample": sample}


def single() -> None:
    """The collapsed engine on one data set."""
    from acmodels.engines import Sampling, collapsed

    runs = 2 if SMALL else 5
    print("\n## One fit of the reference problem, 4 x 1000 draws\n")
    print("| collapsed, in a fresh process | code loaded | prepare | sample | whole process |")
    print("| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        print(
            _stages(
                "nothing compiled yet (once a machine)", [worker("cold", NUMBA_CACHE_DIR=folder)]
            )
        )
    worker("cold")
    print(
        _stages(f"compiled code on disk, median of {runs}", [worker("cold") for _ in range(runs)])
    )

    problem = reference()
    s = problem.system
    times: list[tuple[float, float]] = []
    for k in range(3 + 5 * runs):
        prepare, ready = clock(lambda: collapsed.prepare(s.layout, problem.priors, s.responses))
        sample, posterior = clock(lambda k=k, ready=ready: ready.sample(s.responses, k, Sampling()))
        times.append((prepare, sample))
    prepare, sample = (statistics.median(t[k] for t in times[3:]) for k in range(2))
    print_engine_head()
    ess = least_ess(problem, posterior)
    row = f"{prepare:.4f} | {sample:.4f} | {ess:.0f} | {ess / sample:,.0f}"
    print(f"| collapsed, in a warm process, median of {5 * runs} | {row} |", flush=True)
    effects, _ = clock(lambda: dict(posterior.group_effects))
    print(f"\nGroup effects of all draws, when asked for: {effects:.3f} s.", flush=True)


def _stages(what: str, runs: list[dict[str, float]]) -> str:
    stages = ("load", "prepare", "sample", "process")
    found = [statistics.median(r[k] for r in runs) for k in stages]
    return f"| {what} | " + " | ".join(f"{v:.2f} s" for v in found) + " |"


def print_engine_head() -> None:
    print("\n| engine | compile or prepare, s | sample, s | least ESS | ESS/s |")
    print("| --- | --- | --- | --- | --- |")


def nuts() -> None:
    """Our NUTS engine on the same data, and on new data without compiling."""
    from acmodels.engines import Sampling
    from acmodels.engines import nuts as engine

    problem = reference()
    s = problem.system
    n = 100 if SMALL else 1000
    prepare, ready = clock(lambda: engine.prepare(s.layout, problem.priors, s.responses))
    sample, posterior = clock(lambda: ready.sample(s.responses, SEED, Sampling(n, n, 4, 2)))
    ess = least_ess(problem, posterior)
    print_engine_head()
    row = f"{prepare:.1f} | {sample:.1f} | {ess:.0f} | {ess / sample:,.0f}"
    print(f"| nuts (nutpie), 4 x ({n} + {n}), 2 cores | {row} |", flush=True)
    refit, posterior = clock(
        lambda: ready.sample(simulated(problem, 1)[0], 2, Sampling(n // 2, n // 2, 2, 2))
    )
    print(f"\nA refit without compiling, 2 x ({n // 2} + {n // 2}): {refit:.2f} s.", flush=True)


# --- peers ----------------------------------------------------------------------------------

LME4 = """
d <- read.csv("DATA"); xs <- paste(paste0("x", 1:7), collapse = "+")
for (r in c("M1", "M2", "Y1", "Y2")) {
  more <- if (substr(r, 1, 1) == "Y") "+M1+M2" else ""
  f <- as.formula(paste0(r, "~", xs, more, "+(1|d)+(1|p)"))
  cat(r, system.time(suppressMessages(lme4::lmer(f, d)))[3], "\\n")
}
"""
BRMS = """
suppressMessages(library(brms)); options(mc.cores = 2)
d <- read.csv("DATA"); xs <- paste(paste0("x", 1:7), collapse = "+"); re <- "+(1|d)+(1|p)"
f <- bf(as.formula(paste0("M1~", xs, re))) + bf(as.formula(paste0("M2~", xs, re))) +
  bf(as.formula(paste0("Y1~", xs, "+M1+M2", re))) +
  bf(as.formula(paste0("Y2~", xs, "+M1+M2", re))) + set_rescor(FALSE)
classes <- c("b", "Intercept", "sd", "sigma")
p <- do.call(c, lapply(c("M1", "M2", "Y1", "Y2"), function(r)
  do.call(c, lapply(classes, function(k) set_prior("normal(0,1)", class = k, resp = r)))))
s <- function(e) system.time(e)[3]
cat("compile", s(m <- brm(f, d, prior = p, chains = 0, silent = 2)), "\\n")
cat("sample", s(fit <- update(m, newdata = d, recompile = FALSE, chains = 4, iter = 2000,
  refresh = 0, seed = 1)), "\\n")
v <- posterior::summarise_draws(posterior::as_draws_array(fit))
v <- v[grepl("^b_|^sd_|^sigma", v$variable), ]
cat("ess", min(as.numeric(v$ess_bulk), as.numeric(v$ess_tail)), "\\n")
"""


def peers() -> None:
    """Maximum likelihood by statsmodels and lme4, and brms, as far as they are here."""
    problem = reference()
    print("\n| peer | compile, s | fit, s | |\n| --- | --- | --- | --- |")
    seconds = statistics.median(_mixedlm(problem) for _ in range(1 if SMALL else 3))
    print(f"| statsmodels MixedLM, four equations, REML | - | {seconds:.2f} | no posterior |")
    if shutil.which("Rscript") is None:
        print("\nThere is no `Rscript` on this machine's PATH, so neither lme4 nor brms was timed.")
        return
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "reference.csv"
        problem.frame.to_csv(data, index=False)
        found = _rscript(LME4, data)
        if found is not None:
            print(f"| lme4, four equations, REML | - | {sum(found.values()):.2f} | no posterior |")
        found = None if SMALL else _rscript(BRMS, data)
        if found is not None:
            ess, sample = found["ess"], found["sample"]
            told = f"ESS {ess:.0f}, {ess / sample:.0f}/s"
            print(f"| brms, 4 x (1000 + 1000) | {found['compile']:.1f} | {sample:.1f} | {told} |")
    sys.stdout.flush()


def _mixedlm(problem: Problem) -> float:
    """Seconds for all four equations; crossed groupings as variance components of one group."""
    from statsmodels.formula.api import mixedlm
    from threadpoolctl import threadpool_limits

    data = problem.frame.assign(everyone=1)
    components = {"d": "0 + C(d)", "p": "0 + C(p)"}
    total = 0.0
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        for r, xs in OUTCOMES.items():
            made = mixedlm(
                f"{r} ~ {' + '.join(xs)}", data, groups="everyone", vc_formula=components
            )
            total += clock(lambda made=made: made.fit(reml=True))[0]
    return total


def _rscript(code: str, data: Path) -> dict[str, float] | None:
    done = subprocess.run(
        ["Rscript", "-e", code.replace("DATA", str(data))],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        print(f"\nR could not do it: {done.stderr.strip().splitlines()[-1:]}")
        return None
    pairs = [line.split() for line in done.stdout.splitlines()]
    return {p[0]: float(p[1]) for p in pairs if len(p) == 2}


# --- many refits ----------------------------------------------------------------------------


def simulated(problem: Problem, n: int) -> list[dict[str, Any]]:
    """So many data sets drawn from the truth."""
    from acmodels.generate import generate

    layout, truth = problem.system.layout, problem.truth
    return [
        dict(generate(layout, truth, np.random.default_rng(100 + k)).responses) for k in range(n)
    ]


def refits() -> None:
    """Full refits a second: simulation, posterior and the indirect effect of each."""
    from threadpoolctl import threadpool_limits

    from acmodels.engines import collapsed
    from acmodels.estimands import Context, evaluate
    from acmodels.generate import generate_stack

    problem = reference()
    s, model = problem.system, problem.model
    ready = collapsed.prepare(s.layout, problem.priors, s.responses)
    number, points, draws = (128 if SMALL else 1024), 232, 256

    def refit(chunk: range) -> tuple[Any, Any, Any]:
        stack = generate_stack(
            s.layout, problem.truth, [np.random.default_rng((SEED, r)) for r in chunk]
        ).responses
        found = ready.batch(stack, list(chunk), draws, points)
        at = {n: k for k, n in enumerate(found.names)}
        context = Context(
            s.layout, stack, lambda n: found.values[..., at[n]], model.estimands, model.source
        )
        effect = evaluate("indirect", context)[0].draws
        return found.ess, found.usable, np.quantile(effect, [0.025, 0.975], axis=1)

    print(f"\n## Refits of the reference problem: {points} points, {draws} draws\n")
    print("| threads | chunk | refits a second, median of 3 | least ESS, median | not usable |")
    print("| --- | --- | --- | --- | --- |")
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    try:
        with threadpool_limits(1):
            for threads, size in ((1, 128), (2, 64), (2, 128)):
                chunks = [range(k, min(k + size, number)) for k in range(0, number, size)]
                with ThreadPoolExecutor(threads) as pool:
                    list(pool.map(refit, chunks[:threads]))
                    runs = [clock(lambda c=chunks, m=pool.map: list(m(refit, c))) for _ in range(3)]
                rate = number / statistics.median(t for t, _ in runs)
                ess = np.concatenate([e for e, _, _ in runs[-1][1]])
                lost = np.mean(~np.concatenate([u for _, u, _ in runs[-1][1]]))
                row = f"{rate:.0f} | {np.median(ess):.0f} | {lost:.1%}"
                print(f"| {threads} | {size} | {row} |", flush=True)
    finally:
        sys.setswitchinterval(before)


# --- size -----------------------------------------------------------------------------------


def sizes() -> None:
    """What the number of rows costs, in the pass over the data and in sampling."""
    print("\n## The number of rows: the reference problem with more partnerships\n")
    print(
        "| partnerships | rows | prepare, s | pass over new responses, s | sampling without it, s |"
    )
    print("| --- | --- | --- | --- | --- |")
    for each in (5, 50) if SMALL else (5, 50, 500):
        problem = reference(each)
        times = [_one_size(problem, k) for k in range(4)][1:]
        row = " | ".join(f"{statistics.median(t[k] for t in times):.3f}" for k in range(3))
        print(f"| {DISTRICTS * each:,} | {problem.system.rows_used:,} | {row} |", flush=True)


def _one_size(problem: Problem, seed: int) -> tuple[float, float, float]:
    from acmodels.engines import Sampling, collapsed
    from acmodels.engines.collapsed.mixed import moments

    s = problem.system
    stack = {r: v[None] for r, v in s.responses.items()}
    prepare, ready = clock(lambda: collapsed.prepare(s.layout, problem.priors, s.responses))
    whole, _ = clock(lambda: ready.sample(s.responses, seed, Sampling()))
    alone, _ = clock(
        lambda: [moments(r.hyper.component, s.layout, problem.priors, stack) for r in ready.regions]
    )
    return prepare, alone, whole - alone


def crossing() -> dict[str, float]:
    """Many levels crossed with many: one fit by `acmodels.fit`, and all of its group effects."""
    import pandas as pd

    import acmodels as ac

    n, J, L = (7_000, 300, 110) if SMALL else (70_000, 3_000, 1_100)
    rng = np.random.default_rng(SEED)
    s, lecturer = rng.integers(J, size=n), rng.integers(L, size=n)
    x = rng.standard_normal(n)
    y = 3 + 0.3 * x + rng.normal(0, 0.33, J)[s] + rng.normal(0, 0.5, L)[lecturer]
    y += rng.normal(0, 1.2, n)
    data = pd.DataFrame({"s": s.astype(str), "l": lecturer.astype(str), "x": x, "y": y})
    equations = {"y": {"formula": "y ~ x + (1 | s) + (1 | l)"}}
    model = ac.load_model({"name": "large", "equations": equations})
    fit, found = clock(lambda: ac.fit(model, data, engine="collapsed", seed=SEED))
    gb_fit = _peak()
    effects, drawn = clock(lambda: dict(found.draws.group_effects))
    ess = found.estimates[["ess_bulk", "ess_tail"]].to_numpy().min()
    count = sum(v.shape[2] * v.shape[3] for v in drawn.values())
    return {
        "rows": n, "s": J, "l": L, "fit": fit, "effects": effects, "ess": float(ess),
        "count": count, "gb_fit": gb_fit, "gb": _peak(), "usable": float(found.diagnostics.usable),
    }  # fmt: skip


def _peak() -> float:
    """Peak memory of this process, GB."""
    unit = 1e9 if sys.platform == "darwin" else 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def large() -> None:
    """The same in a process of its own, so that the peak of memory is its own."""
    r = worker("crossing")
    print("\n## Large crossed groupings: `y ~ x + (1 | s) + (1 | l)`, `acmodels.fit`, 4 x 1000\n")
    print("| rows | levels | fit, s | least ESS | all group effects, s | peak GB: fit, effects |")
    print("| --- | --- | --- | --- | --- | --- |")
    levels = f"{r['s']:,.0f} x {r['l']:,.0f}"
    told = (
        f"{r['fit']:.1f} | {r['ess']:.0f} | {r['effects']:.1f} | {r['gb_fit']:.1f}, {r['gb']:.1f}"
    )
    print(f"| {r['rows']:,.0f} | {levels} | {told} |", flush=True)
    if not r["usable"]:
        print("\nThe fit's diagnostics say that it is not usable.")


WORKERS = {"cold": cold, "crossing": crossing}


def main(arguments: list[str]) -> None:
    """Run the parts that were asked for."""
    asked = [a for a in arguments if not a.startswith("--")]
    unknown = [a for a in asked if a not in PARTS]
    if unknown:
        sys.exit(f"no part {', '.join(unknown)} (parts: {' '.join(PARTS)})")
    for a in arguments:
        if a.startswith("--worker="):
            print(json.dumps(WORKERS[a.removeprefix("--worker=")]()))
            return
    here = {"single": single, "nuts": nuts, "peers": peers, "refits": refits, "sizes": sizes}
    here["large"] = large
    for part in PARTS:
        if not asked or part in asked:
            here[part]()


if __name__ == "__main__":
    main(sys.argv[1:])
