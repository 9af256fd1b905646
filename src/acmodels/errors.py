"""The exception tree: every error a person can cause, in plain words.

An error's text names what is wrong, where (file, key, column, rows), what was
allowed, and the likely fix. The command line prints the text and exits with
`exit_code`; a notebook shows the same text.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any


class AcmodelsError(Exception):
    """Base of every error this package raises on purpose."""

    exit_code = 2

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows: the text, as the command line does."""
        return str(self).splitlines()


class InputError(AcmodelsError):
    """Something a person wrote (a model, a table, an option) cannot be used.

    Args:
        problems: one plain sentence, or several; all are shown at once.
    """

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems: tuple[str, ...] = (
            (printable(problems),)
            if isinstance(problems, str)
            else tuple(printable(p) for p in problems)
        )
        super().__init__("\n".join(self.problems))


class ModelError(InputError):
    """A model, design or plan file is wrong."""


class FormulaError(ModelError):
    """A formula cannot be read."""


class DataError(InputError):
    """A table cannot be used, or not with this model.

    Args:
        problems: as for `InputError`.
        findings: whatever else was noticed and would have been said had the table been usable.
    """

    def __init__(self, problems: str | Iterable[str], findings: Iterable[Any] = ()) -> None:
        super().__init__(problems)
        self.findings: tuple[Any, ...] = tuple(findings)


class EstimandError(InputError):
    """An estimand or proposition asks for something the model does not hold."""


class NotYetError(InputError):
    """The contract knows this, but this version does not fit it yet."""


class EngineError(AcmodelsError):
    """Sampling failed in a way that leaves no result."""

    exit_code = 3


def printable(text: str) -> str:
    r"""Make text that others wrote safe for one line of a terminal: nothing unprintable.

    >>> printable("two\nlines")
    'two\\nlines'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest allowed word, or nothing."""
    candidates = [str(a) for a in allowed]
    near = get_close_matches(word, candidates, n=1, cutoff=0.6)
    if not near:
        folded = {a.casefold(): a for a in candidates}
        near = [folded[word.casefold()]] if word.casefold() in folded else []
    return f"; did you mean '{near[0]}'?" if near else ""


def listing(items: Sequence[object], most: int = 8) -> str:
    """Join items for a sentence, cut after `most` of them."""
    shown = ", ".join(str(i) for i in items[:most])
    left = len(items) - most
    return f"{shown} and {left} more" if left > 0 else shown
