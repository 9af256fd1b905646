"""The formula notation, row by row of the contract's table, and its laws."""

import os
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from acmodels.errors import FormulaError
from acmodels.spec.formula import TRANSFORMS, Formula, functions, quoted
from acmodels.spec.parsing import parse_formula, parse_operand, parse_term


def terms(right: str) -> list[str]:
    return [t.text for t in parse_formula(f"y ~ {right}").terms]


def groups(right: str) -> list[tuple[list[str], str, bool, str | None]]:
    return [
        ([t.text for t in g.terms], g.group, g.correlated, g.id)
        for g in parse_formula(f"y ~ {right}").groups
    ]


def refusal(text: str) -> str:
    with pytest.raises(FormulaError) as caught:
        parse_formula(text)
    assert type(caught.value) is FormulaError
    return str(caught.value)


# --- population-level terms ------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "wanted"),
    [
        ("1", ["1"]),
        ("x", ["1", "x"]),
        ("0 + x", ["x"]),
        ("x + 0", ["x"]),
        ("-1 + x", ["x"]),
        ("x - 1", ["x"]),
        ("x-1", ["x"]),
        ("1 + x", ["1", "x"]),
        ("x + 1", ["1", "x"]),
        ("0 + 1 + x", ["1", "x"]),
        ("a + b", ["1", "a", "b"]),
        ("a:b", ["1", "a:b"]),
        ("a*b", ["1", "a", "b", "a:b"]),
        ("b*a", ["1", "b", "a", "b:a"]),
        ("a*b*c", ["1", "a", "b", "c", "a:b", "a:c", "b:c", "a:b:c"]),
        ("(a + b)*c", ["1", "a", "b", "c", "a:c", "b:c"]),
        ("(a + b)*c - a", ["1", "b", "c", "a:c", "b:c"]),
        ("(a + b):c", ["1", "a:c", "b:c"]),
        ("a:(b + c)", ["1", "a:b", "a:c"]),
        ("(a + b):(c + d)", ["1", "a:c", "a:d", "b:c", "b:d"]),
        ("(a*b):c", ["1", "a:c", "b:c", "a:b:c"]),
        ("a*b - a:b", ["1", "a", "b"]),
        ("a*b - b:a", ["1", "a", "b"]),
        ("a*b*c - a:b:c", ["1", "a", "b", "c", "a:b", "a:c", "b:c"]),
        ("a + b - (a + b)", ["1"]),
        ("a + (b - 1)", ["a", "b"]),
        ("a + b + a", ["1", "a", "b"]),
        ("a:b + b:a", ["1", "a:b"]),
        ("a:a", ["1", "a"]),
        ("a*a", ["1", "a"]),
        ("x - x", ["1"]),
        ("((x))", ["1", "x"]),
        ("a\n  + b", ["1", "a", "b"]),
        ("a+b*c", ["1", "a", "b", "c", "b:c"]),
        ("a*b:c", ["1", "a", "b:c", "a:b:c"]),
        ("x.1 + _x + x_2 + X", ["1", "x.1", "_x", "x_2", "X"]),
    ],
)
def test_terms(right: str, wanted: list[str]) -> None:
    assert terms(right) == wanted


@pytest.mark.parametrize(
    ("right", "wanted"),
    [
        *((f"{f}(x)", f"{f}(x)") for f in TRANSFORMS),
        ("square( x )", "square(x)"),
        ("square (x)", "square(x)"),
        ("square(log(x))", "square(log(x))"),
        ("factor(x)", "factor(x)"),
        ('factor(x, ref="Public")', "factor(x)"),
        ("factor(x,ref='Public')", "factor(x)"),
        ("mo(x)", "mo(x)"),
        ("lag(x)", "lag(x)"),
        ("within(x, g)", "within(x, g)"),
        ("between(x,g)", "between(x, g)"),
        ("within(`my x`, `my g`)", "within(`my x`, `my g`)"),
        ("log(x):factor(s)", "log(x):factor(s)"),
        ("a :b", "a:b"),
    ],
)
def test_canonical_spelling(right: str, wanted: str) -> None:
    assert terms(right) == ["1", wanted]


