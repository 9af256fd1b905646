"""Formulas as text are parsed here, and what is wrong with them is said."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, combinations
from math import prod
from typing import Any

from acmodels.errors import FormulaError, did_you_mean
from acmodels.spec.formula import (
    EXTREMES,
    INTERCEPT,
    TRANSFORMS,
    Formula,
    FormulaTerm,
    GroupTerm,
    Operand,
    functions,
    unit_functions,
)
from acmodels.spec.names import composed, plain, quoted

LONGEST, DEEPEST, MOST_TERMS = 20_000, 50, 5_000
"""Limits that a stranger's formula meets: characters, brackets in brackets, terms."""

MOST_COLUMNS = 30
"""Degrees of freedom of a spline, at most."""

MOST_WAVES = 50
"""Waves that a lag goes back, at most."""

_GRAMMAR = r"""
start: name "~" sum
sum: SIGN* product (SIGN+ product)*
product: interaction ("*" interaction)*
interaction: atom (":" atom)*
?atom: INTEGER -> integer
     | operand
     | "(" sum ")" -> parens
     | "(" sum "|" grouping ")" -> correlated
     | "(" sum "||" grouping ")" -> uncorrelated
     | "(" sum "|" name "|" grouping ")" -> shared
?operand: name -> variable
        | name "(" operand ("," option)* ")" -> call
option: name "=" (STRING | NUMBER | INTEGER | NAME) -> keyword
      | operand -> positional
      | (INTEGER | NUMBER) -> number
grouping: cell ("/" cell)*
cell: name (":" name)*
name: NAME | QUOTED
SIGN: "+" | "-"
NAME: /[^\W\d][\w.]*/
QUOTED: /`(?:[^`]|``)+`/
STRING: /"[^"]*"/ | /'[^']*'/
INTEGER: /\d+(?![\w.])/
NUMBER: /-?\d+(\.\d+)?/
%ignore /\s+/
"""


def parse_formula(text: str) -> Formula:
    """Read one formula.

    Raises:
        FormulaError: it does not follow the grammar, calls an unknown function or
            says something twice; the message shows where.
    """
    text = composed(text)
    return _build(_parse(text, "start"), text)


def parse_operand(text: str) -> Operand:
    """Read a name as written in a formula: `x`, `within(m, g)`, `log(x)`."""
    text = composed(text)
    return _operand(_parse(text, "operand"), text)


def parse_term(text: str) -> FormulaTerm:
    """Read one term as written in a formula: `x`, `a:b`, `log(x):w`."""
    tree = _parse(text, "interaction")
    return FormulaTerm(tuple(_operand(a, text) for a in tree.children))


@lru_cache
def _parser() -> Any:
    from lark import Lark

    return Lark(
        _GRAMMAR,
        parser="lalr",
        start=["start", "operand", "interaction"],
        maybe_placeholders=False,
    )


def _parse(text: str, start: str) -> Any:
    from lark.exceptions import UnexpectedInput

    if len(text) > LONGEST:
        raise FormulaError(f"a formula of {len(text)} characters is longer than {LONGEST}")
    if max(accumulate((c == "(") - (c == ")") for c in text), default=0) > DEEPEST:
        raise FormulaError(f"the formula has brackets nested over {DEEPEST} deep: {text[:60]}…")
    try:
        return _parser().parse(text, start=start)
    except UnexpectedInput as e:
        raise FormulaError(_where(text, e)) from None


_ADDITION = re.compile(r"\|\s*(trials|weights|se)\b")  # brms' `y | weights(w) ~ x`


def _where(text: str, error: Any) -> str:
    position = getattr(error, "pos_in_stream", None)
    at_end = getattr(getattr(error, "token", None), "type", "") == "$END"
    if at_end or position is None or position < 0 or position >= len(text):
        opened = text.count("(") - text.count(")")
        hint = "; a closing bracket is missing" if opened > 0 else ""
        hint = _group_hint(text, len(text)) or hint
        hint = hint if "~" in text else "; a formula reads 'response ~ terms'"
        return f"cannot read the formula '{text}': it ends too early{hint}"
    rest = text[position : position + 20]
    hint = ""
    if (addition := _ADDITION.match(rest)) and "~" in text[position:]:
        key = addition[1]
        hint = f'; {key} is a key of the equation beside its formula: {key} = "the column"'
    elif rest[:1] == "=" and "~" not in text[:position]:
        hint = "; a formula reads 'response ~ terms', with ~ for ="
    elif "~" in text[position:] and rest[:1] in "(+-*:":
        hint = "; the left side is one column name (transform it in the data)"
    elif "~" in text[:position] and rest.startswith("~"):
        hint = "; a formula has one '~'"
    elif rest[:1] == "^" or text[position - 1 : position + 1] == "**":
        hint = "; write square(x) for a power and a*b for main effects with their interaction"
    elif bar := _group_hint(text, position):
        hint = bar
    elif rest[:1] == "/":
        hint = "; '/' nests groupings, as in (1 | a/b)"
    elif rest[:1] == "%":
        hint = "; operators such as %in% are not part of the grammar"
    elif rest[:1].isalpha() and text[:position].rstrip()[-1:].isalnum():
        hint = "; a + is missing, or brackets as in log(x), or backticks about a name with a space"
    elif rest[:1] in "\"'0123456789.":
        hint = "; numbers and text stand only as 0, 1 and in factor(x, ref=…)"
    return f"cannot read the formula '{text}': stopped at '{rest}' (character {position + 1}){hint}"


