"""One prior, what it is on, and how parameters follow from what their priors are on."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from acmodels.families import scalars
from acmodels.spec.distribution import Distribution
from acmodels.spec.names import without_names
from acmodels.system.arrays import Array


@dataclass(frozen=True)
class Prior:
    """The prior of one structural parameter.

    Attributes:
        name: of the parameter.
        distribution: the prior; for a correlation, of its whole matrix.
        stated: the pattern that stated it, or None for a default.
        on: what a default prior is on, where that is not the parameter alone: names and weights.
            Of a coefficient, the weighted sum of coefficients that is the same coefficient of
            the model with centered predictors (of an intercept, the expected response at the
            predictors' means). Of a threshold, the threshold less this sum. Of a group sd,
            the sd of the weighted sum of its block's effects, each named by its own sd; the prior
            of the block's correlations is then on the correlations of these sums, which a
            weight of 1 on itself stands for.
        constant: added to the sum of a coefficient or a threshold: the mean of the offset.
        lower, upper: a family's further parameter or a loading lies strictly between these, and
            the prior is taken there only.
    """

    name: str
    distribution: Distribution
    stated: str | None = None
    on: tuple[tuple[str, float], ...] = ()
    constant: float = 0.0
    lower: float = 0.0
    upper: float = float("inf")

    @property
    def centered(self) -> bool:
        """Whether the prior is on a quantity at the predictors' means."""
        return bool(self.on) or self.constant != 0.0

    @property
    def held(self) -> float | None:
        """The value at which the parameter is held, or None."""
        if self.distribution.name != "Constant":
            return None
        return self.distribution.parameters["value"]

    @property
    def note(self) -> str:
        """What the prior is on, where that is not plainly the parameter, after a comma."""
        out = ""
        if self.centered:
            kind = pattern_kind(self.name)
            what = {
                "threshold": "threshold",
                "sd": "sd",
                "cor": "correlation",
                "intercept": "expected response",
            }
            out += f", on the {what.get(str(kind), 'slope')} at the predictors' means"
            if kind == "threshold":
                out += ", in order"
        shown = self.lower > 0 and np.isinf(self.upper)
        shown |= pattern_kind(self.name) == "loading" and self.held is None
        return out + (f", {self.range}" if shown else "")

    @property
    def range(self) -> str:
        """Where a family's further parameter lies, in words."""
        if np.isinf(self.upper):
            return f"above {self.lower:g}"
        if np.isinf(self.lower):
            return f"below {self.upper:g}"
        return f"between {self.lower:g} and {self.upper:g}"

    def allows(self, value: float) -> bool:
        """Say whether a family's further parameter can have a value."""
        return self.lower < value < self.upper


type Priors = Mapping[str, Prior]


def pattern_kind(pattern: str) -> str | None:
    """Say which kind of parameter a name or pattern can match: a pattern knows only its own.

    Names of columns may look like parameters: a response `sigma(y)` has the coefficient
    `sigma(y) ~ x`, and what stands in backticks is a name and nothing else.

    >>> pattern_kind("sigma(*)"), pattern_kind("sigma(y) ~ x"), pattern_kind("y ~ `a =~ b`")
    ('sigma', 'coefficient', 'coefficient')
    """
    text = without_names(pattern)
    for prefix in ("sd", "cor", "sigma", "sigma1", "cor1", "simo", *scalars()):
        if text.startswith(f"{prefix}(") and not re.search(r"[~|]", _after(text)):
            return prefix
    if re.search(r"\| *(t\d+|t?\*)$", text):
        return "threshold"
    if "~" not in text.replace("=~", ""):
        return "loading" if "=~" in text else None
    return "intercept" if re.search(r"~ *1$", text) else "coefficient"


def _after(text: str) -> str:
    """Return what follows the bracket that closes the first one; nothing where none does."""
    depth = 0
    for k, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if c == ")" and depth == 0:
            return text[k + 1 :]
    return ""


def turned(names: Sequence[str], priors: Priors) -> Array | None:
    """Return what parameters are, in terms of the quantities that their default priors are on.

    Args:
        names: coefficients of an equation without its intercept, or group sds of a block.
        priors: in force.

    Returns:
        A matrix (K, K) that multiplies those quantities (for sds: the effects that they are
        the sds of), or None where each prior is on its own parameter.
    """
    if not any(priors[n].on for n in names if n in priors):
        return None
    place = {n: k for k, n in enumerate(names)}
    on = np.eye(len(names))
    for n in names:
        if n in priors and priors[n].on:
            on[place[n]] = 0.0
            for other, weight in priors[n].on:
                on[place[n], place[other]] = weight
    return np.linalg.inv(on)
