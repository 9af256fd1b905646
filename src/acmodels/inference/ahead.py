"""Compile now what is compiled once for all models, so that no first fit waits for it."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from acmodels.data import study
from acmodels.engines import Sampling, engine, engine_names
from acmodels.families import family_names
from acmodels.numbers import decimal
from acmodels.priors import resolve_priors
from acmodels.spec.model import model_from_table
from acmodels.system import build_system

ROWS = 24


def compile_ahead(tell: Callable[[str], None]) -> None:
    """Fit every family to a few rows, by every engine that is compiled once for all models.

    Code that is compiled already is read, so that calling this again takes seconds.

    Args:
        tell: hears a sentence before and after each engine.
    """
    frame = _rows()
    for name in engine_names():
        chosen = engine(name)
        if chosen.compiles:
            continue
        tell(f"Compiling the engine {name}, once for this machine and version ...")
        began = time.perf_counter()
        chosen.load()
        for table in _tables():
            model = model_from_table(table, "compile")
            system = build_system(model, study(frame)).sampled
            priors = resolve_priors(model.priors, system.layout, system.responses, "compile")
            if chosen.unfit(system.layout, priors) is None:
                ready = chosen.prepare(system.layout, priors, system.responses)
                ready.sample(system.responses, 1, Sampling(50, 50, 2, 1))
        tell(f"  {name}: {decimal(time.perf_counter() - began, 0)} s")


def _tables() -> Iterator[dict[str, object]]:
    """A model file of each family, as a table."""
    for name in family_names():
        more = {"trials": "trials"} if name == "binomial" else {}
        equation = {"formula": f"{name} ~ x + (1 | g)", "family": name, **more}
        yield {"name": "compile", "equations": {name: equation}}


def _rows() -> pd.DataFrame:
    """A column for each family that it can be the distribution of."""
    rng = np.random.default_rng(1)
    counts, real = rng.poisson(2.0, ROWS), rng.normal(size=ROWS)
    out = dict.fromkeys(family_names(), counts)
    out |= {"gaussian": real, "student": real, "beta": rng.uniform(0.1, 0.9, ROWS)}
    out |= {"bernoulli": np.arange(ROWS) % 2, "ordinal": 1 + np.arange(ROWS) % 3}
    return pd.DataFrame(out).assign(
        x=rng.normal(size=ROWS), g=np.arange(ROWS) % 4, trials=counts + 3
    )
