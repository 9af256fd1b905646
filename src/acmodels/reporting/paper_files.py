"""Tables of a paper as HTML, LaTeX and, where python-docx is installed, as .docx.

A text that a spreadsheet would run as a formula is set behind an apostrophe.
"""

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from acmodels.errors import InputError
from acmodels.folder import unwritable
from acmodels.reporting.figure_files import write_figures
from acmodels.reporting.methods import methods_words
from acmodels.reporting.paper_folder import read
from acmodels.reporting.papers import PaperTable, Style, paper_tables


def inert(text: str) -> str:
    """A text that no spreadsheet runs: one that starts as a formula does gets an apostrophe.

    >>> inert("=cmd|' /C calc'!A0"), inert("routines")
    ("'=cmd|' /C calc'!A0", 'routines')
    """
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


_STYLE = """
body { font: 11pt/1.4 "Times New Roman", Times, serif; margin: 2rem; color: #000; }
body { background: #fff; }
table { border-collapse: collapse; border-top: 1.5px solid; border-bottom: 1.5px solid; }
caption { text-align: left; } caption i { display: block; margin: .2rem 0 .5rem; }
th, td { padding: .15rem .9rem .15rem 0; text-align: right; vertical-align: top; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 1px solid; font-weight: 400; }
tr.group th { padding-top: .5rem; text-align: left; font-weight: 400; font-style: italic; }
td.in { padding-left: 1rem; }
p { max-width: 40rem; } p.note { margin: .4rem 0 2.2rem; }
"""


def to_html(tables: Sequence[PaperTable], methods: str) -> str:
    """A page of its own, set as APA sets tables: rules above and below, none upright."""
    out = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Tables</title><style>'
        + _STYLE
        + "</style></head><body>"
    ]
    for k, t in enumerate(tables):
        out.append(
            f"<table><caption><b>Table {k + 1}</b><i>{_html(t.title)}</i></caption><thead><tr>"
        )
        out += [f'<th scope="col">{_html(c)}</th>' for c in t.columns]
        out.append("</tr></thead><tbody>")
        for head, rows in t.groups:
            if head:
                span = len(t.columns)
                out.append(
                    f'<tr class="group"><th colspan="{span}" scope="rowgroup">{_html(head)}'
                    "</th></tr>"
                )
            for row in rows:
                inner = ' class="in"' if head else ""
                first = f"<td{inner}>{_html(row[0])}</td>"
                out.append(f"<tr>{first}{''.join(f'<td>{_html(c)}</td>' for c in row[1:])}</tr>")
        out.append("</tbody></table>")
        out.append(
            f'<p class="note"><i>Note.</i> {_html(t.note)}</p>'
            if t.note
            else '<p class="note"></p>'
        )
    out.append(f"<h2>Methods</h2><p>{_html(methods)}</p></body></html>")
    return "".join(out)


def _html(text: str) -> str:
    return html.escape(inert(text))


_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "|": r"\textbar{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "\N{MINUS SIGN}": "$-$", "\u202f": r"\,",
    "\N{NO-BREAK SPACE}": "~",
    "\N{EN DASH}": "--",
    "\n": " ",
}  # fmt: skip


def _tex(text: str) -> str:
    return "".join(_TEX.get(c, c) for c in inert(text))


def to_latex(tables: Sequence[PaperTable], methods: str) -> str:
    """Tables to `\\input`; they need the package booktabs."""  # noqa: D301
    out = ["% \\usepackage{booktabs}, and with pdflatex \\usepackage[T1]{fontenc}"]
    for t in tables:
        align = "l" + "r" * (len(t.columns) - 1)
        out += [
            "\\begin{table}", f"\\caption{{{_tex(t.title)}}}",
            "\\footnotesize" if len(t.columns) > 6 else "\\small", f"\\begin{{tabular}}{{{align}}}",
            "\\toprule", " & ".join(_tex(c) for c in t.columns) + " \\\\", "\\midrule",
        ]  # fmt: skip
        for head, rows in t.groups:
            if head:
                out.append(
                    f"\\multicolumn{{{len(t.columns)}}}{{l}}{{\\textit{{{_tex(head)}}}}} \\\\"
                )
            space = "\\quad " if head else ""
            out += [space + " & ".join(_tex(c) for c in row) + " \\\\" for row in rows]
        out += ["\\bottomrule", "\\end{tabular}"]
        if t.note:
            out.append(f"\n\\medskip\\textit{{Note.}} {_tex(t.note)}")
        out += ["\\end{table}", ""]
    return "\n".join([*out, _tex(methods), ""])


