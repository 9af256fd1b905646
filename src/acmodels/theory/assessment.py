"""Every proposition that a study can speak to: compile, fit what is shared once, judge."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from functools import partial as bound
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from acmodels.data import Study, study
from acmodels.effects.measurement import constructs, measurement
from acmodels.engines import of_any_model_in_seconds
from acmodels.errors import AcmodelsError, InputError, did_you_mean
from acmodels.framework.files import load_framework
from acmodels.framework.graph import Framework
from acmodels.inference.fitting import Fit, fit
from acmodels.load import load_model
from acmodels.numbers import decimal, stated, table_html
from acmodels.posterior import intervals
from acmodels.theory.claims import LEFT_OUT, Compiled
from acmodels.theory.compiler import CompiledProposition, compile_proposition
from acmodels.theory.compiling.model_file import ModelFile
from acmodels.theory.left_out import left_out
from acmodels.theory.ruling import Answers, Part, Ruling, decide, jointly
from acmodels.theory.sensitivity import Sensitivity, answers_of, sensitivity

if TYPE_CHECKING:
    import pandas as pd

    from acmodels.engines import Progress

type Array = NDArray[np.float64]

VERDICT_COLUMNS = (
    "proposition", "model", "estimand", "status", "how", "p_region", "p_rope", "mean", "lower",
    "upper", "prior_sensitive", "reason", "p_prior", "not_adjusted_for",
)  # fmt: skip
PART_COLUMNS = (
    "proposition", "part", "from", "to", "scale", "mean", "lower", "upper", "p_region", "p_rope",
    "status",
)  # fmt: skip


@dataclass(frozen=True)
class Group:
    """A model that several claims share.

    Attributes:
        file: the model with the estimands of all of them.
        names: by proposition, claim and model, what an estimand of its own is called here.
        study: the rows.
    """

    file: ModelFile
    names: Mapping[tuple[str, int, str], Mapping[str, str]]
    study: Study


@dataclass(frozen=True)
class Assessment:
    """Holds what a study says of a framework.

    Attributes:
        framework: the theory.
        verdicts: one row a proposition, columns as in `verdicts.csv`.
        parts: one row for each quantity that a verdict rests on, as in `parts.csv`.
        propositions: what each compiled to.
        rulings: by proposition that was tested.
        sensitivity: likewise, what its verdict hangs on.
        fits: by model.
        files: by model, the file.
        refused: by model, why it could not be fitted.
    """

    framework: Framework
    verdicts: "pd.DataFrame"
    parts: "pd.DataFrame"
    propositions: Mapping[str, CompiledProposition]
    rulings: Mapping[str, Ruling]
    sensitivity: Mapping[str, Sensitivity]
    fits: Mapping[str, Fit] = field(repr=False)
    files: Mapping[str, ModelFile] = field(repr=False)
    refused: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def _repr_html_(self) -> str:
        return table_html(self.verdicts)

    @property
    def expected_false(self) -> float:
        """Count those that would be called supported, on average, if all tested were null."""
        return sum(1 - c.terms.probability for c in self.propositions.values() if not c.lacking)

    @property
    def top(self) -> tuple[str, ...]:
        """What holds for every verdict, as sentences, said once."""
        claims = [a for c in self.propositions.values() for x in c.compiled for a in x.adjustment]
        out: list[str] = []
        if any(a.past for a in claims):
            out.append(
                "The theory has feedback over time. One wave of data does not identify effects "
                "in a feedback loop, so these verdicts are about adjusted associations."
            )
        return tuple(out)

    @cached_property
    def measurement(self) -> "pd.DataFrame":
        """How well constructs are measured: the columns of `measurement.csv` after `model`."""
        return _by_model(self.fits, measurement)

    @cached_property
    def constructs(self) -> "pd.DataFrame":
        """Constructs unit by unit: the columns of `constructs.csv` after `model`."""
        return _by_model(self.fits, constructs)

    @property
    def usable(self) -> bool:
        """Whether every fit passed its diagnostics."""
        return all(f.diagnostics.usable for f in self.fits.values())


def _by_model(fits: Mapping[str, Fit], what: "Callable[[Fit], pd.DataFrame]") -> "pd.DataFrame":
    import pandas as pd

    found = [(k, what(f)) for k, f in fits.items() if f.system.layout.measures]
    if not found:
        return pd.DataFrame({"model": []})
    for name, table in found:
        table.insert(0, "model", name)
    return pd.concat([t for _, t in found], ignore_index=True)


def assess(
    data: Any,
    only: Sequence[str] | None = None,
    *,
    framework: Framework | None = None,
    seed: int = 1,
    engine: str = "auto",
    draws: int = 1000,
    chains: int = 4,
    cores: int | None = None,
    interval: Literal["eti", "hdi"] = "eti",
    prob: float = 0.95,
    progress: "Progress | None" = None,
    done: Callable[[str, Fit], None] | None = None,
    family_wise: bool = False,
    missing: Literal["model", "drop"] | None = None,
    scores: bool = False,
) -> Assessment:
    """Test a framework's propositions on a study.

    Each claim is compiled to models of the columns that it needs; claims that compile to the same
    model share its fit. What the data cannot speak to is `not_testable`, with the reason.

    Where a study has items, the claims' constructs are latent variables measured by them. A claim
    whose model with constructs cannot be fitted is tested on averages, and its verdict says so.

    Args:
        data: a study, a DataFrame or a path.
        only: ids of propositions, as P41; all if None.
        framework: the theory; the shipped one if None.
        seed: as for `fit`.
        engine: as for `fit`.
        draws: as for `fit`.
        chains: as for `fit`.
        cores: as for `fit`.
        interval: as for `fit`.
        prob: as for `fit`.
        progress: called at every step.
        done: called with each model's name and fit as soon as it is fitted.
        family_wise: ask a probability of 1 - (1 - p) / m of each of m tested propositions
            (Bonferroni), so that under flat priors the chance of any false support is at most
            what one proposition has alone.
        missing: `drop` leaves out rows with missing values.
        scores: take averages of items where constructs could be latent.

    Raises:
        InputError: an unknown proposition, or data that cannot be read.
    """
    f = framework or load_framework()
    table = data if isinstance(data, Study) else study(data)
    asked = asked_of(f, only)
    compiled = {p: compile_proposition(f, f.propositions[p], table, scores=scores) for p in asked}
    if family_wise:
        compiled = _stricter(compiled)
    groups = grouped(compiled)
    options: dict[str, Any] = {
        "seed": seed, "engine": engine, "draws": draws, "chains": chains, "cores": cores,
        "interval": interval, "prob": prob,
    }  # fmt: skip
    fits, refused = _fitted(groups, options, missing, progress, done)
    again = on_averages(compiled, groups, fits, refused)
    if again:
        compiled |= again
        more = grouped(again)
        others, lost = _fitted(more, options, missing, progress, done)
        fits, refused = fits | others, refused | lost
        groups = grouped(compiled)
        kept = {g.file.name for g in groups}
        fits = {k: v for k, v in fits.items() if k in kept}
    predicted = _left_out(compiled, groups, fits, seed, progress)
    return judged(f, compiled, groups, fits, refused, interval, prob, seed, predicted)


def _left_out(
    compiled: Mapping[str, CompiledProposition],
    groups: Sequence[Group],
    fits: Mapping[str, Fit],
    seed: int,
    progress: "Progress | None",
) -> dict[tuple[str, int], Answers]:
    """Predict units left out, for the claims that ask for it and whose models were fitted."""
    used = {key: g for g in groups for key in g.names}
    out: dict[tuple[str, int], Answers] = {}
    for p, c in compiled.items():
        for number, claim in enumerate(c.compiled):
            if claim.left_out is None:
                continue
            mine = [used[p, number, m] for m in claim.left_out.models]
            if not all(g.file.name in fits for g in mine):
                continue
            a, b = (fits[g.file.name].spec for g in mine)
            told = _telling(progress, f"{p}: units left out")
            tell = bound(told, "predicting") if told is not None else lambda *_: None
            found = left_out((a, b), mine[0].study, claim.left_out.folds, seed, tell)
            called = mine[0].names[p, number, claim.left_out.models[0]]
            drawn = {f"{LEFT_OUT}/{own}": found.draws[here] for own, here in called.items()}
            out[p, number] = {LEFT_OUT: found.gains, **drawn}
    return out


def _fitted(
    groups: Sequence[Group],
    options: Mapping[str, Any],
    missing: Literal["model", "drop"] | None,
    progress: "Progress | None",
    done: Callable[[str, Fit], None] | None,
) -> tuple[dict[str, Fit], dict[str, tuple[str, ...]]]:
    """Fit each model once; return the fits by model, and why others were refused."""
    fits: dict[str, Fit] = {}
    refused: dict[str, tuple[str, ...]] = {}
    for number, g in enumerate(groups, 1):
        name = g.file.name
        named = options["engine"]
        quick = g.file.measures and named == "auto"  # what takes minutes gives way to averages
        mine: dict[str, Any] = dict(options) | {
            "engine": of_any_model_in_seconds() if quick else named
        }
        try:
            table_ = g.file.table() | ({"missing": missing} if missing is not None else {})
            model = load_model(table_)
            fits[name] = fit(
                model, g.study, progress=_telling(progress, f"{name} ({number} of {len(groups)})"),
                **mine,
            )  # fmt: skip
        except InputError as error:
            refused[name] = tuple(error.problems)
            continue
        except AcmodelsError as error:
            refused[name] = (str(error),)
            continue
        if done is not None:
            done(name, fits[name])
    return fits, refused


def on_averages(
    compiled: Mapping[str, CompiledProposition],
    groups: Sequence[Group],
    fits: Mapping[str, Fit],
    refused: Mapping[str, tuple[str, ...]],
) -> dict[str, CompiledProposition]:
    """Compile propositions anew whose models with constructs could not be fitted.

    Returns:
        By proposition, its claims with averages of items in place of these constructs.
    """
    why: dict[tuple[str, int], str] = {}
    for g in groups:
        name = g.file.name
        if not g.file.measures or (name in fits and fits[name].diagnostics.usable):
            continue
        told = refused.get(name) or fits[name].diagnostics.messages
        for p, number, _ in g.names:
            if compiled[p].compiled[number].averages is None:
                continue
            why.setdefault((p, number), _sentence(told[0]) if told else "it could not be fitted")
    out: dict[str, CompiledProposition] = {}
    for p, c in compiled.items():
        if any((p, k) in why for k in range(len(c.compiled))):
            claims = tuple(
                _averaged(x, why[p, k]) if (p, k) in why else x for k, x in enumerate(c.compiled)
            )
            out[p] = replace(c, compiled=claims)
    return out


def _sentence(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


def _averaged(c: Compiled, why: str) -> Compiled:
    """Return the claim on averages, its models under names of their own."""
    if c.averages is None:
        return c
    models = tuple(replace(m, name=f"{m.name}_averages") for m in c.averages.models)
    return replace(c.averages, models=models, fallen=f"the model with constructs: {why}")


def _stricter(compiled: Mapping[str, CompiledProposition]) -> dict[str, CompiledProposition]:
    """Ask of each proposition what m of them need (Bonferroni)."""
    many = max(1, sum(not c.lacking for c in compiled.values()))
    return {
        p: replace(c, terms=replace(c.terms, probability=1 - (1 - c.terms.probability) / many))
        for p, c in compiled.items()
    }


def asked_of(f: Framework, only: Sequence[str] | None) -> tuple[str, ...]:
    """Return the propositions asked for.

    Raises:
        InputError: one is unknown.
    """
    asked = tuple(dict.fromkeys(only)) if only is not None else tuple(f.propositions)
    unknown = [p for p in asked if p not in f.propositions]
    if unknown:
        raise InputError(
            [
                f"--propositions: no proposition '{p}'{did_you_mean(p, f.propositions)} "
                "(`acmodels propositions` lists all)"
                for p in unknown
            ]
        )
    return asked


def _telling(progress: "Progress | None", place: str) -> "Progress | None":
    if progress is None:
        return None
    return lambda stage, done, total: progress(f"{place}: {stage}", done, total)


def grouped(compiled: Mapping[str, CompiledProposition]) -> list[Group]:
    """Bring models that are the same together, so that each is fitted once."""
    files: dict[tuple[int, str], ModelFile] = {}
    names: dict[tuple[int, str], dict[tuple[str, int, str], dict[str, str]]] = {}
    rows: dict[tuple[int, str], Study] = {}
    for p, c in compiled.items():
        for number, (claim, s) in enumerate(zip(c.compiled, c.settings, strict=True)):
            for m in claim.models:
                study_ = m.study or s.study
                key = (id(study_), m.key())
                before = files.get(key)
                known = dict(before.estimands) if before is not None else {}
                called = _called(m.estimands, known)
                new = {called[k]: _renamed(v, called) for k, v in m.estimands.items()}
                files[key] = (before or replace(m, estimands={})).with_estimands(new)
                names.setdefault(key, {})[p, number, m.name] = called
                rows[key] = study_
    return [Group(files[k], names[k], rows[k]) for k in files]


def _called(mine: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, str]:
    """Names of estimands in a shared model: their own, or with a number where that is taken."""
    out: dict[str, str] = {}
    for name, table in mine.items():
        renamed = _renamed(table, out)
        new, number = name, 2
        while new in known and known[new] != renamed:
            new, number = f"{name}_{number}", number + 1
        out[name] = new
    return out


def _renamed(table: Mapping[str, Any], called: Mapping[str, str]) -> dict[str, Any]:
    if "of" not in table:
        return dict(table)
    return dict(table) | {"of": [called.get(e, e) for e in table["of"]]}


def judged(
    f: Framework,
    compiled: Mapping[str, CompiledProposition],
    groups: Sequence[Group],
    fits: Mapping[str, Fit],
    refused: Mapping[str, tuple[str, ...]],
    interval: str,
    prob: float,
    seed: int = 1,
    predicted: Mapping[tuple[str, int], Answers] | None = None,
) -> Assessment:
    """Rule on every proposition by the draws of its models, and by units left out where asked."""
    import pandas as pd

    by_claim: dict[tuple[str, int], list[tuple[Group, Mapping[str, str]]]] = {}
    for g in groups:
        for (p, number, _), called in g.names.items():
            by_claim.setdefault((p, number), []).append((g, called))
    rows: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    rulings: dict[str, Ruling] = {}
    moved: dict[str, Sensitivity] = {}
    for p, c in compiled.items():
        more = [(predicted or {}).get((p, k), {}) for k in range(len(c.compiled))]
        row, ruling, found = _row(p, c, by_claim, fits, refused, interval, prob, seed, more)
        rows.append(row)
        if ruling is not None and found is not None:
            rulings[p], moved[p] = ruling, found
            parts += [_part(p, x, interval, prob) for x in ruling.parts]
    return Assessment(
        f,
        pd.DataFrame(rows, columns=list(VERDICT_COLUMNS)),
        pd.DataFrame(parts, columns=list(PART_COLUMNS)),
        compiled,
        rulings,
        moved,
        fits,
        {g.file.name: g.file for g in groups},
        refused,
    )


def _row(
    p: str,
    c: CompiledProposition,
    by_claim: Mapping[tuple[str, int], list[tuple[Group, Mapping[str, str]]]],
    fits: Mapping[str, Fit],
    refused: Mapping[str, tuple[str, ...]],
    interval: str,
    prob: float,
    seed: int,
    more: Sequence[Answers],
) -> tuple[dict[str, Any], Ruling | None, Sensitivity | None]:
    lacking = f"Not testable: {'; '.join(c.lacking)}." if c.lacking else ""
    if not c.compiled:
        return _plain(p, "not_testable", lacking), None, None
    mine = [by_claim[p, k] for k in range(len(c.compiled))]
    used = list(dict.fromkeys(g.file.name for several in mine for g, _ in several))
    lost = [why for name in used for why in refused.get(name, ())]
    if lost:
        row = _plain(p, "not_testable", f"Not testable: {'; '.join(dict.fromkeys(lost))}.")
        return row | {"model": ", ".join(used)}, None, None
    found: list[Ruling] = []
    for claim, several, also in zip(c.compiled, mine, more, strict=True):
        answers = dict(also)
        for g, called in several:
            answers |= answers_of(fits[g.file.name], called)
        found.append(claim.rule(answers, c.terms))
    ruling = jointly(found, c.terms.probability)
    status, how = decide(ruling)
    if lacking and status != "contradicted":  # one contrary claim is enough, and no other is
        return _plain(p, "not_testable", f"{lacking} {_in_part(found)}"), None, None
    bad = [fits[name] for name in used if not fits[name].diagnostics.usable]
    if bad:
        status, how = "unusable", ""
    said = [_reason(ruling, status, how, bad, c), *_rest(lacking), *averages_said(c)]
    row = _plain(p, status, " ".join(said))
    row |= {
        "model": ", ".join(used),
        "how": how,
        "estimand": "effect" if ruling.main is None else ruling.main.name,
        "p_region": ruling.holds,
        "p_rope": ruling.negligible,
        "not_adjusted_for": ", ".join(not_adjusted(c)),
    }
    if ruling.main is not None:
        row |= _summary(ruling.main.draws, interval, prob)
    moved = sensitivity(
        c.compiled, [[(fits[g.file.name], called) for g, called in several] for several in mine],
        c.terms, seed, more,
    )  # fmt: skip
    row |= {"p_prior": moved.p_prior, "prior_sensitive": moved.moves}
    return row, ruling, moved


def averages_said(c: CompiledProposition) -> list[str]:
    """Say what of a proposition rests on averages of items that could be latent constructs."""
    out = [
        f"Tested on averages of items and not on constructs, since {x.fallen}."
        for x in c.compiled
        if x.fallen
    ]
    scores = {k: v for x in c.compiled for k, v in x.scores.items() if not x.fallen}
    if scores:
        each = "; ".join(f"{k} ({why})" for k, why in scores.items())
        out.append(f"Averages of items stand for: {each}.")
    return list(dict.fromkeys(out))


def _in_part(found: Sequence[Ruling]) -> str:
    """Say what was found of the claims that could be tested, where not all could."""
    chances = ", ".join(decimal(r.holds, 3) for r in found)
    if len(found) == 1:
        return f"Its other claim holds with probability {chances}, which does not decide the whole."
    return f"Its other claims hold with probabilities {chances}, which do not decide the whole."


def _rest(lacking: str) -> list[str]:
    return [f"One claim is enough for that; of the rest: {lacking}"] if lacking else []


def _plain(p: str, status: str, reason: str) -> dict[str, Any]:
    return {"proposition": p, "model": "", "estimand": "", "status": status, "how": "",
            "reason": reason, "not_adjusted_for": ""}  # fmt: skip


def not_adjusted(c: CompiledProposition) -> list[str]:
    """Name what the theory has and the data lack, of confounders."""
    out: dict[str, None] = {}
    for claim in c.compiled:
        for a in claim.adjustment:
            out |= dict.fromkeys((*a.lacking, *a.dropped))
            out |= dict.fromkeys(f"{c} (in part)" for c, _ in a.partly)
    return list(out)


def _summary(draws: Array, interval: str, prob: float) -> dict[str, float]:

    low, high = intervals(draws.reshape(1, -1, 1), interval, prob)
    return {"mean": float(draws.mean()), "lower": float(low[0]), "upper": float(high[0])}


def _part(p: str, x: Part, interval: str, prob: float) -> dict[str, Any]:
    return {
        "proposition": p, "part": x.name, "from": x.from_, "to": x.to, "scale": x.scale,
        **_summary(x.draws, interval, prob), "p_region": x.p_region, "p_rope": x.p_rope,
        "status": x.status,
    }  # fmt: skip


def _reason(r: Ruling, status: str, how: str, bad: Sequence[Fit], c: CompiledProposition) -> str:

    def chance(p: float) -> str:
        return "above 0.999" if p > 0.999 else "below 0.001" if p < 0.001 else decimal(p, 3)

    if bad:
        return f"No verdict: {bad[0].diagnostics.messages[0]}"
    need = decimal(r.need, 4).rstrip("0")
    if len(r.each) > 1:
        holds = f"that its {len(r.each)} claims hold together is at least {chance(r.holds)}"
    else:
        holds = f"that the claim holds is {chance(r.holds)}"
    if status == "supported":
        return (
            f"Supported: the probability {holds} (threshold {need}), and that of a negligible "
            f"effect is {chance(r.negligible)}."
        )
    if how == "reversed":
        return f"Contradicted: the probability of the contrary is {chance(r.reversed_)}."
    if how == "negligible":
        small = f"that the effect is negligible (within {stated(c.terms.smallest)} sd)"
        if r.main is not None and r.main.scale == "share":
            small = f"of a share of variance of at most {stated(r.main.smallest)}"
        return f"Contradicted: the probability {small} is {chance(r.negligible)}."
    if r.doubt:
        return f"Undecided: {r.doubt}. If rows were independent, the probability {holds}."
    if r.barred and r.holds >= r.need:
        return f"Undecided: the probability {holds}, but {r.barred}."
    if r.holds >= r.need:
        return (
            f"Undecided: the probability {holds}, but that of a negligible effect is "
            f"{chance(r.negligible)}, not below {stated(1 - r.probability)}."
        )
    if len(r.each) > 1:
        every = ", ".join(chance(p) for p in r.each)
        return (
            f"Undecided: its {len(r.each)} claims hold with probabilities {every}; all must "
            f"hold, and the threshold for all together is {need}."
        )
    return f"Undecided: the probability {holds}; the threshold is {need}."
