"""Scores of constructs in a compiled model become constructs measured by their items.

A claim is compiled on scores first. Here the scores of the claim's own constructs, and of what must
be held fixed, are replaced: each becomes a latent variable at the level of the units that people
answered about, measured by their answers, with who answers as raters. What only explains the
outcome stays a score, since its error biases nothing. The rows are then those of answers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from acmodels.data import Study, items_of_construct
from acmodels.data.answers import PERSON, with_answers
from acmodels.data.scores import item_answers
from acmodels.data.table import TablePart
from acmodels.errors import listing
from acmodels.spec import parameters as named
from acmodels.spec.formula import Operand
from acmodels.spec.names import plain, quoted
from acmodels.spec.parsing import parse_term
from acmodels.theory.compiling import equations as eq
from acmodels.theory.compiling.equations import Drafted, Piece, Response
from acmodels.theory.compiling.model_file import ModelFile
from acmodels.theory.compiling.setting import Array, Kind, Setting

LEAST_ITEMS = 3
"""Items that tell loadings apart without help."""

RELATED = 2.0
"""Standard errors from zero at which a construct goes with an observed variable."""

MOST_HELD = 3
"""Constructs beside the claim's own that are latent in one claim; each costs as much again."""

MOST_EXPLAINED = 0.6
"""Share of a construct's variance that its predictors are taken to explain, at most, for priors."""


class NotLatentError(Exception):
    """Says why a claim cannot be tested on constructs measured by items."""


@dataclass(frozen=True)
class Items:
    """What measures a construct in a study.

    Attributes:
        column: of its score.
        items: columns of answers.
        level: the kind of unit that is answered about.
        rated: whether some unit has several raters.
    """

    column: str
    items: tuple[str, ...]
    level: Kind
    rated: bool

    def table(self) -> dict[str, Any]:
        """Return the `[measures]` table."""
        out: dict[str, Any] = {"items": list(self.items), "level": self.level.column}
        return out | ({"rater": PERSON} if self.rated else {})


@dataclass(frozen=True)
class Latent:
    """The models of a claim with constructs measured by items.

    Attributes:
        models: with the rows that each is fitted on.
        constructs: columns that are latent in some model.
        scores: columns that could not be, with the reason.
    """

    models: tuple[ModelFile, ...]
    constructs: tuple[str, ...]
    scores: Mapping[str, str]


def has_items(study: Study) -> bool:
    """Say whether a study has answers to items of constructs."""
    return {"responses", "items"} <= set(study.tables)


# --- what is measured by items --------------------------------------------------------

_ANSWERS: WeakKeyDictionary[Study, dict[Any, Any]] = WeakKeyDictionary()


def _answers(study: Study, items: Sequence[str]) -> list[TablePart]:
    known = _ANSWERS.setdefault(study, {})
    key = tuple(sorted(items))
    if key not in known:
        known[key] = [TablePart(k, f, "responses") for k, f in item_answers(study.tables, items)]
    return known[key]


def items_for(s: Setting, study: Study, column: str) -> Items | str | None:
    """Find what measures a score.

    Returns:
        The items; why they cannot measure it; or None where the column is no score of items.
    """
    items = items_of_construct(study.tables, column)
    if not items or not any(p.table == "responses" and column in p.frame for p in study.parts):
        return None
    if len(items) < LEAST_ITEMS:
        return f"it has {len(items)} item{'s' * (len(items) > 1)}, and it takes {LEAST_ITEMS}"
    about = _answers(study, items)
    if len(about) != 1:
        return "its items are answered about several kinds of units"
    keys = [k for k in about[0].keys if k != PERSON]
    if len(keys) != 1:
        return "its items are answered in several waves" if keys else "people answer on themselves"
    level = next((k for k in s.kinds if _same_id(k.column, keys[0])), None)
    if level is None:
        return "the rows have one unit of those that its items are about"
    frame = about[0].frame
    varied = [i for i in items if len(set(frame[i].dropna())) > 1]
    if len(varied) < LEAST_ITEMS:
        return f"{len(varied)} of its items have more than one answer, and it takes {LEAST_ITEMS}"
    return Items(column, tuple(varied), level, bool(frame.duplicated(keys).any()))


