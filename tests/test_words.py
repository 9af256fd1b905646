"""What a person reads keeps to American spelling and to the glossary's words."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import acmodels as ac

ROOT = Path(__file__).parents[1]
MADE = ("framework", "models")
"""Pages that building the site writes, from files that are looked at themselves."""
PAGES = [
    *(ROOT / n for n in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")),
    *(p for p in sorted((ROOT / "docs" / "site").glob("*.md")) if p.stem not in MADE),
    *sorted((ROOT / "course").glob("*.md")),
    *sorted((ROOT / "data" / "synthetic").rglob("README.md")),
]
LESSONS = sorted((ROOT / "course").glob("*.py"))
SOURCES = sorted((ROOT / "src" / "acmodels").rglob("*.py"))
TEMPLATES = sorted((ROOT / "src" / "acmodels").rglob("*.html"))
TABLES = [
    *sorted((ROOT / "models").rglob("*.toml")),
    *sorted((ROOT / "src" / "acmodels" / "framework").glob("*.toml")),
]

BRITISH = re.compile(
    r"\b(?:\w*(?:standard|random|organ|generali|normal|minim|maxim|summar|recogn|character|"
    r"penal|emphas|special|marginal|categor|local|real|initial|visual|optim|util|critic|equal|"
    r"formal|stabil|central|ideal|institutional|operational|conceptual|priorit|hypothes|general|"
    r"symbol|final|synthes)is(?:e|ed|es|ing|ation|ations)"
    r"|(?:un|mis)?label(?:led|ling)|(?:un|re)?model(?:led|ling)|(?:un)?cancell(?:ed|ing)|"
    r"travell\w+|signall(?:ed|ing)|(?:un)?cent(?:re|red|res|ring)|colour\w*|behaviour\w*|"
    r"favour\w*|neighbour\w*|honour\w*|labour\w*|analysed?|analysing|grey|programme[sd]?|"
    r"catalogue|judgement\w*|fulfil|enrol|ageing|whilst|amongst|learnt|spelt|artefact\w*|"
    r"licence|defence|offence|sceptic\w*|metre[s]?|per cent|maths)\b",
    re.IGNORECASE,
)
"""Spellings of British English; `analyses` is a plural and stays."""

COINED = {
    r"\bhangs? on\b": "depends on",
    r"\bleans? on the prior\b": "is sensitive to the prior",
    r"\brests? on the prior\b": "depends on the prior",
    r"\bby the prior alone\b": "prior probability",
    r"\blottery\b": "random assignment",
    r"\bthe data do not put\b": "the data do not separate ... from 0",
    r"\bshare nobody\b": "have no unit in common",
    r"\btold apart by\b": "differ in",
    r"\btips? at\b": "reaches 0 at, changes at",
    r"\bon the theory's word\b": "the theory says",
    r"\bpass(?:es)? for\b": "be mistaken for",
    r"\bmoves? both ends\b": "affects both cause and outcome",
    r"\bfed by its own consequences\b": "in a feedback loop",
    r"\ba part in the causes of both sides\b": "on a path that confounds cause and outcome",
    r"\bwould decide\b": "the threshold is",
    r"\bcareful colleague\b": "warnings and notes",
    r"\btwice over\b": "twice",
    r"\bbears? it out\b": "confirms it",
    r"\bno evidence of anything\b": "not evidence about",
    r"\baccounts that cannot both hold\b": "rival accounts",
    r"\bstands? there twice\b": "is given twice",
}
"""Phrases that no reader of the field would expect, and what to write."""


NAMES = re.compile(r"\b(?:\w*_\w*|reorganisation\w*)\b")
"""Names of files, columns and constructs, which stay as they are."""


def prose(text: str) -> str:
    """Take code out of Markdown: blocks, and names in backticks."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return NAMES.sub("", re.sub(r"`[^`\n]*`", "", text))


def literals(path: Path, *, docstrings: bool) -> Iterator[str]:
    """Give every text of several words in a Python file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    plain = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if id(node) in plain and not docstrings:
                continue
            if len(node.value.split()) > 1:
                yield node.value


def values(table: Any) -> Iterator[str]:
    """Give every text of several words among the values of a TOML file."""
    if isinstance(table, dict):
        table = list(table.values())
    if isinstance(table, list):
        for v in table:
            yield from values(v)
    elif isinstance(table, str) and len(table.split()) > 2 and "~" not in table:
        yield table


def texts() -> Iterator[tuple[str, str]]:
    """Give what people read, with where it stands."""
    for p in PAGES:
        yield p.relative_to(ROOT).as_posix(), prose(p.read_text(encoding="utf-8"))
    for p in LESSONS:
        said = re.findall(r"^# (.*)$", p.read_text(encoding="utf-8"), re.MULTILINE)
        yield p.name, prose("\n".join(said))
    for p in TEMPLATES:
        body = re.sub(r"<style>.*?</style>|<[^>]*>|\{[{%#].*?[}%#]\}", " ", p.read_text("utf-8"))
        yield p.name, body
    for p in TABLES:
        text = p.read_text(encoding="utf-8")
        comments = re.findall(r"#(?: |$)(.*)$", text, re.MULTILINE)
        yield p.name, prose("\n".join([*values(tomllib.loads(text)), *comments]))
    for p in SOURCES:
        place = p.relative_to(ROOT / "src" / "acmodels").as_posix()
        yield place, prose("\n".join(literals(p, docstrings=False)))
    for name in ac.__all__:
        yield f"acmodels.{name}", prose(getattr(ac, name).__doc__ or "")


def test_spelling_is_american() -> None:
    found = [f"{where}: {m[0]}" for where, text in texts() for m in BRITISH.finditer(text)]
    assert found == []


def test_phrases_are_those_of_the_field() -> None:
    found = [
        f"{where}: '{m[0]}'; write {instead}"
        for where, text in texts()
        for phrase, instead in COINED.items()
        for m in re.finditer(phrase, " ".join(text.split()), re.IGNORECASE)
    ]
    assert found == []


@pytest.mark.parametrize("word", ["standardised", "labelled", "centre", "behaviour", "analysed"])
def test_british_spelling_is_seen(word: str) -> None:
    assert BRITISH.search(f"a {word} thing")


@pytest.mark.parametrize("word", ["analyses", "standardized", "otherwise", "precise", "exercise"])
def test_american_spelling_is_not(word: str) -> None:
    assert not BRITISH.search(f"a {word} thing")


def test_every_word_for_a_verdict_is_in_the_glossary() -> None:
    from acmodels.reporting.words import STATUS

    text = (ROOT / "docs" / "site" / "glossary.md").read_text(encoding="utf-8").lower()
    assert [s for s in STATUS.values() if s.lower() not in text] == []
