"""Fits made by hand: a real system and priors, and a posterior of plain random numbers."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from acmodels.data import study
from acmodels.engines import Sampling
from acmodels.estimands import Context, evaluate
from acmodels.families import scalars
from acmodels.inference.fitting import Fit
from acmodels.inference.judging import EffectRow, Effects
from acmodels.load import load_model
from acmodels.posterior import Diagnostics, Posterior, summarize
from acmodels.priors import Priors, resolve_priors
from acmodels.system import Layout, Responses, build_system, parameters
from acmodels.system.measured import with_measures

CHAINS, DRAWS = 2, 60


def fake_frame(n_groups: int = 12, per: int = 6) -> pd.DataFrame:
    """A small study: ids, predictors x and z, a factor, mediator m, outcomes y and yes."""
    rng = np.random.default_rng(5)
    n = n_groups * per
    district = np.repeat(np.arange(n_groups), per)
    frame = pd.DataFrame({"district": [f"Innsmouth-{k:03d}" for k in district]})
    frame["x"] = rng.normal(size=n)
    frame["z"] = rng.normal(size=n)
    frame["sector"] = np.where(np.arange(n) % 2 == 0, "Public", "Private")
    frame["m"] = 0.4 * frame["x"] + rng.normal(size=n)
    frame["y"] = 0.3 * frame["m"] + 0.5 * rng.normal(size=n_groups)[district] + rng.normal(size=n)
    frame["yes"] = (rng.uniform(size=n) < 0.5).astype(int)
    return frame


def fake_fit(
    table: Mapping[str, Any],
    frame: pd.DataFrame,
    *,
    messages: tuple[str, ...] = (),
    sensitivity: float | None = 0.01,
    seed: int = 1,
    **changes: Any,
) -> Fit:
    """A fit without an engine.

    Args:
        table: of the model.
        frame: the data.
        messages: of the diagnostics; any makes the fit unusable.
        sensitivity: to the prior, of every estimand.
        seed: of the numbers.
        **changes: fields of the fit to replace.
    """
    model = with_measures(load_model(dict(table)), study(frame))
    system = build_system(model, study(frame))
    priors = resolve_priors(model.priors, system.layout, system.responses, model.source)
    posterior = fake_posterior(system.layout, np.random.default_rng(seed))
    context = Context(
        system.layout, system.responses, posterior.__getitem__, model.estimands, model.source
    )
    rows = tuple(
        EffectRow(name, e.kind, row.at, row.draws, sensitivity)
        for name, e in model.estimands.items()
        for row in evaluate(name, context)
    )
    usable = not messages
    made = Fit(
        spec=model,
        system=system,
        priors=priors,
        draws=posterior,
        effects=fake_effects(model.name, rows, messages),
        diagnostics=Diagnostics("fake", 1.003, 812.0, 640.0, 0, None, usable, messages),
        seed=seed,
        interval="eti",
        prob=0.95,
        seconds={"read": 0.1, "sample": 1.25},
    )
    return dataclasses.replace(made, **changes)


class FakeEngine:
    """An engine that draws plain random numbers at once; as many as it is asked for."""

    def __init__(self) -> None:
        self.layout: Layout | None = None
        self.sampled = 0

    def prepare(self, layout: Layout, priors: Priors, responses: Responses) -> "FakeEngine":
        self.layout = layout
        return self

    def sample(self, responses: Responses, seed: int, sampling: Sampling) -> Posterior:
        assert self.layout is not None
        self.sampled += 1
        shape = (sampling.chains, sampling.draws)
        return fake_posterior(self.layout, np.random.default_rng(seed), shape)


def _centre(centres: Mapping[str, tuple[float, float]], p: Any) -> tuple[float, float]:
    """Where draws lie: thresholds one after the other, `y | t2` about 0."""
    if p.kind == "threshold":
        return float(p.name.rpartition("t")[2]) - 2.0, 0.1
    return centres[p.kind]


def fake_posterior(
    layout: Layout, rng: np.random.Generator, shape: tuple[int, int] = (CHAINS, DRAWS)
) -> Posterior:
    """Draws around 0.3 for coefficients, 0.5 for sds and 0.2 for correlations."""
    centres = {"coefficient": (0.3, 0.1), "cor": (0.2, 0.1), "sd": (0.5, 0.05), "sigma": (1, 0.05),
               "nu": (8, 0.3), "sigma1": (1.2, 0.05), "cor1": (0.1, 0.1),
               "loading": (1, 0.05)}  # fmt: skip
    centres |= {k: ((0.3, 0.02) if s.support == "unit" else (2, 0.1))
                for k, s in scalars().items() if k not in centres}  # fmt: skip
    known = parameters(layout)
    values = [np.asarray(rng.normal(*_centre(centres, p), size=shape)) for p in known]
    effects = {
        b.key: 0.5 * rng.standard_normal((*shape, len(b.levels), len(b.members)))
        for b in layout.blocks
    }
    names = tuple(p.name for p in known)
    stats = {"diverging": np.zeros(shape, dtype=bool)}
    return Posterior(names, np.stack(values, axis=2), effects, "fake", stats, {"sample": 1.25})


def fake_effects(model: str, rows: tuple[EffectRow, ...], messages: tuple[str, ...]) -> Effects:
    """The table of estimands, as `fit` makes it."""
    columns = ("mean", "sd", "median", "lower", "upper", "r_hat", "ess_bulk", "ess_tail")
    draws = np.stack([r.draws for r in rows], axis=2) if rows else np.zeros((CHAINS, DRAWS, 0))
    table = summarize(draws if rows else np.zeros((CHAINS, DRAWS, 1)))
    frame = pd.DataFrame(
        {
            "name": [r.name for r in rows],
            "kind": [r.kind for r in rows],
            "at": [r.at for r in rows],
            **{c: table[c][: len(rows)] for c in columns},
            "p_positive": (draws > 0).mean(axis=(0, 1)),
            "mcse_mean": table["mcse_mean"][: len(rows)],
        }
    )
    why = messages[0] if messages else ""
    return Effects(model, rows, frame, not messages, "eti", 0.95, why)
