"""The columns of splines in a design: settled once, also for a response that is yet to be drawn.

The columns of `spline(m, k)` rest on values of m. Where m has an equation of its own, these are
drawn first, by the equations that come before the spline, and the columns are made from them.
"""

from collections.abc import Callable, Mapping

import numpy as np

from acmodels.data import Study
from acmodels.generate import generate
from acmodels.spec.model import Model
from acmodels.system import Layout, build_layout
from acmodels.system.arrays import Responses
from acmodels.system.columns import apply
from acmodels.system.curves import spline
from acmodels.system.equation import Curves
from acmodels.system.layout import curves_in


def settled_layout(
    model: Model,
    frame: Study,
    codes: Mapping[str, tuple[int, ...]],
    truth: Callable[[Layout], Mapping[str, float]],
    rng: Callable[[], np.random.Generator],
) -> Layout:
    """Build the layout of a design, with the columns that splines of drawn responses have.

    Args:
        model: of the design.
        frame: ids and predictors.
        codes: categories of ordered responses.
        truth: of all parameters of a layout.
        rng: makes the stream that responses are drawn from, the same at each call.

    Raises:
        DataError: a spline needs more distinct values than there are.
    """
    layout = build_layout(model, frame, codes)
    waiting = [
        r
        for r, mine in curves_in(layout).items()
        if any(o.variable in layout.responses for o in mine)
    ]
    for _ in waiting:  # one more equation has its final columns after each pass
        made = generate(layout, truth(layout), rng())
        layout = build_layout(model, frame, codes, _curves(layout, made.responses))
    return layout


def _curves(layout: Layout, responses: Responses) -> dict[str, Curves]:
    """The columns of all splines, those of responses from the values that were drawn."""
    out: dict[str, Curves] = {}
    for response, mine in curves_in(layout).items():
        own = layout.equation(response).rows
        found = dict(mine)
        for o in mine:
            if o.variable in layout.responses and o.inner is not None and o.df is not None:
                x = responses[o.variable][layout.equation(o.variable).carry][own]
                found[o] = spline(apply(o.inner, x), o.df, o.text)
        out[response] = found
    return out
