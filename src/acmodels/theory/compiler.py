"""Propositions to models: each claim compiled in the rows of a study that it needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from acmodels.data import Study
from acmodels.framework.graph import Claim, Framework, Proposition
from acmodels.numbers import decimal
from acmodels.theory import claims
from acmodels.theory.claims import LATER, Compiled, NotTestable, Terms
from acmodels.theory.compiling import latent, steps
from acmodels.theory.compiling import setting as settings
from acmodels.theory.compiling.equations import available, is_constant
from acmodels.theory.compiling.setting import Setting
from acmodels.theory.compiling.steps import RELIABLE


@dataclass(frozen=True)
class CompiledProposition:
    """A proposition with the models that test it, or why there are none.

    Attributes:
        proposition: what is claimed.
        compiled: one for each of its claims that can be tested; where some cannot, a claim that is
            contradicted still contradicts the whole.
        terms: on which it is judged.
        lacking: why it is not testable, in whole sentences without a full stop.
        settings: the rows of each claim.
    """

    proposition: Proposition
    compiled: tuple[Compiled, ...]
    terms: Terms
    lacking: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = field(default=(), repr=False)

    @property
    def question(self) -> str:
        """What is asked of the data."""
        return " ".join(
            dict.fromkeys(f"{c.question[:1].upper()}{c.question[1:]}" for c in self.compiled)
        )


def compile_proposition(
    framework: Framework,
    p: Proposition,
    study: Study,
    *,
    schematic: bool = False,
    scores: bool = False,
) -> CompiledProposition:
    """Compile every claim of a proposition.

    Args:
        framework: the theory.
        p: one of its propositions.
        study: the data.
        schematic: the data only stand for those of a full study.
        scores: take averages of items where constructs could be latent.

    Returns:
        Models and rules, or what the data lack.

    Raises:
        ModelError: a claim's keys do not fit its kind.
    """
    terms = Terms(p.probability or framework.probability, framework.smallest)
    if p.smallest is not None:
        terms = replace(terms, smallest=p.smallest)
    done: list[Compiled] = []
    lacking: list[str] = []
    unasked: list[str] = []  # of claims that are made where there are waves
    rows: list[Setting] = []
    for number, claim in enumerate(p.claims, 1):
        name = p.id if len(p.claims) == 1 else f"{p.id}_{number}"
        where = p.id if len(p.claims) == 1 else f"{p.id}: claim {number}"
        try:
            compiled, s = compile_claim(
                framework, claim, study, name, where, schematic=schematic, scores=scores
            )
        except NotTestable as why:
            (unasked if claim.keys.get("where_waves") else lacking).append(str(why))
            continue
        done.append(compiled)
        rows.append(s)
    if unasked and done:
        over = tuple(f"over waves nothing is asked: {why}" for why in dict.fromkeys(unasked))
        done[0] = replace(done[0], notes=(*done[0].notes, *over))
    lost = tuple(dict.fromkeys([*lacking, *(() if done else unasked)]))
    return CompiledProposition(p, tuple(done), terms, lost, tuple(rows))


def compile_claim(
    framework: Framework,
    claim: Claim,
    study: Study,
    name: str,
    where: str,
    *,
    schematic: bool = False,
    scores: bool = False,
) -> tuple[Compiled, Setting]:
    """Compile one claim.

    Where the study has items and averages are not asked for, its constructs are latent.

    Raises:
        NotTestable: the data lack what it needs.
        ModelError: its keys do not fit its kind.
    """
    if claim.kind in LATER and claim.kind not in claims.kinds():
        raise NotTestable(f"claims of the kind '{claim.kind}' are not compiled yet")
    kind = claims.kind(claim.kind)
    keys = claims.read(claim, where)
    roles = kind.roles(keys)
    unknown = [c for c in roles.all if c not in framework.constructs]
    if unknown:
        framework.construct(unknown[0])
    s = setting_for(framework, study, roles.all, schematic=schematic, answers=kind.answers)
    smaller = getattr(keys, "smallest", None)
    compiled = kind.compile(keys, s, name)
    noisy = _noisy(s, roles.causes, compiled.level) if compiled.rows is None else ()
    doubt = steps.not_told_apart(s, roles.all)  # by the ids of the data: averages have fewer
    s = compiled.rows or s
    made = dict(s.composites)
    compiled = replace(
        compiled,
        models=tuple(replace(m, made=made) for m in compiled.models),
        notes=(*s.notes, *compiled.notes, *noisy),
    )
    if smaller is not None:
        rule = compiled.rule
        compiled = replace(compiled, rule=lambda a, t: rule(a, replace(t, smallest=smaller)))
    if doubt:
        plain = compiled.rule
        compiled = replace(compiled, rule=lambda a, t: replace(plain(a, t), doubt=doubt))
    if not scores and not schematic and latent.has_items(study):
        compiled = _with_constructs(compiled, s, study, roles, claim.kind)
    return compiled, s


ALIKE = ("contrast", "order")
"""Kinds that compare effects of causes, which are all latent or all averages."""


def _with_constructs(
    c: Compiled, s: Setting, study: Study, roles: claims.Roles, kind: str
) -> Compiled:
    """Return a claim with constructs measured by their items, where that can be."""
    own = [leaf for x in roles.all for leaf in available(s, x)]
    weight = {x: a.weight.get(x, 0) for a in c.adjustment for x in a.needed}
    needed = sorted(weight, key=lambda x: -weight[x])
    causes = [leaf for x in roles.causes for leaf in available(s, x)]
    alike = [causes] if kind in ALIKE else []
    barred = claims.kind(kind).averages
    if c.rows is not None:
        barred = "its rows are not those of the units that people answer about"
    try:
        made = latent.with_constructs(c.models, s, study, own, needed, alike, barred=barred)
    except latent.NotLatentError as why:
        return replace(c, fallen=str(why))
    if made is None:
        return c
    if not made.constructs:
        return replace(c, scores=made.scores)
    partly = tuple(
        replace(a, partly=tuple(p for p in a.partly if s.columns.get(p[0]) not in made.constructs))
        for a in c.adjustment
    )
    return replace(
        c, models=made.models, adjustment=partly, latent=made.constructs, scores=made.scores,
        averages=c,
    )  # fmt: skip


def _noisy(s: Setting, causes: Sequence[str], level: str) -> tuple[str, ...]:
    """Name causes whose means in the claim's units are taken of a few rows."""
    unit = s.unit(level)
    if unit is None or not unit.repeated or s.schematic:
        return ()
    out: list[str] = []
    for part in dict.fromkeys(p for c in causes for p in available(s, c)):
        x = s.values(s.columns[part])
        reliability = 1.0 if is_constant(x, unit) else s.reliability(x, unit)
        if reliability < RELIABLE:
            out.append(
                f"the mean of {s.framework.constructs[part].name} in a {level} is that of its rows "
                f"(reliability {decimal(reliability, 2)}), which pulls its effect towards the "
                f"slope within {level}s"
            )
    return tuple(out)


