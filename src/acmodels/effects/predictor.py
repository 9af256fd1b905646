"""One equation of a fit, to be evaluated at any rows."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from acmodels.effects.sizes import coefficients
from acmodels.errors import InputError, did_you_mean, listing
from acmodels.spec.names import plain
from acmodels.system.columns import variable_values
from acmodels.system.terms import group_terms, terms

if TYPE_CHECKING:
    from acmodels.inference.fitting import Fit
    from acmodels.posterior import Array
    from acmodels.system import EquationLayout


type Groups = Literal["new", "observed"]
type Scale = Literal["response", "linear"]
type Value = float | str | bool


class Predictor:
    """One equation of a fit, to be evaluated at any rows."""

    def __init__(self, fit: "Fit", e: "EquationLayout", groups: str, scale: str) -> None:
        self.fit, self.e, self.groups, self.scale = fit, e, groups, scale
        self.layout, self.responses = fit.system.layout, fit.system.responses
        self.blocks = group_terms(self.layout, e.response)
        self.offsets = fit.spec.equations[e.response].formula.offsets
        self.B = coefficients(fit, e)
        self.flat = scale == "linear" or e.link == "identity"
        every = terms(self.layout, e.response)
        parts = [q for t in every for q in t.column.parts]
        operands = [o for q in parts for o in q.operand.arguments] + list(self.offsets)
        self.sources = tuple(dict.fromkeys(o.source for o in operands))
        self.variables = tuple(s for s in self.sources if s in {o.variable for o in operands})
        latent = list(dict.fromkeys(t.latent.key for t in every if t.latent is not None))
        if latent:
            raise InputError(
                f"the equation of {e.response} reads {listing(latent)} with a latent unit mean, "
                "for which predictions are not computed yet by this version"
            )
        self.derived = {o.variable: o.source for o in operands if o.source != o.variable}
        self.category: int | None = None

    def of_category(self, place: int) -> "Predictor":
        """The same, of the probability of one category of an ordinal response."""
        out = copy(self)
        out.category = place
        return out

    def reference(self, source: str) -> "Array":
        """Values on the equation's own rows, which `center` and `standardize` rest on."""
        return variable_values(self.layout, source, self.responses)[..., self.e.rows]

    def levels(self, name: str) -> tuple[str, ...]:
        """Return the levels of a factor; none of a number."""
        variable = self.layout.variables.get(name)
        return () if variable is None else variable.levels

    def known(self, name: str) -> None:
        """Refuse a name that the equation does not read, or reads through its unit's mean."""
        if name in self.derived:
            raise InputError(
                f"'{name}' enters the equation of {self.e.response} as {self.derived[name]}, which "
                "rests on the other rows of its unit, so it cannot be set by itself"
            )
        if name not in self.variables:
            raise InputError(
                f"'{name}' is no predictor in the equation of {self.e.response}"
                f"{did_you_mean(name, self.variables)} (predictors: {listing(self.variables, 15)})"
            )


@dataclass(frozen=True)
class Rows:
    """Rows to predict at.

    Attributes:
        n: how many.
        held: values by name of what columns rest on, codes for a factor.
        codes: by grouping, the level of each row; None where rows belong to no group.
    """

    n: int
    held: "Mapping[str, Array]"
    codes: Mapping[str, np.ndarray] | None

    def values(self, name: str) -> "Array":
        """Return the values of a variable."""
        return self.held[name]


def predictor_of(
    fit: "Fit", response: str | None, groups: str | None, scale: str, *, averages: bool,
    elsewhere: Any,
) -> "Predictor":  # fmt: skip
    """Find the equation to predict from, and check how.

    Raises:
        InputError: there is no such equation, or no such option.
    """
    names = fit.system.layout.responses
    if response is None and len(names) > 1:
        raise InputError(f"the model has {len(names)} equations; say response= ({listing(names)})")
    chosen = next(iter(names)) if response is None else plain(response)
    if chosen not in names:
        raise InputError(
            f"'{chosen}' has no equation{did_you_mean(chosen, names)} (equations: {listing(names)})"
        )
    if groups not in (None, "new", "observed"):
        raise InputError(f'groups must be "new" or "observed", not {groups!r}')
    if scale not in ("response", "linear"):
        raise InputError(f'scale must be "response" or "linear", not {scale!r}')
    if groups is None:
        groups = "new" if averages or elsewhere is not None else "observed"
    return Predictor(fit, fit.system.layout.equation(chosen), groups, scale)
