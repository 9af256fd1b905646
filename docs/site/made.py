"""Pages that are made from the package: the framework, and the models with their calibration."""

from pathlib import Path
from typing import Any

from acmodels.framework import arrows, constructs, propositions, sources
from acmodels.framework.operating import ranks, rates, smallest
from acmodels.load import load_model, shipped_models
from acmodels.theory.registry import entries


def write(folder: Path) -> None:
    """Write `framework.md` and `models.md`."""
    (folder / "framework.md").write_text(_framework(), encoding="utf-8")
    (folder / "models.md").write_text(_models(), encoding="utf-8")


def _framework() -> str:
    names = {k: c.name for k, c in constructs().items()}
    out = [
        "# The framework and its propositions",
        "",
        (
            f"{len(propositions())} propositions about {len(names)} constructs, in our own words; "
            "those with a model can be tested by `acmodels test DATA`. `acmodels propositions ID` "
            "shows one."
        ),
        "",
        "## Main relations",
        "",
    ]
    out += [f"- {names[a.from_]} → {names[a.to]}: {a.note}" for a in arrows()]
    by_section: dict[str, list[dict[str, Any]]] = {}
    every = {e["id"]: e for e in entries()}
    for p in propositions().values():
        by_section.setdefault(p.section, []).append(every[p.id])
    for section, mine in by_section.items():
        out += ["", f"## {section[:1].upper()}{section[1:]}", ""]
        for e in mine:
            out += [f"### {e['id']}", "", e["statement"], "", f"- Source: {e['source']}"]
            out += [f"- Level: {', '.join(e['level'])}", f"- Form: {e['form']}"]
            if e["rivals"]:
                out.append(f"- Rivals: {', '.join(e['rivals'])}")
            for t in e["tests"]:
                out += [
                    (
                        f"- Tested by `{t['model']}`, estimand `{t['estimand']}`: {t['region']} "
                        f"with probability {t['probability']:g}"
                    ),
                    f"- Calibration: {t['calibration']}",
                ]
            if not e["tests"]:
                out.append("- Not yet executable: no shipped model tests it.")
            out.append("")
    out += ["## Sources", ""]
    out += [f"- {s.reference}" for s in sources().values()]
    return "\n".join(out) + "\n"


def _models() -> str:
    out = ["# The models and their calibration", ""]
    for name in shipped_models():
        m = load_model(name)
        out += [f"## `{name}`", "", f"**{m.title}.** {' '.join(m.description.split())}", "", "```"]
        out += [e.formula.text for e in m.equations.values()]
        out += ["```", ""]
        c = ranks().get(name)
        if c is not None:
            word = "uniform" if c.p >= 1e-3 else "not uniform"
            out += [
                (
                    f"Simulation-based calibration over {c.studies:,} data sets: {word} (p = "
                    f"{c.p:.2g}, Bonferroni); {c.failed} fits could not be used."
                ),
                "",
            ]
        rows = [r for (_, model), r in rates().items() if model == name]
        if rows:
            sizes = " | ".join(f"{d} districts" for d in rows[0].districts)
            out += [
                f"| proposition | effect | {sizes} | 80 % from | false support at most |",
                f"| --- | --- |{' --- |' * len(rows[0].districts)} --- | --- |",
            ]
        for r in rows:
            found = smallest(r)
            shares = [f"{s:.2f}" for s in r.supported] or ["–"] * len(r.districts or (1, 1, 1))
            size = "–" if found is None else f"{found[0]} {found[1]}"
            cells = [r.proposition, f"{r.effect:.2g}", *shares, size, f"{r.false_support:.3f}"]
            out.append(f"| {' | '.join(cells)} |")
        out.append("")
    return "\n".join(out) + "\n"
