"""The report: what stands on the page, what must not, and that it never changes by itself."""

import dataclasses
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from acmodels.data import Finding
from acmodels.errors import InputError
from acmodels.estimands import Context, Estimand, evaluate, kind
from acmodels.inference.fitting import Fit
from acmodels.reporting import report
from acmodels.reporting.checks import predictive_checks
from acmodels.reporting.diagram_layout import plan
from acmodels.reporting.svg import ticks
from acmodels.reporting.variance import variance_shares
from fakes import fake_fit, fake_frame

SECTIONS = (
    "verdicts", "diagram", "estimands", "coefficients", "variance", "checks", "data",
    "diagnostics", "priors", "equations", "provenance",
)  # fmt: skip
MODEL: dict[str, Any] = {
    "name": "mediation",
    "title": "Routines carry capacity",
    "equations": {
        "m": {"formula": "m ~ 1 + x + z + x:z + (1 | district)"},
        "y": {"formula": "y ~ 1 + m + x + sector + (1 + m | district)"},
    },
    "residual_correlation": [["m", "y"]],
    "priors": {"m ~ *": {"dist": "Normal", "mu": -1, "sigma": 1}},
    "estimands": {
        "via": {"kind": "indirect", "from": "x", "via": ["m"], "to": "y", "at": {"z": [0, 1]}},
        "b": {"kind": "coefficient", "parameter": "y ~ m"},
        "icc": {"kind": "variance_share", "parameter": "sd(y ~ 1 | district)"},
        "order": {"kind": "rank", "of": ["b", "icc"]},
    },
    "propositions": {
        "P41": {"estimand": "via", "at": "z=0", "region": {"above": 0}},
        "own": {"estimand": "b", "region": {"below": -0.5}, "rope": [-0.05, 0.05]},
        "third": {"estimand": "b", "region": {"between": [0.28, 0.32]}},
    },
}
ONE: dict[str, Any] = {"name": "one", "equations": {"y": {"formula": "y ~ 1 + x"}}}
BINARY: dict[str, Any] = {
    "name": "binary",
    "equations": {
        "yes": {"formula": "yes ~ 1 + x + z + (1 | district)", "family": "bernoulli"},
    },
}


