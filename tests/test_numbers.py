"""Numbers become text in one module, and never lose what they say."""

import ast
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmodels.numbers import (
    MINUS,
    chance,
    estimate,
    number,
    places_of,
    plain,
    spread,
    stated,
    table_rows,
    table_text,
    with_interval,
)

SOURCE = Path(__file__).parents[1] / "src" / "acmodels"
NUMBERS = "numbers.py"
ALLOWED = {
    NUMBERS,
    "reporting/svg.py",  # places in drawings
    "reporting/results.py",  # digits of data files and of truth.json
    "replication/pilot.py",  # numbers of a plan that is written
    "progress.py",  # a bar and the seconds left
}
"""Where a number may be formatted by hand, with the reason; nothing of these is a result."""

PRECISION = re.compile(r"\.\d+[eEfFgG%]|\.\{")


def formats(tree: ast.AST) -> list[tuple[int, str]]:
    """Every format with a fixed number of digits: in f-strings, `format` and `%`."""
    out: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue) and node.format_spec is not None:
            spec = ast.unparse(node.format_spec)
            if PRECISION.search(spec):
                out.append((node.lineno, spec))
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            name = node.func.id if isinstance(node.func, ast.Name) else name
            said = [
                a.value
                for a in (*node.args, getattr(node.func, "value", None))
                if isinstance(a, ast.Constant) and isinstance(a.value, str)
            ]
            if name == "format" and any(PRECISION.search(s) for s in said):
                out.append((node.lineno, name))
        elif isinstance(node, ast.Attribute) and node.attr == "format":
            text = node.value.value if isinstance(node.value, ast.Constant) else ""
            if isinstance(text, str) and re.search(r"\{[^}]*:[^}]*\.\d", text):
                out.append((node.lineno, text))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            left = node.left.value if isinstance(node.left, ast.Constant) else ""
            if isinstance(left, str) and re.search(r"%[-+ 0-9]*\.\d+[efgEFG]", left):
                out.append((node.lineno, left))
    return out


def test_no_module_but_one_formats_numbers() -> None:
    stray: list[str] = []
    for path in sorted(SOURCE.rglob("*.py")):
        where = path.relative_to(SOURCE).as_posix()
        if where not in ALLOWED:
            found = formats(ast.parse(path.read_text(encoding="utf-8")))
            stray += [f"{where}:{line}: {spec}" for line, spec in found]
    assert not stray, "use acmodels.numbers: " + "; ".join(stray)


def test_no_template_formats_numbers() -> None:
    for path in SOURCE.rglob("*.html"):
        assert not re.search(r"%\.\d|\|\s*(format|round)\b", path.read_text(encoding="utf-8")), path


@pytest.mark.parametrize(
    "text",
    ['f"{x:.3f}"', 'f"{x:>8.3f}"', '"{:.3g}".format', 'format(x, ".2f")', '"%.3f" % x',
     'f"{x:,.{n}f}"'],
)  # fmt: skip
def test_the_search_finds_what_it_looks_for(text: str) -> None:
    assert formats(ast.parse(text))


SAID = [
    ((-6.7248e-06, -7.6302e-06, -5.8493e-06), "-6.7e-06 [-7.6e-06, -5.8e-06]"),
    ((0.3142, 0.2011, 0.4203), "0.31 [0.20, 0.42]"),
    ((0.31, -0.31, 0.92), "0.31 [-0.31, 0.92]"),
    ((1234.5, 1230.1, 1238.9), "1234.5 [1230.1, 1238.9]"),
    ((2.47e12, 1.9e12, 3.1e12), "2.5e+12 [1.9e+12, 3.1e+12]"),
    ((0.0, 0.0, 0.0), "0 [0, 0]"),
    ((0.2, 0.0013, 0.4), "0.200 [0.001, 0.400]"),
    ((3e-7, -0.20, 0.21), "0.00 [-0.20, 0.21]"),
    ((-1e-9, -0.20, 0.21), "0.00 [-0.20, 0.21]"),
    ((0.2, 1e-7, 0.4), "0.20 [1.0e-07, 0.40]"),
]


@pytest.mark.parametrize(("values", "said"), SAID)
def test_estimates_on_every_scale(values: tuple[float, float, float], said: str) -> None:
    assert estimate(*values) == said


def read(text: str) -> float:
    return float(text.replace(MINUS, "-").replace("\u202f", ""))


sizes = st.integers(-250, 250)
shares = st.floats(-1, 1, allow_nan=False)


@given(sizes, shares, shares, shares)
def test_an_estimate_says_its_interval(power: int, a: float, b: float, c: float) -> None:
    low, mean, high = (v * 10.0**power for v in sorted((a, b, c)))
    said = estimate(mean, low, high)
    found = re.fullmatch(r"(\S+) \[(\S+), (\S+)\]", said)
    assert found, said
    shown = [read(v) for v in found.groups()]
    assert not any(math.copysign(1, v) < 0 and v == 0 for v in shown), said  # no -0.0
    for true, text in zip((low, high), shown[1:], strict=True):
        assert (true == 0) == (text == 0), said  # an end that is not zero never reads as zero
        assert true * text >= 0
    if high > low and (shown[1] != 0 or shown[2] != 0):
        step = (high - low) * 0.051
        assert abs(shown[1] - low) <= step, said  # two digits of the width
        assert abs(shown[2] - high) <= step, said
        assert abs(shown[0] - mean) <= step, said
    if high > low > 0:
        mantissa = plain(found[3]).partition("e")[0].replace(".", "").lstrip("0")
        assert len(mantissa) >= 2, said


@given(sizes, st.floats(0.1, 1), st.sampled_from([2, 3]))
def test_a_table_shows_every_number_of_a_row(power: int, size: float, places: int) -> None:
    sd = size * 10.0**power
    mean, low, high = 3 * sd, sd, 5 * sd
    said, interval = with_interval(mean, low, high, places)
    shown = [read(v) for v in (said, *interval[1:-1].split(", "))]
    assert all(v > 0 for v in shown)
    assert shown == pytest.approx([mean, low, high], abs=0.051 * (high - low))
    assert read(spread(sd, places_of(low, high, mean))) == pytest.approx(sd, rel=0.06)


def test_what_somebody_wrote_loses_nothing() -> None:
    for x in (0.975, 2474757940.0, -1e-6, 0.025, 1e-12, 123456.789, 30.0):
        assert float(stated(x)) == x
    assert number(123456.0) == "123456"
    assert chance(0.0) == "< 0.001"
    assert chance(1.0) == "> 0.999"


def test_a_table_shares_decimals_by_row() -> None:
    import pandas as pd

    table = pd.DataFrame(
        {
            "name": ["a", "b"],
            "mean": [1234.5, -6.72e-6],
            "lower": [1230.1, -7.63e-6],
            "upper": [1238.9, -5.85e-6],
            "p_positive": [1.0, 0.0],
            "r_hat": [float("nan"), 1.0012],
        }
    )
    first, second = table_rows(table)
    assert (first["mean"], first["lower"], first["r_hat"]) == ("1234.5", "1230.1", "")
    assert (second["mean"], second["upper"], second["p_positive"]) == (
        "-6.7e-06", "-5.8e-06", "< 0.001",
    )  # fmt: skip
    lines = table_text(table).splitlines()
    assert len(lines) == 3
    assert [line[0] for line in lines] == ["n", "a", "b"]
    assert lines[1].index("1234.5") + 6 == lines[2].index("-6.7e-06") + 8