@pytest.mark.parametrize(
    ("written", "ref"),
    [
        ('"Public"', "Public"),
        ("'Public'", "Public"),
        ("\"'quoted'\"", "'quoted'"),
        ('"a, b) ~ c"', "a, b) ~ c"),
        ('""', ""),
        ("2", "2"),
        ("-1", "-1"),
        ("1.5", "1.5"),
        ('"Überall"', "Überall"),
    ],
)
def test_reference_levels_are_taken_as_written(written: str, ref: str) -> None:
    (operand,) = parse_formula(f"y ~ 0 + factor(x, ref={written})").operands()
    assert operand.ref == ref


def test_one_factor_has_one_reference() -> None:
    assert "same reference" in refusal('y ~ factor(s, ref="A") + factor(s)')
    assert "same reference" in refusal('y ~ factor(s, ref="A") + (factor(s, ref="B") | g)')
    assert terms('factor(s, ref="A")*x + factor(s, ref="A")') == [
        "1", "factor(s)", "x", "factor(s):x",
    ]  # fmt: skip


def test_offsets_add_no_coefficient() -> None:
    f = parse_formula("y ~ x + offset(log(n)) + offset(m)")
    assert [t.text for t in f.terms] == ["1", "x"]
    assert [o.text for o in f.offsets] == ["log(n)", "m"]
    assert f.variables() == ("x", "n", "m")


# --- group effects -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "wanted"),
    [
        ("(1 | g)", [(["1"], "g", True, None)]),
        ("(x | g)", [(["1", "x"], "g", True, None)]),
        ("(1 + x | g)", [(["1", "x"], "g", True, None)]),
        ("(x + 1 | g)", [(["1", "x"], "g", True, None)]),
        ("(0 + x | g)", [(["x"], "g", True, None)]),
        ("(x - 1 | g)", [(["x"], "g", True, None)]),
        ("(-1 + x|g)", [(["x"], "g", True, None)]),
        ("(1 + x || g)", [(["1", "x"], "g", False, None)]),
        ("(1+x||g)", [(["1", "x"], "g", False, None)]),
        ("(1 + x |id| g)", [(["1", "x"], "g", True, "id")]),
        ("(1+x|id|g)", [(["1", "x"], "g", True, "id")]),
        ("(1 | a:b)", [(["1"], "a:b", True, None)]),
        ("(1 |i| a:b)", [(["1"], "a:b", True, "i")]),
        ("(1 | a/b)", [(["1"], "a", True, None), (["1"], "a:b", True, None)]),
        (
            "(1 + x | a/b/c)",
            [(["1", "x"], g, True, None) for g in ("a", "a:b", "a:b:c")],
        ),
        ("(1 + x || a/b)", [(["1", "x"], g, False, None) for g in ("a", "a:b")]),
        ("(1 | a/b:c)", [(["1"], "a", True, None), (["1"], "a:b:c", True, None)]),
        ("(a*b | g)", [(["1", "a", "b", "a:b"], "g", True, None)]),
        ("(1 | `my g`)", [(["1"], "`my g`", True, None)]),
        ("(1 | g) + (1 | h)", [(["1"], "g", True, None), (["1"], "h", True, None)]),
        ("(1 | g) + (0 + x | g)", [(["1"], "g", True, None), (["x"], "g", True, None)]),
    ],
)
def test_groups(right: str, wanted: list[Any]) -> None:
    assert groups(right) == wanted
    assert groups(f"x + {right}") == wanted
    assert terms(right) == ["1"]
    assert terms(f"0 + {right}") == []


def test_nesting_is_short_for_two_terms() -> None:
    short, long = parse_formula("y ~ (1 | a/b)"), parse_formula("y ~ (1 | a) + (1 | a:b)")
    assert short.groups == long.groups


def test_groupings_are_not_predictors() -> None:
    assert parse_formula("y ~ x + (z | g)").variables() == ("x", "z")


@pytest.mark.parametrize(
    "right",
    [
        "(1 | g) + (1 | g)",
        "(x | g) + (1 | g)",
        "(1 | a:b) + (1 | b:a)",
        "(1 | a/b) + (1 | a)",
        "(1 |i| g) + (1 |j| g)",
    ],
)
def test_an_effect_is_written_once(right: str) -> None:
    assert "written twice" in refusal(f"y ~ {right}")


