"""The model file: equations, priors, estimands and propositions as a person writes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from acmodels.display import facts
from acmodels.errors import FormulaError, ModelError
from acmodels.spec import parameters as named
from acmodels.spec.equation import Equation
from acmodels.spec.measures import Measure, MeasureTable, read_measures
from acmodels.spec.names import Names, parameter, plain, spelled
from acmodels.spec.parsing import parse_formula
from acmodels.spec.proposition import Proposition, PropositionTable, read_propositions
from acmodels.spec.strict import Strict, check_table, composed_table

Missing = Literal["model", "drop", "error"]


class EquationTable(Strict):
    """One `[equations.NAME]` table."""

    formula: str
    family: str = "gaussian"
    link: str | None = None
    level: str | None = None
    se: str | None = None
    trials: str | None = None
    weights: str | None = None
    centering: Literal["latent", "observed"] | None = None


class PanelTable(Strict):
    """The `[panel]` table, for `lag()`."""

    unit: str
    wave: str
    initial: Literal["free", "stationary"] = "free"


@dataclass(frozen=True)
class Panel:
    """Whose history a panel is.

    Attributes:
        unit: the id column of the units.
        wave: the column of whole-number waves.
        initial: whether first-wave deviations have sds and correlations of their own, or those
            that the process implies.
    """

    unit: str
    wave: str
    initial: Literal["free", "stationary"] = "free"


class NormalScoresTable(Strict):
    """One `[normal_scores]` variable: `{ of = ["trust"], unit = "department" }`."""

    of: Annotated[list[str], Field(min_length=1)]
    unit: str | None = None


class ModelTable(Strict):
    """A whole model file; tables owned by other rooms stay raw here."""

    name: str
    title: str = ""
    description: str = ""
    design: str | None = None
    missing: Missing = "model"
    residual_correlation: list[Annotated[list[str], Field(min_length=2, max_length=2)]] = Field(
        default_factory=list
    )
    composites: dict[str, Annotated[list[str], Field(min_length=2)]] = Field(default_factory=dict)
    normal_scores: dict[str, NormalScoresTable] = Field(default_factory=dict)
    equations: dict[str, EquationTable] = Field(default_factory=dict)
    measures: dict[str, MeasureTable] = Field(default_factory=dict)
    panel: PanelTable | None = None
    priors: dict[str, dict[str, Any]] = Field(
        default_factory=dict, examples=['"* ~ *" = { dist = "Normal", mu = 0, sigma = 1 }']
    )
    estimands: dict[str, dict[str, Any]] = Field(default_factory=dict)
    propositions: dict[str, PropositionTable] = Field(default_factory=dict)


@dataclass(frozen=True)
class NormalScores:
    """A variable by its order alone: the normal scores of a column, or of a composite of several.

    Attributes:
        of: columns, a minus before one that is reversed.
        unit: the id column over whose units, each with its mean, the order goes; rows if None.
    """

    of: tuple[str, ...]
    unit: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that it reads, as composites list them."""
        return self.of if self.unit is None else (*self.of, self.unit)


@dataclass(frozen=True)
class Model:
    """A model file, read and checked for itself (not yet against data).

    Attributes:
        equations: by response, in the order written. Those of items and of constructs without an
            equation of their own are added where the model meets data (`with_items`).
        composites: variables that are the mean of the z-scores of other columns, standardized
            again; by name, the columns, with a minus before one that is reversed.
        normal_scores: variables by their order, by name.
        panel: the unit and the waves of a panel, or None.
        estimands, priors: raw tables, checked by the rooms that own them.
        measures: constructs and their items, by construct.
        source: the file it came from, for messages.
        sha256: of the file's bytes, or of nothing where it was built in Python.
    """

    name: str
    equations: Mapping[str, Equation]
    title: str = ""
    description: str = ""
    design: str | None = None
    missing: Missing = "model"
    residual_correlation: tuple[tuple[str, str], ...] = ()
    composites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    normal_scores: Mapping[str, NormalScores] = field(default_factory=dict[str, NormalScores])
    priors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    estimands: Mapping[str, Any] = field(default_factory=dict)
    propositions: Mapping[str, Proposition] = field(default_factory=dict)
    measures: Mapping[str, Measure] = field(default_factory=dict[str, Measure])
    panel: Panel | None = None
    source: str = "model"
    path: Path | None = None
    sha256: str = ""

    def _repr_html_(self) -> str:
        return facts(
            self.title or self.name,
            {
                "Model": self.name,
                "Equations": tuple(
                    f"{e.formula.text} ({e.family})" for e in self.equations.values()
                ),
                "Estimands": ", ".join(self.estimands) or "none",
                "Propositions": ", ".join(p.id for p in self.propositions.values()) or "none",
            },
        )


