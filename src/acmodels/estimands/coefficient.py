"""One structural parameter."""

from dataclasses import dataclass

import numpy as np

from acmodels.estimands import Array, Draws, Estimand, Scope, known_parameter
from acmodels.families import scalars
from acmodels.priors import pattern_kind
from acmodels.spec.strict import Strict


class Settings(Strict):
    """Keys of the table: `parameter`, a name as in `estimates.csv`."""

    parameter: str


@dataclass(frozen=True)
class Coefficient:
    """Draws of the parameter itself."""

    parameter: str
    at: tuple[str, ...] = ("",)

    def evaluate(self, draws: Draws) -> list[Array]:
        """Look the draws up."""
        return [draws.parameter(self.parameter)]


def resolve(estimand: Estimand, scope: Scope) -> Coefficient:
    """Look the parameter up."""
    where = f"{estimand.where}.parameter"
    return Coefficient(known_parameter(estimand.settings.parameter, scope.layout, where))


def outcome(settings: Settings) -> str:
    """The response in the parameter's name."""
    return settings.parameter.removeprefix("sd(").split("~", maxsplit=1)[0].strip()


def words(settings: Settings, scale: str, slopes: str) -> str:
    """Name the parameter."""
    del slopes
    return f"the coefficient {settings.parameter}{scale}"


def bounds(settings: Settings) -> tuple[float, float]:
    """Sds are above 0, further parameters of families between their bounds."""
    most = {"sd": np.inf, "sigma": np.inf, **{k: s.upper for k, s in scalars().items()}}
    kind = pattern_kind(settings.parameter)
    return (0.0, most[kind]) if kind in most else (-np.inf, np.inf)
