"""How much an indirect effect changes with a unit of a moderator (Hayes, 2015)."""

from acmodels.errors import EstimandError
from acmodels.estimands import Context, Estimand, Row
from acmodels.estimands import _effects as fx
from acmodels.estimands._mediation import (
    Mediated,
    mediated_paths,
    path_warnings,
    rows_of_effect,
    sum_of_paths,
)


class Settings(Mediated):
    """Keys of the table: `from`, `via`, `to`, `moderator`, `at`, `scale`."""

    moderator: str


def evaluate(estimand: Estimand, context: Context) -> list[Row]:
    """Indirect effect at the moderator's 1 less that at 0 (a factor: level less reference).

    Raises:
        EstimandError: the moderator touches no step, two steps, or one in a curve; then
            the indirect effect is not linear in it and has no single index.
    """
    all_paths = mediated_paths(estimand, context)
    where = f"{estimand.where}.moderator"
    n = fx.node(estimand.settings.moderator, context, where)
    moved = [fx.moderates(context, n.variable, p) for p in all_paths]
    if not any(moved):
        raise EstimandError(f"{where}: '{n.text}' moderates no step of this effect")
    if any(len(m) > 1 for m in moved):
        raise EstimandError(
            f"{where}: '{n.text}' moderates more than one step of a path, so the effect is not "
            'linear in it and has no single index; use kind = "indirect" with at = '
            f"{{ {n.variable} = [values] }}"
        )
    if n.variable in {step.variable for p in all_paths for step, _ in p}:
        raise EstimandError(f"{where}: '{n.text}' lies on the path itself")
    if n.operand is not None or fx.curved(context, n.variable, all_paths):
        raise EstimandError(
            f"{where}: '{n.text}' enters through a curve; give a variable that enters as it is"
        )
    high, low = (n.level, n.reference or 0) if n.level is not None else (1, 0)
    if not estimand.settings.at:
        upper = sum_of_paths(context, all_paths, {n.variable: float(high)})
        lower = sum_of_paths(context, all_paths, {n.variable: float(low)})
        return [Row("", upper - lower)]
    out: list[Row] = []
    for row, (_, held) in zip(
        rows_of_effect(estimand, context, all_paths),
        fx.settings_rows(estimand.settings.at, context, estimand.where),
        strict=True,
    ):
        upper = sum_of_paths(context, all_paths, {**held, n.variable: float(high)})
        lower = sum_of_paths(context, all_paths, {**held, n.variable: float(low)})
        out.append(Row(row.at, upper - lower))
    return out


def warnings(estimand: Estimand, context: Context) -> list[str]:
    """See `path_warnings`."""
    return path_warnings(context, mediated_paths(estimand, context))
