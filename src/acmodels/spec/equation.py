"""An equation of a model file, read."""

from dataclasses import dataclass

from acmodels.spec.formula import Formula


@dataclass(frozen=True)
class Equation:
    """One endogenous variable and what it is regressed on.

    Attributes:
        response: the column on the left.
        formula: the formula, read.
        family: the name of a response distribution.
        link: the name of a link, or None for the family's first.
        level: the id column whose units are the rows of this equation, or None for data rows.
        se, trials, weights: columns, or None.
        centering: how `within` and `between` take means.
        measured: of an item, the constructs that it measures.
        construct: whether the response is a construct, which has no values and no intercept.
        exogenous: whether it is a construct that has no equation in the model file.
    """

    response: str
    formula: Formula
    family: str = "gaussian"
    link: str | None = None
    level: str | None = None
    se: str | None = None
    trials: str | None = None
    weights: str | None = None
    centering: str | None = None
    measured: tuple[str, ...] = ()
    construct: bool = False
    exogenous: bool = False