def _group_hint(text: str, position: int) -> str:
    """Say what is wrong about the bar of a group term where reading stopped, with an example."""
    before, rest = text[:position].rstrip(), text[position:].lstrip()
    inside = before[before.rfind("(") :] if before.count("(") > before.count(")") else ""
    example = "(1 | district)"
    if rest.startswith("|") and before.endswith("("):
        return f"; say before the bar what varies by group, as in {example}"
    if "|" in inside and rest.startswith("+"):
        return f"; write a term for each grouping, as {example} + (1 | partner)"
    if rest.startswith("|") and "|" in inside:
        return f"; there is a bar too many; write {example}, or (x || district)"
    if before.endswith(("|", "/", ":")) and "|" in inside:
        return f"; the name of a grouping is missing after '{before[-1]}', as in {example}"
    if rest.startswith("|") and not inside and "~" in before:
        return f"; a group term stands in brackets, as in {example}"
    return ""


def _name(tree: Any) -> str:
    return plain(str(tree.children[0]))


def _operand(tree: Any, text: str) -> Operand:
    if tree.data == "variable":
        return Operand(_name(tree.children[0]))
    if tree.data != "call":
        raise FormulaError(
            f"'{text}': only names and functions of names can stand in an interaction"
        )
    function, argument, *options = tree.children
    name = _name(function)
    if name not in functions():
        raise FormulaError(
            f"unknown function '{name}' in '{text}'{did_you_mean(name, functions())} "
            f"(functions: {', '.join(functions())}); nothing in a formula is run"
        )
    return _call(name, _operand(argument, text), options, text)


def _call(name: str, inner: Operand, options: list[Any], text: str) -> Operand:
    if name in EXTREMES:
        return _extreme(name, inner, options, text)
    if name == "spline":
        return _spline(inner, options, text)
    if name == "lag":
        return _lag(inner, options, text)
    if name == "lead":
        return _lead(inner, options, text)
    unit: str | None = None
    ref: str | None = None
    for option in options:
        if option.data == "positional" and name in unit_functions() and unit is None:
            unit = _column(option.children[0], name, text)
        elif option.data == "keyword" and name == "factor" and _name(option.children[0]) == "ref":
            said = str(option.children[1])
            ref = said[1:-1] if said[0] in "\"'" else said
        else:
            raise FormulaError(f"{name}() in '{text}' does not take that argument")
    if name in unit_functions() and unit is None:
        raise FormulaError(f"{name}() in '{text}' needs a unit: {name}({inner.text}, unit)")
    lagged = name in unit_functions() and inner.function == "lag"
    if lagged and name == "between":
        raise FormulaError(
            f"between() in '{text}' cannot be applied to {inner.text}: the mean of a unit is one "
            f"for all waves; write between({quoted(inner.variable)}, {quoted(unit or 'unit')})"
        )
    if any(f not in TRANSFORMS for f in inner.functions) and name != "offset" and not lagged:
        raise FormulaError(f"{name}() in '{text}' cannot be applied to {inner.text}")
    takes_variable = ("factor", "mo", *unit_functions())
    if inner.function is not None and name in takes_variable and not lagged:
        raise FormulaError(f"{name}() in '{text}' takes a variable, not {inner.text}")
    if name == "offset" and any(f not in TRANSFORMS for f in inner.functions):
        raise FormulaError(f"offset() in '{text}' takes a variable or a transform of one")
    return Operand(inner.variable, name, inner, unit, ref)


