"""How fast shocks fade: the largest modulus of the eigenvalues of a panel's lags."""

from dataclasses import dataclass

import numpy as np

from acmodels.estimands import Array, Draws, Estimand, Scope
from acmodels.estimands._panel import System, system
from acmodels.spec.strict import Strict

heading = "Spectral radius"


class Settings(Strict):
    """No keys."""


@dataclass(frozen=True)
class SpectralRadius:
    """The spectral radius of the companion matrix: below 1, shocks fade."""

    system: System
    at: tuple[str, ...] = ("",)

    def evaluate(self, draws: Draws) -> list[Array]:
        """Find the eigenvalues of every draw."""
        return [self.system.radius(draws)]


def resolve(estimand: Estimand, scope: Scope) -> SpectralRadius:
    """Read the links of the model."""
    return SpectralRadius(system(estimand, scope.layout))


def outcome(settings: Settings) -> None:
    """It is on no response's scale."""
    del settings


def words(settings: Settings, scale: str, slopes: str) -> str:
    """Say what it is."""
    del settings, scale, slopes
    return "the spectral radius of the lagged effects (below 1, shocks fade)"


def bounds(settings: Settings) -> tuple[float, float]:
    """It is 0 or more."""
    del settings
    return 0.0, np.inf
