"""Units in waves, for claims about change: one row for each unit in each wave."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from acmodels.data import Study, label_codes, numeric
from acmodels.errors import AcmodelsError, listing
from acmodels.framework.graph import Framework
from acmodels.theory.compiling import NotTestable, steps
from acmodels.theory.compiling import equations as eq
from acmodels.theory.compiling.setting import Array, Kind, Setting, id_column, setting

PLAN = (
    "; `acmodels power`, on a plan whose [grid] has waves and units and whose [cost] has their "
    "prices, says how many of each a lag takes and what they cost"
)
"""Where a person finds what more waves would buy."""


@dataclass(frozen=True)
class Need:
    """What a kind of claim takes of waves.

    Attributes:
        waves: that a unit must have, at least.
        about: what the claim is about, with `{}` for the kind of unit.
        fewer: what fewer waves cannot do, likewise.
        plan: where a person finds what more of them would buy, or nothing.
        even: whether waves must be equally long.
        crossed: whether rows of a unit that belong to different units of a kind that crosses it (as
            partners cross departments) stay apart.
    """

    waves: int
    about: str
    fewer: str
    plan: str = ""
    even: bool = True
    crossed: bool = False


CHANGE = Need(
    3, "change within {}s over waves",
    "with fewer than 3 a lag cannot be told from stable differences between {}s", PLAN,
)  # fmt: skip


@dataclass(frozen=True)
class Panel:
    """The rows of a claim about change.

    Attributes:
        setting: one row for each unit in each wave.
        level: of the claim.
        unit: its kind of unit.
        wave: the column of waves, whole numbers with equal steps.
        number: the wave of each row, counted from 0, (rows,).
        notes: what was done to the rows.
    """

    setting: Setting
    level: steps.Level
    unit: Kind
    wave: str
    number: Array
    notes: tuple[str, ...] = ()

    @property
    def last(self) -> int:
        """The number of the last wave."""
        return int(self.number.max())


def panel(
    s: Setting,
    causes: Sequence[str],
    others: Sequence[str],
    stated: str | None = None,
    need: Need = CHANGE,
) -> Panel:
    """Take the rows of a claim about waves: of each unit in each wave, the mean of its rows.

    Args:
        s: rows of a study.
        causes: constructs of the claim, whose level counts first.
        others: the rest of them.
        stated: the level that the claim states, or None.
        need: what the claim takes of waves.

    Raises:
        NotTestable: there are no units in enough waves.
    """
    if s.schematic:
        s = in_three_waves(s)
    for c in (*causes, *others):
        steps.require(s, c, "construct")
    level = steps.level_of(s, causes, others, stated)
    where = f"the claim is about {need.about.format(level.name)}"
    if s.wave is None:
        raise NotTestable(
            f"{where}, and the data have one wave, or no column '{s.framework.wave}' that says "
            f"which; it takes {need.waves} waves or more of the same {level.name}s{need.plan}"
        )
    unit = s.unit(level.name)
    if unit is None or id_column(s.framework, level.name, s.study.names) is None:
        raise NotTestable(
            f"{where}, and the data have no id column of {level.name}s "
            f"('{s.framework.units[level.name].id}') that says which rows are of the same one"
        )
    number, count = _numbers(s, s.wave, where, even=need.even)
    if count < need.waves:
        more = need.waves - count
        a_wave = int(np.bincount(number[np.isfinite(number)].astype(np.int64)).max())
        raise NotTestable(
            f"{where}, and the data have {count} waves; {need.fewer.format(level.name)}. It takes "
            f"{more} more wave{'s' * (more > 1)} of the same {level.name}s, {a_wave} rows each as "
            f"now{need.plan}"
        )
    constructs = [x for c in (*causes, *others) for x in eq.available(s, c)]
    apart = _crossing(s, unit, number, others) if need.crossed else ()
    made, notes = _one_row_each(s, unit, s.wave, number, constructs, apart)
    own = made.unit(level.name)
    if own is None or not own.repeated:
        raise NotTestable(f"{where}, and no {level.name} has rows in several waves")
    number, _ = _numbers(made, str(made.wave), where, even=need.even)
    there = np.unique(np.stack([own.codes, number.astype(np.int64)]), axis=1)
    enough = int((np.bincount(there[0], minlength=own.size) >= need.waves).sum())
    if enough < steps.LEAST_UNITS:
        raise NotTestable(
            f"{where}, and {enough} {level.name}s have {need.waves} waves or more; a verdict "
            f"needs at least {steps.LEAST_UNITS}"
        )
    return Panel(made, level, own, str(made.wave), number, (*level.notes, *notes))


def _numbers(s: Setting, wave: str, where: str, *, even: bool) -> tuple[Array, int]:
    """Count waves from 0, in order; refuse steps that differ where they must be `even`."""
    try:
        found = numeric(s.study, wave)
    except AcmodelsError:
        raise NotTestable(f"{where}, and '{wave}' does not number them") from None
    known = np.unique(found[np.isfinite(found)])
    steps_ = np.diff(known)
    whole = not np.any(known != np.rint(known))
    if not whole or (even and np.any(steps_ != steps_[:1])):
        said = listing([f"{v:g}" for v in known], 8)
        raise NotTestable(
            f"{where}, and '{wave}' does not number waves in equal steps ({said}), so that a lag "
            "would not be the same length everywhere"
            if even
            else f"{where}, and '{wave}' does not number waves by whole numbers ({said})"
        )
    place = np.searchsorted(known, found).astype(float)
    return np.where(np.isfinite(found), place, np.nan), len(known)


def _crossing(s: Setting, unit: Kind, number: Array, constructs: Sequence[str]) -> tuple[Kind, ...]:
    """Return the kinds that cross a claim's units, where constructs differ inside its waves."""
    waves = int(np.nanmax(number)) + 1
    codes = np.where(np.isfinite(number), unit.codes * waves + np.nan_to_num(number), -1)
    cell = Kind(unit.name, unit.column, codes.astype(np.int64), unit.size * waves)
    if all(s.constant(s.columns[x], cell) for c in constructs for x in eq.available(s, c)):
        return ()  # their rows would be the same ones again
    return tuple(k for k in s.kinds if k is not unit and not unit.inside(k) and not k.inside(unit))


