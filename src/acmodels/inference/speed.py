"""What makes a fit slow, said before it starts, with what would be faster.

The engines that are compiled once take seconds. NUTS compiles each model first and then draws.
Measured by NUTS on 908 rows, two equations and a third for a predictor that lacks three values:
96 s of processor time to compile, and 1200 steps in 12 s, so about 80 s for the 8000 of a fit.
"""

from dataclasses import dataclass

from acmodels.engines import choose, engine
from acmodels.errors import listing
from acmodels.priors import Priors
from acmodels.system import Layout

EACH = "usually one to five minutes"
"""What a fit by sampling takes on a laptop, compilation included."""


@dataclass(frozen=True)
class Slow:
    """Why a model has to be compiled and sampled.

    Attributes:
        reason: a phrase, as `'y' is ordinal, not gaussian`.
        faster: sentences about what would be faster; none where nothing is.
    """

    reason: str
    faster: tuple[str, ...]


def slow(layout: Layout, priors: Priors, asked: str = "auto") -> Slow | None:
    """Say whether a model has to be sampled, and what would be faster.

    Args:
        layout: of all that is fitted, the equations of incomplete predictors too.
        priors: in force.
        asked: the engine, as a person named it.

    Returns:
        None where an engine takes it that does not compile each model.
    """
    if asked != "auto" and engine(asked).exact:
        return None
    if not choose(layout, priors, asked).engine.compiles:
        return None
    best = choose(layout, priors)
    if best.engine.exact:
        if asked == "auto":
            return None
        return Slow(f"the engine {asked} was asked for", ("--engine auto uses the exact engine.",))
    out: list[str] = []
    gaps = [g for g in layout.missing if layout.measure(g.variable) is None]
    if gaps:
        cells = sum(len(g.at) for g in gaps)
        names = listing(list(dict.fromkeys(g.variable for g in gaps)))
        out.append(
            f"The {cells} missing values of {names} are parameters of the model; "
            'missing = "drop" at the top of the model file leaves their rows out instead.'
        )
    ordinal = [e for e in layout.equations if e.codes and not e.measured]
    if ordinal:
        shown = listing([f"'{e.response}' ({len(e.codes)} categories)" for e in ordinal])
        out.append(
            f"Fewer categories for {shown}. A score with "
            'family = "gaussian", such as the average of several items, is much faster.'
        )
    heavy = [e for e in layout.equations if e.distribution.unbounded and not e.distribution.normal]
    for name in dict.fromkeys(e.family for e in heavy):
        mine = listing([e.response for e in heavy if e.family == name])
        out.append(f'{mine}: family = "gaussian" is much faster than {name}.')
    reason = best.reason or f"it is sampled by {best.name}"
    if not out and "prior" in reason:
        out.append("Normal priors on coefficients are much faster.")
    return Slow(reason, tuple(out))
