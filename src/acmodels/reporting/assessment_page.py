"""One page about a study and the framework: a map, a card a verdict, what was not tested."""

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acmodels.framework import propositions
from acmodels.reporting import sections as s
from acmodels.reporting import words as w
from acmodels.reporting import write_page

if TYPE_CHECKING:
    from acmodels.assessing import Assessment
    from acmodels.rivals import Compared


@dataclass(frozen=True)
class Tile:
    """A proposition on the map."""

    id: str
    status: str
    label: str
    statement: str
    link: bool


def assessment_report(
    found: "Assessment", path: Path, name: str, rivals: "tuple[Compared, ...]" = ()
) -> Path:
    """Write the page.

    Args:
        found: from `assess`.
        path: of the HTML file; models' reports are beside it, in folders of their names.
        name: of the data.
        rivals: from `rivals`, for a section of their own.

    Raises:
        InputError: the file cannot be written.
    """
    context = {**_context(found, name), "rivals": [_rival(c) for c in rivals]}
    return write_page(path, "assessment.html", context)


def _context(found: "Assessment", name: str) -> dict[str, Any]:
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
        card = s.cards(found.fits[r["model"]], [r])[0]
        cards.append(
            {"card": card, "model": r["model"], "first": card.id not in seen, "would": _would(r)}
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
        "false_words": _false(found, len(seen)),
        "untested": _untested(rows),
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
            (first, f"probability {c.probabilities[0]:.3f}"),
            (other, f"probability {c.probabilities[1]:.3f}"),
            (
                "Log Bayes factor",
                (
                    f"{log:.2f} for the term (Monte Carlo error {error:.2f}); {half:.2f} at half "
                    f"and {double:.2f} at double the prior sd"
                ),
            ),
            (
                "Left out",
                (
                    f"{c.units} districts in turn: log density {c.elpd[0]:+.1f} with the term, "
                    f"standard error {c.elpd[1]:.1f}"
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


def _would(row: dict[str, Any]) -> str:
    """What would change a verdict."""
    if row["status"] == "undecided":
        return "More units, or a wider range of the predictor, would narrow the interval."
    if row["prior_sensitive"] is True:
        return "It moves with the prior, so another prior might change it."
    return ""


def _false(found: "Assessment", tested: int) -> str:
    if not tested:
        return ""
    return (
        f"If all {tested} propositions tested were null, {found.expected_false:.2g} of them would "
        "be called supported on average, and as many contradicted, by their decision rules under "
        "flat priors; verdicts on one study are not independent."
    )


def _untested(rows: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    out: dict[str, list[str]] = {}
    for r in rows:
        if r["status"] == "not_testable":
            out.setdefault(str(r["reason"]), []).append(str(r["proposition"]))
    return sorted(out.items(), key=lambda p: -len(p[1]))
