"""What codes stand for: which look like or are labeled as missing, which name categories."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acmodels.data.columns import advice, kind, label_codes
from acmodels.data.labelled import NO_LABELS
from acmodels.data.screening import sentinels
from acmodels.data.table import Finding, Study, shown
from acmodels.errors import DataError, listing
from acmodels.spec.names import composed

_WORDS = frozenset(
    """
    missing|missing value|missing values|missing data|missing code|user missing|system missing
    data missing|value missing|not available|unavailable|no data|data not available
    no answer|no answer given|not answered|unanswered|did not answer|didnt answer|no response
    nonresponse|non response|no reply|nothing reported|not reported|none given
    refused|refusal|refuse|refused to answer|refuses|declined|declined to answer|decline to answer
    prefer not to answer|prefer not to say|prefers not to say|would rather not say|wont say
    rather not say|dont want to answer|do not want to answer|item nonresponse|unit nonresponse
    dont know|do not know|doesnt know|does not know|didnt know|dk|dkna|dont knows|unknown
    not known
    cant say|cannot say|cant choose|cannot choose|not sure|unsure|no idea|hard to say
    not applicable|inapplicable|does not apply|doesnt apply|na|nap|n a|iap|not asked|not in survey
    not ascertained|not stated|not specified|unspecified|undetermined|not collected|not coded
    skipped|skip|legitimate skip|valid skip|logical skip|filtered|not determined|invalid|not valid
    blank|left blank|illegible|uncodable|uncodeable|multiple responses|no information
    out of range|lost
    keine angabe|k a|ka|weiß nicht|weiss nicht|verweigert|trifft nicht zu|nicht zutreffend|fehlend
    no sabe|no contesta|ns nc|no aplica|sin respuesta|ne sait pas|sans réponse|sans objet|refus
    """.replace("\n", "|").split("|")
)  # fmt: skip
_MEANING = frozenset(word.strip() for word in _WORDS if word.strip())

_ORDERED = re.compile(
    r"\b(?:agree|disagree|always|often|sometimes|seldom|rarely|never|usually|frequently|occasionally"
    r"|daily|weekly|monthly|yearly|annually|hourly|once|twice|times?|very|extremely|quite|rather"
    r"|somewhat|slightly|moderate(?:ly)?|neutral|neither|little|much|most|many|few|fewer|less|more"
    r"|all|none|some|any|low|lower|lowest|medium|mid|middle|average|high|higher|highest|minimal"
    r"|minimum|maximum|poor|fair|good|bad|better|best|worse|worst|excellent|satisf\w*|dissatisf\w*"
    r"|important|unimportant|likely|unlikely|probabl\w*|certain\w*|definitely|completely|entirely"
    r"|complete|incomplete|partly|partially|fully|not|small|large|big|short|long|weak\w*|strong\w*"
    r"|young|old\w*|early|late|first|second|third|last|beginner|novice|basic|intermediate|advanced"
    r"|expert|proficien\w*|grade|level|stage|year|years|month|months|weeks?|days?|hours?|minutes?"
    r"|primary|secondary|tertiary|under|over|above|below|up to|at least|at most|or more|or less)\b"
    r"|[0-9]|[<>≤≥%]",
    re.IGNORECASE,
)  # fmt: skip


def means_missing(label: str) -> bool:
    """Say whether a value label says that there is no value.

    >>> [means_missing(w) for w in ("-9. Refused", "DON'T KNOW (VOL.)", "Missing; unknown", "Some")]
    [True, True, True, False]
    """
    text = label.casefold().replace("'", "").replace("’", "").replace("`", "")
    text = re.sub(r"\((?:vol\w*|do not read|dont read|dnr)\.?\)", "", text)
    text = re.sub(r"^\W*[a-z]?[-−]?[0-9]*\s*[.:=)\]]\s*", "", text)
    pieces = re.split(r"[/,;:()\[\]{}]|\bor\b|\band\b|\s[-–—]\s|^<|>$", text)
    cleaned = [" ".join(re.sub(r"[^\w]+", " ", p).split()) for p in pieces]
    whole = " ".join(re.sub(r"[^\w]+", " ", text).split())
    return whole in _MEANING or any(piece in _MEANING for piece in cleaned if piece)


def screened(study: Study) -> Study:
    """Return a table with what its value labels warn of among its findings."""
    found = undeclared(study)
    return replace(study, findings=(*study.findings, *found)) if found else study


def undeclared(study: Study) -> list[Finding]:
    """Find codes that are in the data and labeled as missing, but not declared missing."""
    labels = study.labels or NO_LABELS
    out: list[Finding] = []
    for column, words in labels.values.items():
        if column not in study.names:
            continue
        odd = {code: word for code, word in words.items() if means_missing(word)}
        counts = _counted(study, column, odd)
        if not counts:
            continue
        said = [f"{code_text(c)} “{shown(odd[c])}” ({n})" for c, n in counts.items()]
        codes = ", ".join(code_text(c) if isinstance(c, int | float) else f'"{c}"' for c in counts)
        one = len(counts) == 1
        out.append(
            Finding(
                "warning",
                f"{study.name}: '{shown(column)}' holds {listing(said)}. The "
                f"{'label says' if one else 'labels say'} that a value is missing, but the "
                f"{'code is' if one else 'codes are'} not declared missing and "
                f"{'is' if one else 'are'} read as {'a value' if one else 'values'}; to make "
                f"{'it' if one else 'them'} missing, {advice(column, f'missing = [{codes}]')}",
                column,
            )
        )
    return out


def nominal(study: Study, column: str) -> tuple[str, ...]:
    """Return the labels of a column of numbers whose codes look like categories without order.

    They do where every number that occurs has a label, at least three do, and no label has a word
    or number that orders it (`agree`, `often`, `high`, `2 years`).

    Args:
        study: the study.
        column: its name.

    Returns:
        The labels in the order of the codes, or nothing.
    """
    labels = (study.labels or NO_LABELS).values.get(column, {})
    try:
        if not labels or kind(study, column) != "number":
            return ()
        present = [float(word) for word in label_codes(study, column)[1]]
    except (DataError, ValueError):
        return ()
    known = _by_number(labels)
    if len(present) < 3 or any(code not in known for code in present):
        return ()
    words = tuple(known[code] for code in sorted(present))
    real = [word for word in words if not means_missing(word)]
    if len(real) < 3 or any(_ORDERED.search(word) for word in real):
        return ()
    return words


def sentinel_warning(column: str, values: NDArray[np.float64]) -> str | None:
    """Warn of numbers that look like codes for missing, with the line that makes them missing.

    Args:
        column: its name.
        values: its numbers; NaN is skipped.

    Returns:
        The warning, or None where no number looks like a code.

    >>> print(sentinel_warning("z", np.array([1.0, 2.0, 3.0, -99.0])))
    'z' holds -99 in 1 row, far from its other values; if this is a code for missing values, \
