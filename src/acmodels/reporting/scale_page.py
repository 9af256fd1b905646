"""One page about the scales of a study: how well items measure, how far raters agree."""

from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acmodels.numbers import count, decimal, stated
from acmodels.reporting import write_page
from acmodels.reporting.svg import tag, view_box

if TYPE_CHECKING:
    from acmodels.data.scales import Scales

_METHODS = (
    "Items worded the other way were turned (minimum plus maximum less the answer). A "
    "person's score is the mean of the items answered, where at least half were; a unit's "
    "score is the mean of its raters'. Alpha (Cronbach 1951) and omega (McDonald 1999, one "
    "factor) are of complete answers of one person on one unit; ICC(1) and ICC(2) are from "
    "the one-way analysis of variance of persons' scores (Shrout & Fleiss 1979; Bliese 2000); "
    "rwg(j) is against a uniform null (James, Demaree & Wolf 1984), its median over units "
    "with two raters or more."
)

_ROW, _LEFT, _WIDTH = 24.0, 190.0, 620.0


def scale_report(found: "Scales", path: Path, name: str) -> Path:
    """Write the page.

    Args:
        found: from `scales`.
        path: of the HTML file; an existing one is replaced whole.
        name: of the data.

    Raises:
        InputError: the file cannot be written.
    """
    return write_page(path, "run.html", _context(found, name))


def _context(found: "Scales", name: str) -> dict[str, Any]:
    warnings = [f.message for f in found.findings if f.severity == "warning"]
    rows = found.table.to_dict("records")
    return {
        "title": f"The scales of {name}",
        "lead": f"{count(len(rows))} constructs from {count(len(set(found.items['item'])))} items.",
        "good": not warnings,
        "status": "No problem was found with these scales."
        if not warnings
        else f"{count(len(warnings))} things to look at.",
        "sentences": [f"{w[:1].upper()}{w[1:]}." for w in warnings],
        "chart_title": "Reliability",
        "charts": [_chart(rows)] if rows else [],
        "chart_words": (
            "Filled: alpha, of persons' answers. Open: ICC(2), of the mean over raters of a unit. "
            "The line is at .70."
        ),
        "tables": [
            {
                "title": "Constructs",
                "heads": [
                    "Construct", "Rated", "Items", "Persons", "Units", "Mean", "SD", "Alpha",
                    "Omega", "ICC(1)", "ICC(2)", "Raters", "rwg", "rwg at least .70", "Left out",
                ],
                "rows": [
                    [
                        r["construct"], r["target"], count(r["items"]), count(r["persons"]),
                        count(r["units"]),
                        *(_two(r[c]) for c in ("mean", "sd", "alpha", "omega", "icc1", "icc2")),
                        decimal(r['raters'], 1), _two(r["rwg"]), _percent(r["agreed"]),
                        _percent(r["missing"]),
                    ]
                    for r in rows
                ],
            },
            {
                "title": "Items",
                "heads": [
                    "Item", "Construct", "Wording", "Turned", "Mean", "SD", "Item-rest", "Left out",
                ],
                "rows": [
                    [
                        i["item"], i["construct"], i["label"], "yes" if i["reverse"] else "",
                        *(_two(i[c]) for c in ("mean", "sd", "item_rest")),
                        _percent(i["missing"]),
                    ]
                    for i in found.items.to_dict("records")
                ],
            },
        ],
        "assumptions": (),
        "methods": _METHODS,
        "provenance": [("acmodels", metadata.version("acmodels"))],
        "version": metadata.version("acmodels"),
    }  # fmt: skip


def _two(value: float) -> str:
    return "" if np.isnan(value) else decimal(value, 2)


def _percent(value: float) -> str:
    return "" if np.isnan(value) else f"{decimal(100 * value, 0)} %"


def _chart(rows: list[dict[str, Any]]) -> str:
    """A row a construct: alpha and ICC(2) from 0 to 1."""
    height = _ROW * (len(rows) + 1.5)
    span = _WIDTH - _LEFT - 20

    def x(value: float) -> float:
        return _LEFT + span * min(max(value, 0.0), 1.0)

    parts: list[str] = []
    for t in (0.0, 0.25, 0.5, 0.75, 1.0):
        at = x(t)
        bottom = height - _ROW
        parts.append(tag("line", x1=at, x2=at, y1=0, y2=bottom, class_="grid"))
        parts.append(
            tag(
                "text",
                text=stated(t),
                x=at,
                y=bottom + 16,
                class_="tick",
                text_anchor="middle",
            )
        )
    parts.append(tag("line", x1=x(0.7), x2=x(0.7), y1=0, y2=height - _ROW, class_="diagonal"))
    for k, r in enumerate(rows):
        y = _ROW * (k + 0.6)
        name = str(r["construct"])
        short = name if len(name) <= 26 else f"{name[:25]}…"
        parts.append(
            tag("text", text=short, x=_LEFT - 12, y=y + 4, class_="tick", text_anchor="end")
        )
        if not np.isnan(r["icc2"]):
            parts.append(tag("circle", cx=x(r["icc2"]), cy=y, r=4.5, class_="dot unclear"))
        if not np.isnan(r["alpha"]):
            parts.append(tag("circle", cx=x(r["alpha"]), cy=y, r=4.5, class_="dot"))
    return tag(
        "svg", *parts, class_="chart", width=_WIDTH, height=height, role="img",
        viewBox=view_box(_WIDTH, height), aria_label="Alpha and ICC(2) of each construct",
    )  # fmt: skip