class Page(HTMLParser):
    """Elements, attributes and text, as a browser would read them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def write(fit: Fit, folder: Path) -> tuple[str, Page]:
    html = report(fit, folder / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    assert not page.open
    return html, page


@pytest.fixture(scope="module")
def fitted() -> Fit:
    return fake_fit(MODEL, fake_frame())


@pytest.fixture(scope="module")
def written(fitted: Fit, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Page]:
    return write(fitted, tmp_path_factory.mktemp("report"))


def test_holds_every_section_verdicts_first(written: tuple[str, Page]) -> None:
    ids = [a["id"] for t, a in written[1].tags if t == "section"]
    assert ids == list(SECTIONS)


def test_links_lead_to_what_is_there(written: tuple[str, Page]) -> None:
    ids = {a["id"] for _, a in written[1].tags if "id" in a}
    links = [a["href"] for t, a in written[1].tags if t == "a"]
    assert all(link.removeprefix("#") in ids for link in links)
    named = [a["aria-labelledby"] for _, a in written[1].tags if "aria-labelledby" in a]
    assert set(named) <= ids


def test_loads_nothing(written: tuple[str, Page]) -> None:
    html, page = written
    assert "http://" not in html
    assert "https://" not in html
    assert "url(" not in html
    assert "@import" not in html
    assert "default-src 'none'" in html
    tags = {t for t, _ in page.tags}
    assert not tags & {"script", "img", "iframe", "object", "embed", "base", "form"}
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert "src" not in attributes
        if "href" in attributes:
            assert attributes["href"].startswith("data:," if tag == "link" else "#")


def test_says_the_verdicts_in_words(written: tuple[str, Page]) -> None:
    text = written[1].text
    assert "District capacity raises learning by way of the interactions" in text
    assert "The coefficient y ~ m lies below −0.5." in text
    assert "1 supported, 1 contradicted and 1 undecided" in text
    assert "Contradicted, since the probability" in text
    assert "It hardly depends on the prior" in text
    assert "P(negligible)" in text
    assert "indirect effect of x on y through m (at z = 0) lies above 0" in text


def test_verdicts_differ_by_shape_and_word(written: tuple[str, Page]) -> None:
    html, page = written
    for status in ("supported", "contradicted", "undecided"):
        assert any(a.get("class") == f"pill {status}" for _, a in page.tags)
    icons = re.findall(r'<svg class="icon".*?</svg>', html)
    assert len(set(icons)) == 3


def test_states_the_interval_and_its_provenance(fitted: Fit, tmp_path: Path) -> None:
    changed = dataclasses.replace(
        fitted, interval="hdi", prob=0.9, data_sha256={"/places/someone/study.csv": "ab" * 32}
    )
    page = write(changed, tmp_path)[1]
    assert "90\u202f% highest-density interval" in " ".join(page.words)
    assert "study.csv, sha256" in page.text
    assert "someone" not in page.text
    assert "Seed 1" in page.text
    assert "model file, “m ~ *”" in page.text
    assert "Normal(mu=−1, sigma=1)" in page.text
    assert "y ~ 1 + m + x + sector + (1 + m | district)" in page.text


def test_same_fit_same_bytes(fitted: Fit, tmp_path: Path) -> None:
    first = report(fitted, tmp_path / "a.html").read_bytes()
    again = report(fake_fit(MODEL, fake_frame()), tmp_path / "deep" / "b.html").read_bytes()
    assert first == again
    assert str(Path.cwd()).encode() not in first
    assert str(tmp_path).encode() not in first
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["a.html"]


def test_holds_no_unit_and_no_row(tmp_path: Path) -> None:
    frame = fake_frame()
    note = "ids differ only by case: 'Innsmouth-001' and 'Innsmouth-002'"
    made = fake_fit(MODEL, frame)
    system = dataclasses.replace(made.system, findings=(Finding("warning", note),))
    html, page = write(dataclasses.replace(made, system=system), tmp_path)
    assert "Innsmouth" not in html
    assert "ids differ only by case: '…' and '…'" in page.text
    numbers = set(re.findall(r"\d+\.\d{5,}", html))
    for column in ("x", "z", "m", "y"):
        for value in frame[column]:
            assert f"{abs(value):.5f}" not in numbers
            assert repr(float(value)) not in html


def test_hostile_names_are_inert(tmp_path: Path) -> None:
    bad, long = "<script>alert(1)</script>", "very_long_name_" * 12
    frame = fake_frame().rename(columns={"x": bad, "z": long, "m": "</svg><b>学習"})
    table = {
        "name": "</title><script>alert(2)</script>",
        "title": "</title><img src=x onerror=alert(3)>",
        "equations": {
            "</svg><b>学習": {"formula": f"`</svg><b>学習` ~ `{bad}`*{long} + (1 | district)"},
            "y": {"formula": f"y ~ `</svg><b>学習` + `{bad}`"},
        },
        "estimands": {"<i>e</i>": {"kind": "coefficient", "parameter": f"y ~ `{bad}`"}},
        "propositions": {"\"><svg onload='x'>": {"estimand": "<i>e</i>", "region": {"above": 0}}},
    }
    html, page = write(fake_fit(table, frame), tmp_path)
    assert not {t for t, _ in page.tags} & {"script", "img", "b", "i"}
    assert not any(name.startswith("on") for _, a in page.tags for name in a)
    assert "<script" not in html
    assert "</title><img src=x onerror=alert(3)>" in page.text


@pytest.mark.parametrize("table", [ONE, BINARY])
def test_small_models(table: dict[str, Any], tmp_path: Path) -> None:
    _, page = write(fake_fit(table, fake_frame()), tmp_path)
    ids = [a["id"] for t, a in page.tags if t == "section"]
    assert ids == ["estimands", *(s for s in SECTIONS if s not in ("verdicts", "estimands"))]
    assert "The model states no estimands" in page.text


def test_estimands_come_first_without_propositions(tmp_path: Path) -> None:
    table = {**MODEL, "propositions": {}}
    page = write(fake_fit(table, fake_frame()), tmp_path)[1]
    assert next(a["id"] for t, a in page.tags if t == "section") == "estimands"
    assert "Shares of variance" in page.text
    assert "Ranks (1 is the largest)" in page.text


def test_unusable_is_said_at_once(tmp_path: Path) -> None:
    why = "The chains disagree about y ~ m: R-hat is 1.200, above 1.01."
    made = fake_fit(MODEL, fake_frame(), messages=(why,), sensitivity=0.2)
    page = write(made, tmp_path)[1]
    head = page.text[: page.text.index("Verdicts Of")]
    assert "These results cannot be used: a diagnostic failed." in head
    assert why in head
    assert "3 unusable" in page.text
    assert "It is sensitive to the prior" in page.text
    assert "Supported" not in page.text


def test_findings_are_told_worst_first(fitted: Fit, tmp_path: Path) -> None:
    found = (Finding("note", "A note."), Finding("warning", "A warning."))
    system = dataclasses.replace(fitted.system, findings=found, rows_given=80)
    text = write(dataclasses.replace(fitted, system=system), tmp_path)[1].text
    assert text.index("A warning.") < text.index("A note.")
    assert "72 of 80 rows were used; 8 were left out." in text


def test_few_rows_are_not_drawn(tmp_path: Path) -> None:
    text = write(fake_fit(ONE, fake_frame(3, 4)), tmp_path)[1].text
    assert "12 rows are too few to show without showing rows" in text


def test_a_place_that_cannot_be_written_is_said(fitted: Fit, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        report(fitted, tmp_path / "file" / "report.html")


def test_tells_progress(fitted: Fit, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    report(fitted, tmp_path / "r.html", progress=lambda *a: told.append(a))
    assert told[0] == ("report", 0, 4)
    assert told[-1] == ("report", 4, 4)


def test_shares_are_those_of_the_estimand_and_add_up() -> None:
    table = {**MODEL, "residual_correlation": []}
    made = fake_fit(table, fake_frame())
    found = {s.response: s for s in variance_shares(made)}
    for s in found.values():
        assert sum(r.mean for r in s.rows) == pytest.approx(1.0)
    module = kind("variance_share", "test")
    settings = module.Settings(parameter="sd(m ~ 1 | district)")  # pyright: ignore[reportCallIssue]
    context = Context(
        made.system.layout, made.system.responses, made.draws.__getitem__,
        {"s": Estimand("s", "variance_share", settings, "test")}, "test",
    )  # fmt: skip
    (row,) = evaluate("s", context)
    assert found["m"].rows[0].mean == pytest.approx(row.draws.mean())


def test_known_standard_errors_have_no_share() -> None:
    frame = fake_frame().assign(err=0.5)
    table = {"name": "meta", "equations": {"y": {"formula": "y ~ 1 + (1 | district)", "se": "err"}}}
    (shares,) = variance_shares(fake_fit(table, frame))
    assert not shares.rows
    assert "no one residual" in shares.why_not


def test_replicates_of_a_wrong_model_look_wrong() -> None:
    """A check that cannot fail is a defect: a residual sd of 1 meets data ten times wider."""
    frame = fake_frame()
    good = fake_fit(ONE, frame.assign(y=0.3 + 0.3 * frame["x"] + np.tile([-1.0, 1.0], 36)))
    wide = fake_fit(ONE, frame.assign(y=10 * frame["y"]))
    spread = {"good": predictive_checks(good)[0], "wide": predictive_checks(wide)[0]}
    assert spread["good"].statistics[1].inside
    assert not spread["wide"].statistics[1].inside


def test_binned_proportions_are_those_of_the_data() -> None:
    made = fake_fit(BINARY, fake_frame())
    (check,) = predictive_checks(made)
    n = np.array([b.n for b in check.bins])
    observed = np.array([b.observed for b in check.bins])
    assert n.sum() == 72
    assert n.min() >= 10
    assert (n * observed).sum() == pytest.approx(made.system.responses["yes"].sum())


def test_large_data_are_thinned() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(size=30_000), "y": rng.normal(size=30_000)})
    (check,) = predictive_checks(fake_fit(ONE, frame))
    assert (check.n, check.of) == (20_000, 30_000)


def test_the_diagram_has_every_arrow_and_no_overlap() -> None:
    rng = np.random.default_rng(2)
    names = [f"x{k}" for k in range(6)]
    frame = pd.DataFrame({n: rng.normal(size=40) for n in [*names, "a", "b", "c", "d"]})
    x = " + ".join(names)
    table = {
        "name": "dense",
        "equations": {
            "a": {"formula": f"a ~ {x} + x0:x1"},
            "b": {"formula": f"b ~ {x}"},
            "c": {"formula": f"c ~ a + b + {x}"},
            "d": {"formula": f"d ~ a + b + c + {x}"},
        },
    }
    p = plan(fake_fit(table, frame).system.layout)
    assert len(p.arrows) == 6 + 6 + 8 + 9
    boxes = list(p.boxes.values())
    for k, a in enumerate(boxes):
        assert 0 <= a.x < a.x + a.width <= p.width
        assert 0 <= a.y < a.y + a.height <= p.height
        for b in boxes[k + 1 :]:
            apart = a.x + a.width <= b.x or b.x + b.width <= a.x
            assert apart or a.y + a.height <= b.y or b.y + b.height <= a.y
    for arrow in p.arrows:
        assert arrow.points[0][0] < arrow.points[-1][0]
        for (_, y), (x2, y2) in zip(arrow.points[1::2], arrow.points[2::2], strict=False):
            assert y == y2
            crossed = [q for q in boxes if q.card and q.x < x2 - 10 < q.x + q.width]
            assert not any(q.y < y < q.y + q.height for q in crossed)


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (-1e-9, 1e-9), (5.0, 5e6), (-3.0, -2.99)])
def test_ticks_hold_what_they_should(low: float, high: float) -> None:
    found = ticks(low, high)
    assert found[0] <= low + 1e-12
    assert found[-1] >= high - 1e-12
    assert 2 <= len(found) <= 9


def test_a_loop_is_drawn_with_its_lags_and_changes_wave_by_wave() -> None:
    from acmodels.reporting.waves import Lag, loop_chart, response_chart

    names = ("learning", "capacity", "trust")
    loop = [Lag(a, b, 2 if a == "trust" else 1, f"{a} {b}") for a in names for b in names]
    said = {k.parameter: (0.3, -0.1 if k.to == "trust" else 0.1, 0.5) for k in loop}
    drawn = loop_chart(loop, said, "The loop")
    assert drawn.count("marker-end") == 6
    assert drawn.count('stroke-dasharray="4 4"') == 2  # whose intervals cover 0
    assert drawn.count(">itself 0.30") == 3
    assert drawn.count("(2 waves)") == 3
    chart = response_chart([1, 2, 3], ([0.3, 0.2, 0.1], [0.1, 0.0, -0.1], [0.5, 0.4, 0.3]), "x")
    assert chart.count("<circle") == 3
    assert 'class="zero"' in chart
