"""Kinds of claims, one file each; the file's name is the kind.

A kind says which keys it has, which constructs play which role, which models the claim compiles to
in a setting, and how their draws are ruled on. `theory/compiling` has what kinds share.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from acmodels.errors import ModelError, did_you_mean, listing
from acmodels.framework.graph import Claim, Framework
from acmodels.spec.strict import Strict, check_table
from acmodels.theory.compiling import NotTestable as NotTestable
from acmodels.theory.ruling import Answers, Ruling

if TYPE_CHECKING:
    from acmodels.theory.compiling.adjustment import Adjustment
    from acmodels.theory.compiling.model_file import ModelFile
    from acmodels.theory.compiling.setting import Setting

type Direction = Literal["+", "-"]

LATER = ("ties",)
"""Kinds that a framework may state and that are not compiled yet."""


@dataclass(frozen=True)
class Terms:
    """On what terms a claim is judged.

    Attributes:
        probability: the threshold.
        smallest: the smallest effect of interest, in sd units.
    """

    probability: float
    smallest: float


@dataclass(frozen=True)
class Roles:
    """The constructs of a claim.

    Attributes:
        causes: whose effect is claimed.
        outcomes: on what.
        via: mediators.
        by: moderators.
        steps: pairs of cause and effect for which the theory must have a path of arrows.
        other: constructs that play no such role.
    """

    causes: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    via: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    steps: tuple[tuple[str, str], ...] = ()
    other: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Every construct."""
        several = (*self.causes, *self.via, *self.by, *self.outcomes, *self.other)
        return tuple(dict.fromkeys(several))


LEFT_OUT = "left_out"
"""The name under which a rule finds how much better units left out are predicted, (folds,)."""


@dataclass(frozen=True)
class LeftOut:
    """Rows to be left out together and predicted from the rest, by two models of one outcome.

    Attributes:
        models: names of two of the claim's models; the first is to predict better.
        folds: of each row, from 0, (rows,).
    """

    models: tuple[str, str]
    folds: NDArray[np.int64]


@dataclass(frozen=True)
class Compiled:
    """A claim with the models that test it.

    Attributes:
        models: to be fitted.
        rule: what their draws say; of answers and terms.
        question: what is asked of the data, in words.
        level: the kind of unit at which the claim is judged, in words.
        adjusted: constructs held fixed.
        adjustment: what could not be.
        notes: what a reader must know, as sentences.
        rule_words: the rule, as a person says it.
        rows: the setting of the models, where it is not the one that was given.
        at_prior: the rule before the data, where it rests on more of them than draws.
        latent: columns of constructs that are measured by their items in the models.
        scores: columns of constructs with items that are averages in them, with the reason.
        averages: the same claim with averages for all of them, for where this cannot be fitted.
        fallen: why the claim is tested on averages of items though there are items, or nothing.
        left_out: what the rule finds as `left_out` besides draws, or None.
    """

    models: "tuple[ModelFile, ...]"
    rule: Callable[[Answers, Terms], Ruling]
    question: str
    level: str = ""
    adjusted: tuple[str, ...] = ()
    adjustment: "tuple[Adjustment, ...]" = ()
    notes: tuple[str, ...] = ()
    rule_words: tuple[str, ...] = field(default=())
    rows: "Setting | None" = None
    at_prior: Callable[[Answers, Terms], Ruling] | None = None
    latent: tuple[str, ...] = ()
    scores: Mapping[str, str] = field(default_factory=dict[str, str])
    averages: "Compiled | None" = None
    fallen: str = ""
    left_out: LeftOut | None = None


@dataclass(frozen=True)
class ClaimKind:
    """What a kind's file provides.

    Attributes:
        name: of the file.
        Keys: the keys of the claim's table.
        roles: the constructs it is about.
        words: the claim as a phrase, of keys and names of constructs.
        compile: the models and the rule, in a setting.
        answers: whether rows are those of single answers (as of raters), where there are such.
        averages: why its models take averages of items and no latent constructs, or nothing.
    """

    name: str
    Keys: type[Strict]
    roles: Callable[[Any], Roles]
    words: Callable[[Any, Callable[[str], str]], str]
    compile: "Callable[[Any, Setting, str], Compiled]"
    answers: bool = False
    averages: str = ""


class Common(Strict):
    """Keys that every kind has."""

    level: str | None = None
    smallest: float | None = None


@lru_cache
def kinds() -> tuple[str, ...]:
    """Names of the kinds there are, found by listing this folder."""
    return tuple(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))


@lru_cache
def kind(name: str) -> ClaimKind:
    """Load a kind.

    Raises:
        ModelError: nobody knows it.
    """
    if name not in kinds():
        known = (*kinds(), *(k for k in LATER if k not in kinds()))
        raise ModelError(
            f"kind: unknown kind of claim '{name}'{did_you_mean(name, known)} "
            f"(kinds: {listing(known, 24)})"
        )
    module = importlib.import_module(f"{__name__}.{name}")
    given = {f.name: getattr(module, f.name) for f in fields(ClaimKind) if hasattr(module, f.name)}
    return ClaimKind(name=name, **given)


def read(claim: Claim, where: str) -> Any:
    """Read the keys of a claim.

    Raises:
        ModelError: unknown, missing or wrong keys; all of them.
    """
    return check_table(kind(claim.kind).Keys, claim.keys, "propositions.toml", where)


def names_in(framework: Framework, roles: Roles) -> Mapping[str, str]:
    """Return the field's names of a claim's constructs."""
    return {c: framework.constructs[c].name for c in roles.all if c in framework.constructs}


def several(value: str | Sequence[str]) -> tuple[str, ...]:
    """Return one or several names as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value)