def _same_id(a: str, b: str) -> bool:
    return a.removesuffix("_id") == b.removesuffix("_id")


def rows_of_answers(
    s: Setting, study: Study, measured: Iterable[Items], columns: Mapping[str, Array] | None = None
) -> Study:
    """Return the rows of a setting with the answers to some constructs' items beside them.

    Args:
        s: the setting.
        study: with tables of items and answers.
        measured: the constructs.
        columns: further columns of the setting's rows.
    """
    columns = columns or {}
    items = tuple(sorted({i for one in measured for i in one.items}))
    known = _ANSWERS.setdefault(s.study, {})
    key = (items, tuple(sorted(columns)))
    if key not in known:
        frame = with_answers(s.study.frame.assign(**columns), _answers(study, items))
        known[key] = replace(s.study, frame=frame, parts=(), tables={})
    return known[key]


def unit_means(study: Study, measured: Sequence[Items]) -> Array:
    """Return the means of items over the raters of each unit, (units, items).

    Args:
        study: with tables of items and answers.
        measured: constructs of one kind of unit.
    """
    items = [i for one in measured for i in one.items]
    (about,) = _answers(study, items)
    (unit,) = (k for k in about.keys if k != PERSON)
    means: Any = about.frame.groupby(unit, sort=True)[items].mean()
    return means.to_numpy(dtype=float)


# --- the models of a claim -------------------------------------------------------------


def with_constructs(
    models: Sequence[ModelFile],
    s: Setting,
    study: Study,
    own: Sequence[str],
    needed: Iterable[str],
    alike: Sequence[Sequence[str]] = (),
    *,
    barred: str = "",
) -> Latent | None:
    """Replace scores in the models of a claim by constructs measured by items.

    Args:
        models: compiled on scores.
        s: the setting they were compiled in.
        study: with tables of items and answers.
        own: constructs of the claim; of composites, their parts.
        needed: constructs that must be held fixed, the most important first.
        alike: sets of constructs that are all latent or all scores.
        barred: why nothing can be latent, or nothing.

    Returns:
        The models, or None where none has a construct with items; no models where none can be
        latent.

    Raises:
        NotLatentError: the models have such constructs and cannot take them as latent, or none of
            the claim's own is latent in the first.
    """
    found, lost = _measured(s, study, own, needed, alike)
    used = {v for m in models for v in _variables(m)}
    lost = {c: why for c, why in lost.items() if c in used}
    if not set(found) & used:
        return Latent((), (), lost) if lost else None
    if barred:
        raise NotLatentError(barred)
    if s.wave is not None:
        raise NotLatentError("the study has several waves")
    rows = next((k for k in s.kinds if not k.repeated and k.size == s.n), None)
    if rows is None or (rows.codes < 0).any():
        raise NotLatentError("no id tells the rows apart")
    if PERSON in s.study.names or "person" in s.study.names:
        raise NotLatentError("the rows are those of persons")
    last = {s.columns[c] for c in own if c in s.columns}
    made: list[ModelFile] = []
    for m in models:
        some = {c: i for c, i in found.items() if c in _variables(m)}
        made.append(_Rewriter(m, s, study, some, rows, last).file() if some else m)
    if not last & set(made[0].measures):
        names = [s.framework.constructs[c].name if c in s.framework.constructs else c
                 for c in _composites(models[:1], s, found)]  # fmt: skip
        if not names:
            return None
        raise NotLatentError(f"{listing(names)} is the average of several constructs")
    latent = tuple(dict.fromkeys(c for m in made for c in m.measures))
    return Latent(tuple(made), latent, _composites(models, s, found) | lost)


