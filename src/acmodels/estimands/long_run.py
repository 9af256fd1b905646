"""The sum of the effects of one unit of a variable over all waves to come."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from acmodels.estimands import Array, Draws, Estimand, Scope
from acmodels.estimands._panel import System, end_of, source_of, system
from acmodels.estimands.spectral_radius import SpectralRadius
from acmodels.numbers import probability
from acmodels.spec.strict import Strict

FADES = 0.95
"""How probable it must be that shocks fade for the sum to be reported."""

heading = "Long-run effects"


class Settings(Strict):
    """Keys of the table: `from`, `to`."""

    from_: str = Field(alias="from")
    to: str


@dataclass(frozen=True)
class LongRun:
    """The sum over the wave itself and all later ones, if shocks fade."""

    system: System
    source: str
    to: int
    at: tuple[str, ...] = ("",)

    def evaluate(self, draws: Draws) -> list[Array]:
        """Sum the series, draw by draw."""
        return [self.system.long_run(draws, self.source)[..., self.to]]


def resolve(estimand: Estimand, scope: Scope) -> LongRun:
    """Read the links of the model, and where the change starts and ends."""
    s = estimand.settings
    found = system(estimand, scope.layout)
    source = source_of(estimand, scope.layout, found, s.from_)
    return LongRun(found, source, end_of(estimand, scope.layout, s.to))


def denominator(question: LongRun) -> SpectralRadius:
    """The spectral radius: the sum is withheld where it may not be below 1."""
    return SpectralRadius(question.system)


def doubtful(draws: Array, prob: float, axis: int | None = None) -> NDArray[np.bool_]:
    """Return whether shocks may not fade: P(spectral radius < 1) is below 0.95."""
    del prob
    return np.asarray((draws < 1).mean(axis=axis) < FADES)


def doubt(draws: Array, prob: float) -> str:
    """Say why the sum is withheld."""
    del prob
    return (
        f"the probability that shocks fade (spectral radius below 1) is "
        f"{probability(float((draws < 1).mean()))}, below {FADES}, and a sum that may not "
        "converge has no meaning"
    )


def words(settings: Settings, scale: str, slopes: str) -> str:
    """Name the ends."""
    del slopes
    return (
        f"the effect of one unit of {settings.from_} on {settings.to}, summed over all waves{scale}"
    )
