"""What is there lasts longer (less long) with a cause: the hazard that it ends, wave by wave.

A column `X_start` and a column `X_end`, in waves, make a spell of construct X; an empty end is a
spell that still lasts at the last wave. An end is known to lie between two waves and no closer, so
that time is discrete, and a spell counts once for each wave in which it could have ended (Singer &
Willett, 1993, *Journal of Educational Statistics* 18, 155-195).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial as bound
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from acmodels.data import numeric
from acmodels.numbers import decimal
from acmodels.spec import parameters as named
from acmodels.spec.names import quoted
from acmodels.theory.claims import Common, Compiled, NotTestable, Roles, Terms, effect
from acmodels.theory.compiling import equations as eq
from acmodels.theory.compiling import setting as settings
from acmodels.theory.compiling import steps
from acmodels.theory.compiling.model_file import ModelFile
from acmodels.theory.compiling.setting import Array, Index, Setting
from acmodels.theory.ruling import Answers, Part, Ruling, of_effect

LEAST_ENDS = 8
"""Spells that ended, below which no rule can decide."""

LOGISTIC = 1.8
"""The sd of a standard logistic variable, by which log odds are standardized."""


class Keys(Common):
    """The keys of a duration."""

    of: str
    from_: Annotated[str, Field(alias="from")]
    sign: Literal["+", "-"]


def roles(keys: Keys) -> Roles:
    """Return the constructs."""
    return Roles((keys.from_,), (keys.of,), steps=((keys.from_, keys.of),))


def words(keys: Keys, name: Callable[[str], str]) -> str:
    """Say the claim."""
    longer = "longer" if keys.sign == "+" else "less long"
    return f"{name(keys.of)} lasts {longer} the more there is of {name(keys.from_)}"


@dataclass(frozen=True)
class Spells:
    """Spells of the rows of a study, one for each row that has one.

    Attributes:
        row: of the study, (n,).
        waves: for how many waves each was seen, at least 1, (n,).
        ended: whether it ended at the last of these, (n,).
        lost: spells that were seen for no wave, since they start at the last or end before.
    """

    row: Index
    waves: Index
    ended: Index
    lost: int = 0

    def periods(self) -> tuple[Index, Array, Array]:
        """Return one entry for each spell and wave: its row, which wave it is, whether it ended."""
        row = np.repeat(self.row, self.waves)
        first = np.repeat(np.cumsum(self.waves) - self.waves, self.waves)
        period = np.arange(len(row)) - first + 1
        last = period == np.repeat(self.waves, self.waves)
        return row, period.astype(float), (last & (np.repeat(self.ended, self.waves) == 1)) * 1.0


def spells(start: Array, end: Array) -> Spells:
    """Read spells from the waves in which they start and end.

    Args:
        start: NaN where there is no spell, (rows,).
        end: NaN where it still lasts at the last wave of all, (rows,).
    """
    last = np.nanmax(np.r_[start, end])
    seen = np.isfinite(start)
    until = np.where(np.isfinite(end), end, last)
    waves = np.where(seen, until - start, 0)
    keep = seen & (waves >= 1)
    return Spells(
        np.flatnonzero(keep),
        waves[keep].astype(np.int64),
        np.isfinite(end[keep]).astype(np.int64),
        int((seen & ~keep).sum()),
    )


def compile(keys: Keys, s: Setting, name: str) -> Compiled:  # noqa: A001 - the verb of the room
    """Compile the hazard of an end where there are spells, and else the effect on the level.

    Raises:
        NotTestable: too few spells ended.
    """
    column = s.columns.get(keys.of, keys.of)
    start, end = f"{column}_start", f"{column}_end"
    if not {start, end} <= set(s.study.names):
        return _of_level(keys, s, name, (start, end))
    found = spells(numeric(s.study, start), numeric(s.study, end))
    if int(found.ended.sum()) < LEAST_ENDS:
        raise NotTestable(
            f"{int(found.ended.sum())} spells of '{keys.of}' ended ('{end}'); no rule can decide "
            f"with fewer than {LEAST_ENDS}"
        )
    long = _expanded(s, found, keys.of)
    return _hazard(keys, long, name, found)


def _of_level(keys: Keys, s: Setting, name: str, columns: tuple[str, str]) -> Compiled:
    given = {"from": keys.from_, "to": keys.of, "sign": keys.sign, "level": keys.level}
    made = effect.compile(effect.Keys.model_validate(given), s, name)
    note = (
        f"the data have no spells of {keys.of} ('{columns[0]}' and '{columns[1]}', in waves), so "
        "that its level is judged and not how long it lasts"
    )
    return replace(made, notes=(*made.notes, note))


def _expanded(s: Setting, found: Spells, construct: str) -> Setting:
    """Take one row for each spell and wave."""
    row, period, ended = found.periods()
    frame = s.study.frame.iloc[row].reset_index(drop=True)
    frame = frame.assign(**{f"{construct}_period": period, f"{construct}_ended": ended})
    made = settings.setting(s.framework, replace(s.study, frame=frame, parts=(), tables={}))
    return replace(made, wave=None)


def _hazard(keys: Keys, s: Setting, name: str, found: Spells) -> Compiled:
    steps.require(s, keys.from_, "cause")
    period, ended = f"{keys.of}_period", f"{keys.of}_ended"
    level = steps.level_of(s, [keys.from_], [keys.of], keys.level)
    x = eq.column(s, keys.from_)
    cause = eq.predictor(s, x, None, None, f"the cause ({s.framework.constructs[keys.from_].name})")
    text = f"factor({quoted(period)})"
    waves = sorted({int(v) for v in s.values(period)})
    pieces = [cause]
    if len(waves) > 1:
        why = "how long the spell has lasted"
        pieces.append(eq.Piece((text,), {text: 1.0}, {text: 1.0}, text, why, ()))
    r = eq.Response(keys.of, ended, (), LOGISTIC, "bernoulli", None, None, (keys.of,))
    drafted = eq.drafted(s, r, pieces)
    spell = settings.Kind("spell", "", np.repeat(found.row, found.waves), int(found.row.max()) + 1)
    outer = tuple(g for g in drafted.groups if _larger(g, found))
    drafted = replace(drafted, groups=outer)
    estimands = {
        "slope": {"kind": "coefficient", "parameter": named.coefficient(quoted(ended), x)},
        "level": {"kind": "coefficient", "parameter": named.intercept(quoted(ended))},
    }
    for w in waves[1:]:
        parameter = named.coefficient(quoted(ended), f"{text}[{w}]")
        estimands[f"wave_{w}"] = {"kind": "coefficient", "parameter": parameter}
    first = np.unique(spell.codes, return_index=True)[1]
    values = s.values(x)[first]
    said = words(keys, lambda c: s.framework.constructs[c].name)
    return Compiled(
        (ModelFile(name, said, (drafted,), estimands, top={"missing": "drop"}),),
        bound(rule, keys=keys, waves=tuple(waves), at=(s.mean(values), s.spread(values)),
              ended=(int(found.ended.sum()), len(found.row))),
        said, level.name,
        notes=(
            *level.notes,
            "one row is one spell in one wave; nothing but how long it has lasted is held fixed",
            *([f"{found.lost} spells were seen for no wave and are left out"] * bool(found.lost)),
        ),
        rule_words=(f"P(odds of ending {'fall' if keys.sign == '+' else 'rise'} with the cause)",),
        rows=s,
    )  # fmt: skip


def _larger(g: settings.Kind, found: Spells) -> bool:
    """Whether units hold several spells: with one end each nothing tells how units differ."""
    first = np.cumsum(found.waves) - found.waves
    return len(np.unique(g.codes[first])) <= len(first) // 2


def survival(level: Array, slope: Array, more: list[Array], x: float) -> Array:
    """Return the probability that a spell still lasts after each wave, (waves, S)."""
    from scipy.special import expit

    hazard = np.stack([expit(level + m + slope * x) for m in more])
    return np.cumprod(1 - hazard, axis=0)


def rule(
    answers: Answers, terms: Terms, *, keys: Keys, waves: tuple[int, ...],
    at: tuple[float, float], ended: tuple[int, int],
) -> Ruling:  # fmt: skip
    """Rule on the odds of ending; how many waves a spell lasts is shown beside it."""
    p, s = terms.probability, terms.smallest
    slope, (mean, sd) = answers["slope"], at
    longer = -slope * sd / LOGISTIC
    more = [answers.get(f"wave_{w}", np.zeros(len(slope))) for w in waves]
    low, high = (
        1 + survival(answers["level"], slope, more, mean + k * sd)[:-1].sum(axis=0) for k in (-1, 1)
    )
    main = Part("log odds of lasting on, per sd", keys.from_, keys.of, longer, keys.sign, s, p)
    part = Part(f"waves out of {len(waves)} that a spell lasts, at 1 sd above less 1 sd below the "
                "mean", keys.from_, keys.of, high - low, keys.sign, 0.0, p, "waves")  # fmt: skip
    found = of_effect(longer, keys.sign, s, p, main, [main, part])
    said = (
        f"{ended[0]} of {ended[1]} spells ended; the others still lasted at the last wave. Within "
        f"{len(waves)} waves a spell lasts {decimal(float(low.mean()), 1)} where the cause is 1 sd "
        f"below its mean, and {decimal(float(high.mean()), 1)} where it is 1 sd above."
    )
    return replace(found, said=(said,))
