"""The product of the two cross-lags between two variables: what comes back after two waves."""

from dataclasses import dataclass

from pydantic import Field

from acmodels.errors import EstimandError
from acmodels.estimands import Array, Draws, Estimand, Scope
from acmodels.estimands._names import equation_name
from acmodels.estimands._panel import System, end_of, system
from acmodels.spec.strict import Strict

heading = "Feedback"


class Settings(Strict):
    """Keys of the table: `from`, `to`."""

    from_: str = Field(alias="from")
    to: str


@dataclass(frozen=True)
class Feedback:
    """The lag of one on the other times the lag of the other on the one."""

    system: System
    one: int
    other: int
    at: tuple[str, ...] = ("",)

    def evaluate(self, draws: Draws) -> list[Array]:
        """Multiply, draw by draw."""
        B = self.system.matrix(draws, 1)
        return [B[..., self.other, self.one] * B[..., self.one, self.other]]


def resolve(estimand: Estimand, scope: Scope) -> Feedback:
    """Look both lags up.

    Raises:
        EstimandError: one of them is not in the model.
    """
    s, layout = estimand.settings, scope.layout
    found = system(estimand, layout)
    one = layout.responses.index(equation_name(s.from_, layout, f"{estimand.where}.from"))
    other = end_of(estimand, layout, s.to)
    if one == other:
        raise EstimandError(f"{estimand.where}: 'from' and 'to' are the same variable")
    for a, b in ((one, other), (other, one)):
        into, of = layout.responses[b], layout.responses[a]
        if not any(k.to == b and k.source == of and k.lag == 1 for k in found.links):
            raise EstimandError(
                f"{estimand.where}: the formula of equations.{into} has no lag({of}), so there is "
                "no loop"
            )
    return Feedback(found, one, other)


def words(settings: Settings, scale: str, slopes: str) -> str:
    """Name the ends."""
    del scale, slopes
    return (
        f"the product of the lagged effects of {settings.from_} on {settings.to} and of "
        f"{settings.to} on {settings.from_}"
    )
