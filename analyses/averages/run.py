"""What averages of items cost: an indirect effect by scores and by latent constructs.

python run.py [REPLICATIONS]: studies of 60 units in which X works on Y through M, each measured by
four ordinal items that 1, 2, 3 or 5 raters answer, at scale reliabilities .6, .75 and .9 of one
rater. Each study is analyzed twice: averages over items and raters by the exact engine, as is
usual, and constructs by their items by the engine hmc. Kept is the standardized indirect effect
with its 95 % interval. Finished studies are in runs/, so that a stopped run goes on. The table is
averages.csv, the picture averages.svg.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import acmodels as ac
from acmodels.data import study
from acmodels.engines import Sampling, engine
from acmodels.inference.diagnosis import diagnose
from acmodels.priors import resolve_priors
from acmodels.replication.block import LEAST_ESS
from acmodels.rng import child_seed, stream
from acmodels.system import build_system

HERE = Path(__file__).parent
SEED = 20261129
RELIABILITIES, RATERS = (0.6, 0.75, 0.9), (1, 2, 3, 5)
UNITS, ITEMS, CUTS = 60, 4, (-1.2, -0.4, 0.4, 1.2)
A, B, DIRECT, RATER_SD = 0.5, 0.4, 0.2, 0.5
NAMES = ("x", "m", "y")
VAR_M = A**2 + 1
TRUTH = A * B / np.sqrt(B**2 * VAR_M + DIRECT**2 + 2 * B * DIRECT * A + 1)
"""The indirect effect in standard deviations of X and Y."""
STRUCTURE = {"m": "m ~ x", "y": "y ~ m + x"}


def loading(reliability: float) -> float:
    """Of items whose sum has this alpha (Cronbach, 1951) among answers of one rater each."""
    return float(np.sqrt(reliability / (1 - reliability) / ITEMS / (1 + RATER_SD**2)))


def made(reliability: float, raters: int, rng: np.random.Generator) -> pd.DataFrame:
    """Answers of one study, a row for each rater."""
    x = rng.normal(size=UNITS)
    m = A * x + rng.normal(size=UNITS)
    y = B * m + DIRECT * x + rng.normal(size=UNITS)
    unit = np.repeat(np.arange(UNITS), raters)
    out: dict[str, Any] = {"unit": [f"u{k}" for k in unit]}
    for name, value in zip(NAMES, (x, m, y), strict=True):
        seen = value[unit] + RATER_SD * rng.normal(size=len(unit))
        for j in range(ITEMS):
            answer = loading(reliability) * seen + rng.normal(size=len(unit))
            out[f"{name}{j + 1}"] = np.digitize(answer, CUTS) + 1
    return pd.DataFrame(out)


def draws(table: dict[str, Any], data: pd.DataFrame, by: str, seed: int) -> tuple[Any, bool]:
    """Fit a model; returns draws of its parameters by name, and whether these are usable."""
    model = ac.load_model(table)
    system = build_system(model, study(data)).sampled
    priors = resolve_priors(model.priors, system.layout, system.responses)
    chosen = engine(by)
    ready = chosen.prepare(system.layout, priors, system.responses)
    found = ready.sample(system.responses, seed, Sampling(400, 300, 4, 1))
    values = found.values.reshape(-1, len(found.names))
    said = diagnose(found, (), LEAST_ESS)
    return dict(zip(found.names, values.T, strict=True)), said.usable


def by_scores(data: pd.DataFrame, seed: int) -> tuple[Any, bool]:
    """The standardized indirect effect of averages."""
    scores = pd.DataFrame({"unit": data["unit"]})
    for name in NAMES:
        scores[name] = data[[f"{name}{j + 1}" for j in range(ITEMS)]].mean(axis=1)
    table = scores.groupby("unit", sort=False).mean().reset_index()
    spec = {"name": "scores", "equations": {k: {"formula": f} for k, f in STRUCTURE.items()}}
    v, usable = draws(spec, table, "collapsed", seed)
    return v["m ~ x"] * v["y ~ m"] * table["x"].std() / table["y"].std(), usable


def by_items(data: pd.DataFrame, seed: int) -> tuple[Any, bool]:
    """The standardized indirect effect of constructs, in their own standard deviations."""
    spec: dict[str, Any] = {
        "name": "items",
        "equations": {k: {"formula": f, "level": "unit"} for k, f in STRUCTURE.items()},
        "measures": {
            n: {
                "items": [f"{n}{j + 1}" for j in range(ITEMS)],
                "family": "ordinal",
                "level": "unit",
            }
            for n in NAMES
        },
    }
    v, usable = draws(spec, data, "hmc", seed)
    a, b, c = v["m ~ x"], v["y ~ m"], v["y ~ x"]
    var_m = a**2 + 1
    return a * b / np.sqrt(b**2 * var_m + c**2 + 2 * b * c * a + 1), usable


def one(reliability: float, raters: int, r: int) -> list[dict[str, Any]]:
    """Both analyses of a study."""
    key = ("study", str(reliability), str(raters), r)
    data = made(reliability, raters, stream(SEED, *key))
    found = {
        "averages": by_scores(data, child_seed(SEED, *key, "averages")),
        "constructs": by_items(data, child_seed(SEED, *key, "constructs")),
    }
    return [
        {
            "reliability": reliability,
            "raters": raters,
            "study": r,
            "analysis": how,
            "usable": usable,
            "mean": float(np.mean(v)),
            "lower": float(np.quantile(v, 0.025)),
            "upper": float(np.quantile(v, 0.975)),
        }
        for how, (v, usable) in found.items()
    ]


def summary(runs: pd.DataFrame) -> pd.DataFrame:
    """Bias and coverage of each design and analysis, with Monte Carlo errors."""
    rows = []
    for key, g in runs.groupby(["reliability", "raters", "analysis"]):
        n = len(g)
        covered = ((g["lower"] <= TRUTH) & (g["upper"] >= TRUTH)).mean()
        rows.append(
            dict(zip(("reliability", "raters", "analysis"), key, strict=True))
            | {
                "studies": n,
                "usable": int(g["usable"].sum()),
                "truth": TRUTH,
                "mean": g["mean"].mean(),
                "mcse": g["mean"].std() / np.sqrt(n),
                "bias_percent": 100 * (g["mean"].mean() / TRUTH - 1),
                "coverage": covered,
                "coverage_mcse": np.sqrt(max(covered * (1 - covered), 0.25 / n) / n),
                "width": (g["upper"] - g["lower"]).mean(),
                "excludes_0": (g["lower"] > 0).mean(),
            }
        )
    return pd.DataFrame(rows)


def picture(table: pd.DataFrame) -> None:
    """Mean estimates by raters, reliability and analysis."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "averages"
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, len(RELIABILITIES), figsize=(9, 3.2), sharey=True)
    for ax, reliability in zip(axes, RELIABILITIES, strict=True):
        ax.axhline(TRUTH, color="0.5", lw=1, ls="--")
        for how, color in (("averages", "#b5532c"), ("constructs", "#1f5f8b")):
            here = table[(table["reliability"] == reliability) & (table["analysis"] == how)]
            ax.errorbar(
                here["raters"],
                here["mean"],
                1.96 * here["mcse"],
                color=color,
                marker="o",
                label=how,
            )
        ax.set_title(f"reliability {reliability:g}")
        ax.set_xlabel("raters in each unit")
        ax.set_xticks(RATERS)
    axes[0].set_ylabel("standardized indirect effect")
    axes[0].set_ylim(bottom=0)
    axes[-1].legend(frameon=False)
    fig.tight_layout()
    fig.savefig(HERE / "averages.svg", metadata={"Date": None})


def main(number: int) -> None:
    """All designs, a few studies of each at a time, so that a stopped run is balanced."""
    kept = HERE / "runs" / "studies.csv"
    kept.parent.mkdir(exist_ok=True)
    runs = pd.read_csv(kept) if kept.exists() else pd.DataFrame()
    for r in range(number):
        for reliability in RELIABILITIES:
            for raters in RATERS:
                if (
                    len(runs)
                    and (
                        (runs["reliability"] == reliability)
                        & (runs["raters"] == raters)
                        & (runs["study"] == r)
                    ).any()
                ):
                    continue
                more = pd.DataFrame(one(reliability, raters, r))
                runs = pd.concat([runs, more], ignore_index=True)
                runs.to_csv(kept, index=False)
        print(f"{r + 1} of {number} studies of each design", flush=True)
    table = summary(runs)
    table.to_csv(HERE / "averages.csv", index=False, float_format="%.4g")
    picture(table)
    print(table.round(3).to_string(index=False))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