def model_from_table(
    table: Mapping[str, Any], source: str, path: Path | None = None, sha256: str = ""
) -> Model:
    """Check a model file's contents and return the model.

    Args:
        table: what the TOML file says.
        source: the file's name, put before every message.
        path: where it lies, for paths relative to it.
        sha256: of its bytes.

    Raises:
        ModelError: with every problem found, one sentence each.
    """
    t = check_table(ModelTable, composed_table(table, source), source)
    problems: list[str] = []
    t = _plain_names(t, source, problems)
    equations = _equations(t, source, problems)
    measures = read_measures(t.measures, equations, source, problems)
    if not t.equations and not t.measures:
        problems.append(
            f"{source}: has neither equations nor measures; write at least one [equations.NAME] "
            "or [measures.NAME]"
        )
    propositions = read_propositions(t.propositions, t.estimands, source, problems)
    if not problems:
        problems += _residual_problems(t, equations, source)
    if problems:
        raise ModelError(problems)
    recursive_order(equations, source)
    panel = _panel(t)
    problems = panel_problems(equations, panel, source)
    if problems:
        raise ModelError(problems)
    names = names_of(equations, measures)
    if panel is not None:
        names = replace(names, columns=names.columns | {panel.unit, panel.wave})
    return Model(
        name=t.name,
        title=t.title or t.name.replace("_", " "),
        description=t.description,
        design=t.design,
        missing=t.missing,
        residual_correlation=tuple((a, b) for a, b in t.residual_correlation),
        composites={plain(k): _parts(v) for k, v in t.composites.items()},
        normal_scores={
            plain(k): NormalScores(_parts(v.of), None if v.unit is None else plain(v.unit))
            for k, v in t.normal_scores.items()
        },
        equations=equations,
        priors={parameter(k, names): v for k, v in t.priors.items()},
        estimands={k: _spelled_estimand(v, names) for k, v in t.estimands.items()},
        propositions=propositions,
        measures=measures,
        panel=panel,
        source=source,
        path=path,
        sha256=sha256,
    )


