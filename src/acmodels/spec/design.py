"""The design file: units, truths and predictors of a study that is to be simulated."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from acmodels.display import facts
from acmodels.errors import ModelError, did_you_mean, listing
from acmodels.numbers import number
from acmodels.spec.distribution import Distribution, distribution
from acmodels.spec.items import lowered, with_counts, with_items
from acmodels.spec.model import Model, names_of
from acmodels.spec.names import parameter, plain, plain_keys
from acmodels.spec.parameters import of_item
from acmodels.spec.strict import Strict, check_table, composed_table

ROW = "row"


class SizeTable(Strict):
    """A number of units that varies: normal, rounded, at least `min`."""

    mean: Annotated[float, Field(gt=0)]
    sd: Annotated[float, Field(ge=0)]
    min: Annotated[int, Field(ge=1)] = 1


class UnitTable(Strict):
    """One kind of unit below another, or crossed with others."""

    n: Annotated[int, Field(ge=1)] | SizeTable
    per: str | None = None
    crossed_with: str | list[str] | None = None


type Share = Annotated[float, Field(ge=0, lt=1)]


class LossTable(Strict):
    """What a study loses: shares from 0 to below 1."""

    attrition: Share = 0.0
    items: Share | dict[str, Share] = 0.0


class MeasureSizeTable(Strict):
    """How many items a construct of the model has."""

    items: Annotated[int, Field(ge=1)]


class DesignTable(Strict):
    """A whole design file."""

    model: str
    replications: Annotated[int, Field(ge=1)] = 200
    units: Annotated[dict[str, Annotated[int, Field(ge=1)] | UnitTable], Field(min_length=1)]
    truth: dict[str, float] = Field(default_factory=dict)
    exogenous: dict[str, dict[str, Any]] = Field(
        default_factory=dict, examples=['x = { dist = "Normal", mu = 0, sigma = 1 }']
    )
    loss: LossTable = LossTable()
    measures: dict[str, MeasureSizeTable] = Field(default_factory=dict)


@dataclass(frozen=True)
class Size:
    """How many units there are of a kind, in all or for each unit above.

    A fixed size has an sd of 0.
    """

    mean: float
    sd: float = 0.0
    min: int = 1


@dataclass(frozen=True)
class Unit:
    """One kind of unit.

    Attributes:
        name: its id column.
        size: how many, for each unit of `per` where there is one.
        per: the kind of unit it lies in, or None.
        crossed_with: kinds of which each new unit draws one, uniformly.
    """

    name: str
    size: Size
    per: str | None = None
    crossed_with: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exogenous:
    """How a predictor is drawn.

    Attributes:
        distribution: of its values.
        level: the kind of unit whose attribute it is, or None: the highest level of an equation
            that uses it, else the row.
        icc: shares of its variance that lie between units of higher kinds.
        balanced: whether each value gets exactly its share of the units, in random order.
    """

    distribution: Distribution
    level: str | None
    icc: Mapping[str, float]
    balanced: bool = False

    def __str__(self) -> str:
        """As in a sentence: `Normal(mu=0, sigma=1) at the level of district`."""
        said = str(self.distribution)
        if self.balanced:
            said += ", exactly that share of the units"
        if self.level is not None:
            said += f", level {self.level}"
        return said + "".join(f", ICC of {u} {number(v)}" for u, v in self.icc.items())


@dataclass(frozen=True)
class Loss:
    """What is lost between a design and its data, completely at random.

    Attributes:
        attrition: share of the units that leave before each wave after the first and do not come
            back; in a design without waves, share of the rows that are not there.
        items: share of the cells of each column that are empty.
        columns: the same for single columns, in place of `items`.
    """

    attrition: float = 0.0
    items: float = 0.0
    columns: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def empties(self) -> bool:
        """Whether any cell is emptied."""
        return self.items > 0 or any(v > 0 for v in self.columns.values())

    def share(self, column: str) -> float:
        """The share of a column's cells that are empty."""
        return self.columns.get(column, self.items)