def _measured(
    s: Setting,
    study: Study,
    own: Sequence[str],
    needed: Iterable[str],
    alike: Sequence[Sequence[str]],
) -> tuple[dict[str, Items], dict[str, str]]:
    """Find the scores that can be latent, and why others cannot; no item measures two of them."""
    found: dict[str, Items] = {}
    lost: dict[str, str] = {}
    held = 0
    for c in dict.fromkeys([*own, *needed]):
        column = s.columns.get(c)
        if column is None or column in s.composites:
            continue
        one = items_for(s, study, column)
        if isinstance(one, str):
            lost[column] = one
        elif one is not None:
            other = next((o for o in found.values() if set(o.items) & set(one.items)), None)
            if other is None and c not in own and held == MOST_HELD:
                lost[column] = f"{MOST_HELD} others that are held fixed are latent"
            elif other is None:
                found[column] = one
                held += c not in own
            else:
                lost[column] = f"its items measure {other.column} too"
    for group in alike:
        columns = {s.columns[c] for c in group if c in s.columns}
        apart = columns - set(found)
        if apart and columns & set(found):
            for c in columns & set(found):
                del found[c]
                lost[c] = f"it is compared with {listing(sorted(apart), 3)}, which has no items"
    return found, lost


def _composites(
    models: Sequence[ModelFile], s: Setting, found: Mapping[str, Items]
) -> dict[str, str]:
    """Say which variables of the models are averages of several constructs."""
    used = {v for m in models for v in _variables(m)}
    return {
        v: "it is the average of several constructs"
        for v in used
        if {c.removeprefix("-") for c in s.composites.get(v, ())} & set(found)
    }


def _variables(m: ModelFile) -> set[str]:
    out = {e.response.name for e in m.equations}
    for e in m.equations:
        for p in e.pieces:
            for text in p.texts:
                out |= {v for o in parse_term(text).operands for v in o.variables}
    return out


# --- one model -------------------------------------------------------------------------


