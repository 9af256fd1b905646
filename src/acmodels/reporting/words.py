"""Plain sentences about a fit."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from acmodels.effects.maximum_likelihood import FAR
from acmodels.engines import is_exact, title
from acmodels.estimands import kind
from acmodels.inference.reasons import region_words
from acmodels.inference.rules import Status
from acmodels.numbers import THIN, count, fixed, joined, minus, stated
from acmodels.spec.model import Model, Proposition
from acmodels.spec.names import pieces, without_backticks

if TYPE_CHECKING:
    from acmodels.estimands import Estimand
    from acmodels.inference.fitting import Fit
    from acmodels.posterior import Diagnostics
    from acmodels.system import Layout

STATUS: Mapping[Status, str] = {
    "supported": "Supported",
    "contradicted": "Contradicted",
    "undecided": "Undecided",
    "unusable": "Unusable",
    "not_testable": "Not testable",
}
"""What a verdict is called on the page."""

SENSITIVE = 0.05
"""Power-scaling sensitivity from which a result is said to lean on the prior."""


UNITS = {"logit": "in log-odds", "probit": "in probit units", "log": "in logs"}
"""What a link's linear scale is called."""


def several(n: int, one: str, many: str | None = None) -> str:
    """A count with its noun.

    >>> several(1, "row"), several(3, "row")
    ('1 row', '3 rows')
    """
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def interval_words(interval: str, prob: float) -> str:
    """Return what kind of interval: `95 % equal-tailed interval`."""
    kind = {"eti": "equal-tailed", "hdi": "highest-density"}.get(interval, interval)
    return f"{stated(100 * prob)}{THIN}% {kind} interval"


def summary(fit: "Fit") -> str:
    """One sentence: what was fitted to what, and how."""
    layout = fit.system.layout
    if not layout.outcomes:
        return _measures(fit)
    names = [e.response for e in layout.outcomes]
    kinds = list(dict.fromkeys(e.distribution.label for e in layout.outcomes))
    shape = "multilevel" if layout.blocks else "single-level"
    what = (
        f"A {shape} regression of {names[0]}"
        if len(names) == 1
        else f"A {shape} model of {several(len(names), 'outcome')} ({_some(names)})"
    )
    article = "an" if kinds[0][0] in "aeiou" else "a"
    responses = (
        f"{article} {kinds[0]} response" if len(names) == 1 else f"{joined(kinds)} responses"
    )
    return f"{what}, with {responses}, fitted to {_fitted(fit)}."


def _measures(fit: "Fit") -> str:
    """Say what was fitted where there are constructs and nothing else."""
    measures = fit.system.layout.measures
    names = _some([m.name for m in measures])
    items = {i for m in measures for i in m.items}
    return (
        f"A measurement model of {several(len(measures), 'construct')} ({names}) by "
        f"{several(len(items), 'item')}, fitted to {_fitted(fit)}."
    )


def _fitted(fit: "Fit") -> str:
    """Say to what a model was fitted, and how."""
    chains, draws = fit.draws.values.shape[:2]
    drawn = f"{several(chains, 'chain')} of {several(draws, 'draw')}"
    if not fit.draws.chained:
        drawn = several(chains * draws, "draw")
    rows = fitted_words(fit)
    return f"{rows}{units(fit.system.layout)} by {title(fit.draws.engine)}: {drawn}"


def rows_words(equations: Mapping[str, tuple[str | None, int]], observed: int) -> str:
    """Return what a model was fitted to.

    Args:
        equations: level and rows with an observed response, by response.
        observed: data rows in which any response was.

    >>> rows_words({"m": (None, 115), "y": (None, 110)}, 120)
    '120 rows (115 with m and 110 with y)'
    >>> rows_words({"y": (None, 120), "c": ("district", 1)}, 120)
    '120 rows (c in 1 unit of district)'
    >>> rows_words({"c": ("district", 12)}, 0)
    '12 units of district'
    """
    above = {y: (level, n) for y, (level, n) in equations.items() if level}
    if len(above) == len(equations):
        each = [f"{several(n, 'unit')} of {level}" for level, n in above.values()]
        if len(set(each)) == 1:
            return each[0]
        return joined([f"{what} with {y}" for what, y in zip(each, above, strict=True)])
    own = {y: n for y, (level, n) in equations.items() if not level}
    said = [f"{count(n)} with {y}" for y, n in own.items() if n < observed]
    said += [f"{y} in {several(n, 'unit')} of {level}" for y, (level, n) in above.items()]
    return several(observed, "row") + (f" ({joined(said)})" if said else "")