def _parts(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a composite without backticks, the minus of a reversed one kept."""
    return tuple(f"-{plain(c[1:])}" if c.startswith("-") else plain(c) for c in columns)


def names_of(
    equations: Mapping[str, Equation], measures: Mapping[str, Measure] | None = None
) -> Names:
    """Collect the columns that equations and measures name, and what else their texts may mean."""
    columns: set[str] = {*equations, *(measures or {})}
    columns |= {c for m in (measures or {}).values() for c in (*m.items, *m.columns)}
    taken: set[str] = {"1"}
    for r, e in equations.items():
        columns |= {*e.formula.variables(), *(c for g in e.formula.groups for c in g.grouping)}
        columns |= {o.unit for o in e.formula.operands() if o.unit is not None}
        columns |= {c for c in (e.level, e.se, e.trials, e.weights) if c is not None}
        terms = [*e.formula.terms, *(t for g in e.formula.groups for t in g.terms)]
        made = {t.text for t in terms if len(t.operands) > 1}
        made |= {o.text for o in e.formula.operands() if o.function is not None}
        made |= {g.group for g in e.formula.groups if len(g.grouping) > 1}
        taken |= made | {named.coefficient(r, t.text) for t in terms}
    return Names(frozenset(columns), frozenset(taken))


def _plain_names(t: ModelTable, source: str, problems: list[str]) -> ModelTable:
    """Return the table with the columns that its keys and values name without backticks."""
    equations: dict[str, EquationTable] = {}
    for key, e in t.equations.items():
        if plain(key) in equations:
            problems.append(f"{source}: equations: '{plain(key)}' has two equations")
        columns = {k: getattr(e, k) for k in ("level", "se", "trials", "weights")}
        said = {k: plain(c) for k, c in columns.items() if c is not None}
        equations[plain(key)] = e.model_copy(update=said)
    pairs = [[plain(name) for name in pair] for pair in t.residual_correlation]
    return t.model_copy(update={"equations": equations, "residual_correlation": pairs})


def _spelled_estimand(table: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """Return an `[estimands.NAME]` table with names of columns as formulas write them."""

    def every(value: Any) -> Any:
        if isinstance(value, str):
            return spelled(value, names)
        return [every(v) for v in value] if isinstance(value, list) else value

    out = dict(table)
    for key in ("from", "to", "via", "moderator"):
        if key in out:
            out[key] = every(out[key])
    if isinstance(out.get("parameter"), str):
        out["parameter"] = parameter(out["parameter"], names)
    if isinstance(out.get("at"), dict):
        out["at"] = {spelled(k, names): v for k, v in out["at"].items()}
    return out


def _equations(t: ModelTable, source: str, problems: list[str]) -> dict[str, Equation]:
    out: dict[str, Equation] = {}
    for key, e in t.equations.items():
        where = f"{source}: equations.{key}"
        try:
            formula = parse_formula(e.formula)
        except FormulaError as error:
            problems += [f"{where}.formula: {p}" for p in error.problems]
            continue
        if formula.response != key:
            problems.append(
                f"{where}.formula: the left side says '{formula.response}' but the table's key "
                f"is '{key}'; they must agree"
            )
        if key in formula.present():
            problems.append(
                f"{where}.formula: '{key}' is on both sides; an outcome cannot be its own "
                "predictor or mediator"
            )
        if not formula.terms and not formula.groups:
            problems.append(f"{where}.formula: the right-hand side is empty")
        fields = {k: getattr(e, k) for k in EquationTable.model_fields if k != "formula"}
        out[key] = Equation(response=key, formula=formula, **fields)
    problems += _shared_id_problems(out, source)
    problems += _response_as_column_problems(out, source)
    return out


def _panel(t: ModelTable) -> Panel | None:
    """Return the panel of a model file, its columns without backticks."""
    if t.panel is None:
        return None
    return Panel(plain(t.panel.unit), plain(t.panel.wave), t.panel.initial)


def panel_problems(
    equations: Mapping[str, Equation], panel: Panel | None, source: str
) -> list[str]:
    """Say what of lags and waves cannot be."""
    out: list[str] = []
    lagged = [
        (r, o) for r, e in equations.items() for o in dict.fromkeys(e.formula.operands()) if o.lag
    ]
    if panel is None:
        return [
            f"{source}: equations.{r}.formula: {o.text} needs a [panel] table that names the unit "
            'and the column of waves, as [panel] unit = "department" wave = "wave"'
            for r, o in lagged
        ]
    out += [
        f"{source}: equations.{r}.formula: {o.text}: '{o.variable}' has an equation; what comes a "
        "wave later cannot act on this one, so lead() takes a variable without an equation only"
        for r, o in lagged
        if o.lag < 0 and o.variable in equations
    ]
    where = f"{source}: panel"
    if panel.unit == panel.wave:
        out.append(f"{where}: unit and wave are the same column, '{panel.unit}'")
    out += [
        f"{where}.{key}: '{c}' has an equation of its own, so it cannot name a unit or a wave"
        for key, c in (("unit", panel.unit), ("wave", panel.wave))
        if c in equations
    ]
    out += [
        f"{source}: equations.{r}.formula: {o.text}: '{o.variable}' is the panel's "
        f"{'unit' if o.variable == panel.unit else 'wave'}, which has no "
        f"{'later' if o.lag < 0 else 'earlier'} value"
        for r, o in lagged
        if o.variable in (panel.unit, panel.wave)
    ]
    return out


def _response_as_column_problems(equations: Mapping[str, Equation], source: str) -> list[str]:
    """Refuse a response that serves as id, grouping, standard error or number of trials."""
    problems: list[str] = []
    for key, e in equations.items():
        columns = [c for c in (e.level, e.se, e.trials, e.weights) if c is not None]
        columns += [c for g in e.formula.groups for c in g.grouping]
        problems += [
            f"{source}: equations.{key}: '{c}' has an equation of its own, so it cannot serve as a "
            "level, grouping, standard error, weight or number of trials"
            for c in dict.fromkeys(columns)
            if c in equations
        ]
    return problems


def _shared_id_problems(equations: Mapping[str, Equation], source: str) -> list[str]:
    seen: dict[str, tuple[str, str]] = {}
    problems: list[str] = []
    for key, e in equations.items():
        for g in e.formula.groups:
            if g.id is None:
                continue
            before = seen.setdefault(g.id, (g.group, key))
            if before[0] != g.group:
                problems.append(
                    f"{source}: equations.{key}.formula: |{g.id}| stands for {g.group} here and "
                    f"for {before[0]} in equations.{before[1]}; one id has one grouping"
                )
    return problems


def _residual_problems(t: ModelTable, equations: Mapping[str, Equation], source: str) -> list[str]:
    from acmodels.errors import did_you_mean

    problems: list[str] = []
    seen: set[frozenset[str]] = set()
    for pair in t.residual_correlation:
        where = f"{source}: residual_correlation"
        for name in pair:
            if name not in equations:
                problems.append(f"{where}: no equation '{name}'{did_you_mean(name, equations)}")
            elif equations[name].family != "gaussian" or equations[name].se is not None:
                problems.append(
                    f"{where}: '{name}' is not gaussian with a residual sd of its own; only such "
                    "equations have residuals that can correlate"
                )
        weighted = [n for n in pair if n in equations and equations[n].weights is not None]
        if weighted:
            problems.append(
                f"{where}: '{weighted[0]}' has weights; residuals of weighted equations do not "
                "correlate, since a pair of rows would have two weights"
            )
        if pair[0] == pair[1] or frozenset(pair) in seen:
            problems.append(f"{where}: {pair} is not a new pair of two equations")
        seen.add(frozenset(pair))
        levels = {equations[n].level for n in pair if n in equations}
        if len(levels) > 1:
            problems.append(
                f"{where}: {pair[0]} and {pair[1]} have different levels, so their residuals are "
                "not on the same rows"
            )
    return problems


def recursive_order(equations: Mapping[str, Equation], source: str = "model") -> tuple[str, ...]:
    """Order the responses so that each comes after the responses that predict it.

    Among those that are free to move, the order written is kept.

    Raises:
        ModelError: there is a cycle; the message spells it out.
    """
    left = dict(equations)
    out: list[str] = []
    while left:
        free = [k for k, e in left.items() if not any(v in left for v in e.formula.present())]
        if not free:
            chain = _cycle(left)
            raise ModelError(
                f"{source}: equations: {' -> '.join(chain)} is a cycle; the equations of one "
                "wave must be recursive"
            )
        out.append(free[0])
        del left[free[0]]
    return tuple(out)


def _cycle(left: Mapping[str, Equation]) -> list[str]:
    walk = [next(iter(left))]
    while True:
        nxt = next(v for v in left[walk[-1]].formula.present() if v in left)
        if nxt in walk:
            return [*walk[walk.index(nxt) :], nxt][::-1]
        walk.append(nxt)
