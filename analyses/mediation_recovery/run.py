"""Coverage of indirect effects at every pattern of levels, by the exact engine.

Each pattern has one layout of units and predictors; responses are drawn anew for each replicate
and refitted in batches. Finished batches are kept in replicates.csv, so that the run can be stopped
and goes on where it was. Beside each effect stands what a simpler analysis gives: observed instead
of latent means, or the product of slopes without their covariance.

usage: python run.py [REPLICATES]
"""

import csv
import sys
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import acmodels as ac
from acmodels.engines import engine
from acmodels.estimands import Context, evaluate
from acmodels.generate import generate_stack
from acmodels.priors import resolve_priors
from acmodels.rng import child_seed, stream
from acmodels.system import System, build_system

HERE = Path(__file__).parent
STORE = HERE / "replicates.csv"
SEED = 20261125
BATCH = 20
DRAWS, POINTS = 500, 2048
PROB = 0.9


@dataclass(frozen=True)
class Pattern:
    """One pattern of levels.

    Attributes:
        equations: formulas by response; those of units have "response @ level" as key.
        effects: estimands by name.
        truth: by parameter name; what is not given is 0 for coefficients, 0.5 for sds.
        simpler: equations of the analysis to compare with, or None.
    """

    equations: dict[str, str]
    effects: dict[str, dict[str, Any]]
    truth: dict[str, float]
    simpler: dict[str, str] | None = None


def indirect(start: str, *via: str, to: str = "y") -> dict[str, Any]:
    """An indirect effect's table."""
    return {"kind": "indirect", "from": start, "via": list(via), "to": to}


APART = "within(m, g) + between(m, g)"
PATTERNS = {
    "1-1-1 within and between": Pattern(
        {
            "m": "within(x, g) + between(x, g) + (1 | g)",
            "y": f"{APART} + within(x, g) + between(x, g) + (1 | g)",
        },
        {
            "within": indirect("within(x, g)", "within(m, g)"),
            "between": indirect("between(x, g)", "between(m, g)"),
        },
        {
            "m ~ within(x, g)": 0.3, "m ~ between(x, g)": 0.5, "y ~ within(m, g)": 0.2,
            "y ~ between(m, g)": 0.6, "y ~ within(x, g)": 0.1, "y ~ between(x, g)": 0.2,
        },
        {},
    ),
    "1-1-1 with slopes that covary": Pattern(
        {"m": "x + (1 + x |p| g)", "y": "m + x + (1 + m |p| g)"},
        {"indirect": indirect("x", "m")},
        {
            "m ~ x": 0.3, "y ~ m": 0.3, "y ~ x": 0.1, "sd(m ~ x | g)": 0.4, "sd(y ~ m | g)": 0.4,
            "cor(m ~ x, y ~ m | g)": 0.7,
        },
        {"m": "x + (1 + x | g)", "y": "m + x + (1 + m | g)"},
    ),
    "2-1-1": Pattern(
        {"m": "z + (1 | g)", "y": f"{APART} + z + (1 | g)"},
        {"indirect": indirect("z", "between(m, g)")},
        {"m ~ z": 0.4, "y ~ within(m, g)": 0.1, "y ~ between(m, g)": 0.6, "y ~ z": 0.2},
        {},
    ),
    "2-2-1": Pattern(
        {"v @ g": "z", "y": "v + z + (1 | g)"},
        {"indirect": indirect("z", "v")},
        {"v ~ z": 0.4, "y ~ v": 0.4, "y ~ z": 0.2},
    ),
    "2-1-2": Pattern(
        {"m": "z + x + (1 | g)", "u @ g": "between(m, g) + z"},
        {"indirect": indirect("z", "between(m, g)", to="u")},
        {"m ~ z": 0.4, "m ~ x": 0.2, "u ~ between(m, g)": 0.6, "u ~ z": 0.2},
        {},
    ),
    "3-1-1, three levels": Pattern(
        {
            "m": "q + (1 | g) + (1 | s)",
            "y": f"{APART} + between(m, s) + q + (1 | g) + (1 | s)",
        },
        {"indirect": {"kind": "indirect", "from": "q", "to": "y"}},
        {
            "m ~ q": 0.5, "y ~ within(m, g)": 0.1, "y ~ between(m, g)": 0.4,
            "y ~ between(m, s)": 0.3, "y ~ q": 0.2,
        },
        {},
    ),
    "crossed by district and partner": Pattern(
        {"m": "z + x + (1 | g) + (1 | h)", "y": "m + z + x + (1 | g) + (1 | h)"},
        {"indirect": indirect("z", "m")},
        {"m ~ z": 0.4, "m ~ x": 0.2, "y ~ m": 0.4, "y ~ z": 0.2, "y ~ x": 0.1},
    ),
}  # fmt: skip


