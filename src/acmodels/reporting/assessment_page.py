"""One page about a study and the framework: a map, a card a verdict, what was not tested."""

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acmodels.framework import propositions
from acmodels.framework.operating import rates
from acmodels.inference.judging import quantities
from acmodels.numbers import decimal, number, signed
from acmodels.reporting import words as w
from acmodels.reporting import write_page
from acmodels.reporting.cards import cards as verdict_cards
from acmodels.reporting.cards import glance
from acmodels.theory.assessment import smallest_study

if TYPE_CHECKING:
    from collections.abc import Mapping

    from acmodels.inference.fitting import Fit
    from acmodels.robustness.leave_out import Influence
    from acmodels.spec.model import Proposition
    from acmodels.theory.assessment import Assessment
    from acmodels.theory.rivals import Compared


@dataclass(frozen=True)
class Tile:
    """A proposition on the map."""

    id: str
    status: str
    label: str
    statement: str
    link: bool


def assessment_report(
    found: "Assessment",
    path: Path,
    name: str,
    rivals: "tuple[Compared, ...]" = (),
    without: "Mapping[str, Influence] | None" = None,
) -> Path:
    """Write the page.

    Args:
        found: from `assess`.
        path: of the HTML file; models' reports are beside it, in folders of their names.
        name: of the data.
        rivals: from `rivals`, for a section of their own.
        without: from `influence`, by model, for a line of each card.

    Raises:
        InputError: the file cannot be written.
    """
    context = {**_context(found, name, without or {}), "rivals": [_rival(c) for c in rivals]}
    return write_page(path, "assessment.html", context)


def _context(found: "Assessment", name: str, without: "Mapping[str, Influence]") -> dict[str, Any]:
    rows: list[dict[str, Any]] = found.verdicts.to_dict("records")
    tested = [r for r in rows if r["status"] != "not_testable"]
    counts = {k: sum(1 for r in tested if r["status"] == k) for k in w.STATUS}
    said = w.joined(
        [
            f"{n} {v.lower()}"
            for (_, v), n in zip(w.STATUS.items(), counts.values(), strict=True)
            if n
        ]
    )
    lost = [f.spec.name for f in found.fits.values() if not f.diagnostics.usable]
    seen: set[str] = set()
    cards: list[dict[str, Any]] = []
    for r in tested:
        fit = found.fits[r["model"]]
        card = verdict_cards(fit, [r])[0]
        cards.append(
            {
                "card": card,
                "model": r["model"],
                "first": card.id not in seen,
                "without": _without(without.get(r["model"]), card.id),
                "rates": _rates(card.id, r["model"]),
                "would": _would(fit, r),
            }
        )
        seen.add(card.id)
    return {
        "title": f"What {name} says of the framework",
        "summary": (
            f"{len(tested)} verdicts on {len(seen)} of {len(found.asked)} propositions: {said}."
            if tested
            else f"None of {len(found.asked)} propositions could be tested on these data."
        ),
        "usable": not lost,
        "status_line": (
            f"The posterior of {w.joined(lost)} cannot be used; its propositions have no verdict."
            if lost
            else "All models that could be fitted passed their diagnostics."
        ),
        "map": _map(rows, dict(w.STATUS)),
        "cards": cards,
        "glance": glance([c["card"] for c in cards]),
        "false_words": _false(found, len(seen)),
        "untested": _untested(found),
        "models": [
            {
                "name": k,
                "title": f.spec.title,
                "engine": f.engine_note,
                "state": "usable" if f.diagnostics.usable else "not usable",
            }
            for k, f in found.fits.items()
        ],
        "version": metadata.version("acmodels"),
    }


def _rival(c: "Compared") -> dict[str, Any]:
    numbers: list[tuple[str, str]] = []
    if c.units:
        log, error, half, double = c.log_bf
        first, other = c.accounts
        numbers = [
            (first, f"probability {decimal(c.probabilities[0], 3)}"),
            (other, f"probability {decimal(c.probabilities[1], 3)}"),
            (
                "Log Bayes factor",
                (
                    f"{decimal(log, 2)} for the term (Monte Carlo error {decimal(error, 2)}); "
                    f"{decimal(half, 2)} at half "
                    f"and {decimal(double, 2)} at double the prior sd"
                ),
            ),
            (
                "Left out",
                (
                    f"{c.units} districts in turn: log density {signed(c.elpd[0], 1)} with the "
                    "term, "
                    f"standard error {decimal(c.elpd[1], 1)}"
                ),
            ),
        ]
    propositions_ = ", ".join(c.propositions)
    return {"propositions": propositions_, "title": c.title, "reason": c.reason, "numbers": numbers}


