"""Where the parts of a path diagram go: layers from left to right by causal order.

Each response is a card that lists what enters it, one row a coefficient, so that every
arrow ends at its own number and no label can cover another. Arrows that skip a layer pass
between the cards of that layer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from acmodels.spec.formula import Operand
from acmodels.system.equation import Column
from acmodels.system.first_waves import first_wave
from acmodels.system.terms import group_terms

if TYPE_CHECKING:
    from acmodels.system import Layout

ROW, PRODUCT, HEAD, FOOT = 21.0, 38.0, 30.0, 20.0
SOURCE_WIDTH, CARD_WIDTH, BETWEEN = 156.0, 312.0, 104.0
SOURCE_HEIGHT, SOURCE_STEP, CARD_GAP = 30.0, 46.0, 34.0
LANE, TOP = 7.0, 8.0


@dataclass(frozen=True)
class Entry:
    """A coefficient as a row of a card: its name, its column, the variables it rests on."""

    name: str
    column: str
    variables: tuple[str, ...]


@dataclass(frozen=True)
class Box:
    """A node: a predictor without an equation, or a response's card.

    Attributes:
        name: the variable.
        rank: its layer.
        rows: of a card, top to bottom; products after the rest.
        groups: groupings by which the response varies.
        x, y, width, height: on the page.
    """

    name: str
    rank: int
    rows: tuple[Entry, ...] = ()
    groups: tuple[str, ...] = ()
    card: bool = False
    x: float = 0.0
    y: float = 0.0
    width: float = SOURCE_WIDTH
    height: float = SOURCE_HEIGHT

    @property
    def out(self) -> tuple[float, float]:
        """Where arrows leave."""
        return self.x + self.width, self.y + (HEAD / 2 if self.card else self.height / 2)

    def port(self, place: int) -> tuple[float, float]:
        """Where the arrow of a row arrives: its middle; of a product's two lines, the lower."""
        above = [len(r.variables) > 1 for r in self.rows[:place]]
        y = self.y + HEAD + 4 + sum(PRODUCT if product else ROW for product in above)
        product = len(self.rows[place].variables) > 1
        return self.x, y + (PRODUCT - ROW / 2 - 1 if product else ROW / 2)


@dataclass(frozen=True)
class Arrow:
    """From a box to a row of a card, past the layers between: points at their edges."""

    source: str
    target: str
    place: int
    entry: Entry
    points: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Drawing:
    """A whole diagram."""

    boxes: Mapping[str, Box]
    arrows: tuple[Arrow, ...]
    width: float
    height: float


def plan(layout: "Layout") -> Drawing:
    """Place everything."""
    boxes = _boxes(layout)
    order = {name: k for k, name in enumerate(boxes)}
    boxes = {n: replace(b, rows=_sorted_rows(b, boxes, order)) for n, b in boxes.items()}
    arrows = [
        Arrow(entry.variables[0], b.name, place, entry)
        for b in boxes.values()
        for place, entry in enumerate(b.rows)
        if len(entry.variables) == 1
    ]
    layers = max((b.rank for b in boxes.values()), default=0) + 1
    first = _stacked(boxes, layers, {})
    lanes = _lanes(first, arrows)
    boxes = _stacked(boxes, layers, {k: len(v) for k, v in lanes.items()})
    placed = tuple(_route(a, boxes, lanes) for a in arrows)
    right = max((b.x + b.width for b in boxes.values()), default=0.0)
    bottoms = [b.y + b.height for b in boxes.values()]
    bottoms += [y for a in placed for _, y in a.points]
    return Drawing(boxes, placed, right + 12, max(bottoms, default=0.0) + TOP)


def _boxes(layout: "Layout") -> dict[str, Box]:
    responses = layout.responses
    ranks: dict[str, int] = {}
    out: dict[str, Box] = {}
    for e in layout.equations:
        for c in e.columns if not e.measured else ():
            for v in nodes(c):
                if v not in responses:
                    out.setdefault(v, Box(v, 0))
    base = 1 if out else 0
    for i in layout.order:
        e = layout.equations[i]
        if e.measured:  # loadings stand in the section of their construct
            continue
        before = [ranks[v] for c in e.columns for v in nodes(c) if v in responses]
        ranks[e.response] = max(before, default=base - 1) + 1
        rows = tuple(Entry(e.coefficient(c), c.name, nodes(c)) for c in e.columns if c.parts)
        groups = tuple(dict.fromkeys(b.group for b, _ in group_terms(layout, e.response)))
        products = sum(len(r.variables) > 1 for r in rows)
        inside = ROW * (len(rows) - products) + PRODUCT * products
        height = HEAD + max(ROW, inside) + (FOOT if groups else 0) + 10
        out[e.response] = Box(
            e.response, ranks[e.response], rows, groups, card=True, width=CARD_WIDTH, height=height
        )
    return out


