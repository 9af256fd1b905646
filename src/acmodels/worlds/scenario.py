"""A scenario: how large a world is, which arrows differ from the framework's, how people answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from acmodels.errors import ModelError, did_you_mean, listing, printable
from acmodels.load import models_folder
from acmodels.spec.strict import Strict, check_table, read_toml
from acmodels.worlds.arrows import variables

CONTRARY = "contrary_"

type Count = Annotated[int, Field(ge=1, le=100_000)]
type Share = Annotated[float, Field(ge=0, lt=1)]


class SizeTable(Strict):
    """How many there are; departments and partnerships are those of each district or department."""

    districts: Count | None = None
    departments: Count | None = None
    partners: Count | None = None
    funders: Count | None = None
    partnerships: Count | None = None
    staff: Count | None = None
    partner_staff: Count | None = None
    waves: Annotated[int, Field(ge=1, le=50)] | None = None


class AnswersTable(Strict):
    """How people answer."""

    nonresponse: Share | None = None
    skipped: Share | None = None
    attrition: Share | None = None
    leniency: Annotated[float, Field(ge=0)] | None = None
    extremity: Annotated[float, Field(ge=0)] | None = None
    loading: Annotated[float, Field(gt=0, lt=1)] | None = None
    points: Annotated[int, Field(ge=2, le=11)] | None = None
    partner_exit: Share | None = None


class ScenarioTable(Strict):
    """A whole scenario file."""

    world: str
    title: str = ""
    size: SizeTable = SizeTable()
    arrows: dict[str, float | int] = Field(default_factory=dict)
    off: list[str] = Field(default_factory=list)
    fixed: dict[str, list[float | int]] = Field(default_factory=dict)
    events: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    answers: AnswersTable = AnswersTable()


@dataclass(frozen=True)
class Size:
    """How large a world is: departments of each district, partnerships of each of those, and so on.

    Numbers of partnerships vary from 1 to twice what is said less 1, which is their mean.
    """

    districts: int = 40
    departments: int = 3
    partners: int = 25
    funders: int = 6
    partnerships: int = 2
    staff: int = 3
    partner_staff: int = 2
    waves: int = 1


@dataclass(frozen=True)
class Answers:
    """How people answer.

    Attributes:
        nonresponse: share of persons who do not answer in a wave.
        skipped: share of items left out by those who do.
        attrition: share of persons lost for good after each wave.
        leniency: sd of what a person adds to all answers, in sds of a construct.
        extremity: sd of the logarithm of how far a person's answers are spread.
        loading: correlation of an item's latent answer with its construct's (or facet's) value.
        points: of the answer scale.
        partner_exit: share of partnerships that end after each wave.
    """

    nonresponse: float = 0.10
    skipped: float = 0.02
    attrition: float = 0.05
    leniency: float = 0.30
    extremity: float = 0.15
    loading: float = 0.80
    points: int = 5
    partner_exit: float = 0.05


@dataclass(frozen=True)
class Scenario:
    """A world to be made.

    Attributes:
        name, title: of the scenario.
        arrows: every arrow's size by name, `collective_knowledge ~ routines`.
        size, answers: as above.
        events: rate of each kind in a district and wave.
        fixed: values of a variable's units that are not drawn, in the order of the units.
        source: the file, or the shipped name.
        path: of the file, if there is one.
    """

    name: str
    title: str
    arrows: Mapping[str, float]
    size: Size = Size()
    answers: Answers = Answers()
    events: Mapping[str, float] = field(default_factory=dict[str, float])
    fixed: Mapping[str, tuple[float, ...]] = field(default_factory=dict[str, tuple[float, ...]])
    source: str = ""
    path: Path | None = None


def worlds_folder() -> Path:
    """Where shipped scenarios are."""
    return models_folder() / "worlds"


def contraries() -> Mapping[str, Mapping[str, Any]]:
    """By proposition, the arrows under which its contrary holds."""
    return read_toml(worlds_folder() / "contraries.toml")


def scenarios() -> tuple[str, ...]:
    """Names of the shipped scenarios."""
    files = sorted(p.stem for p in worlds_folder().glob("*.toml") if p.stem != "contraries")
    return ("framework", *files, *(f"{CONTRARY}{p}" for p in contraries()))


def is_scenario(source: str | Path) -> bool:
    """Whether a name or file is a scenario and no design of a model."""
    if str(source) in scenarios():
        return True
    path = Path(source)
    return path.suffix == ".toml" and path.is_file() and "world" in read_toml(path)


def scenario(source: str | Path | Mapping[str, Any]) -> Scenario:
    """Load a scenario.

    Args:
        source: a shipped name (see `scenarios`), a path, or the contents of a scenario file.

    Raises:
        ModelError: it is missing or wrong; every problem is named.
    """
    return _load(source, ())


def _load(source: str | Path | Mapping[str, Any], seen: tuple[str, ...]) -> Scenario:
    if isinstance(source, Mapping):
        return _made(check_table(ScenarioTable, source, "scenario"), "scenario", None, seen)
    text = str(source)
    if text == "framework":
        arrows = {a.name: a.size for v in variables().values() for a in v.arrows}
        events = {v.name: v.rate for v in variables().values() if v.kind == "event"}
        return Scenario(text, "The framework as it stands", arrows, events=events, source=text)
    if text.startswith(CONTRARY) and text in scenarios():
        entry = contraries()[text.removeprefix(CONTRARY)]
        table = check_table(ScenarioTable, {"world": "baseline", **entry}, "contraries.toml", text)
        return _made(table, text, None, seen)
    path = Path(text)
    if path.suffix != ".toml":
        if text not in scenarios():
            raise ModelError(
                f"no scenario '{printable(text)}'{did_you_mean(text, scenarios())} (shipped: "
                f"framework, {listing([s for s in scenarios()[1:] if CONTRARY not in s])} and "
                f"{CONTRARY}ID of a proposition; a file of your own ends in .toml)"
            )
        path = worlds_folder() / f"{text}.toml"
    if str(path) in seen:
        raise ModelError(f"{printable(path.name)}: world: starts, in the end, from itself")
    table = check_table(ScenarioTable, read_toml(path), printable(path.name))
    return _made(table, printable(path.name), path, (*seen, str(path)))


def _made(table: ScenarioTable, source: str, path: Path | None, seen: tuple[str, ...]) -> Scenario:
    beside = None if path is None else path.parent / table.world
    base = _load(beside if beside is not None and beside.is_file() else table.world, seen)
    problems: list[str] = []
    arrows = dict(base.arrows)
    for pattern in table.off:
        hit = [n for n in arrows if fnmatchcase(n, pattern.replace("[", "[[]"))]
        if not hit:
            problems.append(f"{source}: off: '{pattern}' is no arrow{_near(pattern, arrows)}")
        arrows |= dict.fromkeys(hit, 0.0)
    for name, size in table.arrows.items():
        if name not in arrows:
            problems.append(f"{source}: arrows: no arrow '{name}'{_near(name, arrows)}")
        arrows[name] = float(size)
    for kind in table.events:
        if kind not in base.events:
            near = did_you_mean(kind, base.events) or f"; there are {listing(list(base.events))}"
            problems.append(f"{source}: events: no event '{kind}'{near}")
    for name in table.fixed:
        if name not in variables():
            near = did_you_mean(name, variables())
            problems.append(f"{source}: fixed: no variable '{name}'{near}")
    if problems:
        raise ModelError(problems)
    name = path.stem if path is not None else source
    return Scenario(
        name,
        table.title or base.title,
        arrows,
        Size(**{**vars(base.size), **_given(table.size)}),
        Answers(**{**vars(base.answers), **_given(table.answers)}),
        {**base.events, **table.events},
        {**base.fixed, **{k: tuple(float(x) for x in v) for k, v in table.fixed.items()}},
        source,
        path,
    )


def _given(table: Strict) -> dict[str, Any]:
    return {k: v for k, v in table.model_dump().items() if v is not None}


def _near(name: str, arrows: Mapping[str, float]) -> str:
    return did_you_mean(name, list(arrows)) or "; `acmodels worlds` lists them"
