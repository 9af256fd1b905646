"""The graph's rows: the equations stacked, some rows several times (`system.versions`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from acmodels.priors import Priors
from acmodels.system import Layout
from acmodels.system.versions import Unknown, unknown


@dataclass(frozen=True)
class Stack:
    """The equations in the graph's order.

    Attributes:
        layout, priors: of the model.
        order: positions of the equations, those of one family and link side by side.
        unknown: what is missing, and the rows of the graph that stand for each equation's.
    """

    layout: Layout
    priors: Priors
    order: tuple[int, ...]
    unknown: Unknown

    def count(self, i: int) -> int:
        """Return how many rows of the graph stand for an equation's."""
        return self.unknown.rows[i].count

    @property
    def first(self) -> Mapping[int, int]:
        """Where each equation's rows start."""
        starts = np.cumsum([0, *(self.count(i) for i in self.order[:-1])]).tolist()
        return dict(zip(self.order, starts, strict=True))

    @property
    def families(self) -> list[tuple[str, str, list[int]]]:
        """Family, link and positions of equations that share these, in order."""
        e = self.layout.equations
        both = groupby(self.order, key=lambda i: (e[i].family, e[i].link))
        return [(name, link, list(members)) for (name, link), members in both]


def make_stack(layout: Layout, priors: Priors) -> Stack:
    """Put equations of one family and link side by side."""
    e = layout.equations
    order = sorted(range(len(e)), key=lambda i: (e[i].family, e[i].link, i))
    return Stack(layout, priors, tuple(order), unknown(layout))
