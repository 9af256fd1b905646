"""The theory files are complete, consistent and in our own form."""

import ast
import inspect
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Mapping
from importlib.resources import files
from itertools import pairwise
from typing import get_args

import pytest

from acmodels import framework
from acmodels.errors import InputError
from acmodels.framework import (
    Construct,
    Proposition,
    arrows,
    constructs,
    proposition,
    propositions,
    sources,
)

EVERY = list(propositions().values())
IDS = [p.id for p in EVERY]
TIERS = {1: 41, 2: 49, 3: 6}


def written_ids(file: str, table: str) -> list[str]:
    text = files(framework).joinpath(file).read_text(encoding="utf-8")
    return [row["id"] for row in tomllib.loads(text)[table]]


def one_sentence(text: str) -> bool:
    return bool(re.fullmatch(r"[A-Z][^.?!]*\.", text))


def same(text: str) -> str:
    return re.sub(r"\W+", " ", text).casefold().strip()


def test_ids_are_p01_to_p96_in_order() -> None:
    written = written_ids("propositions.toml", "proposition")
    assert written == [f"P{n:02d}" for n in range(1, 97)]
    assert list(propositions()) == IDS


def test_construct_ids_are_unique() -> None:
    assert written_ids("constructs.toml", "construct") == list(constructs())


@pytest.mark.parametrize("p", EVERY, ids=IDS)
def test_proposition_is_well_formed(p: Proposition) -> None:
    assert one_sentence(p.statement)
    assert p.form
    assert p.tier in {1, 2, 3}
    assert p.section in get_args(framework.Section.__value__)
    assert p.level
    assert set(p.level) <= set(get_args(framework.Level.__value__))
    assert len(set(p.level)) == len(p.level)
    assert p.constructs
    assert set(p.constructs) <= set(constructs())
    assert len(set(p.constructs)) == len(p.constructs)
    assert len(p.readings) != 1


@pytest.mark.parametrize("p", EVERY, ids=IDS)
def test_proposition_cites_literature_and_not_working_notes(p: Proposition) -> None:
    shorts = {s.short for s in sources().values()}
    for citation in p.source.split("; "):
        assert any(citation.startswith(f"{short}, ") for short in shorts), citation
    for text in (p.statement, p.source, p.form, *p.readings):
        assert "seed" not in text.casefold()
        assert not re.search(r"\bL\d+", text)


def test_every_source_is_cited() -> None:
    cited = " ".join(p.source for p in EVERY)
    assert len(sources()) == 5
    assert all(s.short in cited for s in sources().values())


def test_statements_are_distinct() -> None:
    assert len({same(p.statement) for p in EVERY}) == len(EVERY)


def test_rivals_are_mutual() -> None:
    for p in EVERY:
        for rival in p.rivals:
            assert rival != p.id
            assert p.id in proposition(rival).rivals


def test_rival_accounts_are_those_of_the_theory() -> None:
    pairs = {tuple(sorted((p.id, r))) for p in EVERY for r in p.rivals}
    assert pairs == {("P17", "P21"), ("P31", "P32"), ("P56", "P58")}
    within = {p.id for p in EVERY if p.readings}
    assert within == {"P16", "P36", "P41", "P42", "P53", "P61", "P66"}


def test_tiers_and_sections() -> None:
    assert Counter(p.tier for p in EVERY) == TIERS
    seen = list(dict.fromkeys(p.section for p in EVERY))
    assert seen == list(get_args(framework.Section.__value__))
    changes = sum(a.section != b.section for a, b in pairwise(EVERY))
    assert changes == len(seen) - 1


@pytest.mark.parametrize("c", constructs().values(), ids=list(constructs()))
def test_construct_is_well_formed(c: Construct) -> None:
    assert one_sentence(c.definition)
    assert c.name
    assert c.block in get_args(framework.Block.__value__)
    assert c.level in get_args(framework.Level.__value__)
    assert ("." in c.id) == (c.parent is not None)
    if c.parent is not None:
        assert c.parent != c.id
        assert constructs()[c.parent].block == c.block
    assert set(c.parts) <= set(constructs()) - {c.id}


def test_names_and_definitions_are_distinct() -> None:
    every = constructs().values()
    assert len({same(c.name) for c in every}) == len(every)
    assert len({same(c.definition) for c in every}) == len(every)


def test_composites() -> None:
    parts = {c.id: c.parts for c in constructs().values() if c.parts}
    assert parts == {
        "AC": ("PK", "CP", "SKL", "RES"),
        "FEAT": ("GUID", "FLEX", "NORM"),
        "INT": ("ROUT", "TOOL", "INF"),
        "OL": ("CK", "POL", "RTN"),
    }


def test_every_construct_is_used() -> None:
    used = {c for p in EVERY for c in p.constructs}
    used |= {part for c in constructs().values() for part in c.parts}
    assert {c.id for c in constructs().values() if c.parent is None} <= used


def test_arrows_join_constructs() -> None:
    ends = [(a.from_, a.to) for a in arrows()]
    assert {c for pair in ends for c in pair} <= set(constructs())
    assert len(set(ends)) == len(ends)
    assert all(a != b for a, b in ends)
    assert all(one_sentence(a.note) for a in arrows())
    main = {("AC", "INT"), ("FEAT", "INT"), ("INT", "OL"), ("OL", "AC"), ("AC", "OL")}
    assert main <= set(ends)


def test_proposition_by_id() -> None:
    assert proposition("P96") is propositions()["P96"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("P97", ""),
        ("P00", ""),
        ("", ""),
        ("mediation", ""),
        ("9" * 5000, ""),
        ("p41", "; did you mean 'P41'?"),
        ("P1", "; did you mean 'P01'?"),
        ("41", "; did you mean 'P41'?"),
    ],
)
def test_unknown_proposition(name: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        proposition(name)
    assert str(caught.value) == f"no proposition '{name}': ids run from P01 to P96{hint}"


@pytest.mark.parametrize("read", [propositions, constructs, sources])
def test_registries_are_read_once_and_cannot_be_changed(read: object) -> None:
    assert callable(read)
    registry = read()
    assert registry is read()
    assert isinstance(registry, Mapping)
    assert not hasattr(registry, "__setitem__")


def test_needs_the_standard_library_only() -> None:
    tree = ast.parse(inspect.getsource(framework))
    modules = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    modules |= {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    foreign = {m for m in modules if m.partition(".")[0] not in sys.stdlib_module_names}
    assert foreign == {"acmodels.display", "acmodels.errors"}
