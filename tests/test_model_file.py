"""Model and design files: what is read, and what is refused with which words."""

import copy
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acmodels.errors import InputError, ModelError, NotYetError
from acmodels.load import load_model, shipped_models
from acmodels.spec.design import DesignTable, design_from_table
from acmodels.spec.model import ModelTable, recursive_order
from acmodels.spec.plan import PlanTable
from acmodels.spec.strict import Strict, check_table

GOOD = """
name  = "paths"
title = "Title"
residual_correlation = [["m", "n"]]
missing = "drop"

[equations.m]
formula = "m ~ x + (1 | g)"

[equations.n]
formula = "n ~ x"

[equations.use]
formula = "use ~ m + n"
family  = "bernoulli"
link    = "probit"

[priors]
"m ~ *" = { dist = "Normal", mu = 0, sigma = 1 }

[estimands.ie]
kind = "indirect"
from = "x"
to   = "use"

[propositions.P1]
estimand = "ie"
region   = { above = 0 }
rope     = [-0.1, 0.1]
probability = 0.9
"""


def load(folder: Path, text: str | bytes, name: str = "model.toml") -> Any:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_model(path)


def problems(
    folder: Path, text: str | bytes, error: type[InputError] = ModelError
) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        load(folder, text)
    assert isinstance(caught.value, error), caught.value
    said = caught.value.problems
    assert all(p.startswith("model.toml: ") or "model.toml: " in p for p in said)
    assert not any("pydantic" in p or "Traceback" in p or "\n" in p for p in said)
    return said


def test_a_good_file(tmp_path: Path) -> None:
    m = load(tmp_path, GOOD)
    assert (m.name, m.title, m.missing) == ("paths", "Title", "drop")
    assert list(m.equations) == ["m", "n", "use"]
    assert m.equations["use"].link == "probit"
    assert m.equations["m"].family == "gaussian"
    p = m.propositions["P1"]
    assert (p.lower, p.upper, p.rope, p.probability) == (0.0, float("inf"), (-0.1, 0.1), 0.9)
    assert m.source == "model.toml"
    assert re.fullmatch(r"[0-9a-f]{64}", m.sha256)


def test_defaults(tmp_path: Path) -> None:
    m = load(
        tmp_path,
        'name = "a_b"\n[equations.y]\nformula = "y ~ x"\n[estimands.e]\nkind = "coefficient"\n'
        'parameter = "y ~ x"\n[propositions.P]\nestimand = "e"\nregion = { between = [0, 1] }\n',
    )
    assert m.title == "a b"
    assert m.missing == "model"
    assert (m.propositions["P"].probability, m.propositions["P"].rope) == (0.975, None)
    assert (m.propositions["P"].lower, m.propositions["P"].upper) == (0.0, 1.0)


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    assert load(tmp_path, b"\xef\xbb\xbf" + GOOD.encode()).name == "paths"


def test_windows_line_ends(tmp_path: Path) -> None:
    assert load(tmp_path, GOOD.replace("\n", "\r\n")).name == "paths"


# --- the contract's own example ------------------------------------------------------


