"""The theory's files are complete, consistent and in our own form; wrong ones are refused well."""

import re
import shutil
from collections import Counter
from collections.abc import Mapping
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import networkx as nx
import pytest

from acmodels.errors import InputError, ModelError
from acmodels.framework import (
    Construct,
    Proposition,
    arrows,
    constructs,
    load_framework,
    proposition,
    propositions,
    sources,
)
from acmodels.framework.files import FILES
from acmodels.load import models_folder
from acmodels.theory import claims
from acmodels.theory.checking import check_framework, checked
from acmodels.theory.claims import LATER
from acmodels.theory.compiling.adjustment import leads, unrolled
from acmodels.theory.wording import claim_words, constructs_of

EVERY = list(propositions().values())
IDS = [p.id for p in EVERY]
TIERS = {1: 41, 2: 49, 3: 6}
SECTIONS = (
    "district conditions", "partner qualities", "interaction", "outcomes and feedback",
    "partnership effectiveness", "research alliances",
)  # fmt: skip
START = models_folder() / "start" / "framework"


def one_sentence(text: str) -> bool:
    return bool(re.fullmatch(r"[A-Z][^.?!]*\.", text))


def same(text: str) -> str:
    return re.sub(r"\W+", " ", text).casefold().strip()


# --- the shipped framework --------------------------------------------------------------


def test_ids_are_p01_to_p96_in_order() -> None:
    assert [f"P{n:02d}" for n in range(1, 97)] == IDS


@pytest.mark.parametrize("p", EVERY, ids=IDS)
def test_proposition_is_well_formed(p: Proposition) -> None:
    assert one_sentence(p.statement)
    assert p.tier in {1, 2, 3}
    assert p.section in SECTIONS
    assert len(p.readings) != 1
    for c in p.claims:
        assert c.kind in claims.kinds() or c.kind in LATER
        assert constructs_of(c)
        assert set(constructs_of(c)) <= set(constructs())
        assert claim_words(load_framework(), c)


@pytest.mark.parametrize("p", EVERY, ids=IDS)
def test_proposition_cites_literature_and_not_working_notes(p: Proposition) -> None:
    for citation in p.source.split("; "):
        assert any(citation.startswith(f"{short}, ") for short in sources()), citation
    for text in (p.statement, p.source, *p.readings):
        assert "seed" not in text.casefold()
        assert not re.search(r"\bL\d+", text)


def test_every_source_is_cited() -> None:
    cited = " ".join(p.source for p in EVERY)
    assert len(sources()) == 5
    assert all(short in cited for short in sources())


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
    assert tuple(dict.fromkeys(p.section for p in EVERY)) == SECTIONS
    changes = sum(a.section != b.section for a, b in pairwise(EVERY))
    assert changes == len(SECTIONS) - 1


@pytest.mark.parametrize("c", constructs().values(), ids=list(constructs()))
def test_construct_is_well_formed(c: Construct) -> None:
    assert c.definition.endswith(".")
    assert c.name
    assert c.block
    assert c.level in load_framework().units
    assert "." not in c.id or c.facet_of == c.id.split(".")[0]


def test_names_are_distinct() -> None:
    every = constructs().values()
    assert len({same(c.name) for c in every}) == len(every)


def test_composites() -> None:
    f = load_framework()
    assert f.leaves("capacity") == ("prior_knowledge", "communication", "leadership", "resources")
    assert f.leaves("partner_qualities") == ("guidance", "flexibility", "similar_norms")
    assert f.leaves("interaction") == ("routines", "informal_ties")
    assert f.leaves("learning") == ("collective_knowledge", "policy", "new_routines")


def test_the_shipped_framework_has_no_problems_and_few_oddities() -> None:
    found = check_framework(load_framework())
    assert not found.problems
    assert len(found.warnings) == 1  # constructs that nothing is claimed of
    assert found.warnings[0].startswith("constructs.toml: no arrow begins or ends at ")


def test_every_arrow_says_where_it_is_from() -> None:
    assert all(bool(a.source) != bool(a.assumed) for a in arrows())


def test_the_unrolled_graph_has_no_cycle_and_every_construct_has_a_past() -> None:
    graph = unrolled(load_framework())
    assert nx.is_directed_acyclic_graph(graph)
    for name, wave in list(graph):
        if wave == 1:
            assert graph.has_edge((name, 0), (name, 1))


def test_learning_feeds_back_one_wave_later_only() -> None:
    f = load_framework()
    assert leads(f, "capacity", "learning")
    assert not leads(f, "learning", "capacity")
    assert leads(f, "learning", "capacity", lags=True)


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


