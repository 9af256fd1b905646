"""Predictions as a drawing of their own: one SVG file that any program shows."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from acmodels.errors import InputError
from acmodels.reporting import written

if TYPE_CHECKING:
    from acmodels.inference.fitting import Fit


def plot_predictions(
    fit: "Fit",
    condition: Sequence[str],
    path: str | os.PathLike[str],
    *,
    response: str | None = None,
    groups: Literal["new"] = "new",
    scale: Literal["response", "linear"] = "response",
) -> Path:
    """Draw expected responses over one predictor at values of a second, with their intervals.

    The other predictors are held at their means, or commonest levels; group effects are averaged
    over new groups. Of an ordinal response the probability of each category is drawn, over one
    predictor. No row of the data is drawn.

    Args:
        fit: from `fit`.
        condition: one or two predictors: the first along the axis; the second at its levels, at
            its values where there are at most five, or at its mean and one sd about it.
        path: of the SVG file; missing folders are made, an existing file is replaced whole.
        response: which equation, where there are several.
        groups: `new`: held values belong to no group.
        scale: `response`, or `linear` for the linear predictor.

    Returns:
        The path written.

    Raises:
        InputError: an unknown name, a file of another kind, or one that cannot be written.
    """
    from acmodels.effects.predictions import curves
    from acmodels.reporting.charts import Band, prediction_chart
    from acmodels.reporting.words import interval_words

    target = Path(path)
    if target.suffix.lower() not in (".svg", ""):
        raise InputError(f"{target}: what is drawn is SVG; give a name that ends in .svg")
    table = curves(fit, condition, response=response, groups=groups, scale=scale)
    first, *second = list(condition)
    y = response or fit.system.layout.responses[0]
    bands = [
        Band(label, list(t[first]), list(t["mean"]), list(t["lower"]), list(t["upper"]))
        for label, t in _curves(table, y, second)
    ]
    on = "Expected" if scale == "response" else "Linear predictor of"
    on = "Probability of each category of" if "category" in table else on
    title = f"{on} {y} by {first}" + (f" at values of {second[0]}" if second else "")
    text = prediction_chart(bands, title, first, interval_words(fit.interval, fit.prob))
    target = Path(path)
    try:
        written(target, text)
    except OSError as error:
        raise InputError(
            f"{target}: the drawing cannot be written ({error.strerror or error}); "
            "choose another place with room and the right to write"
        ) from None
    return target


def _curves(table: Any, y: str, second: Sequence[str]) -> list[tuple[str, Any]]:
    """Take a table of predictions apart: a curve for each category or second value, with its label.

    Raises:
        InputError: there are categories and values of a second predictor.
    """
    from acmodels.numbers import significant

    if "category" in table:
        if second:
            raise InputError(
                f"'{y}' is ordinal and has a curve for each category; name one predictor, or ask "
                'for scale = "linear"'
            )
        codes = dict.fromkeys(table["category"])
        return [(f"{y} = {c}", table[table["category"] == c]) for c in codes]
    if not second:
        return [("", table)]

    def said(value: Any) -> str:
        return value if isinstance(value, str) else significant(float(value))

    values = dict.fromkeys(table[second[0]])
    return [(f"{second[0]} = {said(v)}", table[table[second[0]] == v]) for v in values]