class _Rewriter:
    """Rewrites one model: terms, responses, equations of constructs, estimands, rows."""

    def __init__(
        self,
        model: ModelFile,
        s: Setting,
        study: Study,
        latent: Mapping[str, Items],
        rows: Kind,
        last: set[str],
    ) -> None:
        self.model, self.s, self.study, self.latent, self.rows = model, s, study, latent, rows
        self.last = last
        self.responses = {e.response.name for e in model.equations}
        self.columns: dict[str, Array] = {}
        self.texts: dict[str, str] = {}
        self.sds: dict[str, float] = {}

    def file(self) -> ModelFile:
        """Return the model with constructs."""
        before = [d.response.name for d in self.model.equations]
        for c in self.latent:
            drafted = next((d for d in self.model.equations if d.response.name == c), None)
            self.sds[c] = 1.0 if drafted is None else self._sd(c, drafted.pieces)
        own = [self._equation(d) for d in self.model.equations]
        added = self._exogenous([c for c in self.latent if c not in before])
        equations = (*added, *own)
        estimands = {
            k: self._estimand(v, moved=_moved(added)) for k, v in self.model.estimands.items()
        }
        priors = {k: v for k, v in self.model.priors.items() if not self._of_scale(k)}
        return replace(
            self.model,
            equations=tuple(equations),
            estimands=estimands,
            priors=priors,
            measures={c: i.table() for c, i in self.latent.items()},
            study=rows_of_answers(self.s, self.study, self.latent.values(), self.columns),
        )

    def _of_scale(self, name: str) -> bool:
        return name in {named.sigma(quoted(c)) for c in self.latent}

    # terms

    def _operand(self, o: Operand) -> tuple[str, float, bool]:
        """Return an operand's text, the factor of its sd, and whether it is latent."""
        if not any(v in self.latent for v in o.variables):
            return self._observed(o), 1.0, False
        name = quoted(o.variable)
        own = self.sds[o.variable]
        if o.function is None:
            return name, own / self.s.spread(self.s.values(o.variable)), True
        if o.function in ("within", "between") and _bare(o.inner):
            return o.text, own / self.s.spread(self.s.values(o.variable)), True
        if o.function in ("standardize", "center") and _bare(o.inner):
            scale = 1.0 if o.function == "standardize" else self.s.spread(self.s.values(o.variable))
            return name, own / scale, True
        if o.function == "square" and o.inner is not None:
            text, factor, _ = self._operand(o.inner)
            return f"square({text})", factor**2, True
        raise NotLatentError(f"{o.variable} enters by {o.function}()")

    def _observed(self, o: Operand) -> str:
        if o.function not in ("within", "between") or not _bare(o.inner) or o.unit is None:
            return o.text
        if o.variable in self.responses:
            return o.text
        name = f"{o.variable}_{o.function}_{o.unit}"
        if name not in self.columns:
            unit = next(k for k in self.s.kinds if k.column == plain(o.unit))
            mean = self.s.means(o.variable, unit)
            x = mean if o.function == "between" else self.s.values(o.variable) - mean
            self.columns[name] = x - float(np.nanmean(x))
        return quoted(name)

    def _text(self, text: str, *, centered: bool) -> tuple[str, float]:
        """Return a term with constructs, and by what its sd changes."""
        operands = parse_term(text).operands
        done = [self._operand(o) for o in operands]
        out = ":".join(t for t, _, _ in done)
        (one,) = operands if len(operands) == 1 else (None,)
        number = one is not None and one.function is None and out == one.text
        if centered and number and one is not None and not done[0][2]:
            number = eq.is_number(self.s, one.variable) and one.variable not in self.responses
            out = f"center({out})" if number else out
        self.texts[text] = out
        return out, float(np.prod([f for _, f, _ in done]))

    def _piece(self, p: Piece, *, centered: bool) -> Piece:
        new = {t: self._text(t, centered=centered) for t in p.texts}
        return replace(
            p,
            texts=tuple(new[t][0] for t in p.texts),
            priors={new[t][0]: p.priors[t] for t in p.texts},
            sds={new[t][0]: p.sds[t] * new[t][1] for t in p.texts},
            claim=new[p.claim][0],
            varying=() if _in(p.claim) & set(self.latent) else p.varying,
        )

    # equations

    def _equation(self, d: Drafted) -> Drafted:
        r = d.response
        items = self.latent.get(r.name)
        if items is None:
            home = r.home if r.home is not None else self.rows
            pieces = tuple(self._piece(p, centered=False) for p in d.pieces)
            return replace(d, response=replace(r, home=home), pieces=pieces)
        pieces = tuple(self._piece(p, centered=True) for p in d.pieces)
        return replace(d, response=self._response(r, items), pieces=pieces)

    def _response(self, r: Response, items: Items) -> Response:
        return replace(
            r, sd=self.sds[r.name], family="gaussian", link=None, home=items.level, latent=True
        )

    def _exogenous(self, names: Sequence[str]) -> list[Drafted]:
        """Give constructs without an equation one each, of what they may go with.

        Constructs of larger units come first, those of the claim last among their level, so that
        the cause rests on what is held fixed and not the other way round.
        """
        order = sorted(names, key=lambda c: (self.latent[c].level.size, c in self.last))
        out: list[Drafted] = []
        for k, c in enumerate(order):
            home = self.latent[c].level
            before = [
                z for z in order[:k]
                if self.latent[z].level is home or home.inside(self.latent[z].level)
            ]  # fmt: skip
            beside = self._beside(c, home)
            whole = (*(self._goes_with(z, latent=True) for z in before), *beside)
            self.sds[c] = self._sd(c, whole)
            pieces = [self._goes_with(z, latent=True) for z in before]
            pieces += [self._piece(p, centered=True) for p in beside]
            response = Response(c, c, (), self.sds[c], "gaussian", None, home, (c,), latent=True)
            out.append(Drafted(response, tuple(pieces), self._groups(c, home)))
        return out

    def _goes_with(self, column: str, *, latent: bool) -> Piece:
        text = quoted(column)
        sd = self.sds[column] if latent else self.s.spread(self.s.values(column))
        why = "what it may go with"
        values = (self.s.values(column),)
        return Piece((text,), {text: 0.5}, {text: sd}, text, why, (), values)

    def _beside(self, column: str, home: Kind) -> list[Piece]:
        """Return the observed variables of the model that a construct goes with, as far as seen."""
        first = np.unique(home.codes, return_index=True)[1]
        x = self.s.values(column)[first]
        seen: dict[str, float] = {}
        for d in self.model.equations:
            for p in d.pieces:
                (one,) = p.texts if len(p.texts) == 1 else (None,)
                if one is None or one != quoted(plain(one)) or plain(one) in self.latent:
                    continue
                v, values = plain(one), p.values[0]
                if v in self.responses or not eq.is_number(self.s, v):
                    continue
                if not eq.is_constant(values, home):
                    continue
                both = np.isfinite(x) & np.isfinite(values[first])
                if both.sum() > 8 and x[both].std() * values[first][both].std() > 0:
                    r = float(np.corrcoef(x[both], values[first][both])[0, 1])
                    if abs(r) * np.sqrt(both.sum()) > RELATED:
                        seen[v] = abs(r)
        most = max(1, home.size // 15)
        chosen = sorted(seen, key=lambda v: -seen[v])[:most]
        return [self._goes_with(v, latent=False) for v in chosen]

    def _groups(self, column: str, home: Kind) -> tuple[Kind, ...]:
        """Return the kinds of unit whose means of a construct the model reads, and the next one."""
        read: set[str] = set()
        for d in self.model.equations:
            for p in d.pieces:
                for t in p.texts:
                    for o in parse_term(t).operands:
                        if o.unit is not None and o.variable == column:
                            read.add(plain(o.unit))
        above = [k for k in self.s.kinds if k is not home and k.repeated and home.inside(k)]
        nearest = max(above, key=lambda k: k.size, default=None)
        return tuple(k for k in above if k.column in read or k is nearest)

    def _sd(self, column: str, pieces: Sequence[Piece]) -> float:
        """Return a rough sd of a construct whose residual sd is 1."""
        home = self.latent[column].level
        first = np.unique(home.codes, return_index=True)[1]
        x = self.s.values(column)[first]
        parts = [v[first] for p in pieces for v in p.values if not p.texts[0].startswith("factor(")]
        if not parts or len(first) < 3 * (len(parts) + 1):
            return 1.0
        A = np.column_stack([np.ones(len(first)), *parts])
        both = np.isfinite(A).all(axis=1) & np.isfinite(x)
        if both.sum() < 3 * A.shape[1]:
            return 1.0
        A, x = A[both], x[both]
        left = x - A @ np.linalg.lstsq(A, x, rcond=None)[0]
        free = len(x) - A.shape[1]
        share = 1 - (left @ left / free) / max(float(x.var(ddof=1)), 1e-300)
        return eq.rounded(float(1 / np.sqrt(1 - np.clip(share, 0.0, MOST_EXPLAINED))))

    # estimands

    def _estimand(self, table: Mapping[str, Any], *, moved: set[str]) -> dict[str, Any]:
        out = dict(table)
        for key in ("from", "to"):
            if isinstance(out.get(key), str):
                out[key] = self._named(str(out[key]))
        if "via" in out:
            out["via"] = [
                self._named(v) if isinstance(v, str) else [self._named(w) for w in v]
                for v in out["via"]
            ]
        if "at" in out:
            out["at"] = {k: self._places(k, v) for k, v in dict(out["at"]).items()}
        cause = out.get("from")
        if out.get("kind") == "total" and isinstance(cause, str) and moved & _in(cause):
            out["kind"] = "direct"  # the equations of what is held fixed are no paths of it
        return out

    def _named(self, text: str) -> str:
        new = self.texts.get(text, text)
        return text if new == f"center({text})" else new

    def _places(self, column: str, values: Any) -> Any:
        if column not in self.latent:
            return values
        x = self.s.values(column)
        mean, sd = self.s.mean(x), self.s.spread(x)
        return [eq.rounded((float(v) - mean) / sd * self.sds[column]) for v in values]


def _bare(o: Operand | None) -> bool:
    return o is not None and o.function is None


def _in(text: str) -> set[str]:
    return {v for o in parse_term(text).operands for v in o.variables}


def _moved(added: Sequence[Drafted]) -> set[str]:
    """Return what stands in the equations of constructs that were added."""
    return {v for d in added for p in d.pieces for t in p.texts for v in _in(t)}