leave these cells empty, or write the line  z = { column = "z", missing = [-99] }  in a text file \
columns.toml and add --columns columns.toml
    """
    odd = sentinels(values)
    if not odd:
        return None
    codes = ", ".join(code_text(v) for v in odd)
    n = int(np.isin(values, odd).sum())
    what = "this is a code" if len(odd) == 1 else "these are codes"
    return (
        f"'{shown(column)}' holds {codes} in {n} {'row' if n == 1 else 'rows'}, far from its other "
        f"values; if {what} for missing values, leave these cells empty, or "
        f"{advice(column, f'missing = [{codes}]')}"
    )


def named_levels(study: Study, column: str, texts: Iterable[str]) -> dict[str, str]:
    """Name the codes of a column by their value labels.

    Args:
        study: the study.
        column: its name.
        texts: its codes as `labels` writes them.

    Returns:
        By code, its label; the code itself where it has none, and after a label that two codes
        share. Accented letters are one character each, as in models. Nothing where no code has a
        label and none is spelled otherwise.
    """
    labels = (study.labels or NO_LABELS).values.get(column, {})
    if not labels:
        texts = list(texts)
        return {} if all(t == composed(t) for t in texts) else {t: composed(t) for t in texts}
    numbers, words = _by_number(labels), {str(c).strip(): w for c, w in labels.items()}
    found: dict[str, str] = {}
    for text in texts:
        bare = text.strip()
        try:
            label = numbers.get(float(bare), words.get(bare))
        except ValueError:
            label = words.get(bare)
        word = bare if label is None or not label.strip() else " ".join(label.split())
        found[text] = composed(word)
    if all(text.strip() == label for text, label in found.items()):
        return {}
    given = list(found.values())
    return {t: w if given.count(w) == 1 else f"{w} ({t.strip()})" for t, w in found.items()}


def _by_number(labels: Mapping[Any, str]) -> dict[float, str]:
    out: dict[float, str] = {}
    for code, word in labels.items():
        try:
            out[float(code)] = word
        except (TypeError, ValueError):
            continue
    return out


def _counted(study: Study, column: str, odd: Mapping[Any, str]) -> dict[Any, int]:
    """Count the cells that hold each code."""
    if not odd:
        return {}
    try:
        codes, words = label_codes(study, column)
    except DataError:
        return {}
    count = np.bincount(codes[codes >= 0], minlength=len(words))
    numbers = {_as_number(word): int(n) for word, n in zip(words, count, strict=True)}
    texts = {word.strip(): int(n) for word, n in zip(words, count, strict=True)}
    found = {c: numbers.get(_as_number(str(c)), 0) or texts.get(str(c).strip(), 0) for c in odd}
    return {c: n for c, n in found.items() if n}


def _as_number(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word.strip()


def code_text(code: Any) -> str:
    """Write a code as a person does: whole numbers without a point."""
    if isinstance(code, int | float):
        return str(int(code)) if float(code).is_integer() else repr(float(code))
    return shown(str(code))