# --- names -------------------------------------------------------------------------


def test_backticks_hold_any_name() -> None:
    f = parse_formula("`a response` ~ `a b`:`c ~ d` + `x`")
    assert f.response == "a response"
    assert [t.text for t in f.terms] == ["1", "`a b`:`c ~ d`", "x"]
    assert f.variables() == ("a b", "c ~ d", "x")


@pytest.mark.parametrize(
    "name", ["über", "数学", "naïve", "λ", "school_id", "Q1.2", "lambda", "log"]
)
def test_unicode_and_python_words_are_names(name: str) -> None:
    f = parse_formula(f"{name} ~ x + (1 | {name}_g)")
    assert f.response == name
    assert terms(f"{name} + x") == ["1", name, "x"]


# --- nothing is run --------------------------------------------------------------------

CODE = [
    "os.system('touch owned')",
    "os.system(x)",
    "__import__('os').system('true')",
    "eval(x)",
    "exec(x)",
    "open(x)",
    "I(x)",
    "Q('x')",
    "C(x)",
    "np.log(x)",
    "x.__class__",
    "x[0]",
    "lambda: 0",
    "(lambda x: x)(x)",
    "{x}",
    "x if x else x",
    "`x`(y)",
    "log(os.system(x))",
    'factor(x, ref=os.system("true"))',
    'factor(x, ref=f"{x}")',
    "x; import os",
    "x # comment",
    "f(x)(y)",
    "bs(x, df=3)",
    "poly(x, 2)",
    "log(x, base=2)",
    "${x}",
    "%(x)s",
    "\\x00",
    "x @ y",
]


