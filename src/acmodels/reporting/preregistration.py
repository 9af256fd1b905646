"""What is decided before data are seen, as Markdown."""

from typing import TYPE_CHECKING, Any

from acmodels.estimands import kind
from acmodels.families import family
from acmodels.framework import propositions
from acmodels.inference.reasons import region_words
from acmodels.numbers import number, stated
from acmodels.reporting.words import Graph, at_words, estimand_words, graph_of, joined, plain
from acmodels.spec.design import Design
from acmodels.spec.model import Model
from acmodels.spec.proposition import Claim, Proposition

if TYPE_CHECKING:
    import pandas as pd


_ANALYSIS = (
    "Posterior by `acmodels fit`; it is used if R-hat is at most 1.01, bulk and tail ESS are at "
    "least 400, at most 0.1 % of transitions diverge, or, by the exact engine, Pareto k is below "
    "its threshold; otherwise every verdict is *unusable*. Intervals are 95 % equal-tailed."
)


MISSING = {
    "model": "modeled, so that no row is left out that could say something",
    "drop": "rows with any are left out",
    "error": "none are allowed",
}


def preregistration(
    model: Model, design: Design | None = None, power: "pd.DataFrame | None" = None
) -> str:
    """A preregistration of a model.

    Args:
        model: from `load_model`.
        design: that the study will have, if it is known.
        power: rows of `power.csv`, if power was computed.

    Returns:
        Markdown: one section each for hypotheses with their decision rules, the model and what it
        assumes, priors, design and power; what is not known is said to be open.
    """
    out = [f"# Preregistration: {model.title or model.name}", ""]
    out += [f"Model file: {model.source}, sha256 {model.sha256 or 'not from a file'}.", ""]
    out += ["## Hypotheses and decision rules", ""]
    known = propositions()
    links = {y: q.link or family(q.family).links[0] for y, q in model.equations.items()}
    graph = graph_of(model, links)
    for p in model.propositions.values():
        claim = p.statement or (known[p.id].statement if p.id in known else "")
        out += [f"- **{p.id}** {claim}".rstrip(), *_rule(p, model, graph)]
    if not model.propositions:
        out.append("No proposition is judged; estimands are reported with their intervals.")
    out += ["", "## Model", ""]
    for e in model.equations.values():
        level = f", one row a {e.level}" if e.level else ""
        out.append(f"- `{e.formula.text}` ({e.family}{level})")
    if model.description:
        out += ["", " ".join(model.description.split())]
    out += ["", f"Missing values: {MISSING[model.missing]}.", "", "## Priors", ""]
    for name, d in model.priors.items():
        settings = ", ".join(f"{k} = {v}" for k, v in d.items() if k != "dist")
        out.append(f"- `{name}`: {d.get('dist')}({settings})")
    out.append(
        "- everything else: the defaults, scaled to the data (`acmodels priors MODEL DATA`)."
    )
    out += ["", "## Design", ""]
    out += _design(design)
    out += ["", "## Power", ""]
    out += [
        "Not stated: no power run was given (--power FOLDER)." if power is None else _table(power)
    ]
    out += [
        "",
        "## Analysis",
        "",
        _ANALYSIS,
        "",
    ]
    return "\n".join(out)


def _design(design: Design | None) -> list[str]:
    if design is None:
        return ["Not stated: no design was given."]
    out: list[str] = []
    for u in design.units:
        of = f" in each {u.per}" if u.per else ""
        with_ = " and one ".join(u.crossed_with)
        crossed = f", each with one {with_} drawn at random" if with_ else ""
        out.append(
            f"- {u.name}: {stated(u.size.mean)}{' on average' if u.size.sd else ''}{of}{crossed}"
        )
    return out


def _table(table: "pd.DataFrame") -> str:
    heads = [str(c) for c in table.columns]
    lines = [f"| {' | '.join(heads)} |", f"| {' | '.join('---' for _ in heads)} |"]
    for row in table.itertuples(index=False):
        cells = [number(v) if isinstance(v, float) else str(v) for v in row]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _settings(s: Any) -> str:
    """Return what an estimand holds beyond its ends: moderators, arm, shape."""
    at = [f"{k} at {joined([plain(v) for v in vs])}" for k, vs in getattr(s, "at", {}).items()]
    out = f", with {joined(at)}" if at else ""
    if getattr(s, "arm", None) is not None:
        out += f", mediators as at the {('first', 'second')[s.arm]} of the two values"
    if getattr(s, "shape", None):
        out += f", counted where it is a {s.shape}"
    return out


def _rule(p: Proposition, model: Model, graph: Graph) -> list[str]:
    """The decision rule of a proposition, with what it is about."""
    need, rest = stated(p.probability), stated(1 - p.probability)
    about = [_about(c, model, graph) for c in p.claims]
    if not p.all:
        (c,), (what,) = p.claims, about
        where = f" (at {at_words(c.at)})" if c.at else ""
        lies = f"that it{where} lies {region_words(c)} is at least {need}"
        if c.outside:
            side = stated(1 - (1 - p.probability) / 2)
            lies = (
                f"that it{where} lies above {stated(c.upper)}, or the one that it lies below "
                f"{stated(c.lower)}, is at least {side}"
            )
        small = f"negligible ({stated(c.rope[0])} to {stated(c.rope[1])})" if c.rope else ""
        tiny = "a step of its path" if _stepwise(c, model) else "it"
        return [
            (
                f"  Estimand {what}. Supported if the posterior probability {lies}"
                f"{f' and that {tiny} is {small} is below {rest}' if small else ''}; contradicted "
                f"if the probability that it {_misses(c)} is at least {need}"
                f"{f', or that {tiny} is negligible is at least {need}' if small else ''}; "
                "undecided otherwise."
            )
        ]
    sides = sum(c.outside for c in p.claims)
    least = stated(1 - (1 - p.probability) / 2**sides)
    each = [
        f"  - {what}{f' (at {at_words(c.at)})' if c.at else ''}: {region_words(c)}"
        f"{f', {_small(c, model)}' if c.rope else ''}"
        for c, what in zip(p.claims, about, strict=True)
    ]
    return [
        "  Several estimands jointly, each with its region:",
        *each,
        (
            f"  Supported if the joint posterior probability of all regions is at least {least}"
            f"{' (a region with two sides on one of them)' if sides else ''} and each is "
            f"negligible with a probability below {rest}, where that is said; contradicted if for "
            "any of them the probability that it does not lie in its region, or that it is "
            f"negligible, is at least {need}; undecided otherwise."
        ),
    ]


def _about(c: Claim, model: Model, graph: Graph) -> str:
    e = model.estimands[c.estimand]
    return f"`{c.estimand}` ({estimand_words(e, graph)}{_settings(e.settings)})"


def _small(c: Claim, model: Model) -> str:
    if c.rope is None:
        return ""
    of = " by some step" if _stepwise(c, model) else ""
    return f"negligible{of} ({stated(c.rope[0])} to {stated(c.rope[1])})"


def _stepwise(c: Claim, model: Model) -> bool:
    e = model.estimands[c.estimand]
    return kind(e.kind).stepwise(e.settings)


def _misses(c: Claim) -> str:
    if c.outside:
        return f"lies between {stated(c.lower)} and {stated(c.upper)}"
    return "does not"