def _lag(inner: Operand, options: list[Any], text: str) -> Operand:
    """Read `lag(x)` and `lag(x, 2)`."""
    if inner.function is not None:
        hint = ""
        if inner.unit is not None and inner.inner is not None:
            hint = f"; write {inner.function}(lag({inner.inner.text}), {quoted(inner.unit)})"
        raise FormulaError(f"lag() in '{text}' takes a variable, not {inner.text}{hint}")
    said = str(options[0].children[0]) if options and options[0].data == "number" else "1"
    if len(options) > 1 or any(o.data != "number" for o in options):
        raise FormulaError(
            f"lag() in '{text}' takes a variable and how many waves earlier, as "
            f"lag({inner.text}, 2)"
        )
    if not said.isdecimal() or not 1 <= int(said) <= MOST_WAVES:
        raise FormulaError(
            f"lag() in '{text}': how many waves earlier is a whole number from 1 to {MOST_WAVES}, "
            f"not {said}"
        )
    return Operand(inner.variable, "lag", inner, waves=int(said))


def _lead(inner: Operand, options: list[Any], text: str) -> Operand:
    """Read `lead(x)`."""
    if inner.function is not None or options:
        raise FormulaError(
            f"lead() in '{text}' takes a variable, whose value one wave later it is, and nothing "
            f"else: lead({quoted(inner.variable)})"
        )
    return Operand(inner.variable, "lead", inner, waves=-1)


def _column(tree: Any, name: str, text: str) -> str:
    if tree.data != "variable":
        raise FormulaError(f"{name}() in '{text}' does not take that argument")
    return _name(tree.children[0])


def _extreme(name: str, first: Operand, options: list[Any], text: str) -> Operand:
    """Read `min(a, b, ...)` and `max(a, b, ...)`."""
    if any(o.data != "positional" for o in options):
        raise FormulaError(f"{name}() in '{text}' takes columns and transforms of columns only")
    others = tuple(_operand(o.children[0], text) for o in options)
    if not others:
        raise FormulaError(
            f"{name}() in '{text}' needs two columns or more, as {name}({first.text}, b)"
        )
    every = (first, *others)
    for o in every:
        if any(f not in TRANSFORMS for f in o.functions):
            raise FormulaError(
                f"{name}() in '{text}' cannot be applied to {o.text}; it takes columns and "
                f"transforms of one column ({', '.join(TRANSFORMS)})"
            )
    if len(set(every)) < len(every):
        raise FormulaError(f"{name}() in '{text}' names the same argument twice")
    return Operand(first.variable, name, first, others=others)


def _spline(inner: Operand, options: list[Any], text: str) -> Operand:
    """Read `spline(x, 4)`."""
    shown = f"spline({inner.text}, 4)"
    if any(f not in TRANSFORMS for f in inner.functions):
        raise FormulaError(
            f"spline() in '{text}' cannot be applied to {inner.text}; it takes a column or a "
            f"transform of one ({', '.join(TRANSFORMS)})"
        )
    if len(options) != 1 or options[0].data != "number":
        raise FormulaError(
            f"spline() in '{text}' takes a variable and its degrees of freedom, as {shown}"
        )
    said = str(options[0].children[0])
    if not said.isdecimal() or not 1 <= int(said) <= MOST_COLUMNS:
        raise FormulaError(
            f"spline() in '{text}': the degrees of freedom are a whole number from 1 to "
            f"{MOST_COLUMNS}, not {said}; write {shown}"
        )
    return Operand(inner.variable, "spline", inner, df=int(said))


@dataclass
class _Expansion:
    """What a sum adds up to, kept in the order written."""

    terms: dict[frozenset[Operand], FormulaTerm]
    groups: list[GroupTerm]
    offsets: list[Operand]


def _build(tree: Any, text: str) -> Formula:
    response, right = tree.children
    e = _Expansion({INTERCEPT.key: INTERCEPT}, [], [])
    _sum(right, e, text, top=True)
    _one_reference(e, text)
    seen: set[tuple[Any, ...]] = set()
    for g in e.groups:
        for t in g.terms:
            mark = (t.key, frozenset(g.grouping))
            if mark in seen:
                raise FormulaError(
                    f"'{text}': the effect of {t.text} by {g.group} is written twice"
                )
            seen.add(mark)
    return Formula(_name(response), _ordered(e.terms), tuple(e.groups), tuple(e.offsets), text)


def _one_reference(e: _Expansion, text: str) -> None:
    """Refuse a factor with two references, whose columns would share their names."""
    terms = [*e.terms.values(), *(t for g in e.groups for t in g.terms)]
    refs: dict[str, str | None] = {}
    for o in (o for t in terms for o in t.operands if o.function == "factor"):
        if refs.setdefault(o.variable, o.ref) != o.ref:
            raise FormulaError(
                f"'{text}': {o.text} does not have the same reference everywhere; write the same "
                "ref in every place"
            )


def _ordered(terms: dict[frozenset[Operand], FormulaTerm]) -> tuple[FormulaTerm, ...]:
    return tuple(sorted(terms.values(), key=lambda t: t != INTERCEPT))


