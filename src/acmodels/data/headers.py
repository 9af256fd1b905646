"""Rows around a table that are no data: titles above the header, further header rows below it.

Survey platforms write more than one header row: Qualtrics adds the wording of each question and a
row of JSON with `ImportId`, SurveyMonkey the parts of a question below a header with empty cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from acmodels.data.cells import MISSING, TRUTHS, is_nearly_number
from acmodels.data.dates import are_dates
from acmodels.data.table import shown
from acmodels.errors import DataError, listing

HEAD = 200
"""Rows that are looked at."""

_MOST = 3


class HeaderRowsError(DataError):
    """Header rows stand among the data.

    Args:
        problem: one plain sentence.
        count: how many there are.
    """

    def __init__(self, problem: str, count: int) -> None:
        super().__init__(problem)
        self.count = count


@dataclass(frozen=True)
class Further:
    """Header rows below the header.

    Attributes:
        count: how many.
        sample: some of what they hold.
        sure: whether they can be nothing else.
    """

    count: int
    sample: tuple[str, ...]
    sure: bool


def header_place(records: Sequence[Sequence[str]]) -> int:
    """Find the header among the first rows: the first one with content that is no title.

    A title is a row with one or two cells at the left above a row of names as wide as the table.

    Args:
        records: the first rows, cells as text, empty where blank.

    Returns:
        Its place; -1 where all rows are blank.
    """
    filled = [[k for k, cell in enumerate(r) if cell.strip(" \t\ufeff")] for r in records]
    first = next((i for i, places in enumerate(filled) if places), -1)
    widest = max((len(places) for places in filled), default=0)
    if first < 0 or widest < 2 or len(filled[first]) * 2 > widest:
        return first
    place = next(i for i, places in enumerate(filled) if len(places) * 2 > widest)
    names = [records[place][k].strip() for k in filled[place]]
    titles = [places for places in filled[first:place] if places]
    below = [records[i] for i in range(place + 1, len(records)) if filled[i]]
    is_header = (
        len(set(names)) == len(names)
        and not any(_is_value(name) for name in names)
        and any(k < len(r) and _is_value(r[k].strip()) for k in filled[place] for r in below)
    )
    are_titles = all(len(t) <= min(2, widest - 1) and t[0] <= filled[place][0] for t in titles)
    return place if is_header and are_titles else first


def further_headers(header: Sequence[str], head: Sequence[Sequence[str]]) -> Further | None:
    """Find header rows below the header.

    Args:
        header: the header's cells.
        head: the rows below it, at most some hundreds, as wide as the header.

    Returns:
        What was found, or None.
    """
    rows = [[cell.strip() for cell in row] for row in head[:HEAD]]
    for count in range(min(_MOST, len(rows)), 0, -1):
        cells = [cell for cell in rows[count - 1] if cell]
        if cells and sum("ImportId" in cell for cell in cells) * 2 >= len(cells):
            return Further(count, _sample(rows[:count]), sure=True)
    if len(rows) > 1 and _splits(header, rows[0]):
        return Further(1, _sample(rows[:1]), sure=True)
    for count in range(min(_MOST, len(rows) - 2), 0, -1):
        below = rows[count:]
        typed = [k for k in range(len(header)) if _is_typed([row[k] for row in below])]
        if typed and all(_is_header(rows, i, typed, below) for i in range(count)):
            return Further(count, _sample(rows[:count], typed), sure=False)
    return None


def refused(where: str, found: Further, header_row: int) -> HeaderRowsError:
    """Say that header rows stand among the data, and how to leave them out."""
    rows = list(range(header_row + 1, header_row + found.count + 1))
    one = found.count == 1
    said = f"row {rows[0]}" if one else f"rows {listing(rows[:-1])} and {rows[-1]}"
    unless = "" if found.sure else f"; if {'it is' if one else 'they are'} data, write skip = 0"
    return HeaderRowsError(
        f"{where}: {said} {'is an additional header row' if one else 'are additional header rows'}"
        f" of an export ({listing([f"'{s}'" for s in found.sample], 4)}), not data; to leave "
        f"{'it' if one else 'them'} out, write the line  skip = {found.count}  in a text file "
        f"columns.toml and add --columns columns.toml (in Python: "
        f'load_study(…, columns={{"skip": {found.count}}})){unless}',
        found.count,
    )


def joined_names(header: Sequence[str], below: Sequence[str]) -> tuple[str, ...]:
    """Name columns whose header is empty by the name at their left and the row below.

    >>> joined_names(["id", "Color", ""], ["", "Red", "Blue"])
    ('id', 'Color', 'Color - Blue')
    """
    out: list[str] = []
    left = ""
    for name, part in zip(header, below, strict=True):
        if name.strip():
            left = name.strip()
            out.append(name)
        else:
            out.append(f"{left} - {part.strip()}" if left and part.strip() else part.strip())
    return tuple(out)


def wordings(names: Sequence[str], skipped: Sequence[Sequence[str]]) -> dict[str, str]:
    """Take the first of the rows that were left out as labels of the columns."""
    if not skipped:
        return {}
    found = {n: " ".join(t.split()) for n, t in zip(names, skipped[0], strict=False)}
    return {n: t for n, t in found.items() if t and t != n and "ImportId" not in t}


def _sample(rows: Sequence[Sequence[str]], places: Sequence[int] = ()) -> tuple[str, ...]:
    """Show the column of which these rows say most."""
    among = list(places) or list(range(len(rows[0])))
    full = [k for k in among if all(row[k] for row in rows)] or among
    k = max(full, key=lambda k: len(rows[0][k]))
    return tuple(shown(row[k]) for row in rows if row[k])


def _splits(header: Sequence[str], row: Sequence[str]) -> bool:
    """Say whether a row names the columns whose header is empty, as SurveyMonkey's does."""
    empty = [k for k, name in enumerate(header) if k and not name.strip() and row[k]]
    blank = [k for k, name in enumerate(header) if k and not name.strip()]
    named = [k for k, name in enumerate(header) if name.strip()]
    return bool(
        empty
        and empty == blank
        and not row[0]
        and any(not row[k] for k in named)
        and not any(_is_value(row[k]) for k in empty)
    )


def _is_value(cell: str) -> bool:
    """Say whether a cell is a number, a truth value or a date."""
    return is_nearly_number(cell) or cell in TRUTHS or bool(are_dates([cell])[0])


def _is_typed(cells: Sequence[str]) -> bool:
    held = [cell for cell in cells if cell not in MISSING]
    return len(held) >= 2 and sum(_is_value(cell) for cell in held) >= 0.8 * len(held)


def _is_header(
    rows: Sequence[Sequence[str]], place: int, typed: Sequence[int], below: Sequence[Sequence[str]]
) -> bool:
    """Say whether a row has words, each only once, where the rows below have values."""
    row = rows[place]
    words = [row[k] for k in typed if row[k] not in MISSING]
    if not words or any(_is_value(word) for word in words):
        return False
    if any(not any(c.isalpha() for c in word) for word in words) or len(set(words)) < len(words):
        return False
    if any(row[k] == other[k] for k in typed for other in below if row[k]):
        return False
    if len(words) > 1:
        return True
    # with one column of values, the others must look like names of their columns too
    rest = [k for k in range(len(row)) if k not in typed]
    return bool(rest) and all(
        row[k] and all(other[k] != row[k] for other in below) and _recurs([o[k] for o in below])
        for k in rest
    )


def _recurs(cells: Sequence[str]) -> bool:
    return len(set(cells)) * 2 <= len(cells)
