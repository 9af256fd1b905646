"""The map of a framework: its constructs and arrows as one picture, and its claims as a list."""

from collections.abc import Mapping
from html import escape

import networkx as nx

from acmodels.framework.graph import Framework
from acmodels.theory.wording import claim_words

WIDTH, HEIGHT = 190, 26
GAP_X, GAP_Y = 70, 8
MARGIN, HEADING = 16, 26


def theory_map(f: Framework) -> str:
    """Draw a framework as SVG: causes left of effects, one column a step of the longest path.

    Arrows that act one wave later are dashed. What is a part or a side of another construct, and
    what nothing touches, is left out.
    """
    graph = nx.DiGraph()
    lagged: set[tuple[str, str]] = set()
    for a in f.arrows:
        for x in f.leaves(a.from_):
            for y in f.leaves(a.to):
                if a.lag:
                    lagged.add((x, y))
                else:
                    graph.add_edge(x, y)
        if a.by is not None:
            for x in f.leaves(a.by):
                graph.add_edges_from((x, y) for y in f.leaves(a.to))
    for x, y in lagged:
        graph.add_nodes_from((x, y))
    place = _placed(f, graph)
    width = max((x for x, _ in place.values()), default=0) + WIDTH + MARGIN
    height = max((y for _, y in place.values()), default=0) + HEIGHT + MARGIN
    out = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" font-family="system-ui, sans-serif" font-size="11">'
        ),
        f"<title>{escape(f.title)}: constructs and arrows</title>",
        '<rect width="100%" height="100%" fill="#fff"/>',
        (
            '<defs><marker id="tip" markerWidth="7" markerHeight="7" refX="6" refY="3" '
            'orient="auto"><path d="M0 0 L6 3 L0 6 z" fill="#8a8172"/></marker></defs>'
        ),
        f'<text x="{MARGIN}" y="{MARGIN}" font-weight="600">{escape(f.title)}</text>',
    ]
    for x, y in graph.edges:
        out.append(_line(place[x], place[y], dashed=False))
    for x, y in sorted(lagged):
        out.append(_line(place[x], place[y], dashed=True))
    for name, (x, y) in place.items():
        c = f.constructs[name]
        out.append(
            f"<g><title>{escape(c.definition or c.name)}</title>"
            f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="4" fill="#f6f2ea" '
            f'stroke="#7a6a53"/><text x="{x + WIDTH / 2}" y="{y + 17}" text-anchor="middle">'
            f"{escape(_short(c.name))}</text></g>"
        )
    return "\n".join([*out, "</svg>", ""])


def _placed(f: Framework, graph: "nx.DiGraph[str]") -> Mapping[str, tuple[float, float]]:
    order = {c: k for k, c in enumerate(f.constructs)}
    out: dict[str, tuple[float, float]] = {}
    for column, names in enumerate(nx.topological_generations(graph)):
        for row, name in enumerate(sorted(names, key=order.__getitem__)):
            out[name] = (
                MARGIN + column * (WIDTH + GAP_X), MARGIN + HEADING + row * (HEIGHT + GAP_Y),
            )  # fmt: skip
    return out


def _line(start: tuple[float, float], end: tuple[float, float], *, dashed: bool) -> str:
    forward = end[0] > start[0]
    x0 = start[0] + (WIDTH if forward else 0)
    x1 = end[0] + (0 if forward else WIDTH)
    y0, y1 = start[1] + HEIGHT / 2, end[1] + HEIGHT / 2
    bend = GAP_X / 2 if forward else -GAP_X / 2
    dash = ' stroke-dasharray="4 3"' if dashed else ""
    return (
        f'<path d="M{x0} {y0} C{x0 + bend} {y0} {x1 - bend} {y1} {x1} {y1}" fill="none" '
        f'stroke="#b9ae9a" stroke-width="1"{dash} marker-end="url(#tip)"/>'
    )


def _short(name: str, most: int = 30) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def propositions_text(f: Framework) -> str:
    """Write the propositions as Markdown: statement, claim, source."""
    out = [f"# {f.title}", ""]
    section = ""
    for p in f.propositions.values():
        if p.section and p.section != section:
            section = p.section
            out += [f"## {section[:1].upper()}{section[1:]}", ""]
        out += [f"### {p.id}", "", p.statement, ""]
        for claim in p.claims:
            out.append(f"- Claim ({claim.kind}): {claim_words(f, claim)}.")
        out += [f"- Source: {p.source}" if p.source else "- Source: none given"]
        out += [f"- Tier: {p.tier}", ""]
    return "\n".join(out)