def _sum(tree: Any, e: _Expansion, text: str, *, top: bool) -> None:
    sign = "+"
    for child in tree.children:
        if getattr(child, "type", None) == "SIGN":
            sign = str(child) if sign == "+" else {"+": "-", "-": "+"}[str(child)]
            continue
        _product(child, sign, e, text, top=top)
        sign = "+"


def _product(tree: Any, sign: str, e: _Expansion, text: str, *, top: bool) -> None:
    first = tree.children[0].children
    if len(tree.children) == 1 and len(first) == 1 and _special(first[0], e, text, sign, top=top):
        return
    atoms = [[_atom(a, text) for a in c.children] for c in tree.children]
    if prod(1 + prod(map(len, factors)) for factors in atoms) > MOST_TERMS:
        raise FormulaError(f"the formula spells out to more than {MOST_TERMS} terms: {text[:60]}…")
    lists = [_cross(factors) for factors in atoms]
    for size in range(1, len(lists) + 1):
        for chosen in combinations(lists, size):
            for term in _cross(list(chosen)):
                if sign == "-":
                    e.terms.pop(term.key, None)
                else:
                    e.terms.setdefault(term.key, term)


def _cross(lists: list[list[FormulaTerm]]) -> list[FormulaTerm]:
    out = lists[0]
    for more in lists[1:]:
        out = [
            FormulaTerm(tuple(dict.fromkeys((*a.operands, *b.operands)))) for a in out for b in more
        ]
    return out


def _atom(tree: Any, text: str) -> list[FormulaTerm]:
    if tree.data == "parens":
        inner = _Expansion({}, [], [])
        _sum(tree.children[0], inner, text, top=False)
        if inner.offsets or INTERCEPT.key in inner.terms:
            raise FormulaError(f"'{text}': an intercept or offset cannot stand in an interaction")
        return list(inner.terms.values())
    if tree.data in ("variable", "call"):
        operand = _operand(tree, text)
        if operand.function == "offset":
            raise FormulaError(f"'{text}': offset() cannot be multiplied")
        return [FormulaTerm((operand,))]
    raise FormulaError(f"'{text}': a number or group term cannot be multiplied")


def _special(tree: Any, e: _Expansion, text: str, sign: str, *, top: bool) -> bool:
    """Handle what is not a plain term; return whether it was such."""
    if tree.data == "integer":
        _intercept(str(tree.children[0]), sign, e, text)
        return True
    if tree.data in ("correlated", "uncorrelated", "shared"):
        if not top or sign == "-":
            raise FormulaError(f"'{text}': a group term can only be added, outside other brackets")
        e.groups.extend(_groups(tree, text))
        return True
    if tree.data == "call":
        operand = _operand(tree, text)
        if operand.function == "offset":
            if not top or sign == "-":
                raise FormulaError(f"'{text}': offset() can only be added to the whole formula")
            e.offsets.append(operand.inner or operand)
            return True
    if tree.data == "parens":
        inner = _Expansion(dict(e.terms) if sign == "+" else {}, e.groups, e.offsets)
        if sign == "+":
            _sum(tree.children[0], inner, text, top=top)
            e.terms.clear()
            e.terms.update(inner.terms)
        else:
            _sum(tree.children[0], inner, text, top=False)
            for key in inner.terms:
                e.terms.pop(key, None)
        return True
    return False


def _intercept(number: str, sign: str, e: _Expansion, text: str) -> None:
    if number not in ("0", "1"):
        raise FormulaError(f"'{text}': only 0 and 1 can stand as numbers, not {number}")
    if (number == "1") == (sign == "+"):
        e.terms.setdefault(INTERCEPT.key, INTERCEPT)
    else:
        e.terms.pop(INTERCEPT.key, None)


def _groups(tree: Any, text: str) -> Iterator[GroupTerm]:
    inner = _Expansion({INTERCEPT.key: INTERCEPT}, [], [])
    _sum(tree.children[0], inner, text, top=False)
    if inner.offsets:
        raise FormulaError(f"'{text}': offset() cannot vary by group")
    if not inner.terms:
        raise FormulaError(f"'{text}': a group term says nothing that varies")
    shared = _name(tree.children[1]) if tree.data == "shared" else None
    cells = [tuple(_name(n) for n in cell.children) for cell in tree.children[-1].children]
    if shared is not None and len(cells) > 1:
        raise FormulaError(f"'{text}': '/' cannot stand with a shared id; write each grouping out")
    terms = _ordered(inner.terms)
    nested: tuple[str, ...] = ()
    for cell in cells:
        nested = tuple(dict.fromkeys((*nested, *cell)))
        yield GroupTerm(terms, nested, tree.data != "uncorrelated", shared)
