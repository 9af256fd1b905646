"""Error rates of verdicts that the package ships, and how a claim finds those of its kind."""

from pathlib import Path

import pytest

from acmodels.framework.files import shipped
from acmodels.framework.graph import Framework
from acmodels.theory import claims
from acmodels.theory.rates import of_claim, pattern, sentence, worlds
from acmodels.theory.registry import entry, page
from test_claims import effect
from traps import theory


def test_counts_add_up() -> None:
    assert worlds()
    for w in worlds():
        assert 0 <= w.supported <= w.studies
        assert 0 <= w.false <= w.studies
        if not w.holds:
            assert w.false == w.supported


def test_every_kind_that_is_compiled_and_was_tried_has_true_and_null_worlds() -> None:
    for kind in {w.kind for w in worlds()}:
        assert kind in claims.kinds()
        truths = {w.truth for w in worlds() if w.kind == kind}
        assert {"true", "no effect"} <= truths


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Framework:
    levels = {"x": "department", "y": "partnership", "w": "department"}
    return theory(tmp_path_factory.mktemp("f"), levels, ["x > y", "w > y"], effect())


def test_a_claim_finds_the_rates_of_its_own_levels(small: Framework) -> None:
    claim = small.propositions["H"].claims[0]
    assert pattern(small, claim) == "department > partnership"
    found, same = of_claim(small, claim)
    assert same
    assert {w.pattern for w in found} == {"department > partnership"}
    assert {w.kind for w in found} == {"effect"}


def test_other_levels_take_all_of_the_kind_and_say_so(tmp_path: Path) -> None:
    levels = {"x": "partner", "y": "district"}
    f = theory(tmp_path / "f", levels, ["x > y"], effect())
    found, same = of_claim(f, f.propositions["H"].claims[0])
    assert not same
    assert len({w.pattern for w in found}) > 1
    assert "other levels than these" in sentence(f, f.propositions["H"].claims[0])


def test_the_sentence_has_the_counts_of_the_table(small: Framework) -> None:
    claim = small.propositions["H"].claims[0]
    found = [w for w in of_claim(small, claim)[0] if w.districts == 60]
    n = sum(w.studies for w in found if w.truth == "true")
    false = sum(w.studies for w in found if w.limit and not w.holds)
    said = sentence(small, claim)
    assert f"(n = {n}, Monte Carlo error" in said
    assert f"(n = {false}, Monte Carlo error" in said


def test_a_proposition_shows_its_rates() -> None:
    assert "Error rates: In simulated studies of 60 districts" in page(entry("P01"))
    compiled = [p for p in shipped().propositions.values()
                if all(c.kind in claims.kinds() for c in p.claims)]  # fmt: skip
    tried = {w.kind for w in worlds()}
    for p in compiled:
        assert bool(entry(p)["rates"]) == any(c.kind in tried for c in p.claims)