@dataclass(frozen=True)
class Design:
    """A design file, read and checked for itself.

    Attributes:
        model_name: a shipped name, or a path relative to the file.
        units: in an order in which each comes after those it rests on.
        truth: parameters by name.
        exogenous: predictors by name.
        replications: how often a recovery study repeats it.
        loss: what a study of it loses.
        items: by construct, how many items it has; as the model has them where not given.
        model: the model that `model_name` names, once loaded.
        source, path, sha256: the file.
    """

    model_name: str
    units: tuple[Unit, ...]
    truth: Mapping[str, float]
    exogenous: Mapping[str, Exogenous]
    replications: int = 200
    loss: Loss = Loss()
    items: Mapping[str, int] = field(default_factory=dict[str, int])
    model: Model | None = None
    source: str = "design"
    path: Path | None = None
    sha256: str = ""

    @property
    def lacks(self) -> bool:
        """Whether its studies lack values: cells that are lost, or all of a construct."""
        constructs = self.model is not None and bool(self.model.measures)
        return self.loss.empties or constructs

    def _repr_html_(self) -> str:
        return facts(
            f"Design for {self.model_name}",
            {
                "Units": tuple(
                    f"{u.name}: {u.size.mean:g}" + (f" in each {u.per}" if u.per else "")
                    for u in self.units
                ),
                "Truths": tuple(f"{k} = {v:g}" for k, v in self.truth.items()) or "none stated",
            },
        )


def design_from_table(
    table: Mapping[str, Any], source: str, path: Path | None = None, sha256: str = ""
) -> Design:
    """Check a design file's contents and return the design.

    Raises:
        ModelError: with every problem found.
    """
    t = check_table(DesignTable, plain_design(composed_table(table, source)), source)
    units = {k: _unit(k, v) for k, v in t.units.items()}
    problems = _unit_problems(units, source)
    if problems:
        raise ModelError(problems)
    exogenous = {k: _exogenous(k, v, units, source) for k, v in t.exogenous.items()}
    return Design(
        t.model, _ordered(units, source), t.truth, exogenous, t.replications,
        _loss(t.loss), {plain(k): v.items for k, v in t.measures.items()}, None, source, path,
        sha256,
    )  # fmt: skip


def _loss(table: LossTable) -> Loss:
    if isinstance(table.items, dict):
        return Loss(table.attrition, 0.0, table.items)
    return Loss(table.attrition, table.items)


def with_model(design: Design, model: Model) -> Design:
    """Return a design with its model, its truths spelled as the model's parameters are.

    The model has the equations of its items.

    Raises:
        ModelError: numbers of items that cannot be.
    """
    if model.measures and not lowered(model):
        _check_items(design, model)
        model, gone = with_counts(model, design.items)
        truth = {k: v for k, v in design.truth.items() if not any(of_item(k, i) for i in gone)}
        design = replace(design, truth=truth)
        model = with_items(model, {})
    elif design.items and not model.measures:
        _check_items(design, model)
    names = names_of(model.equations, model.measures)
    truth = {parameter(k, names): v for k, v in design.truth.items()}
    return replace(design, model=model, truth=truth)


def _check_items(design: Design, model: Model) -> None:
    """Refuse numbers of items that cannot be, and constructs whose items are not known."""
    problems = [
        f"{design.source}: measures.{name}.items: {model.source} has no measure of that name"
        f"{did_you_mean(name, model.measures)}"
        for name in design.items
        if name not in model.measures
    ]
    for m in model.measures.values():
        count = design.items.get(m.name)
        if not m.items:
            problems.append(
                f"{model.source}: measures.{m.name}.construct: the items are those of a study; a "
                'design needs them by name, as items = ["a", "b", "c"]'
            )
        elif count is not None and count < 2:
            problems.append(f"{design.source}: {m.name}.items: a construct needs 2 items or more")
        elif count is not None and m.marker in m.items[count:]:
            problems.append(
                f"{design.source}: {m.name}.items: the first {count} items leave out its marker "
                f"'{m.marker}'; list the marker first"
            )
    if problems:
        raise ModelError(problems)


