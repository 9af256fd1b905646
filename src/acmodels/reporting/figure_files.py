"""The drawings of a report as files of their own, in the colors of print."""

import re
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

PRINT_WIDTH = 1950
_SECTION = re.compile(r'<section id="([\w-]+)"|(<svg\b.*?</svg>)', re.DOTALL)


def write_figures(page: Path, out: Path) -> tuple[Path, ...]:
    """Write every drawing of a report as SVG and, with resvg_py, as PNG at print size.

    Files are named by the section that a drawing is in.

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
    if find_spec("resvg_py") is not None:
        paths += [to_png(p) for p in paths]
    return tuple(paths)


def drawing_alone(drawing: str) -> str:
    """A drawing of a report as the contents of an SVG file, in the colors of print."""
    return _alone(drawing, _print_style())


def _alone(drawing: str, style: str) -> str:
    """A drawing that needs no page around it."""
    head, rest = drawing.split(">", 1)
    if "xmlns=" not in head:
        head += ' xmlns="http://www.w3.org/2000/svg"'
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{head}><style><![CDATA[{style}]]></style>{rest}\n'
    )


def _print_style() -> str:
    """The page's rules of drawings for light paper, with colors and fonts written out.

    Word, Inkscape and what makes PNG of a drawing know no variables.
    """
    text = files("acmodels.reporting").joinpath("style.css").read_text(encoding="utf-8")
    plain = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", text)
    root = re.search(r":root \{(.*?)\}", plain, re.DOTALL)
    assert root is not None  # noqa: S101
    values = dict(re.findall(r"--([\w-]+):\s*([^;]+);", root[1]))
    rules = re.findall(r"[^{}]+\{[^{}]*\}", plain.replace(root[0], ""))
    kept = [r.strip() for r in rules if _of_drawings(r.split("{")[0])]
    return re.sub(r"var\(--([\w-]+)\)", lambda m: values.get(m[1], "none"), "\n".join(kept))


def _of_drawings(selector: str) -> bool:
    own = ("svg", ".diagram", ".edge", ".unclear")
    return (
        selector.strip().startswith(own)
        and ":hover" not in selector
        and ".diagram {" not in selector
    )


def to_png(drawing: Path, width: int = PRINT_WIDTH) -> Path:
    """Draw an SVG file as PNG beside it, on white.

    Args:
        drawing: from `write_figures`.
        width: in pixels; 1950 is the width of a page's text, 6.5 inches, at 300 dots an inch.

    Raises:
        ImportError: resvg_py is not installed.
    """
    import resvg_py

    out = drawing.with_suffix(".png")
    out.write_bytes(resvg_py.svg_to_bytes(svg_path=str(drawing), width=width, background="#ffffff"))
    return out