def test_an_unknown_key_is_said_as_in_the_contract(tmp_path: Path) -> None:
    text = GOOD.replace("family  =", "famly =")
    assert problems(tmp_path, text) == (
        "model.toml: equations.use: unknown key 'famly'; did you mean 'family'?",
    )


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("title =", "titel =", "model.toml: unknown key 'titel'; did you mean 'title'?"),
        (
            "[equations.m]",
            "[equation.m]",
            "model.toml: unknown key 'equation'; did you mean 'equations'?",
        ),
        (
            "probability =",
            "probabilty =",
            "model.toml: propositions.P1: unknown key 'probabilty'; did you mean 'probability'?",
        ),
        (
            "probability =",
            "mass =",
            "model.toml: propositions.P1: unknown key 'mass'; did you mean 'probability'?",
        ),
        (
            "{ above = 0 }",
            "{ abov = 0 }",
            "model.toml: propositions.P1.region: unknown key 'abov'; did you mean 'above'?",
        ),
        (
            "from =",
            "form =",
            "model.toml: estimands.ie: unknown key 'form'; did you mean 'from'?",
        ),
        (
            'to   = "use"',
            'to = "use"\nvai = ["m"]',
            "model.toml: estimands.ie: unknown key 'vai'; did you mean 'via'?",
        ),
        ('formula = "n ~ x"', "", "model.toml: equations.n: the key 'formula' is missing"),
        ('name  = "paths"', "", "model.toml: the key 'name' is missing"),
        ('estimand = "ie"', "", "model.toml: propositions.P1: the key 'estimand' is missing"),
        ('kind = "indirect"', "", 'model.toml: estimands.ie: say which kind, as kind = "indirect"'),
        ('"n ~ x"', "3", "model.toml: equations.n.formula: must be text in quotes, not 3"),
        ('"paths"', "true", "model.toml: name: must be text in quotes, not True"),
        (
            "probability = 0.9",
            'probability = "0.9"',
            "model.toml: propositions.P1.probability: must be a number",
        ),
        (
            "probability = 0.9",
            "probability = 1",
            "model.toml: propositions.P1.probability: must be less than 1",
        ),
        (
            "probability = 0.9",
            "probability = 0.5",
            "model.toml: propositions.P1.probability: must be greater than",
        ),
        (
            "probability = 0.9",
            "probability = nan",
            "model.toml: propositions.P1.probability: must be",
        ),
        ('"drop"', '"delete"', "model.toml: missing: 'delete' is not one of 'model', 'drop' or"),
        ('[["m", "n"]]', '[["m"]]', "model.toml: residual_correlation.0: "),
        ('[["m", "n"]]', '["m", "n"]', "model.toml: residual_correlation.0: must be a list"),
        (
            "[equations.n]\n",
            "[equations]\nn = 3\n[equations.q]\n",
            "model.toml: equations.n: must be a table",
        ),
        ("[-0.1, 0.1]", "[-0.1]", "model.toml: propositions.P1.rope: "),
        (
            "[-0.1, 0.1]",
            "[-0.1, inf]",
            "model.toml: propositions.P1.rope.1: must be a finite number",
        ),
        ("[-0.1, 0.1]", "0.1", "model.toml: propositions.P1.rope: must be a list in [ ]"),
        (
            "{ above = 0 }",
            "{ above = inf }",
            "model.toml: propositions.P1.region.above: must be a finite",
        ),
        (
            "{ above = 0 }",
            "{ above = true }",
            "model.toml: propositions.P1.region.above: must be a number",
        ),
        ("{ above = 0 }", '"above 0"', "model.toml: propositions.P1.region: must be a table"),
    ],
)
def test_keys_and_types(tmp_path: Path, old: str, new: str, wanted: str) -> None:
    assert GOOD.count(old) == 1
    said = problems(tmp_path, GOOD.replace(old, new), InputError)
    assert any(p.startswith(wanted) for p in said), said


def test_every_problem_is_said_at_once(tmp_path: Path) -> None:
    text = (
        GOOD.replace("family  =", "famly =")
        .replace("title =", "titel =")
        .replace("probability ", "m ")
    )
    assert len(problems(tmp_path, text)) == 3


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("n ~ x", "q ~ x", ("equations.n.formula", "'q'", "'n'", "must agree")),
        ("n ~ x", "n ~ x + n", ("equations.n.formula", "both sides")),
        ("n ~ x", "n ~ x + square(n)", ("both sides",)),
        ("n ~ x", "n ~ x + (1 + n | g)", ("both sides",)),
        ("n ~ x", "n ~ 0", ("equations.n.formula", "right-hand side")),
        ("n ~ x", "n ~ lgo(x)", ("equations.n.formula", "did you mean 'log'?")),
        ("n ~ x", "n ~ x +", ("equations.n.formula", "too early")),
        ("n ~ x", "n ~ use", ("cycle", "n -> use -> n")),
        ('"bernoulli"', '"bernouli"', ("equations.use.family", "did you mean 'bernoulli'?")),
        ('"probit"', '"probbit"', ("equations.use.link", "did you mean 'probit'?")),
        ('"probit"', '"log"', ("no link 'log'", "logit, probit")),
        ('"probit"', '"probit"\ntrials = "t"', ("equations.use.trials", "takes no trials")),
        ('"probit"', '"probit"\nse = "t"', ("equations.use.se",)),
        ('"bernoulli"', '"binomial"', ("equations.use", "needs trials")),
        ('estimand = "ie"', 'estimand = "ei"', ("propositions.P1.estimand", "no estimand 'ei'")),
        ("{ above = 0 }", "{}", ("propositions.P1.region", "exactly one")),
        ("{ above = 0 }", "{ above = 0, below = 1 }", ("exactly one",)),
        ("{ above = 0 }", "{ between = [1, 0] }", ("low < high",)),
        ("[-0.1, 0.1]", "[0.1, -0.1]", ("propositions.P1.rope", "below the second")),
        ('[["m", "n"]]', '[["m", "mn"]]', ("no equation 'mn'", "did you mean")),
        ('[["m", "n"]]', '[["m", "use"]]', ("'use' is not gaussian",)),
        ('[["m", "n"]]', '[["m", "m"]]', ("not a new pair",)),
        ('[["m", "n"]]', '[["m", "n"], ["n", "m"]]', ("not a new pair",)),
        ('"n ~ x"', '"n ~ x"\nlevel = "g"', ("different levels",)),
        ('"n ~ x"', '"n ~ x"\nse = "s"', ("'n' is not gaussian with a residual sd",)),
        ("n ~ x", "n ~ x + (1 |i| g) + (1 |i| h)", ("|i|", "one id has one grouping")),
    ],
)  # fmt: skip
def test_what_does_not_hang_together(
    tmp_path: Path, old: str, new: str, words: tuple[str, ...]
) -> None:
    assert GOOD.count(old) == 1
    text = "\n".join(problems(tmp_path, GOOD.replace(old, new)))
    for word in words:
        assert word in text