def _map(rows: list[dict[str, Any]], names: dict[Any, str]) -> list[tuple[str, list[Tile]]]:
    """Tiles by section; the first verdict of a proposition stands for it."""
    first: dict[str, str] = {}
    for r in rows:
        first.setdefault(str(r["proposition"]), str(r["status"]))
    out: dict[str, list[Tile]] = {}
    for p in propositions().values():
        status = first.get(p.id, "not_testable")
        linked = status != "not_testable"
        label = names.get(status, "") if linked else "Not tested"
        tile = Tile(p.id, status, label, p.statement, linked)
        out.setdefault(p.section[:1].upper() + p.section[1:], []).append(tile)
    return list(out.items())


def _would(fit: "Fit", row: dict[str, Any]) -> str:
    """Return what would change a verdict."""
    p = next(p for p in fit.spec.propositions.values() if p.id == row["proposition"])
    out: list[str] = []
    if row["status"] == "undecided":
        words = smallest_study(p.id, str(row["model"]))
        out.append(str(words or "More units, or a wider range of the predictor, would narrow it."))
    elif row["status"] in ("supported", "contradicted"):
        shift = _shift(fit, p, row)
        if shift is not None and shift > 0:
            out.append(
                f"It would be undecided if the estimate were {number(shift, 2)} nearer to the "
                "other side, "
                "by a confounder say."
            )
    if row["prior_sensitive"] is True:
        out.append("It moves with the prior, so another prior might change it.")
    return " ".join(out)


def _shift(fit: "Fit", p: "Proposition", row: dict[str, Any]) -> float | None:
    """Return how far a one-sided verdict is from being undecided, on the estimand's scale."""
    if p.all or p.outside:
        return None
    x = quantities(fit.effects, p)[0].draws
    yes = row["status"] == "supported"
    if np.isinf(p.upper) and np.isfinite(p.lower):
        edge, up = p.lower, yes
    elif np.isinf(p.lower) and np.isfinite(p.upper):
        edge, up = p.upper, not yes
    else:
        return None
    if up:
        return float(np.quantile(x, 1 - p.probability) - edge)
    return float(edge - np.quantile(x, p.probability))


def _without(found: "Influence | None", identifier: str) -> str:
    """Return whether a verdict holds without each unit in turn."""
    if found is None or not len(found.most):
        return ""
    mine = found.most.loc[found.most["proposition"] == identifier].to_dict("records")
    if not mine:
        return ""
    r = mine[0]
    many = f"{r['units']} {found.by}s"
    if not r["changed_by"]:
        return f"the same without any one of {many}"
    return f"another without one of {r['changed_by']} of {many}"


def _rates(identifier: str, model: str) -> str:
    """Return how often the test is wrong on simulated studies."""
    r = rates().get((identifier, model))
    if r is None:
        return ""
    share = f"{decimal(100 * r.false_support, 1)} %"
    return f"supported in at most {share} of {r.studies} simulated studies where it is not so"


def _false(found: "Assessment", tested: int) -> str:
    if not tested:
        return ""
    return (
        f"If all {tested} propositions tested were null, {number(found.expected_false, 2)} of "
        "them would "
        "be called supported on average, and as many contradicted, by their decision rules under "
        "flat priors; verdicts on one study are not independent."
    )


def _untested(found: "Assessment") -> list[dict[str, Any]]:
    """Say why propositions were not tested, most frequent first; with the study that each needs."""
    out: dict[str, list[str]] = {}
    for p, why in found.lacking.items():
        out.setdefault(why, []).append(p)
    return [
        {
            "why": why,
            "ids": ids,
            "sized": [
                (p, number(found.needed[p].effect, 2), found.needed[p])
                for p in ids
                if p in found.needed
            ],
        }
        for why, ids in sorted(out.items(), key=lambda p: -len(p[1]))
    ]