def test_code_knows_no_construct_by_its_name() -> None:
    """What the compiler does is the same for any theory."""
    names = [c for c in constructs() if "_" in c or "." in c]
    for path in Path(str(files("acmodels.theory"))).rglob("*.py"):
        if path.name == "rivals.py":  # its pairs are of the shipped models
            continue
        text = path.read_text(encoding="utf-8")
        for name in names:
            assert f'"{name}"' not in text, f"{path.name} names {name}"


# --- a framework of one's own -----------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return Path(shutil.copytree(START, tmp_path / "own"))


def edit(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new), encoding="utf-8")


def test_the_framework_to_start_from_has_nothing_odd(own: Path) -> None:
    found = check_framework(load_framework(own))
    assert found.problems == ()
    assert found.warnings == ()


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file(own: Path, file: str) -> None:
    (own / file).unlink()
    with pytest.raises(ModelError, match=rf"{file}: no such file"):
        load_framework(own)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such folder with framework.toml"):
        load_framework(tmp_path / "nowhere")


def checked_folder(folder: Path) -> None:
    checked(load_framework(folder))


WRONG = [
    ("constructs.toml", 'level = "school"', 'level = "shcool"',
     "constructs.toml: leadership.level: no unit 'shcool'; did you mean 'school'?"),
    ("constructs.toml", 'parts = ["trust", "leadership"]', 'parts = ["trst"]',
     "constructs.toml: climate.parts: no construct 'trst'; did you mean 'trust'?"),
    ("constructs.toml", 'name = "climate"', 'nmae = "climate"',
     "constructs.toml: climate: unknown key 'nmae'; did you mean 'name'?"),
    ("arrows.toml", 'from = "community"', 'from = "comunity"',
     "arrows.toml: arrow 1: from: no construct 'comunity'; did you mean 'community'?"),
    ("arrows.toml", 'sign = "+" ', 'sign = "up" ', "arrows.toml: arrow 1"),
    ("arrows.toml", 'common_cause = ["leadership", "trust"]',
     'common_cause = ["leadership", "trust"]\nfrom = "trust"',
     "arrows.toml: arrow 5: common_cause stands alone, without from"),
    ("arrows.toml", "lag = 1 ", "lag = 0 ", "is a loop within one wave"),
    ("propositions.toml", 'kind = "mediation"', 'kind = "meditation"',
     "unknown kind of claim 'meditation'; did you mean 'mediation'?"),
    ("propositions.toml", 'via = ["trust"] ', 'vai = ["trust"] ', "unknown key 'vai'"),
    ("propositions.toml", 'unit = "school"', 'unti = "school"', "unknown key 'unti'"),
    ("propositions.toml", 'only_where = "high"', 'only_where = "low"', "only_where"),
    ("propositions.toml", 'to = "practice"', 'to = "practise"',
     "no construct 'practise'; did you mean 'practice'?"),
    ("propositions.toml", "tier = 1", "tier = 9", "propositions.toml: H1.tier"),
    ("framework.toml", 'within = "school"', 'within = "scool"',
     "framework.toml: units.teacher.within: no unit 'scool'; did you mean 'school'?"),
    ("framework.toml", "probability = 0.975", "probability = 97.5", "framework.toml: probability"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "said"), WRONG, ids=[w[3][:40] for w in WRONG])
def test_wrong_files_are_refused_with_the_place(
    own: Path, file: str, old: str, new: str, said: str
) -> None:
    edit(own, file, old, new)
    with pytest.raises(ModelError) as caught:
        checked_folder(own)
    assert any(said in p for p in caught.value.problems), caught.value.problems


def test_a_claim_without_a_path_is_remarked_on(own: Path) -> None:
    edit(own, "propositions.toml", 'from = "trust"\nby = "leadership"',
         'from = "practice"\nby = "community"')  # fmt: skip
    edit(
        own,
        "propositions.toml",
        'to = "practice"\nsign = "+"\nonly',
        'to = "leadership"\nsign = "+"\nonly',
    )
    warnings = check_framework(load_framework(own)).warnings
    assert any("no arrows lead from 'practice' to 'leadership'" in x for x in warnings)


def test_a_construct_that_nothing_touches_is_remarked_on(own: Path) -> None:
    with (own / "constructs.toml").open("a", encoding="utf-8") as f:
        f.write('\n[lonely]\nname = "lonely"\nlevel = "school"\n')
    warnings = check_framework(load_framework(own)).warnings
    assert warnings == ("constructs.toml: no arrow begins or ends at 'lonely'",)


def test_units_and_composites_that_contain_themselves(own: Path) -> None:
    edit(own, "framework.toml", 'school = { id = "school" }',
         'school = { id = "school", within = "teacher" }')  # fmt: skip
    with pytest.raises(ModelError, match="is a loop"):
        load_framework(own)
