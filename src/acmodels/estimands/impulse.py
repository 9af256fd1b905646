"""What one unit of a variable changes, so many waves later, by every path."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from acmodels.errors import EstimandError
from acmodels.estimands import Array, Draws, Estimand, Scope
from acmodels.estimands._panel import System, end_of, source_of, system
from acmodels.spec.strict import Strict

heading = "Impulse responses"


class Settings(Strict):
    """Keys of the table: `from`, `to`, `horizon` (1, 2 and 3 if left out)."""

    from_: str = Field(alias="from")
    to: str
    horizon: Annotated[
        list[Annotated[int, Field(ge=0, le=200)]], Field(min_length=1)
    ] = Field(default_factory=lambda: [1, 2, 3])  # fmt: skip


@dataclass(frozen=True)
class Impulse:
    """The effect at t + h of one unit of a variable at t, one row for each h."""

    system: System
    source: str
    to: int
    horizon: tuple[int, ...]

    @property
    def at(self) -> tuple[str, ...]:
        """The horizons."""
        return tuple(f"horizon={h}" for h in self.horizon)

    def evaluate(self, draws: Draws) -> list[Array]:
        """Run the change forward, draw by draw."""
        found = self.system.impulses(draws, self.source, max(self.horizon))
        return [found[h][..., self.to] for h in self.horizon]


def resolve(estimand: Estimand, scope: Scope) -> Impulse:
    """Read the links of the model, and where the change starts and ends.

    Raises:
        EstimandError: the model has no lags or no straight lines, or a horizon stands twice.
    """
    s = estimand.settings
    found = system(estimand, scope.layout)
    if len(set(s.horizon)) < len(s.horizon):
        raise EstimandError(f"{estimand.where}.horizon: a horizon is given twice")
    source = source_of(estimand, scope.layout, found, s.from_)
    return Impulse(found, source, end_of(estimand, scope.layout, s.to), tuple(s.horizon))


def words(settings: Settings, scale: str, slopes: str) -> str:
    """Name the ends."""
    del slopes
    return (
        f"the effect of one unit of {settings.from_} on {settings.to} some waves later, by every "
        f"path{scale}"
    )
