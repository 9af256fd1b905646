"""What a notebook shows of a value: a few facts, in words, and nothing of the rows of data."""

import html
from collections.abc import Mapping


def facts(title: str, rows: Mapping[str, object]) -> str:
    """A small table for a notebook.

    Args:
        title: above it.
        rows: what is said, by its name; several things of one name in a tuple.

    >>> "<script" in facts("a", {"b": "<script>"})
    False
    """
    out = [f"<p><b>{html.escape(title)}</b></p><table>"]
    for name, value in rows.items():
        some = value if isinstance(value, tuple) else (value,)
        said = "<br>".join(html.escape(str(v)) for v in some)  # pyright: ignore[reportUnknownVariableType]
        out.append(
            f'<tr><th style="text-align:left;vertical-align:top">{html.escape(name)}</th>'
            f'<td style="text-align:left">{said}</td></tr>'
        )
    return "".join([*out, "</table>"])