@pytest.mark.parametrize(
    ("estimand", "region"),
    [
        ('kind = "variance_share"\nparameter = "sd(m ~ 1 | g)"', "{ above = 0 }"),
        ('kind = "variance_share"\nparameter = "sd(m ~ 1 | g)"', "{ above = -0.1 }"),
        ('kind = "variance_share"\nparameter = "sd(m ~ 1 | g)"', "{ between = [0, 1] }"),
        ('kind = "coefficient"\nparameter = "sd(m ~ 1 | g)"', "{ above = 0 }"),
    ],
)
def test_a_share_needs_a_stated_minimum(tmp_path: Path, estimand: str, region: str) -> None:
    text = GOOD.replace('kind = "indirect"\nfrom = "x"\nto   = "use"', estimand)
    (said,) = problems(tmp_path, text.replace("{ above = 0 }", region))
    assert "propositions.P1.region" in said
    assert "minimum" in said
    for fine in ("{ above = 0.05 }", "{ below = 0.1 }", "{ between = [0, 0.1] }"):
        assert load(tmp_path, text.replace("{ above = 0 }", fine)).name == "paths"


# --- refused by name until they are built ------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        (
            "[equations.n]",
            '[panel]\nunit = "g"\nwave = "t"\ninitial = "stationary"\n[equations.n]',
            "panel.initial: ",
        ),
    ],
)
def test_not_yet(tmp_path: Path, old: str, new: str, word: str) -> None:
    said, *_ = problems(tmp_path, GOOD.replace(old, new), NotYetError)
    assert word in said
    assert "yet" in said


# --- files ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b'name = "a', "is not valid TOML: "),
        (b"name = a", "line 1"),
        (b"[equations\n", "line 1"),
        (b'name = "a"\nname = "b"\n', "is not valid TOML"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"x = " + b"[" * 20_000, "TOML"),
        (b"", "the key 'name' is missing"),
    ],
)
def test_what_is_no_toml(tmp_path: Path, content: bytes, word: str) -> None:
    with pytest.raises(ModelError) as caught:
        load(tmp_path, content)
    if word == "TOML":
        word = "nested too deeply"
    assert word in str(caught.value)
    assert "model.toml" in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "mediation.toml").write_text(GOOD)
    with pytest.raises(ModelError, match=r"medaition\.toml: no such file; did you mean 'mediation"):
        load_model(tmp_path / "medaition.toml")
    with pytest.raises(ModelError, match="no such file"):
        load_model(tmp_path / "nowhere" / "model.toml")
    with pytest.raises(ModelError, match="no model 'interaction_mediaton'") as caught:
        load_model("interaction_mediaton")
    assert "ends in .toml" in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "m.toml").mkdir()
    with pytest.raises(ModelError, match="folder"):
        load_model(tmp_path / "m.toml")


def test_the_shipped_models_load() -> None:
    for name in shipped_models():
        assert load_model(name).source == f"{name}.toml"


# --- laws --------------------------------------------------------------------------

keys = st.text(min_size=1, max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(keys, v, max_size=3),
    max_leaves=8,
)
FIELDS = ["name", "equations", "estimands", "priors", "propositions", "residual_correlation", "x"]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # a busy machine is slow
@given(st.dictionaries(st.sampled_from(FIELDS), values, max_size=4), st.sampled_from(FIELDS))
def test_any_contents_load_or_are_refused(table: dict[str, Any], key: str) -> None:
    base: dict[str, Any] = {"name": "t", "equations": {"y": {"formula": "y ~ x"}}}
    for contents in (table, {**base, **{k: v for k, v in table.items() if k == key}}):
        said = "loaded"
        try:
            load_model(contents)
        except InputError as error:
            said = str(error)
        assert said


@given(st.permutations(["a", "b", "c", "d", "e"]))
def test_the_order_of_equations_is_recursive(written: list[str]) -> None:
    needs = {"a": "x", "b": "a", "c": "a + b", "d": "x", "e": "c + d"}
    tables = {k: {"formula": f"{k} ~ {needs[k]}"} for k in written}
    model = load_model({"name": "t", "equations": tables})
    order = recursive_order(model.equations)
    assert sorted(order) == sorted(written)
    for k in order:
        before = order[: order.index(k)]
        assert all(v in before for v in needs[k].split(" + ") if v != "x")