def setting_for(
    framework: Framework,
    study: Study,
    constructs: Sequence[str],
    *,
    schematic: bool = False,
    answers: bool = False,
) -> Setting:
    """Take the rows of a study that a claim about some constructs needs.

    Args:
        framework: the theory.
        study: the data.
        constructs: that the claim is about.
        schematic: the data only stand for those of a full study.
        answers: take the rows of single answers, where several tables have such.
    """
    needed: list[str] = []
    if study.parts:
        names = {c for part in study.parts for c in part.frame.columns}
        columns = settings.measured(framework, sorted(names))
        for c in constructs:
            needed += [columns[leaf] for leaf in _standing(framework, c, columns)]
        if answers:
            full = [p for p in study.parts if p.rows and set(needed) <= set(p.frame.columns)]
            finest = max(full, key=lambda p: len(p.keys), default=None)
            needed += finest.keys if finest is not None else ()
    key = (id(framework), id(study), tuple(sorted(set(needed))), tuple(sorted(constructs)), answers)
    if key not in _SETTINGS:
        if len(_SETTINGS) > 256:
            _SETTINGS.clear()
        made = settings.setting(framework, study, needed)
        if not answers:
            own = [
                made.columns[x] for c in constructs for x in _standing(framework, c, made.columns)
            ]
            made = settings.once_each(made, own)
        _SETTINGS[key] = (framework, study, replace(made, schematic=schematic))
    return _SETTINGS[key][2]


_SETTINGS: dict[Any, tuple[Framework, Study, Setting]] = {}


def _standing(framework: Framework, construct: str, columns: Mapping[str, str]) -> list[str]:
    c = framework.constructs[construct]
    if not c.parts:
        if construct in columns:
            return [construct]
        reverse = settings.opposites(framework, columns).get(construct)
        return [reverse] if reverse is not None else []
    found = [x for p in c.parts for x in _standing(framework, p, columns)]
    return found or ([construct] if construct in columns else [])


@lru_cache(maxsize=4)
def full_study(framework: Framework, districts: int = 30) -> Study:
    """Return a table in which every construct of a framework is measured, for models without data.

    Units are made as the framework nests them, two of each kind in the one above; kinds that lie
    in none cross. Values are independent standard normal draws; nothing but their pattern matters.
    """
    rng = np.random.default_rng(20)
    nested = sorted(framework.units, key=lambda u: len(framework.above[u]))
    deepest = max(framework.units, key=lambda u: len(framework.above[u]))
    chain = [*framework.above[deepest][::-1], deepest]
    rows = pd.DataFrame({chain[0]: np.arange(districts)})
    for unit in chain[1:]:
        rows = rows.loc[rows.index.repeat(3)].reset_index(drop=True)
        rows[unit] = np.arange(len(rows))
    codes: dict[str, np.ndarray] = {u: rows[u].to_numpy() for u in chain}
    described = {c.level for c in framework.constructs.values()}
    for unit in nested:
        if unit not in codes and unit in described:
            above = framework.units[unit].within
            if above is not None:
                codes[unit] = codes[above] * 3 + rng.integers(3, size=len(rows))
            else:
                codes[unit] = rng.integers(max(2, districts * 2 // 3), size=len(rows))
    frame: dict[str, Any] = {
        framework.units[u].id: [f"{u}_{k}" for k in codes[u]] for u in framework.units if u in codes
    }
    for c in framework.constructs.values():
        if c.parts or c.opposite_of is not None or c.baseline_of is not None:
            continue
        code = codes[c.level]
        units = int(code.max()) + 1
        values = rng.standard_normal(units)[code]
        frame[c.id] = (
            np.array(c.categories, dtype=object)[rng.integers(len(c.categories), size=units)[code]]
            if c.categories
            else values
        )
    for c in framework.constructs.values():
        if c.opposite_of in frame:
            frame[c.id] = -frame[str(c.opposite_of)]
    return Study("a full study", pd.DataFrame(frame))
