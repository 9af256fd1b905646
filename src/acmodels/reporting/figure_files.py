"""The drawings of a report as files of their own, in the colours of print."""

import re
from importlib.resources import files
from pathlib import Path

_SECTION = re.compile(r'<section id="([\w-]+)"|(<svg\b.*?</svg>)', re.DOTALL)


def write_figures(page: Path, out: Path) -> tuple[Path, ...]:
    """Write every drawing of a report as SVG, named by the section it is in.

    Args:
        page: a `report.html`.
        out: a folder, made if it is not there.

    Returns:
        The files written; none if there is no such page.
    """
    if not page.is_file():
        return ()
    style = _print_style()
    section = "figure"
    count: dict[str, int] = {}
    paths: list[Path] = []
    for found in _SECTION.finditer(page.read_text(encoding="utf-8")):
        if found[1]:
            section = found[1]
            continue
        drawing = found[2]
        head = drawing[: drawing.index(">")]
        if "viewBox" not in head or "icon" in head:
            continue
        count[section] = count.get(section, 0) + 1
        out.mkdir(parents=True, exist_ok=True)
        paths.append(out / f"{section}_{count[section]}.svg")
        paths[-1].write_text(_alone(drawing, style), encoding="utf-8")
    return tuple(paths)


def _alone(drawing: str, style: str) -> str:
    """A drawing that needs no page around it."""
    head, rest = drawing.split(">", 1)
    if "xmlns=" not in head:
        head += ' xmlns="http://www.w3.org/2000/svg"'
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{head}><style><![CDATA[{style}]]></style>{rest}\n'
    )


def _print_style() -> str:
    """The page's rules, without those for dark screens, small screens and paper."""
    text = files("acmodels.reporting").joinpath("style.css").read_text(encoding="utf-8")
    plain = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", text)
    return plain.replace(":root", "svg").replace("color-scheme: light dark;", "")