def nodes(column: Column) -> tuple[str, ...]:
    """Return what a column's arrows start from: variables, `lag(x)` for those a wave earlier."""
    own = column.parts[:1] if first_wave(column.name) else column.parts
    every = (a for p in own for a in p.operand.arguments)
    return tuple(dict.fromkeys(_node(o) for o in every))


def _node(o: Operand) -> str:
    inner = o.inner if o.unit is not None and o.inner is not None else o
    return inner.text if o.lag else o.variable


def _sorted_rows(box: Box, boxes: Mapping[str, Box], order: Mapping[str, int]) -> tuple[Entry, ...]:
    def key(entry: Entry) -> tuple[bool, int, int]:
        first = entry.variables[0]
        return len(entry.variables) > 1, -boxes[first].rank, order[first]

    return tuple(sorted(box.rows, key=key))


def _stacked(
    boxes: Mapping[str, Box], layers: int, lanes: Mapping[tuple[int, int], int]
) -> dict[str, Box]:
    """Stack each layer, with room for the arrows that pass between its cards."""
    columns = [[b for b in boxes.values() if b.rank == r] for r in range(layers)]

    def gap(rank: int, place: int, last: int) -> float:
        passing = LANE * lanes.get((rank, place), 0)
        if place in (0, last):
            return passing + 14 if passing else 0.0
        step = SOURCE_STEP - SOURCE_HEIGHT if rank == 0 else CARD_GAP
        return step + (passing if not passing else passing - 10)

    heights = [
        sum(b.height for b in column) + sum(gap(r, k, len(column)) for k in range(len(column) + 1))
        for r, column in enumerate(columns)
    ]
    tallest = max(heights, default=0.0)
    out: dict[str, Box] = {}
    x = 4.0
    for r, column in enumerate(columns):
        y = TOP + (tallest - heights[r]) / 2
        # predictors are spread over the height that their arrows must reach
        extra = 0.0
        if r == 0 and len(column) > 1:
            extra = max(0.0, 0.8 * (tallest - heights[0])) / (len(column) - 1)
            extra = min(extra, 70.0)
            y -= extra * (len(column) - 1) / 2
        for k, b in enumerate(column):
            y += gap(r, k, len(column))
            out[b.name] = replace(b, x=x, y=y)
            y += b.height + extra
        x += max((b.width for b in column), default=0.0) + BETWEEN
    return {name: out[name] for name in boxes}


def _lanes(
    boxes: Mapping[str, Box], arrows: list[Arrow]
) -> dict[tuple[int, int], list[tuple[str, str, int]]]:
    """Assign each arrow a gap in every layer it passes: by layer and gap, in order of height."""
    found: dict[tuple[int, int], list[tuple[float, float, tuple[str, str, int]]]] = {}
    for a in arrows:
        start, end = boxes[a.source], boxes[a.target]
        for rank in range(start.rank + 1, end.rank):
            column = sorted((b for b in boxes.values() if b.rank == rank), key=lambda b: b.y)
            share = (rank - start.rank) / (end.rank - start.rank)
            height = start.out[1] + share * (end.port(a.place)[1] - start.out[1])
            edges = [
                column[0].y,
                *((u.y + u.height + v.y) / 2 for u, v in pairwise(column)),
                column[-1].y + column[-1].height,
            ]
            gap = min(range(len(edges)), key=lambda k: abs(edges[k] - height))
            key = (a.source, a.target, a.place)
            found.setdefault((rank, gap), []).append((start.out[1], end.port(a.place)[1], key))
    return {where: [key for *_, key in sorted(items)] for where, items in found.items()}


def _route(
    a: Arrow,
    boxes: Mapping[str, Box],
    lanes: Mapping[tuple[int, int], list[tuple[str, str, int]]],
) -> Arrow:
    key = (a.source, a.target, a.place)
    start, end = boxes[a.source], boxes[a.target]
    points = [start.out]
    for rank in range(start.rank + 1, end.rank):
        column = sorted((b for b in boxes.values() if b.rank == rank), key=lambda b: b.y)
        for (r, gap), keys in lanes.items():
            if r != rank or key not in keys:
                continue
            middle = LANE * (len(keys) - 1) / 2
            if gap == 0:
                centre = column[0].y - 12 - middle
            elif gap == len(column):
                centre = column[-1].y + column[-1].height + 12 + middle
            else:
                above, below = column[gap - 1], column[gap]
                centre = (above.y + above.height + below.y) / 2
            y = centre - middle + LANE * keys.index(key)
            points += [(column[0].x - 6, y), (column[0].x + CARD_WIDTH + 6, y)]
    return replace(a, points=(*points, end.port(a.place)))