def fitted_words(fit: "Fit") -> str:
    """Return what a fit was to."""
    system = fit.system
    each = {
        e.response: (e.level, e.n if e.construct else system.observed[e.response])
        for e in system.layout.outcomes or system.layout.equations
    }
    return rows_words(each, system.rows_observed)


def _some(names: Sequence[str], most: int = 6) -> str:
    if len(names) <= most:
        return joined(names)
    return f"{', '.join(names[:most])} and {count(len(names) - most)} more"


def group_sizes(layout: "Layout") -> dict[str, int]:
    """Count the units of each grouping."""
    return {b.group: len(b.levels) for b in layout.blocks}


def units(layout: "Layout") -> str:
    """Return how many units each grouping has; never which."""
    said = [f"{count(n)} units of {group}" for group, n in group_sizes(layout).items()]
    return f" from {joined(said)}" if said else ""


def status_line(d: "Diagnostics") -> str:
    """Return whether the posterior can be used."""
    if not d.usable:
        return "These results cannot be used: a diagnostic failed."
    return "The results can be used: every diagnostic held."


def diagnostics_words(d: "Diagnostics", total: int) -> list[str]:
    """Diagnostics, one sentence each."""
    out: list[str] = []
    if d.max_r_hat is not None:
        agree = "agree" if d.max_r_hat <= 1.01 else "do not agree"
        out.append(
            f"The chains {agree}: the largest R-hat is {fixed(d.max_r_hat, 3)} "
            "(it should be at most 1.01)."
        )
    if d.min_ess_bulk is not None and d.min_ess_tail is not None:
        out.append(
            f"The smallest effective sample size is {count(d.min_ess_bulk)} for means (bulk) and "
            f"{count(d.min_ess_tail)} for interval ends (tail); both should be at least 400."
        )
    if d.pareto_k is not None:
        out.append(f"The largest Pareto k of the importance weights is {fixed(d.pareto_k, 2)}.")
    if is_exact(d.engine):
        return out
    if d.divergences == 0:
        out.append(f"None of the {count(total)} steps diverged.")
    else:
        out.append(
            f"{count(d.divergences)} of {count(total)} steps diverged (at most 0.1{THIN}% may)."
        )
    return out