def write_docx(tables: Sequence[PaperTable], methods: str, path: Path) -> None:
    """Tables as a Word document.

    Raises:
        InputError: python-docx is not installed.
    """
    try:
        import docx
        from docx.shared import Pt
    except ImportError:
        raise InputError(
            ".docx needs python-docx, which is not installed: pip install 'acmodels[papers]'"
        ) from None
    document: Any = docx.Document()
    style = document.styles["Normal"]
    style.font.name = "Times New Roman"
    for k, t in enumerate(tables):
        document.add_paragraph().add_run(f"Table {k + 1}").bold = True
        document.add_paragraph().add_run(t.title).italic = True
        lines = sum(len(rows) + bool(head) for head, rows in t.groups)
        made: Any = document.add_table(rows=1 + lines, cols=len(t.columns))
        made.autofit = True
        _row(made.rows[0], t.columns)
        at = 1
        for head, rows in t.groups:
            if head:
                cell = made.rows[at].cells[0].merge(made.rows[at].cells[-1])
                cell.paragraphs[0].add_run(inert(head)).italic = True
                cell.paragraphs[0].paragraph_format.space_after = Pt(2)
                at += 1
            for row in rows:
                _row(made.rows[at], row, indent=bool(head))
                at += 1
        _rules(made)
        note = document.add_paragraph()
        if t.note:
            note.add_run("Note. ").italic = True
            note.add_run(t.note)
    document.add_paragraph().add_run("Methods").bold = True
    document.add_paragraph(methods)
    document.save(str(path))


def _row(row: Any, cells: Sequence[str], *, indent: bool = False) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt

    for k, (cell, text) in enumerate(zip(row.cells, cells, strict=True)):
        paragraph = cell.paragraphs[0]
        paragraph.add_run(inert(text))
        paragraph.paragraph_format.space_after = Pt(2)
        if k:
            paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
        elif indent:
            paragraph.paragraph_format.left_indent = Pt(10)


def _rules(table: Any) -> None:
    """Rules above, below the head and at the end, as APA has them."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    def rule(row: Any, edges: Sequence[str]) -> None:
        for cell in row.cells:
            borders = OxmlElement("w:tcBorders")
            for edge in edges:
                line = OxmlElement(f"w:{edge}")
                for key, value in (
                    ("val", "single"),
                    ("sz", "8"),
                    ("space", "0"),
                    ("color", "auto"),
                ):
                    line.set(qn(f"w:{key}"), value)
                borders.append(line)
            cell._tc.get_or_add_tcPr().append(borders)  # noqa: SLF001

    rule(table.rows[0], ("top", "bottom"))
    rule(table.rows[-1], ("bottom",))


def write_papers(folder: Path, out: Path, style: Style = "apa") -> tuple[Path, ...]:
    """Write `tables.html`, `tables.tex`, `methods.txt`; the report's drawings in `figures/`.

    With python-docx `tables.docx` too, and with resvg_py the drawings as PNG.

    Args:
        folder: that `acmodels fit` wrote.
        out: a folder, made if it is not there.
        style: of the first table.

    Raises:
        InputError: the folder is none of `fit`, or `out` cannot be written.
    """
    from importlib.util import find_spec

    found = read(folder)
    tables, methods = paper_tables(found, style), methods_words(found)
    paths = [out / "tables.html", out / "tables.tex", out / "methods.txt"]
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path, text in zip(
            paths,
            (to_html(tables, methods), to_latex(tables, methods), methods + "\n"),
            strict=True,
        ):
            path.write_text(text, encoding="utf-8")
        if find_spec("docx") is not None:
            paths.append(out / "tables.docx")
            write_docx(tables, methods, paths[-1])
        paths += write_figures(folder / "report.html", out / "figures")
    except OSError as error:
        raise unwritable(out, error) from None
    return tuple(paths)
