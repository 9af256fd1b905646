"""Pages that are made from the package: the framework, and the models with their calibration."""

import csv
from pathlib import Path

from acmodels.framework.files import shipped
from acmodels.framework.graph import Framework, Proposition
from acmodels.load import load_model, shipped_models
from acmodels.theory.claims import LATER
from acmodels.theory.wording import claim_words

RANKS = Path(__file__).parents[2] / "analyses" / "calibration" / "ranks.csv"


def write(folder: Path) -> None:
    """Write `framework.md` and `models.md`."""
    (folder / "framework.md").write_text(_framework(), encoding="utf-8")
    (folder / "models.md").write_text(_models(), encoding="utf-8")


def _framework() -> str:
    f = shipped()
    compiled = [p for p in f.propositions.values() if not _later(p)]
    first = [p for p in f.propositions.values() if p.tier == 1]
    out = [
        "# The framework and its propositions",
        "",
        (
            f"{len(f.propositions)} propositions about {len(f.constructs)} constructs, in our own "
            f"words. `acmodels test DATA` derives a model for each of {len(compiled)} of them "
            f"({sum(p in compiled for p in first)} of the {len(first)} in tier 1) from the arrows "
            "below and the columns of the data. `acmodels propositions ID` shows one, and "
            "`acmodels model ID DATA` the model that tests it."
        ),
        "",
        "## Arrows",
        "",
        (
            "What causes what, by the part of the framework that the effect belongs to. A "
            "composite stands for each of its parts."
        ),
    ]
    out += _arrows(f)
    by_section: dict[str, list[Proposition]] = {}
    for p in f.propositions.values():
        by_section.setdefault(p.section, []).append(p)
    for section, mine in by_section.items():
        out += ["", f"## {section[:1].upper()}{section[1:]}", ""]
        for p in mine:
            out += [f"### {p.id}", "", p.statement, "", f"- Source: {p.source}"]
            out += [f"- Tier: {p.tier}"]
            if _later(p):
                kinds = ", ".join(_later(p))
                out.append(
                    f"- Cannot be tested yet: claims of the kind {kinds} are not compiled yet"
                )
            else:
                out += [f"- Claim ({c.kind}): {claim_words(f, c)}" for c in p.claims]
            if p.rivals:
                out.append(f"- Rivals: {', '.join(p.rivals)}")
            out.append("")
    out += ["## Sources", ""]
    out += [f"- {reference}" for reference in f.sources.values()]
    return "\n".join(out) + "\n"


def _later(p: Proposition) -> list[str]:
    return list(dict.fromkeys(c.kind for c in p.claims if c.kind in LATER))


def _arrows(f: Framework) -> list[str]:
    """Write every arrow as an item of a list, with its sign, its lag and where it comes from."""
    names = {k: c.name for k, c in f.constructs.items()}
    by_block: dict[str, list[str]] = {}
    for a in f.arrows:
        notes = [{"+": "raises it", "-": "lowers it", None: ""}[a.sign]]
        notes += [f"by {names[a.by]}" if a.by is not None else "", "a wave later" * bool(a.lag)]
        notes += [a.source or (f"assumed: {a.assumed}" if a.assumed else "")]
        said = f"- {names[a.from_]} → {names[a.to]}"
        told = "; ".join(n for n in notes if n)
        block = f.constructs[a.to].block or "other"
        by_block.setdefault(block, []).append(f"{said} ({told})" if told else said)
    out: list[str] = []
    for block, lines in by_block.items():
        out += ["", f"**{block[:1].upper()}{block[1:]}**", "", *lines]
    out += ["", "**Common causes that nobody measures**", ""]
    out += [f"- of {', '.join(names[c] for c in shared.of)}" for shared in f.common_causes]
    return out


def _models() -> str:
    out = [
        "# The models and their calibration",
        "",
        (
            "These are written by hand, for teaching and for designs. `acmodels test` does not use "
            "them: it derives models from [the framework](framework.md). `acmodels fit NAME DATA` "
            "fits one, and judges its propositions by the rules in its file. "
            "`acmodels propositions ID` has the error rates of the models that `test` derives."
        ),
        "",
    ]
    with RANKS.open(encoding="utf-8") as file:
        ranks = {r["model"]: r for r in csv.DictReader(file)}
    for name in shipped_models():
        m = load_model(name)
        out += [f"## `{name}`", "", f"**{m.title}.** {' '.join(m.description.split())}", "", "```"]
        out += [e.formula.text for e in m.equations.values()]
        out += ["```", ""]
        c = ranks.get(name)
        if c is not None:
            out += [
                (
                    f"Simulation-based calibration over {int(c['n']):,} data sets: {c['verdict']} "
                    f"(p = {float(c['p_model']):.2g}, Bonferroni); {c['failed']} fits could not be "
                    "used."
                ),
                "",
            ]
    return "\n".join(out) + "\n"
