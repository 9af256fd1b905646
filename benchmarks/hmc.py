"""What the compiled sampler takes: from a fresh shell, in effective draws a second, in loops.

Every wall time is of `acmodels` as a command in a process of its own, with code that is compiled
already. Effective sample sizes are the least over structural parameters: bulk, tail, and that of
squared deviations from the mean, since a sampler whose draws alternate about the mean has more bulk
than it has of everything else.

usage: python benchmarks/hmc.py [PART ...]

parts: ordinal logit crossed refits nuts; all of them if none is named.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

PARTS = ("ordinal", "logit", "crossed", "refits", "nuts")
PROBIT = 'family = "ordinal"\nlink = "probit"\n'


def cut(eta: Any, rng: np.random.Generator) -> Any:
    return np.digitize(eta + rng.normal(size=len(eta)), [-1.2, -0.4, 0.4, 1.2]) + 1


def ordinal(seed: int = 1) -> tuple[str, pd.DataFrame]:
    """Two mediators and two outcomes in five categories, 600 rows, 60 districts x 40 partners."""
    rng = np.random.default_rng(seed)
    d, p = np.repeat(np.arange(60), 10), np.repeat(rng.integers(0, 40, 300), 2)
    X = rng.normal(size=(600, 7))
    out = {"d": d, "p": p} | {f"x{k + 1}": X[:, k] for k in range(7)}
    text = 'name = "reference"\n'
    xs = " + ".join(f"x{k}" for k in range(1, 8))
    for name, on in (("m1", ()), ("m2", ()), ("y1", ("m1", "m2")), ("y2", ("m1", "m2"))):
        eta = 0.3 * X[:, :3].sum(axis=1) + 0.5 * rng.normal(size=60)[d]
        eta = eta + 0.4 * rng.normal(size=40)[p] + sum(0.2 * (out[m] - 3.0) for m in on)
        out[name] = cut(eta, rng)
        formula = " + ".join((xs, *on, "(1 | d)", "(1 | p)"))
        text += f'[equations.{name}]\nformula = "{name} ~ {formula}"\n{PROBIT}'
    return text, pd.DataFrame(out)


def logit(seed: int = 1) -> tuple[str, pd.DataFrame]:
    """A binary outcome of 9,700 rows in 970 schools in 97 districts."""
    rng = np.random.default_rng(seed)
    s = np.repeat(np.arange(970), 10)
    d = s // 10
    x, w = rng.normal(size=9700), rng.normal(size=970)[s]
    eta = -1.0 + 0.5 * x + 0.3 * w + 0.7 * rng.normal(size=970)[s] + 0.5 * rng.normal(size=97)[d]
    y = (eta + rng.logistic(size=9700) > 0).astype(int)
    text = (
        'name = "logit"\n[equations.y]\nformula = "y ~ x + w + (1 | d) + (1 | s)"\n'
        'family = "bernoulli"\n'
    )
    return text, pd.DataFrame({"y": y, "x": x, "w": w, "d": d, "s": s})


def crossed(seed: int = 1) -> tuple[str, pd.DataFrame]:
    """A rating in five categories, 73,000 rows: 2,900 students crossed with 1,100 teachers."""
    rng = np.random.default_rng(seed)
    n = 73_000
    s, t, x = rng.integers(0, 2900, n), rng.integers(0, 1100, n), rng.normal(size=n)
    eta = 0.3 * x + 0.4 * rng.normal(size=2900)[s] + 0.5 * rng.normal(size=1100)[t]
    text = f'name = "ratings"\n[equations.y]\nformula = "y ~ x + (1 | s) + (1 | t)"\n{PROBIT}'
    return text, pd.DataFrame({"y": cut(eta, rng), "x": x, "s": s, "t": t})


PROBLEMS = {"ordinal": ordinal, "logit": logit, "crossed": crossed}


def squares(draws: Any) -> float:
    """Least bulk ESS of squared deviations, of draws (chain, draw, quantity)."""
    from arviz_stats.base import array_stats

    away = (draws - draws.mean(axis=(0, 1))) ** 2
    return float(np.nanmin(array_stats.ess(away, method="bulk", chain_axis=0, draw_axis=1)))


def shell(*words: Any) -> float:
    """Seconds of a command in a process of its own."""
    began = time.perf_counter()
    command = [str(Path(sys.executable).parent / "acmodels"), *map(str, words), "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def fitted(folder: Path, name: str, engine: str = "hmc") -> Mapping[str, Any]:
    """Fit a problem from the shell, and once more here for what its draws are worth."""
    import acmodels as ac

    text, frame = PROBLEMS[name]()
    model, data = folder / f"{name}.toml", folder / f"{name}.csv"
    model.write_text(text)
    frame.to_csv(data, index=False)
    wall = shell("fit", model, data, "--engine", engine, "--out", folder / f"{name}-{engine}")
    fit = ac.fit(ac.load_model(str(model)), frame, engine=engine)
    names = list(fit.estimates["name"])
    values = np.stack([np.asarray(fit.posterior.posterior[n]) for n in names], axis=-1)
    d = fit.diagnostics
    return {
        "problem": name, "engine": engine, "rows": len(frame), "parameters": len(names),
        "shell, s": wall, "sampling, s": fit.seconds["sample"], "bulk": d.min_ess_bulk,
        "tail": d.min_ess_tail, "squares": squares(values), "R-hat": d.max_r_hat,
        "divergences": d.divergences, "usable": d.usable,
        "least ESS a second": min(d.min_ess_bulk, d.min_ess_tail) / fit.seconds["sample"],
    }  # fmt: skip


def refits(folder: Path) -> Mapping[str, Any]:
    """1,000 recoveries of one ordinal equation, 600 rows, 60 districts x 40 partners."""
    (folder / "m.toml").write_text(
        f'name = "m"\n[equations.m]\nformula = "m ~ x + (1 | g) + (1 | p)"\n{PROBIT}'
    )
    (folder / "d.toml").write_text(
        'model = "m.toml"\nreplications = 1000\n[units]\ng = 60\np = 40\n'
        'row = { per = "g", n = 10, crossed_with = "p" }\n'
        '[exogenous]\nx = { dist = "Normal", mu = 0, sigma = 1, level = "row" }\n'
        '[truth]\n"m ~ x" = 0.4\n'
    )
    wall = shell("recover", folder / "d.toml", "--out", folder / "refits")
    table = pd.read_csv(folder / "refits" / "recovery.csv")
    return {
        "1,000 ordinal recoveries, s": wall, "a second": 1000 / wall,
        "failed": int(table["failed"].max()), "least coverage": table["coverage"].min(),
        "most coverage": table["coverage"].max(),
    }  # fmt: skip


def shown(row: Mapping[str, Any]) -> None:
    """Print a row of a table, names beside numbers."""
    for k, v in row.items():
        print(f"| {k} | {f'{v:.4g}' if isinstance(v, float) else v} |")
    print(flush=True)


if __name__ == "__main__":
    chosen = [p for p in sys.argv[1:] if p in PARTS] or PARTS
    with tempfile.TemporaryDirectory() as place:
        for part in chosen:
            if part == "refits":
                shown(refits(Path(place)))
            elif part == "nuts":
                shown(fitted(Path(place), "ordinal", "nuts"))
            else:
                shown(fitted(Path(place), part))