@pytest.mark.parametrize("code", CODE)
def test_code_is_refused_and_never_run(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[object] = []
    monkeypatch.setattr(os, "system", lambda *a: ran.append(a))
    monkeypatch.setattr("builtins.eval", lambda *a: ran.append(a))
    monkeypatch.setattr("builtins.exec", lambda *a: ran.append(a))
    right = code
    try:
        f = parse_formula(f"y ~ {right}")
    except FormulaError:
        pass
    else:  # a dotted name is a column's name, nothing more
        assert f.variables() == (code,)
    for refused in (f"y ~ z:{code}", f"y ~ ({code} | g)", f"y ~ offset({code})"):
        if code != "x.__class__":
            refusal(refused)
    assert ran == []


@given(st.text(max_size=60))
@example("(" * 30)
@example("`")
def test_any_text_parses_or_is_refused(text: str) -> None:
    for whole in (text, f"y ~ {text}", f"y ~ (1 + {text} | g)"):
        try:
            f: Formula | FormulaError = parse_formula(whole)
        except FormulaError as error:
            f = error
        assert isinstance(f, Formula) or str(f)


@pytest.mark.parametrize(
    "text",
    [
        "y ~ " + "(" * 5000 + "x" + ")" * 5000,
        "y ~ " + "log(" * 3000 + "x" + ")" * 3000,
        "y ~ " + "*".join(f"x{i}" for i in range(60)),
        "y ~ " + ":".join("(" + "+".join(f"x{i}{j}" for j in range(30)) + ")" for i in range(9)),
        "y ~ " + "x + " * 50_000 + "x",
    ],
    ids=["brackets", "calls", "products", "interactions", "length"],
)
def test_a_formula_that_would_never_end_is_refused(text: str) -> None:
    assert len(refusal(text)) < 300


# --- errors tell where ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ("ends too early", "response ~ terms")),
        ("y", ("ends too early", "response ~ terms")),
        ("y ~", ("ends too early",)),
        ("y ~ x +", ("ends too early",)),
        ("y ~ (1 | g", ("ends too early",)),
        ("y ~ x z", ("stopped at 'z' (character 7)",)),
        ("y ~ x ~ z", ("stopped at '~ z' (character 7)", "one '~'")),
        ("~ x", ("stopped at '~ x' (character 1)",)),
        ("log(y) ~ x", ("left side is one column name",)),
        ("y + z ~ x", ("left side is one column name",)),
        ("y ~ x^2", ("(character 6)", "square(x)")),
        ("y ~ x**2", ("(character 7)", "square(x)", "a*b")),
        ("y ~ (a + b)^2", ("a*b for main effects",)),
        ("y ~ a/b", ("(character 6)", "(1 | a/b)")),
        ("y ~ a %in% b", ("(character 7)", "%in%")),
        ("y ~ 2", ("only 0 and 1", "not 2")),
        ("y ~ 1.5*x", ("(character 5)", "numbers and text stand only")),
        ("y ~ 1:x", ("cannot be multiplied",)),
        ("y ~ lgo(x)", ("unknown function 'lgo'", "did you mean 'log'?", "nothing in a formula")),
        ("y ~ fct(x)", ("unknown function 'fct'", *functions())),
        ("y ~ within(x)", ("needs a unit", "within(x, unit)")),
        ("y ~ within(x, g, h)", ("does not take that argument",)),
        ("y ~ log(x, g)", ("log()", "does not take that argument")),
        ('y ~ factor(x, rev="a")', ("factor()", "does not take that argument")),
        ('y ~ log(x, ref="a")', ("log()", "does not take that argument")),
        ("y ~ log(factor(x))", ("log()", "factor(x)")),
        ("y ~ factor(log(x))", ("factor()", "takes a variable", "log(x)")),
        ("y ~ within(log(x), g)", ("within()", "takes a variable")),
        ("y ~ x:offset(z)", ("offset() cannot be multiplied",)),
        ("y ~ x - offset(z)", ("offset() can only be added",)),
        ("y ~ (1 + offset(z) | g)", ("offset()",)),
        ("y ~ log(offset(z))", ("log()", "offset(z)")),
        ("y ~ (0 | g)", ("says nothing that varies",)),
        ("y ~ x - (1 | g)", ("can only be added",)),
        ("y ~ x:(1 | g)", ("cannot be multiplied",)),
        ("y ~ x*(1 | g)", ("cannot be multiplied",)),
        ("y ~ (1 | (1 | g))", ("(character 10)",)),
        ("y ~ ((1 | h) | g)", ("can only be added",)),
        ("y ~ (1 |i| a/b)", ("'/' cannot stand with a shared id",)),
        ("y ~ (1 | g + h)", ("(character 12)",)),
        ("y ~ (1 | log(g))", ("(character 13)",)),
        ("y ~ (1 | 1)", ("(character 10)",)),
        ("y ~ (a + 1):b", ("an intercept or offset cannot stand in an interaction",)),
        ("y ~ .", ("(character 5)",)),
        ("y ~ ``", ("(character 5)",)),
        ("y ~ 1x", ("(character 5)",)),
    ],
)
def test_errors(text: str, words: tuple[str, ...]) -> None:
    said = refusal(text)
    assert "Traceback" not in said
    assert "\n" not in said
    for word in words:
        assert word in said


def test_a_group_term_may_stand_in_plain_brackets() -> None:
    f = parse_formula("y ~ (a + (1 | g))")
    assert [t.text for t in f.terms] == ["1", "a"]
    assert [g.group for g in f.groups] == ["g"]


# --- laws ----------------------------------------------------------------------------

bare = st.from_regex(r"[A-Za-z_äλ][A-Za-z0-9_.é]{0,6}", fullmatch=True)
names = bare | st.text(
    st.characters(exclude_characters="`", exclude_categories=("Cs", "Cc")), min_size=1, max_size=8
)
variables = names.map(quoted)
operands = st.one_of(
    variables,
    st.builds("{}({})".format, st.sampled_from(TRANSFORMS), variables),
    st.builds("square({}({}))".format, st.sampled_from(TRANSFORMS), variables),
    st.builds("{}({}, {})".format, st.sampled_from(("within", "between")), variables, variables),
    st.builds("factor({})".format, variables),
)


@given(operands)
def test_an_operand_survives_a_round_trip(text: str) -> None:
    assert parse_operand(text).text == text
    assert parse_operand(parse_operand(text).text) == parse_operand(text)


@given(st.lists(operands, min_size=1, max_size=4, unique=True))
def test_a_term_survives_a_round_trip(parts: list[str]) -> None:
    text = ":".join(parts)
    term = parse_term(text)
    assert term.text == text
    assert parse_term(term.text) == term
    assert parse_formula(f"y ~ 0 + {text}").terms == (term,)
    assert parse_term(":".join(reversed(parts))).key == term.key