def ml_words(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return how near the posterior lies to maximum likelihood, in a sentence or two."""
    apart = [abs(float(r["distance"])) for r in rows if math.isfinite(r["distance"])]
    without = len(rows) - len(apart)
    if not apart:
        return "None of the quantities has a maximum-likelihood estimate to compare with."
    near = sum(d <= FAR for d in apart)
    said = (
        f"Of {several(len(apart), 'quantity', 'quantities')} with a maximum-likelihood estimate, "
        f"{count(near)} {'has its' if near == 1 else 'have their'} posterior mean within "
        f"{stated(FAR)} ML standard errors of it (the farthest is {fixed(max(apart), 2)} away)."
    )
    if without:
        said += (
            f" {several(without, 'quantity', 'quantities')} cannot be compared; the note says why."
        )
    return said


def sensitivity_words(value: float | None) -> str:
    """Say how sensitive a result is to the prior."""
    if value is None:
        return "Sensitivity to the prior was not computed."
    said = fixed(value, 2)
    if value >= SENSITIVE:
        return (
            "It is sensitive to the prior: a somewhat stronger or weaker prior would change it "
            f"(power-scaling sensitivity {said}, {SENSITIVE} or more)."
        )
    return f"It hardly depends on the prior (power-scaling sensitivity {said}, below {SENSITIVE})."


def claim(p: Proposition, estimands: "Mapping[str, Estimand]", graph: "Graph") -> str:
    """A proposition's claim from its estimands and regions, where theory has no sentence for it."""
    said: list[str] = []
    for c in p.claims:
        estimand = estimands.get(c.estimand)
        what = estimand_words(estimand, graph) if estimand is not None else c.estimand
        where = f" (at {at_words(c.at)})" if c.at else ""
        said.append(f"{what}{where} lies {minus(region_words(c))}")
    text = joined(said)
    return f"{text[0].upper()}{text[1:]}."


def at_words(at: str) -> str:
    """Moderators' values as a sentence says them: `flexibility = 1`."""
    return minus(at.replace("=", " = "))


def scale_words(layout: "Layout") -> str:
    """On what scale coefficients are."""
    units = {
        e.response: UNITS.get(e.link, f"on the {e.link} scale")
        for e in layout.outcomes
        if e.link != "identity"
    }
    if not units:
        return "on the data’s own scale"
    said = joined([f"{u} for {y}" for y, u in units.items()])
    return said + ("" if len(units) == len(layout.outcomes) else ", else on the data’s own scale")


@dataclass(frozen=True)
class Graph:
    """What the words of an estimand need of a model: links and causes, by response."""

    links: Mapping[str, str | None]
    causes: Mapping[str, frozenset[str]]

    def between(self, start: str, end: str) -> set[str]:
        """Responses on a path from one variable to another."""
        return {y for y in self._above(end) if y in self.links and start in self._above(y)} - {end}

    def _above(self, y: str) -> set[str]:
        found: set[str] = set()
        left = [y]
        while left:
            new = self.causes.get(left.pop(), frozenset()) - found
            found |= new
            left += new
        return found


def graph_of(model: Model, links: Mapping[str, str | None]) -> Graph:
    """A model's graph, with the links in force."""
    return Graph(links, {y: frozenset(e.formula.variables()) for y, e in model.equations.items()})


def fitted_graph(fit: "Fit") -> Graph:
    """The graph of a fitted model."""
    return graph_of(fit.spec, {e.response: e.link for e in fit.system.layout.equations})


def _scale(s: Any, response: str | None, graph: Graph) -> str:
    """On what scale an effect is, where that is not the linear one of a gaussian outcome."""
    if getattr(s, "scale", "") == "response":
        ends = [plain(v) for v in getattr(s, "values", None) or ()]
        moved = f", as {s.from_} moves from {ends[0]} to {ends[1]}" if ends else ""
        return f" on the outcome's own scale{moved}"
    if getattr(s, "scale", "") == "standardized":
        return " in standard deviations"
    link = graph.links.get(response or "") or "identity"
    return "" if link == "identity" else f" {UNITS.get(link, f'on the {link} scale')}"


def plain(v: object) -> str:
    """A value as a person would write it."""
    return str(int(v)) if isinstance(v, float) and v.is_integer() else str(v)


def _mediated(s: Any, graph: Graph) -> str:
    """Said of a product with a slope of a mediator's linear predictor in it."""
    if not hasattr(s, "via") or s.scale == "response":
        return ""
    given = s.via or []
    named = {m for path in given for m in (path if isinstance(path, list) else [path])}
    linked = sorted(
        m
        for m in named or graph.between(s.from_, s.to)
        if (graph.links.get(m) or "identity") != "identity"
    )
    if not linked:
        return ""
    return (
        f", by slopes of the linear predictor of {joined(linked)}, which is not in units of {s.to}"
    )


def estimand_words(e: "Estimand", graph: Graph) -> str:
    """Return what an estimand is, in a phrase, with its scale."""
    s: Any = e.settings
    k = kind(e.kind)
    return k.said(s, _scale(s, k.outcome(s), graph), _mediated(s, graph))


def without_labels(message: str, layout: "Layout") -> str:
    """Take the labels of units out of a message about the data: groups are only counted."""
    labels = {
        piece
        for b in layout.blocks
        for v in b.levels
        for piece in (v, *v.split(":"), *map(without_backticks, pieces(v, ":")))
    }
    parts = message.split("'")
    for k in range(1, len(parts) - 1):
        if parts[k] in labels:
            parts[k] = "…"
    return "'".join(parts)
