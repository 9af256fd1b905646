"""Names of columns: one way to read them wherever a person writes one.

A column whose name is no plain word stands in backticks in a formula (`` `part (cap)` ``) and,
everywhere else, with or without them. Files are brought to one spelling as they are read: column
names without backticks, and texts that hold names (`from`, `y ~ x`, `sd(y ~ 1 | g)`) as formulas
and tables of parameters write them. An accented letter that was typed as a letter and an accent
becomes the one character that looks the same (Unicode's form NFC). What comes after compares
strings.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

_PLAIN = re.compile(r"[^\W\d][\w.]*")
_QUOTED = r"`(?:[^`]|``)+`"


@dataclass(frozen=True)
class Names:
    """What texts of a model may name.

    Attributes:
        columns: names of columns, without backticks.
        taken: texts that mean something else to the model (`log(x)`, `a:b`), so that a column of
            that very name needs its backticks.
    """

    columns: frozenset[str]
    taken: frozenset[str] = frozenset()


def quoted(name: str) -> str:
    """Put a column name in backticks where a formula could not hold it bare."""
    return name if _PLAIN.fullmatch(name) else "`" + name.replace("`", "``") + "`"


def composed(text: str) -> str:
    r"""Write accented letters as one character each, however they were typed.

    >>> composed("e\u0301cole") == "\u00e9cole"
    True
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def plain(text: str) -> str:
    """Return the column that a text names, written with or without backticks.

    >>> plain("`part (cap)`"), plain("part (cap)")
    ('part (cap)', 'part (cap)')
    """
    text = composed(text)
    bare = text.strip()
    return bare[1:-1].replace("``", "`") if re.fullmatch(_QUOTED, bare) else text


def plain_keys[T](table: Mapping[str, T]) -> dict[str, T]:
    """Return a table with the columns that its keys name as keys."""
    return {plain(k): v for k, v in table.items()}


def spelled(text: str, names: Names) -> str:
    """Write the names of columns in a text as formulas do.

    Args:
        text: such as `within(part (cap), g)` or `` `x` ``.
        names: of the model.

    >>> spelled("within(part (cap), g)", Names(frozenset({"part (cap)", "g"})))
    'within(`part (cap)`, g)'
    """
    text = composed(text)
    whole = text.strip()
    if whole in names.columns and whole not in names.taken:
        return quoted(whole)

    def one(found: re.Match[str]) -> str:
        here = found[0]
        if found["quoted"]:
            return quoted(plain(here))
        return quoted(here) if found["name"] else here

    return _pattern(names).sub(one, text)


def parameter(text: str, names: Names) -> str:
    """Write the name of a parameter, or a pattern of names, as tables of parameters do.

    There the response stands as it is and what follows `~` as in a formula:
    ``post test ~ `part (cap)` ``.
    """
    out = spelled(text, names)
    if "~" not in re.sub(_QUOTED, "", out) and "|" not in re.sub(_QUOTED, "", out):
        return re.sub(_QUOTED, lambda q: plain(q[0]), out)
    response = rf"{_QUOTED}(?=\s*(?:~|\|\s*t[\d*]*\s*$))"
    return re.sub(response, lambda q: plain(q[0]), out)


def pieces(text: str, mark: str) -> list[str]:
    """Split a text at a mark, except within backticks and within the brackets of levels."""
    out = [""]
    for token in re.findall(rf"{_QUOTED}|\[[^\]]*\]|.", text, re.DOTALL):
        if token == mark:
            out.append("")
        else:
            out[-1] += token
    return out


def level_of(text: str) -> tuple[str, str | None]:
    """Return a name and, where it is written `sector[Public]`, the level in it."""
    found = re.fullmatch(rf"((?:{_QUOTED}|[^`\[])+)\[(.+)\]", text, re.DOTALL)
    return (found[1], found[2]) if found else (text, None)


def without_backticks(text: str) -> str:
    """Return a text as a reader sees it: names without backticks."""
    return re.sub(_QUOTED, lambda q: plain(q[0]), text)


def without_names(text: str) -> str:
    """Return a text with a plain letter for each name in backticks, to look at what is around.

    >>> without_names("y ~ `a:b`:x")
    'y ~ q:x'
    """
    return re.sub(_QUOTED, "q", text)


def same(text: str, known: Iterable[str]) -> str | None:
    """Find the one of some texts that differs at most in backticks."""
    options, text = list(known), composed(text)
    if text in options:
        return text
    near = [k for k in options if without_backticks(k) == without_backticks(text)]
    return near[0] if len(near) == 1 else None


@lru_cache
def _pattern(names: Names) -> re.Pattern[str]:
    """Return what is looked for in a text, in turn: backticks, names, levels in brackets."""
    odd = [n for n in sorted(names.columns, key=len, reverse=True) if _odd(n, names)]
    # the number in spline(x, 4) is no column
    found = [rf"{'(?<!, )' if _is_number(n) else ''}{re.escape(n)}" for n in odd]
    return re.compile(
        rf"(?P<quoted>{_QUOTED})|(?<![\w.])(?P<name>{'|'.join(found) or '(?!)'})(?![\w.])"
        r"|(?P<level>\[[^\]]*\])"
    )


def _odd(name: str, names: Names) -> bool:
    """Say whether a name needs backticks and can be told from what stands about it without them."""
    if name in names.taken or _PLAIN.fullmatch(name) or not re.search(r"\w", name):
        return False
    before = level_of(name)[0]
    return name not in ("0", "1") and (before == name or before not in names.columns)


def _is_number(name: str) -> bool:
    return re.fullmatch(r"[\d.]+", name) is not None