cells = st.lists(variables, min_size=1, max_size=3, unique=True)


@st.composite
def formulas(draw: st.DrawFn) -> str:
    """A formula in the spelling that `spelled` gives back."""
    own = draw(st.booleans())
    products = st.lists(operands, min_size=1, max_size=3, unique=True).map(tuple)
    unique = st.lists(products, max_size=4, unique_by=frozenset)
    parts = ["1" if own else "0", *(":".join(t) for t in draw(unique))]
    for cell in draw(st.lists(cells, max_size=2, unique_by=frozenset)):
        inside = [":".join(t) for t in draw(unique)]
        bar = draw(st.sampled_from(["|", "||", "|id|"]))
        parts.append(f"({' + '.join(['1', *inside])} {bar} {':'.join(cell)})")
    return f"{draw(variables)} ~ {' + '.join(parts)}"


def spelled(f: Formula) -> str:
    parts = [t.text for t in f.terms]
    if not f.has_intercept:
        parts = ["0", *parts]
    for g in f.groups:
        bar = "||" if not g.correlated else "|" if g.id is None else f"|{g.id}|"
        parts.append(f"({' + '.join(t.text for t in g.terms)} {bar} {g.group})")
    return f"{quoted(f.response)} ~ {' + '.join(parts)}"


@given(formulas())
def test_a_formula_survives_a_round_trip(text: str) -> None:
    f = parse_formula(text)
    assert spelled(f) == text
    again = parse_formula(spelled(f))
    assert (again.response, again.terms, again.groups) == (f.response, f.terms, f.groups)


@given(formulas(), st.sampled_from([" ", "  ", "\t", "\n"]))
def test_white_space_means_nothing(text: str, space: str) -> None:
    if "`" in text:  # space within backticks is part of the name
        return
    f, g = parse_formula(text), parse_formula(text.replace(" ", space))
    assert (f.terms, f.groups, f.response) == (g.terms, g.groups, g.response)


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=5, unique=True))
def test_a_product_is_every_combination(variables: list[str]) -> None:
    found = {t.key for t in parse_formula(f"y ~ {'*'.join(variables)}").terms}
    assert len(found) == 2 ** len(variables)
    nested = {t.key for t in parse_formula(f"y ~ {'*'.join(f'({v})' for v in variables)}").terms}
    assert nested == found
    minus = parse_formula(f"y ~ {'*'.join(variables)} - {':'.join(variables)}")
    assert len(minus.terms) == 2 ** len(variables) - 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("k | trials(t) ~ x", 'trials is a key of the equation beside its formula: trials = "the'),
        ("y | weights(w) ~ x", "weights is a key of the equation"),
        ("y |se(s) ~ x + (1 | g)", "se is a key of the equation"),
        ("y = x", "with ~ for ="),
        ("y ~ x + (1 | g", "a closing bracket is missing"),
        ("y ~ log(x", "a closing bracket is missing"),
        ("y ~ (1|)", "a grouping is missing after '|', as in (1 | district)"),
        ("y ~ (1 ||| district)", "there is a bar too many"),
        ("y ~ (1||)", "a grouping is missing after '|', as in (1 | district)"),
        ("y ~ x + (1 + x | ) + z", "a grouping is missing after '|', as in (1 | district)"),
        ("y ~ (1 |", "a grouping is missing after '|', as in (1 | district)"),
        ("y ~ (1 | a/)", "a grouping is missing after '/'"),
        ("y ~ (1 | a:)", "a grouping is missing after ':'"),
        ("y ~ (1 | id | )", "a grouping is missing after '|'"),
        ("y ~ ( | g)", "say before the bar what varies by group, as in (1 | district)"),
        ("y ~ (|| g)", "say before the bar what varies by group"),
        ("y ~ x | g", "a group term stands in brackets, as in (1 | district)"),
        ("y ~ (1 | a + b)", "write a term for each grouping"),
    ],
)
def test_notations_of_other_programs_are_answered_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(FormulaError, match=re.escape(said)):
        parse_formula(text)
