"""One page about a study and a framework: a map, a card for each verdict, what was not tested."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from acmodels.numbers import minus, number, probability, stated, with_interval
from acmodels.reporting import cards as c_
from acmodels.reporting import charts, write_page
from acmodels.reporting import words as w
from acmodels.reporting.constructs import ConstructSection, sections_of
from acmodels.reporting.page import by_name
from acmodels.reporting.pieces import Table
from acmodels.reporting.rival_words import rival_card
from acmodels.theory.rates import sentences
from acmodels.theory.ruling import Part, Ruling
from acmodels.theory.telling import confounding

if TYPE_CHECKING:
    from acmodels.inference.judging import Status
    from acmodels.theory.assessment import Assessment
    from acmodels.theory.rivals import Compared
    from acmodels.theory.sensitivity import Sensitivity

SCALES = {"standardized": "in sd units", "share": "as a share of variance"}


@dataclass(frozen=True)
class Tile:
    """A proposition on the map."""

    id: str
    status: str
    label: str
    statement: str
    link: bool


@dataclass(frozen=True)
class _Region:
    """Where the quantity shown must lie."""

    lower: float
    upper: float
    outside: bool = False


def theory_report(
    found: "Assessment", path: Path, name: str, rivals: "Sequence[Compared]" = ()
) -> Path:
    """Write the page.

    Args:
        found: from `assess`.
        path: of the HTML file; models lie beside it, in folders of their names.
        name: of the data.
        rivals: from `rivals`, for a section of their own.

    Raises:
        InputError: the file cannot be written.
    """
    context = {**_context(found, name), "rivals": [rival_card(c) for c in rivals]}
    return write_page(path, "theory.html", context)


def _context(found: "Assessment", name: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = found.verdicts.to_dict("records")
    tested = [r for r in rows if r["status"] != "not_testable"]
    counts = {v: sum(1 for r in tested if r["status"] == k) for k, v in w.STATUS.items()}
    said = w.joined([f"{n} {v.lower()}" for v, n in counts.items() if n])
    lost = [k for k, f in found.fits.items() if not f.diagnostics.usable]
    cards = [_card(found, r) for r in tested]
    return {
        "title": f"What {name} says of the framework",
        "framework": found.framework.title,
        "summary": (
            f"{len(tested)} of {len(rows)} propositions could be tested: {said}."
            if tested
            else f"None of {len(rows)} propositions could be tested on these data."
        ),
        "usable": not lost,
        "status_line": (
            f"The posterior of {w.joined(lost)} cannot be used; what rests on it has no verdict."
            if lost
            else "All models that could be fitted passed their diagnostics."
        ),
        "top": found.top,
        "map": _map(found, rows),
        "cards": cards,
        "glance": c_.glance([c["card"] for c in cards]),
        "false_words": _false(found, len(tested)),
        "untested": _untested(rows),
        "constructs": _constructs(found),
        "interval": next((w.interval_words(f.interval, f.prob) for f in found.fits.values()), ""),
        "models": [
            {"name": k, "title": found.files[k].title, "engine": f.engine_note,
             "state": "usable" if f.diagnostics.usable else "not usable"}
            for k, f in found.fits.items()
        ],
        "version": metadata.version("acmodels"),
    }  # fmt: skip


def _constructs(found: "Assessment") -> list[ConstructSection]:
    """Return a section for each construct that is latent in some model, of the first of them."""
    out: dict[str, ConstructSection] = {}
    for f in found.fits.values():
        out |= {c.name: c for c in sections_of(f, by_name(f), without=out)}
    return list(out.values())


def _map(found: "Assessment", rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Tile]]]:
    status = {str(r["proposition"]): str(r["status"]) for r in rows}
    out: dict[str, list[Tile]] = {}
    for p in found.framework.propositions.values():
        mine = status.get(p.id, "not_testable")
        linked = mine != "not_testable"
        label = w.STATUS[cast("Status", mine)] if linked else "Not tested"
        section = p.section or "Propositions"
        tile = Tile(p.id, mine, label, p.statement, linked)
        out.setdefault(section[:1].upper() + section[1:], []).append(tile)
    return list(out.items())


def _card(found: "Assessment", row: Mapping[str, Any]) -> dict[str, Any]:
    p = found.framework.propositions[str(row["proposition"])]
    compiled = found.propositions[p.id]
    ruling = found.rulings.get(p.id)
    status = cast("Status", row["status"])
    facts: list[tuple[str, str]] = [("Question", f"{compiled.question}.")]
    levels = list(dict.fromkeys(c.level for c in compiled.compiled if c.level))
    if levels:
        facts.append(("Level", w.joined(levels)))
    curve, interval, estimate = "", None, ""
    if ruling is not None and ruling.main is not None:
        main = ruling.main
        interval = (float(row["lower"]), float(row["mean"]), float(row["upper"]))
        mean, ends = with_interval(interval[1], interval[0], interval[2])
        estimate = f"{mean} {ends}"
        scale = SCALES.get(main.scale, main.scale)
        facts.append(
            (f"{main.name[:1].upper()}{main.name[1:]}", f"{mean}, interval {ends}, {scale}")
        )
        if main.draws.std() > 0:
            label = f"Posterior of {main.name}: mean {mean}, interval {ends}"
            rope = (
                (-main.smallest, main.smallest) if main.smallest and main.scale != "share" else None
            )
            curve = charts.posterior_curve(main.draws, _region(main), rope, interval, label)
        if main.scale == "share":
            interval = None
    if ruling is not None:
        facts += _chances(ruling, found.sensitivity.get(p.id))
    adjusted = dict.fromkeys(c for x in compiled.compiled for c in x.adjusted)
    for line in confounding(found.framework, compiled, tuple(adjusted)):
        head, _, rest = line.partition(": ")
        facts.append((head, rest))
    notes = dict.fromkeys(n for c in compiled.compiled for n in c.notes)
    facts += [("Not asked", n) for n in p.not_asked]
    facts += [("Note", n) for n in notes]
    if ruling is not None:
        facts += [("Evidence", line) for line in ruling.said]
    card = c_.Card(
        id=p.id, claim=p.statement, source=p.source, status=status, label=w.STATUS[status],
        icon=charts.status_icon(status), curve=curve, facts=tuple(facts),
        reason=minus(str(row["reason"])), estimate=estimate, interval=interval,
        parts=_parts(ruling),
    )  # fmt: skip
    return {
        "card": card,
        "models": [m for m in str(row["model"]).split(", ") if m],
        "first": True,
        "rates": " ".join(sentences(found.framework, p.claims)),
        "would": _would(ruling, status, found.sensitivity.get(p.id)),
    }


def _region(main: Part) -> _Region:
    if main.region == "+":
        return _Region(0.0, np.inf)
    if main.region == "-":
        return _Region(-np.inf, 0.0)
    if main.scale == "share":
        return _Region(main.smallest, np.inf)
    return _Region(-main.smallest, main.smallest, outside=True)


def _chances(ruling: Ruling, moved: "Sensitivity | None") -> list[tuple[str, str]]:
    before = "" if moved is None or moved.p_prior is None else (
        f"; prior probability {probability(moved.p_prior)}"
    )  # fmt: skip
    out = [
        (
            "P(claim holds)",
            f"{probability(ruling.holds)} ({stated(ruling.need)} is required){before}",
        ),
        ("P(reversed)", probability(ruling.reversed_)),
        ("P(negligible)", probability(ruling.negligible)),
    ]
    if moved is not None:
        half, double = (("not known" if v is None else v) for v in moved.priors)
        out.append(("Other priors", f"{half} at half the prior sds, {double} at double"))
        small, large = moved.limits
        out.append(("Other limits", f"{small} at half the smallest effect, {large} at double"))
    return out


def _parts(ruling: Ruling | None) -> Table | None:
    if ruling is None or len(ruling.parts) < 2:
        return None
    rows = []
    for x in ruling.parts:
        low, high = np.quantile(x.draws, [0.025, 0.975])
        mean, ends = with_interval(float(x.draws.mean()), float(low), float(high))
        rows.append(
            (
                x.name, f"{x.from_} → {x.to}", f"{mean} {ends}",
                "" if x.p_region is None else probability(x.p_region),
                probability(x.p_rope),
                w.STATUS[cast("Status", x.status)] if x.status else "",
            )
        )  # fmt: skip
    heads = ("Part", "Effect", "Estimate", "P(direction)", "P(negligible)", "Alone")
    return Table("Parts of the verdict", heads, tuple(rows))


def _would(ruling: Ruling | None, status: str, moved: "Sensitivity | None") -> str:
    """Say what would change a verdict."""
    if ruling is None:
        return ""
    out: list[str] = []
    if status == "undecided":
        out.append(
            "More units, or a wider range of the cause, would make the estimate more precise."
        )
    main = ruling.main
    if status in ("supported", "contradicted") and main is not None and main.region in ("+", "-"):
        toward = main.draws if (main.region == "+") == (status == "supported") else -main.draws
        shift = float(np.quantile(toward, 1 - ruling.probability))
        if shift > 0:
            out.append(
                f"It would be undecided if the estimate were {number(shift, 2)} sd closer to the "
                "other side, for example because of a confounder."
            )
    if moved is not None and moved.moves:
        out.append("It is sensitive to the prior: another prior might change it.")
    return " ".join(out)


def _false(found: "Assessment", tested: int) -> str:
    if not tested:
        return ""
    return (
        f"If all {tested} propositions tested were null, {number(found.expected_false, 2)} of them "
        "would be called supported on average under flat priors; verdicts on one study are not "
        "independent."
    )


def _untested(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    out: dict[str, list[str]] = {}
    for r in rows:
        if r["status"] == "not_testable":
            out.setdefault(str(r["reason"]), []).append(str(r["proposition"]))
    return [{"why": why, "ids": ids} for why, ids in sorted(out.items(), key=lambda p: -len(p[1]))]
