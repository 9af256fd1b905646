"""Equations with products: what moderations, contrasts of slopes and congruence share."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from acmodels.spec.names import quoted
from acmodels.theory.compiling import equations as eq
from acmodels.theory.compiling import steps
from acmodels.theory.compiling.equations import Drafted, Piece, Response
from acmodels.theory.compiling.setting import Setting
from acmodels.theory.compiling.steps import Level, Step

SHRUNKEN = 0.25
"""Prior sd of products and squares, on the standardized scale."""

ROWS_PER_PRODUCT = 8


@dataclass(frozen=True)
class Moderated:
    """An equation in which a slope depends on other constructs.

    Attributes:
        drafted: the equation.
        step: what it was made of.
        slope: the term of the cause whose slope is asked for.
        product: the term of the highest product.
        at: by moderator, the column and its values at -1 and +1 sd.
        beside: the terms of what stands beside the cause.
    """

    drafted: Drafted
    step: Step
    slope: str
    product: str
    at: tuple[tuple[str, float, float], ...]
    beside: tuple[str, ...] = ()


def scaled(piece: Piece, column: str) -> str:
    """Write a variable for products, centered: its deviation within units, or standardized."""
    if piece.claim.startswith(("within(", "between(")):
        return piece.claim
    return f"standardize({quoted(column)})"


def _all_products(
    texts: Sequence[str], values: Sequence[np.ndarray], pieces: Sequence[Piece]
) -> list[Piece]:
    """Multiply every two, three and more of some terms; the product of all comes last."""
    out: list[Piece] = []
    for size in range(2, len(texts) + 1):
        why = "the product" if size == len(texts) else "a part of the product"
        scale = 0.25 if size < 3 else SHRUNKEN
        for k in combinations(range(len(texts)), size):
            some = [texts[i] for i in k], [values[i] for i in k]
            out.append(_product(*some, pieces, k, why, scale))
    return out


def _with_others(
    s: Setting,
    also: Sequence[tuple[str, Piece]],
    terms: Sequence[tuple[str, np.ndarray, Piece]],
) -> list[Piece]:
    """Multiply what stands beside the cause by the cause and by each moderator."""
    out: list[Piece] = []
    for c, p in also:
        text, value = scaled(p, eq.column(s, c)), _z(s, p)
        name = s.framework.constructs[c].name
        why = f"so that {name} is not mistaken for the product"
        out += [_product([text, t], [value, v], [p, q], [0, 1], why, SHRUNKEN) for t, v, q in terms]
    return out


def _has_squares(x: np.ndarray) -> bool:
    """Whether values are more than two, so that a square says more than they."""
    return len(np.unique(x[np.isfinite(x)])) > 2


def _main(s: Setting, cause: str, r: Response, level: Level, itself: Response | None) -> Piece:
    """Write the cause whose slope is moderated: a predictor, or a mediator of the model."""
    name = s.framework.constructs[cause].name
    if itself is not None:
        units = [level.unit] if level.unit else []
        return eq.mediator(s, itself, r.home, units, f"what moderates ({name})")
    split = eq.coarser(s, level.unit)
    why = f"the cause ({name})"
    return eq.predictor(s, eq.column(s, cause), r.home, level.unit, why, split=split, slope=True)


def moderated(
    s: Setting,
    cause: str,
    by: Sequence[str],
    r: Response,
    level: Level,
    *,
    mediators: Sequence[Response] = (),
    barred: Sequence[str] = (),
    also: Sequence[str] = (),
    curved: bool = False,
) -> Moderated:
    """Draft an equation in which the slope of a cause depends on moderators.

    Squares of the cause and of each moderator, and products of both with each covariate, are in
    the equation with shrunken coefficients: or mere curvature, and a covariate that does the
    moderating, pass for moderation. So are the products of what stands beside the cause: or a
    direct effect that is moderated passes for a moderated step.

    Args:
        s: the setting.
        cause: the construct whose slope it is; of a composite, the composite itself.
        by: moderators.
        r: the response.
        level: of the claim.
        mediators: responses of other equations that stand in this one.
        barred: constructs that are not adjusted for.
        also: further constructs that stand in the equation beside the cause.
        curved: whether their squares stand there too.
    """
    f = s.framework
    x = eq.column(s, cause)
    columns = [eq.column(s, b) for b in by]
    split = eq.coarser(s, level.unit)
    main = _main(s, cause, r, level, next((m for m in mediators if m.construct == cause), None))
    beside = [
        eq.predictor(s, eq.column(s, c), r.home, level.unit, f"beside it ({f.constructs[c].name})",
                     split=split)
        for c in also
    ]  # fmt: skip
    others = [
        eq.predictor(s, c, r.home, None, f"a moderator ({f.constructs[b].name})")
        for b, c in zip(by, columns, strict=True)
    ]
    texts = [scaled(main, x), *(scaled(p, c) for p, c in zip(others, columns, strict=True))]
    values = [_z(s, main), *(_z(s, p) for p in others)]
    products = _all_products(texts, values, [main, *others])
    product = products[-1].texts[0]
    terms = list(zip(texts, values, [main, *others], strict=True))
    products += _with_others(s, list(zip(also, beside, strict=True)), terms)
    curves = [x, *columns, *(eq.column(s, c) for c in also if curved)]
    squares = [_square(s, c) for c in curves if _has_squares(s.values(c))]
    own = [cause, *by, *also]
    base = steps.step(
        s, [], r, level, mediators=[m for m in mediators if m.construct != cause],
        also=[main, *beside, *others, *products, *squares], barred=barred, slope=False,
        sources=own,
    )  # fmt: skip
    more = _with_covariates(s, base, texts, values, [main, *others], r)
    drafted = eq.drafted(s, r, [*base.drafted.pieces, *more])
    at = tuple((c, *_points(s, c)) for c in columns)
    return Moderated(drafted, base, main.claim, product, at, tuple(p.claim for p in beside))


def _points(s: Setting, column: str) -> tuple[float, float]:
    x = s.values(column)
    x = x[np.isfinite(x)]
    if len(np.unique(x)) == 2:
        return float(x.min()), float(x.max())
    return eq.rounded(s.mean(x) - s.spread(x)), eq.rounded(s.mean(x) + s.spread(x))


def _z(s: Setting, piece: Piece) -> np.ndarray:
    k = piece.texts.index(piece.claim)
    x = piece.values[k]
    return (x - np.nanmean(x)) / s.spread(x)


def _product(
    texts: Sequence[str],
    values: Sequence[np.ndarray],
    pieces: Sequence[Piece],
    chosen: Sequence[int],
    why: str,
    sd: float,
) -> Piece:
    text = ":".join(texts)
    x = np.prod(values, axis=0)
    scale = 1.0
    for k, t in zip(chosen, texts, strict=True):
        if t.startswith(("within(", "between(")):
            scale *= pieces[k].sds[t]
    return Piece((text,), {text: sd}, {text: scale}, text, why, (), (x,))


def _square(s: Setting, column: str) -> Piece:
    text = f"square(standardize({quoted(column)}))"
    x = s.values(column)
    z = (x - np.nanmean(x)) / s.spread(x)
    return Piece((text,), {text: SHRUNKEN}, {text: 1.0}, text,
                 "curvature, which could be mistaken for the product", (), (z * z,))  # fmt: skip


def _with_covariates(
    s: Setting,
    base: Step,
    texts: Sequence[str],
    values: Sequence[np.ndarray],
    pieces: Sequence[Piece],
    r: Response,
) -> list[Piece]:
    """Products of cause and moderators with each covariate, while rows allow it."""
    n = r.home.size if r.home is not None else s.n
    span = steps.Span(s, r.home)
    for p in base.drafted.pieces:
        span.add(p)
    out: list[Piece] = []
    order = sorted(base.adjusted, key=lambda c: c not in base.adjustment.needed)
    for c in order:
        column = s.columns[c]
        if not eq.is_number(s, column):
            continue
        x = s.values(column)
        z = (x - np.nanmean(x)) / s.spread(x)
        for text, v, k in zip(texts, values, range(len(texts)), strict=True):
            if span.terms + 1 > max(steps.LEAST_UNITS, n // 4):
                return out
            piece = _product(
                [text, f"standardize({quoted(column)})"], [v, z], [*pieces, *pieces], [k, k],
                f"so that {s.framework.constructs[c].name} is not mistaken for the moderator",
                SHRUNKEN,
            )  # fmt: skip
            if span.add(piece):
                out.append(piece)
    return out