def plain_design(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a design's table with the columns that it names without backticks.

    What is no table, where one belongs, is left for the check of types.
    """
    out = dict(table)
    for key, inner in (("units", ("per", "crossed_with")), ("exogenous", ("level", "icc"))):
        if isinstance(out.get(key), dict):
            out[key] = {
                plain(name): {k: _plain_value(v) if k in inner else v for k, v in said.items()}
                if isinstance(said, dict)
                else said
                for name, said in out[key].items()
            }
    if isinstance(out.get("cost"), dict):
        out["cost"] = plain_keys(out["cost"])
    loss = out.get("loss")
    if isinstance(loss, dict) and isinstance(loss.get("items"), dict):
        out["loss"] = {**loss, "items": plain_keys(loss["items"])}
    return out


def _plain_value(value: Any) -> Any:
    if isinstance(value, dict):
        return plain_keys(value)
    if isinstance(value, list):
        return [_plain_value(v) for v in value]
    return plain(value) if isinstance(value, str) else value


def _unit(name: str, table: int | UnitTable) -> Unit:
    if isinstance(table, int):
        return Unit(name, Size(table))
    crossed = table.crossed_with
    size = (
        Size(float(table.n))
        if isinstance(table.n, int)
        else Size(table.n.mean, table.n.sd, table.n.min)
    )
    names = (crossed,) if isinstance(crossed, str) else tuple(crossed or ())
    return Unit(name, size, table.per, names)


def _unit_problems(units: Mapping[str, Unit], source: str) -> list[str]:
    problems: list[str] = []
    for u in units.values():
        for key, other in (("per", u.per), *(("crossed_with", c) for c in u.crossed_with)):
            if other is not None and (other not in units or other == u.name):
                problems.append(
                    f"{source}: units.{u.name}.{key}: no other unit '{other}'"
                    f"{did_you_mean(other, units)} (units: {listing(list(units))})"
                )
    if ROW in units and any(ROW in (u.per, *u.crossed_with) for u in units.values()):
        problems.append(f"{source}: units: nothing lies below '{ROW}', which is one row of data")
    return problems


def _ordered(units: Mapping[str, Unit], source: str) -> tuple[Unit, ...]:
    left = dict(units)
    out: list[Unit] = []
    while left:
        free = [u for u in left.values() if not any(d in left for d in (u.per, *u.crossed_with))]
        if not free:
            raise ModelError(
                f"{source}: units: {listing(list(left))} rest on each other in a circle"
            )
        out.append(free[0])
        del left[free[0].name]
    return tuple(out)


def _exogenous(
    name: str, table: Mapping[str, Any], units: Mapping[str, Unit], source: str
) -> Exogenous:
    where = f"{source}: exogenous.{name}"
    rest = {k: v for k, v in table.items() if k not in ("level", "icc", "assign")}
    rest.setdefault("dist", "Normal")
    if rest["dist"] == "Normal":
        rest = {"mu": 0.0, "sigma": 1.0, **rest}
    supports = ("real", "positive", "binary", "whole", "listed")
    drawn = distribution(rest, where, supports)
    level = table.get("level")
    icc = table.get("icc", {})
    if not isinstance(icc, dict):
        raise ModelError(f"{where}.icc: must be a table such as {{ district = 0.2 }}, not {icc!r}")
    known = [*units, ROW]
    for key, unit in (("level", level), *(("icc", k) for k in icc)):
        if unit is not None and unit not in known:
            raise ModelError(f"{where}.{key}: no unit '{unit}'{did_you_mean(str(unit), known)}")
    if (
        any(
            isinstance(v, bool) or not isinstance(v, int | float) or not 0 <= v < 1
            for v in icc.values()
        )
        or sum(icc.values()) >= 1
    ):
        raise ModelError(f"{where}.icc: shares must be from 0 to below 1 and sum to below 1")
    balanced = _balanced(table, drawn, where)
    if balanced and icc:
        raise ModelError(
            f'{where}: assign = "balanced" gives each value its share of the units in random '
            "order, so it cannot have an icc"
        )
    return Exogenous(drawn, level, {k: float(v) for k, v in icc.items()}, balanced)


def _balanced(table: Mapping[str, Any], drawn: Distribution, where: str) -> bool:
    """Return whether a predictor is allocated by exact shares."""
    assign = table.get("assign", "random")
    if assign not in ("random", "balanced"):
        raise ModelError(
            f'{where}.assign: "balanced" (exactly the stated share of the units) or "random" '
            f"(each unit drawn independently, the default), not {assign!r}"
            f"{did_you_mean(str(assign), ('balanced', 'random'))}"
        )
    if assign == "balanced" and drawn.name not in ("Bernoulli", "Categorical"):
        raise ModelError(
            f'{where}.assign: "balanced" can only be used with Bernoulli and Categorical, not '
            f"{drawn.name}"
        )
    return assign == "balanced"
