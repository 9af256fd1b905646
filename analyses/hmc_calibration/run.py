"""Simulation-based calibration of the engine hmc, and of models fitted wrongly on purpose.

python run.py [REPLICATIONS [CASE ...]]: for each model in models/, on the design of the same name,
truths from the priors, data from the truths, and ranks of the truths among the draws. The controls
draw data by one model and fit another, or the same one under another prior; their ranks must not be
uniform. Finished replicates are in runs/, so that a stopped run goes on. The tables are
calibration.csv (a row for each model) and quantities.csv (a row for each quantity).
"""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import acmodels as ac
from acmodels.engines import Sampling, engine
from acmodels.generate import generate_stack
from acmodels.inference.diagnosis import diagnose
from acmodels.priors import resolve_priors
from acmodels.replication.block import LEAST_ESS
from acmodels.replication.calibration import LEVEL, MOST
from acmodels.replication.truths import truths
from acmodels.rng import child_seed, stream
from acmodels.simulation import categories, draw_frame
from acmodels.spec.model import Model
from acmodels.spec.strict import read_toml
from acmodels.system import build_layout

HERE = Path(__file__).parent
SEED = 20261201
CASES = (
    "ordinal",
    "nested",
    "binary_half",
    "binary_tenth",
    "negative_binomial",
    "student",
    "missing_predictor",
    "latent_mean",
    "construct_cfa",
    "construct_raters",
    "construct_mediation",
    "construct_moderator",
)
SHARE = {"construct": 2}
"""Of cases that take longer, one in so many replications."""


@dataclass(frozen=True)
class Control:
    """Data of one case, fitted wrongly on purpose.

    Attributes:
        case: whose data.
        equation: what the equation of `y` says instead.
        measures: what its measures say instead.
        priors: what is stated instead.
        without: priors that the fitted model has no parameters for.
    """

    case: str
    equation: Mapping[str, Any] | None = None
    measures: Mapping[str, Any] | None = None
    priors: Mapping[str, Any] | None = None
    without: tuple[str, ...] = ()

    def fitted(self) -> Model:
        """The model that is fitted."""
        table: Any = read_toml(HERE / "models" / f"{self.case}.toml")
        if self.equation is not None:
            table["equations"]["y"] |= self.equation
        for name, measure in (self.measures or {}).items():
            table["measures"][name] |= measure
        table["priors"] |= self.priors or {}
        for name in self.without:
            del table["priors"][name]
        return ac.load_model(table)


CONTROLS = {
    "ordinal, thresholds' prior of half the width": Control(
        "ordinal", priors={"* | *": {"dist": "Normal", "mu": 0, "sigma": 0.75}}
    ),
    "ordinal, slopes' group sd left out": Control(
        "ordinal", {"formula": "y ~ x + (1 | g)"}, without=("cor(*)",)
    ),
    "binary at a half, fitted by probit": Control("binary_half", {"link": "probit"}),
    "negative binomial, fitted as Poisson": Control(
        "negative_binomial", {"family": "poisson"}, without=("phi(*)",)
    ),
    "latent mean, one slope within and between": Control(
        "latent_mean", {"formula": "y ~ m + (1 | g)"}
    ),
    "nested, inner grouping left out": Control("nested", {"formula": "y ~ x + (1 | g)"}),
    "student, fitted as normal": Control("student", {"family": "gaussian"}, without=("nu(*)",)),
    "construct, a cross-loading left out": Control(
        "construct_cfa", measures={"g": {"items": ["g1", "g2", "g3"]}}
    ),
    "construct, raters ignored": Control(
        "construct_raters", priors={"sd(* ~ 1 | *)": {"dist": "Constant", "value": 0.001}}
    ),
    "binary at a half, fitted as it is": Control("binary_half"),
}
"""Each must fail at the size at which the cases pass; but the last, which is fitted rightly."""
BATCH = 50
"""Replicates of a control that are kept at a time."""


def load(case: str) -> Any:
    """The design of a case, with its model."""
    return ac.load_design(HERE / "designs" / f"{case}.toml")


