"""Design columns against patsy, and slopes against numerical derivatives.

The formulas handed to patsy are written in this file; nothing from outside reaches it.
"""

from typing import Any, cast

import numpy as np
import pandas as pd
import patsy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acmodels.data import study
from acmodels.load import load_model
from acmodels.spec.parsing import parse_operand
from acmodels.system import build_layout
from acmodels.system.columns import apply, slope

N = 60


def frame() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "x": rng.normal(2.0, 1.3, N),
            "z": rng.normal(-1.0, 0.7, N),
            "p": rng.uniform(0.5, 4.0, N),
            "f": rng.choice(["a", "b", "c"], N),
            "h": rng.choice(["u", "v"], N),
            "n": rng.choice([1, 2, 10], N),
            "t": rng.choice([True, False], N),
        }
    )


DATA = frame()


def design(right: str, data: pd.DataFrame = DATA) -> dict[str, np.ndarray]:
    model = load_model({"name": "t", "equations": {"y": {"formula": f"y ~ {right}"}}})
    (e,) = build_layout(model, study(data)).equations
    assert len({c.name for c in e.columns}) == len(e.columns)
    return {c.name: e.fixed[:, k] for k, c in enumerate(e.columns)}


def ours(name: str) -> str:
    """patsy's column name in our spelling."""
    return (
        name.replace("Intercept", "1")
        .replace("[T.", "[")
        .replace("C(n)", "factor(n)")
        .replace("np.log", "log")
        .replace("np.sqrt", "sqrt")
    )


@pytest.mark.parametrize(
    ("right", "patsys"),
    [
        ("x", None),
        ("x + z + x:z", None),
        ("0 + x", None),
        ("log(p) + sqrt(p)", "np.log(p) + np.sqrt(p)"),
        ("f", None),
        ("0 + f", None),
        ("f + h", None),
        ("0 + f + h", None),
        ("0 + h + f", None),
        ("f*h", None),
        ("0 + f*h", None),
        ("0 + f:h", None),
        ("f + f:h", None),
        ("0 + f + f:h", None),
        ("x + f", None),
        ("x*f", None),
        ("f*x", None),
        ("x:f", None),
        ("0 + x:f", None),
        ("0 + x*f", None),
        ("0 + x + x:f", None),
        ("f + f:x", None),
        ("0 + f + f:x", None),
        ("0 + f + f:x + h", None),
        ("x*f*h", None),
        ("x*z*f", None),
        ("f:x:z", None),
        ("f + x:z:f", None),
        ("0 + f:x + h:x", None),
        ("factor(n)", "C(n)"),
        ("factor(n)*x", "C(n)*x"),
        ("0 + factor(n) + f", "0 + C(n) + f"),
        ("t + x", None),
        ("t*f", None),
        ('factor(f, ref="c")', "C(f, Treatment('c'))"),
        ('factor(f, ref="b")*x', "C(f, Treatment('b'))*x"),
        ('factor(n, ref=10) + h', "C(n, Treatment(10)) + h"),
    ],
)  # fmt: skip
def test_columns_are_those_of_patsy(right: str, patsys: str | None) -> None:
    found = design(right)
    wanted = cast("Any", patsy).dmatrix(patsys or right, DATA, return_type="dataframe")
    by_name = {
        ours(n).replace("C(f, Treatment('c'))", "factor(f)")
        .replace("C(f, Treatment('b'))", "factor(f)")
        .replace("C(n, Treatment(10))", "factor(n)"): wanted[n].to_numpy()
        for n in wanted.columns
    }  # fmt: skip
    assert set(found) == set(by_name)
    for name, column in found.items():
        np.testing.assert_allclose(column, by_name[name], err_msg=name)


def test_transforms() -> None:
    x, z = DATA["x"], DATA["z"]
    found = design(
        "square(x) + center(x) + standardize(z) + square(center(x)) + center(square(x)):z"
    )
    np.testing.assert_allclose(found["square(x)"], x**2)
    np.testing.assert_allclose(found["center(x)"], x - x.mean())
    np.testing.assert_allclose(found["standardize(z)"], (z - z.mean()) / z.std())
    np.testing.assert_allclose(found["square(center(x))"], (x - x.mean()) ** 2)
    np.testing.assert_allclose(found["center(square(x)):z"], (x**2 - (x**2).mean()) * z)


def test_levels_sort_as_numbers_and_as_text() -> None:
    assert list(design("factor(n)")) == ["1", "factor(n)[2]", "factor(n)[10]"]
    text = DATA.assign(n=DATA["n"].astype(str) + "x")
    assert list(design("n", text)) == ["1", "n[1x]", "n[2x]"]  # "10x" comes first as text


def test_columns_stand_in_the_order_written() -> None:
    assert list(design("z + x*f - x + h")) == [
        "1", "z", "f[b]", "f[c]", "x:f[a]", "x:f[b]", "x:f[c]", "h[v]",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "square(x)",
        "log(x)",
        "sqrt(x)",
        "center(x)",
        "standardize(x)",
        "square(standardize(x))",
        "standardize(square(x))",
        "log(square(x))",
        "sqrt(log(x))",
        "center(log(x))",
        "standardize(sqrt(x))",
        "square(center(sqrt(x)))",
    ],
)
@given(st.lists(st.floats(1.5, 50), min_size=1, max_size=5), st.integers(0, 99))
def test_slope_is_the_derivative(text: str, values: list[float], seed: int) -> None:
    operand = parse_operand(text)
    reference = np.random.default_rng(seed).uniform(1.5, 50.0, 12)
    x = np.array(values)
    h = 1e-4 * x

    def f(v: np.ndarray) -> np.ndarray:
        return apply(operand, v, reference)

    def central(step: np.ndarray) -> np.ndarray:
        return (f(x + step) - f(x - step)) / (2 * step)

    numerical = (4 * central(h / 2) - central(h)) / 3
    found = slope(operand, x, reference)
    assert found.shape == x.shape
    np.testing.assert_allclose(found, numerical, rtol=1e-6, atol=1e-7)


def test_coding_spans_the_same_space_whatever_the_reference() -> None:
    """Recoding a factor changes names, never what the model can say."""
    spans = {
        ref: np.column_stack(list(design(f'factor(f, ref="{ref}")*x + h').values()))
        for ref in "abc"
    }
    q = {ref: np.linalg.qr(X)[0] for ref, X in spans.items()}
    for ref in "bc":
        np.testing.assert_allclose(q[ref] @ q[ref].T, q["a"] @ q["a"].T, atol=1e-10)