def _one_row_each(
    s: Setting,
    unit: Kind,
    wave: str,
    number: Array,
    constructs: Sequence[str],
    apart: Sequence[Kind] = (),
) -> tuple[Setting, tuple[str, ...]]:
    """Average the rows of each unit in each wave; kinds that it lies in keep their ids.

    Rows of different units of kinds that stay `apart` are averaged apart.
    """
    import pandas as pd

    columns = list(dict.fromkeys(s.columns[c] for c in constructs))
    text = [c for c in columns if not eq.is_number(s, c)]
    if text:
        raise NotTestable(f"'{text[0]}' holds text, which has no mean over rows and no change")
    known = np.isfinite(number) & (unit.codes >= 0)
    cell = np.stack([unit.codes, np.where(known, number, 0).astype(np.int64),
                     *(k.codes for k in apart)])  # fmt: skip
    if known.all() and np.unique(cell, axis=1).shape[1] == s.n:
        return s, ()
    kinds = [k for k in s.kinds if k in (unit, *apart) or unit.inside(k)]
    frame = pd.DataFrame({k.column: s.study.frame[k.column].astype(str) for k in kinds})
    frame[wave] = numeric(s.study, wave)
    for c in columns:
        frame[c] = s.values(c)
    frame = frame[known]
    ids = [unit.column, wave, *(k.column for k in apart)]
    first = {k.column: "first" for k in kinds if k.column not in ids}
    made = frame.groupby(ids, sort=False).agg(first | dict.fromkeys(columns, "mean"))
    made = made.reset_index()
    made[wave] = made[wave].astype(int)
    study = replace(s.study, frame=made, parts=(), tables={}, labels=None)
    out = setting(s.framework, study)
    of = "".join(f" and {k.name}" for k in apart)
    said = f"the rows of a {unit.name}{of} in a wave are averaged: {s.n} rows become {len(made)}"
    return replace(out, randomized=s.randomized, schematic=s.schematic), (said,)


def in_three_waves(s: Setting) -> Setting:
    """Return the rows of a full study in three waves, with values drawn anew."""
    import pandas as pd

    rng = np.random.default_rng(21)
    frames: list[pd.DataFrame] = []
    ids = {k.column for k in s.kinds}
    codes = {k.column: label_codes(s.study, k.column)[0] for k in s.kinds}
    for number in (1, 2, 3):
        frame = s.study.frame.copy()
        frame[s.framework.wave] = number
        for c in s.columns.values():
            if c in ids or not eq.is_number(s, c):
                continue
            home = s.home(c)
            of = np.arange(s.n) if home is None else codes[home.column]
            frame[c] = rng.standard_normal(int(of.max()) + 1)[of]
        frames.append(frame)
    whole = pd.concat(frames, ignore_index=True)
    study = Study("a full study in three waves", whole)
    return replace(setting(s.framework, study), schematic=True)


def variable(p: Panel, construct: str) -> eq.Response:
    """Make the variable of a construct: its column, or the composite of its parts, as a number."""
    s = p.setting
    parts = eq.available(s, construct)
    if len(parts) == 1:
        column = s.columns[parts[0]]
        spread = s.spread(s.values(column))
        return eq.Response(construct, column, (), spread, "gaussian", None, None, parts)
    made = eq.of_columns(s, construct, tuple(s.columns[c] for c in parts), parts)
    return replace(made, home=None)


def inside(p: Panel, name: str) -> float:
    """Return the sd of a variable's deviations from the means of units."""
    s = p.setting
    return s.spread(s.values(name) - s.means(name, p.unit))


def lasting(f: Framework, p: Panel) -> tuple[Kind, ...]:
    """Return the kinds of unit that get an intercept: the claim's, and those that it lies in."""
    del f
    outer = [k for k in p.setting.kinds if k is not p.unit and p.unit.inside(k) and k.repeated]
    outer = [k for k in outer if not any(o is not k and o.inside(k) for o in outer)]
    return (p.unit, *outer)