def control_ranks(name: str, number: int, *, seed: int = SEED) -> pd.DataFrame:
    """Ranks of truths among draws of the wrong model, by parameter that both models have."""
    control = CONTROLS[name]
    design = load(control.case)
    right, wrong = design.model, control.fitted()
    codes = categories(design, right)
    frame = draw_frame(design, stream(seed, "frame", name))
    made, fitted = build_layout(right, frame, codes), build_layout(wrong, frame, codes)
    priors = resolve_priors(right.priors, made, None)
    chosen = engine("hmc")
    ready = chosen.prepare(fitted, resolve_priors(wrong.priors, fitted, None), {})
    sampling = Sampling(chosen.loop_draws, chosen.loop_tune, 4, 1)
    kept = HERE / "runs" / f"{name}.csv"
    done = pd.read_csv(kept) if kept.exists() else pd.DataFrame()
    while len(done) < number:
        rows: list[dict[str, float]] = []
        for r in range(len(done), min(len(done) + BATCH, number)):
            rng = stream(seed, "control", name, r)
            truth = truths(made, priors, [rng])
            data = {k: v[0] for k, v in generate_stack(made, truth, [rng]).responses.items()}
            found = ready.sample(data, child_seed(seed, "fit", name, r), sampling)
            said = diagnose(found, (), LEAST_ESS)
            L = int(np.clip((said.min_ess_bulk or 0) // 10, 1, MOST))
            values = found.values.reshape(-1, len(found.names))
            at = np.floor((np.arange(L) + 0.5) * len(values) / L).astype(int)
            ranks = {
                n: (np.sum(values[at, k] < truth[n][0]) + rng.random()) / (L + 1)
                for k, n in enumerate(found.names)
                if n in truth
            }
            rows.append(ranks | {"failed": float(not said.usable)})
        done = pd.concat([done, pd.DataFrame(rows)], ignore_index=True)
        kept.parent.mkdir(exist_ok=True)
        done.to_csv(kept, index=False)
    return done.head(number)


def wanted(case: str, number: int) -> int:
    """How many replications of a case."""
    return number // next((n for kind, n in SHARE.items() if case.startswith(kind)), 1)


def p_values(ranks: Any) -> Any:
    """Of uniformity, one for each column."""
    from arviz_stats.base.array import array_stats

    return np.asarray(array_stats.uniformity_test(np.asarray(ranks).T)[0])


def told(model: str, names: list[str], p: Any, n: int, failed: int, seconds: float) -> Any:
    """A row of the model, and a row for each of its quantities."""
    least = int(np.argmin(p))
    whole = float(min(1.0, p[least] * len(p)))
    row = {
        "model": model,
        "n": n,
        "failed": failed,
        "quantities": len(p),
        "least_p": float(p[least]),
        "of": names[least],
        "p_model": whole,
        "verdict": "uniform" if whole >= LEVEL else "not uniform",
        "seconds": round(seconds),
    }
    each = [{"model": model, "name": k, "n": n, "p": v} for k, v in zip(names, p, strict=True)]
    print(row, flush=True)
    return row, each


def _table(name: str) -> pd.DataFrame:
    """What a run before this one found."""
    path = HERE / f"{name}.csv"
    return pd.read_csv(path) if path.exists() else pd.DataFrame(columns=pd.Index(["model"]))


def main(number: int, only: list[str]) -> None:
    """Every case, then every control, or those named."""
    tables = {n: _table(n) for n in ("calibration", "quantities")}
    before = tables["calibration"].set_index("model")

    def keep(model: str, *rest: Any) -> None:
        row, each = told(model, *rest)
        if model in before.index and before.loc[model, "n"] == row["n"]:
            row["seconds"] = before.loc[model, "seconds"]  # of the run that made the replicates
        for name, rows in (("calibration", [row]), ("quantities", each)):
            old = tables[name][tables[name]["model"] != model]
            tables[name] = pd.concat([old, pd.DataFrame(rows)], ignore_index=True)
            tables[name].to_csv(HERE / f"{name}.csv", index=False, float_format="%.3g")

    for case in (c for c in CASES if not only or c in only):
        started = time.perf_counter()
        found = ac.calibrate(
            load(case), seed=SEED, replications=wanted(case, number), engine="hmc",
            out=HERE / "runs" / case,
        )  # fmt: skip
        table = found.table
        failed = int(table["failed"].iloc[0])
        p = table["p_uniform"].to_numpy()
        keep(case, list(table["name"]), p, len(found.ranks), failed, time.perf_counter() - started)
    for control in (c for c in CONTROLS if not only or c in only):
        started = time.perf_counter()
        ranks = control_ranks(control, wanted(control, number))
        failed = int(ranks.pop("failed").sum())
        p = p_values(ranks)
        keep(control, list(ranks), p, len(ranks), failed, time.perf_counter() - started)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 400, sys.argv[2:])
