"""How much an indirect effect changes with a unit of a moderator (Hayes, 2015)."""

from dataclasses import dataclass, replace

from acmodels.errors import EstimandError
from acmodels.estimands import Array, Draws, Estimand, Paths, Scope
from acmodels.estimands._effects import (
    Mediated,
    PathSum,
    chains,
    check_moderators,
    ends,
    measured,
    path_sum,
    path_warnings,
)
from acmodels.estimands._names import node, settings_rows
from acmodels.estimands._paths import curved, moderates, named_paths, through
from acmodels.system import Layout


class Settings(Mediated):
    """Keys of the table: `from`, `via`, `to`, `moderator`, `at`, `scale`."""

    moderator: str


@dataclass(frozen=True)
class Index:
    """Indirect effect at the moderator's 1 less that at 0 (a factor: level less reference).

    Attributes:
        upper, lower: the two.
        moderated: for each chain of mediators, the position of the step that is moderated.
    """

    upper: PathSum
    lower: PathSum
    moderated: tuple[int | None, ...] = ()

    @property
    def at(self) -> tuple[str, ...]:
        """Values of other moderators."""
        return self.upper.at

    def evaluate(self, draws: Draws) -> list[Array]:
        """Subtract row by row."""
        pairs = zip(self.upper.evaluate(draws), self.lower.evaluate(draws), strict=True)
        return [a - b for a, b in pairs]


def stepwise(settings: Settings) -> bool:
    """It is a product of slopes and of the change of one."""
    del settings
    return True


def path_steps(question: Index, draws: Draws) -> list[Paths]:
    """Of the step that is moderated the change with the moderator, of the others the slopes."""
    pairs = zip(question.upper.steps(draws), question.lower.steps(draws), strict=True)
    return [
        tuple(
            tuple(
                replace(a, draws=a.draws - b.draws) if k == moderated else b
                for k, (a, b) in enumerate(zip(high, low, strict=True))
            )
            for high, low, moderated in zip(upper, lower, question.moderated, strict=True)
        )
        for upper, lower in pairs
    ]


def resolve(estimand: Estimand, scope: Scope) -> Index:
    """Resolve the indirect effect at two values of the moderator.

    Raises:
        EstimandError: the moderator touches no step, two steps, or one in a curve; then
            the indirect effect is not linear in it and has no single index.
    """
    layout, settings = scope.layout, estimand.settings
    found = named_paths(layout, *ends(estimand, layout), settings.via, estimand.where)
    where = f"{estimand.where}.moderator"
    n = node(settings.moderator, layout, where)
    moved = [moderates(layout, n.variable, p) for p in found]
    if not any(moved):
        raise EstimandError(f"{where}: '{n.text}' does not moderate any step of this effect")
    if any(len(m) > 1 for m in moved):
        raise EstimandError(
            f"{where}: '{n.text}' moderates more than one step of a path, so the effect is not "
            'linear in it and has no single index; use kind = "indirect" with at = '
            f"{{ {n.variable} = [values] }}"
        )
    if n.variable in {step.variable for p in found for step, _ in p}:
        raise EstimandError(f"{where}: '{n.text}' lies on the path itself")
    if n.operand is not None or curved(layout, n.variable, found):
        raise EstimandError(
            f"{where}: '{n.text}' enters through a curve; give a variable that enters as it is"
        )
    high, low = (n.level, n.reference or 0) if n.level is not None else (1, 0)
    rows = settings_rows(settings.at, layout, estimand.where)
    check_moderators(estimand, layout, found, list(settings.at))
    upper, lower = (
        path_sum(
            layout,
            found,
            [(label, {**held, n.variable: float(v)}) for label, held in rows],
            measured(estimand, layout, found),
        )
        for v in (high, low)
    )
    which = [
        [k for p in chain for k in moderates(layout, n.variable, p)] for chain in chains(found)
    ]
    return Index(upper, lower, tuple(k[0] if k else None for k in which))


def warnings(question: Index, layout: Layout) -> list[str]:
    """See `path_warnings`."""
    return path_warnings(layout, question.upper.paths)


def words(settings: Settings, scale: str, slopes: str) -> str:
    """Name the ends, the mediators and the moderator."""
    del slopes
    return (
        f"the change in the indirect effect of {settings.from_} on {settings.to}"
        f"{through(settings.via)} for each unit of {settings.moderator}{scale}"
    )
