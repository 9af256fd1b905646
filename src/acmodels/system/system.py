"""What a model on a study is: the layout, the responses, and what became of missing values."""

from dataclasses import dataclass

from acmodels.data import Finding
from acmodels.system.arrays import Responses
from acmodels.system.layout import Layout
from acmodels.system.missing import observed
from acmodels.system.separation import Unbounded


@dataclass(frozen=True)
class Joint:
    """A layout and its responses, models of incomplete predictors among them."""

    layout: Layout
    responses: Responses


@dataclass(frozen=True)
class Treatment:
    """What became of one column's missing values.

    Attributes:
        column: its name.
        role: `outcome`, `mediator` or `predictor`.
        level: the id column in whose units it has one value each, or None for data rows.
        rows: data rows without a value.
        units: values that were modeled, by unit of its level; 0 where none needed to be.
        how: in a sentence, without a full stop.
        model: the formula of its distribution, or nothing.
    """

    column: str
    role: str
    level: str | None
    rows: int
    units: int
    how: str
    model: str = ""


@dataclass(frozen=True)
class System:
    """A model on a study: what stays, and the responses.

    Where missing values are modeled, rough ones stand in `layout` and `responses` (after a fit,
    those of the posterior), and `joint` has the models of incomplete predictors too.

    Attributes:
        layout: what stays when responses are redrawn.
        responses: by name, on the rows of their equations.
        findings: what a careful colleague would say about the data under this model.
        rows_given, rows_used: before and after rows with missing values were dropped.
        source: the data's name, for messages.
        joint: the same with the equations of incomplete predictors, or None.
        treatments: what became of each column's missing values.
        separated: coefficients that the data do not bound.
    """

    layout: Layout
    responses: Responses
    findings: tuple[Finding, ...]
    rows_given: int
    rows_used: int
    source: str
    joint: "Joint | None" = None
    treatments: tuple["Treatment", ...] = ()
    separated: tuple[Unbounded, ...] = ()

    @property
    def sampled(self) -> "Joint":
        """What an engine takes: with the models of incomplete predictors, where there are any."""
        return Joint(self.layout, self.responses) if self.joint is None else self.joint

    @property
    def observed(self) -> dict[str, int]:
        """Rows of each equation whose response was observed, by response."""
        layout = self.sampled.layout
        return {e.response: int(observed(layout, e).sum()) for e in self.layout.equations}

    @property
    def rows_observed(self) -> int:
        """Data rows in which the response of any equation of data rows was observed."""
        layout = self.sampled.layout
        own = [e for e in self.layout.equations if e.level is None]
        return len({int(r) for e in own for r in e.rows[observed(layout, e)]})