def frame() -> pd.DataFrame:
    """60 units g of 5 rows in 20 units s, crossed with 15 units h."""
    rng = np.random.default_rng(SEED)
    g = np.repeat(np.arange(60), 5)
    data = pd.DataFrame(
        {
            "g": [f"g{i:02d}" for i in g],
            "s": [f"s{i // 3:02d}" for i in g],
            "h": [f"h{i:02d}" for i in rng.permutation(np.arange(300) % 15)],
            "x": rng.normal(size=300) + rng.normal(0, 0.7, 60)[g],
            "z": rng.normal(size=60)[g],
            "q": rng.normal(size=20)[g // 3],
        }
    )
    for name in ("m", "y", "v", "u"):
        data[name] = rng.normal(size=60)[g] if name in "vu" else rng.normal(size=300)
    return data


def built(formulas: dict[str, str], effects: dict[str, Any], observed: bool) -> tuple[Any, System]:  # noqa: FBT001
    """The model and its system; with observed means where asked."""
    equations: dict[str, Any] = {}
    for key, right in formulas.items():
        response, _, level = key.partition(" @ ")
        equations[response] = {"formula": f"{response} ~ {right}"}
        if level:
            equations[response]["level"] = level
        if observed and "within(m" in right + "between(m":
            equations[response]["centering"] = "observed"
    model = ac.load_model({"name": "p", "equations": equations, "estimands": effects})
    return model, build_system(model, ac.study(frame()))


def truth_of(pattern: Pattern, system: System) -> dict[str, float]:
    """Every parameter's truth."""
    from acmodels.system import parameters

    plain = {"coefficient": 0.0, "sd": 0.5, "sigma": 1.0, "cor": 0.0}
    return {p.name: pattern.truth.get(p.name, plain[p.kind]) for p in parameters(system.layout)}


def done() -> dict[tuple[str, str, str], int]:
    """Replicates kept, by pattern, analysis and effect."""
    out: dict[tuple[str, str, str], int] = {}
    if STORE.exists():
        with STORE.open() as f:
            for r in csv.DictReader(f):
                key = (r["pattern"], r["analysis"], r["effect"])
                out[key] = out.get(key, 0) + 1
    return out


def batches(name: str, pattern: Pattern, number: int, kept: int) -> Any:
    """Rows of batch after batch."""
    model, system = built(pattern.equations, pattern.effects, observed=False)
    truth = truth_of(pattern, system)
    at_truth = Context(
        system.layout, system.responses, lambda n: np.full((1, 1), truth[n]), model.estimands, "p"
    )
    true = {n: float(evaluate(n, at_truth)[0].draws[0, 0]) for n in model.estimands}
    analyses = {"as simulated": (model, system)}
    if pattern.simpler is not None:
        right = pattern.simpler or pattern.equations
        analyses["simpler"] = built(right, pattern.effects, observed=not pattern.simpler)
    first = generate_stack(system.layout, truth, [stream(SEED, name, 0)]).responses
    prepared = {}
    for key, (_, s) in analyses.items():
        own = {k: v[0] for k, v in first.items()}
        priors = resolve_priors({}, s.layout, own, "p")
        prepared[key] = engine("collapsed").prepare(s.layout, priors, own)
    for start in range(kept, number, BATCH):
        ids = range(start, start + BATCH)
        made = generate_stack(system.layout, truth, [stream(SEED, name, k) for k in ids])
        rows: list[dict[str, Any]] = []
        for key, (m, s) in analyses.items():
            seeds = [child_seed(SEED, name, key, k) for k in ids]
            found = prepared[key].batch(made.responses, seeds, DRAWS, POINTS)
            place = {n: i for i, n in enumerate(found.names)}
            context = Context(
                s.layout, made.responses, lambda n, v=found.values, p=place: v[:, :, p[n]],
                m.estimands, "p",
            )  # fmt: skip
            for effect in m.estimands:
                draws = evaluate(effect, context)[0].draws
                low, high = np.quantile(draws, [(1 - PROB) / 2, (1 + PROB) / 2], axis=1)
                rows += [
                    {
                        "pattern": name, "analysis": key, "effect": effect, "replicate": k,
                        "truth": true[effect], "mean": f"{draws[i].mean():.6g}",
                        "lower": f"{low[i]:.6g}", "upper": f"{high[i]:.6g}",
                        "usable": bool(found.usable[i]),
                    }
                    for i, k in enumerate(ids)
                ]  # fmt: skip
        yield rows


def table() -> list[dict[str, Any]]:
    """Bias and coverage with their Monte Carlo errors."""
    with STORE.open() as f:
        rows = list(csv.DictReader(f))
    out: list[dict[str, Any]] = []
    for key in dict.fromkeys((r["pattern"], r["analysis"], r["effect"]) for r in rows):
        mine = [r for r in rows if (r["pattern"], r["analysis"], r["effect"]) == key]
        usable = [r for r in mine if r["usable"] == "True"]
        truth = float(mine[0]["truth"])
        mean = np.array([float(r["mean"]) for r in usable])
        hit = np.mean([float(r["lower"]) <= truth <= float(r["upper"]) for r in usable])
        n = len(usable)
        out.append(
            {
                "pattern": key[0], "analysis": key[1], "effect": key[2], "truth": f"{truth:.4g}",
                "n": n, "failed": len(mine) - n, "bias": f"{mean.mean() - truth:.4f}",
                "bias_mcse": f"{mean.std(ddof=1) / sqrt(n):.4f}", "coverage": f"{hit:.3f}",
                "coverage_mcse": f"{sqrt(PROB * (1 - PROB) / n):.3f}",
            }
        )  # fmt: skip
    return out


def main() -> None:
    """Run what is missing; write coverage.csv."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for name, pattern in PATTERNS.items():
        first = next(iter(pattern.effects))
        kept = done().get((name, "as simulated", first), 0)
        for rows in batches(name, pattern, number, kept):
            fresh = not STORE.exists()
            with STORE.open("a", newline="") as f:
                writer = csv.DictWriter(f, list(rows[0]), lineterminator="\n")
                if fresh:
                    writer.writeheader()
                writer.writerows(rows)
            print(f"{name}: {done()[name, 'as simulated', first]} of {number}", flush=True)
    found = table()
    with (HERE / "coverage.csv").open("w", newline="") as f:
        writer = csv.DictWriter(f, list(found[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
    for row in found:
        print(*row.values())


if __name__ == "__main__":
    main()