@pytest.mark.parametrize("n", [2, 3, 5])
def test_a_cycle_is_spelled_out(n: int) -> None:
    tables = {f"v{i}": {"formula": f"v{i} ~ v{(i - 1) % n}"} for i in range(n)}
    tables["out"] = {"formula": "out ~ v0"}
    with pytest.raises(ModelError, match="is a cycle") as caught:
        load_model({"name": "t", "equations": tables})
    chain = str(caught.value).split("equations: ")[1].split(" is a cycle")[0].split(" -> ")
    assert chain[0] == chain[-1]
    assert len(chain) == n + 1
    for cause, effect in pairwise(chain):
        assert tables[effect]["formula"] == f"{effect} ~ {cause}"


# --- designs ------------------------------------------------------------------------

DESIGN: dict[str, Any] = {
    "model": "m",
    "units": {
        "district": 6,
        "partner": 4,
        "partnership": {"per": "district", "n": 3, "crossed_with": "partner"},
        "row": {"per": "partnership", "n": {"mean": 3, "sd": 1, "min": 2}},
    },
    "truth": {"y ~ x": 1},
    "exogenous": {
        "x": {"level": "row", "icc": {"district": 0.2}},
        "t": {"dist": "Bernoulli", "p": 0.5},
    },
}


def test_a_design() -> None:
    d = design_from_table(DESIGN, "design")
    assert [u.name for u in d.units] == ["district", "partner", "partnership", "row"]
    assert d.exogenous["x"].icc == {"district": 0.2}
    assert d.replications == 200


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("units.district", 0, ("design: units.district: ", "greater than or equal to 1, not 0")),
        ("units.district", "many", ("design: units.district: must be a whole number",)),
        ("units.district", 2.5, ("design: units.district: must be a whole number", "2.5")),
        ("units.row.n.sdd", 1, ("units.row.n", "unknown key 'sdd'", "did you mean 'sd'?")),
        ("units.row.n.sd", -1, ("units.row.n.sd: ", "greater than or equal to 0")),
        ("units.row.pre", "g", ("units.row", "unknown key 'pre'", "did you mean 'per'?")),
        ("units.row.per", "distrct", ("units.row.per", "did you mean 'district'?")),
        ("units.partnership.crossed_with", "x", ("units.partnership.crossed_with", "'x'")),
        ("units.partnership.per", "partnership", ("units.partnership.per",)),
        ("units.partnership.per", "row", ("row",)),
        ("truth.y", "a", ("truth.y: must be a number",)),
        ("exogenous.x.levl", "row", ("exogenous.x", "levl")),
        ("exogenous.x.level", "distrct", ("exogenous.x.level", "did you mean 'district'?")),
        ("exogenous.x.sigma", -1, ("exogenous.x", "above 0")),
        ("exogenous.t.p", 1.5, ("exogenous.t", "between 0 and 1")),
        ("exogenous.x.dist", "Nrmal", ("exogenous.x", "did you mean 'Normal'?")),
        ("exogenous.x.icc.district", 1.2, ("exogenous.x.icc", "below 1")),
        ("exogenous.x.icc", 3, ("exogenous.x.icc", "table")),
        ("replications", 0, ("replications",)),
        ("replicatons", 5, ("did you mean 'replications'?",)),
    ],
)
def test_designs_that_cannot_be_read(path: str, value: Any, words: tuple[str, ...]) -> None:
    table = copy.deepcopy(DESIGN)
    *above, last = path.split(".")
    place = table
    for key in above:
        place = place[key]
    place[last] = value
    with pytest.raises(ModelError) as caught:
        design_from_table(table, "design")
    for word in words:
        assert word in str(caught.value), str(caught.value)
    assert "constrained" not in str(caught.value)
    assert "UnitTable" not in str(caught.value)
    assert "SizeTable" not in str(caught.value)


@pytest.mark.parametrize("value", [3, "normal(0, 1)", [0, 1], True])
@pytest.mark.parametrize(
    ("kind", "key", "rest"),
    [
        (ModelTable, "priors", {"name": "m", "equations": {"y": {"formula": "y ~ x"}}}),
        (DesignTable, "exogenous", {"model": "m.toml", "units": {"row": 9}}),
        (PlanTable, "design_prior", {"model": "m.toml", "units": {"row": 9}}),
    ],
)
def test_a_distribution_that_is_no_table_is_shown_one(
    kind: type[Strict], key: str, rest: dict[str, Any], value: object
) -> None:
    with pytest.raises(ModelError) as caught:
        check_table(kind, {**rest, key: {"b": value}}, "f.toml")
    said = str(caught.value)
    assert f"f.toml: {key}.b: must be a table, not {value!r}; for example " in said
    assert '{ dist = "Normal", mu = 0, sigma = 1 }' in said
