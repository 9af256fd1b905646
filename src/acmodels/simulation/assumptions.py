"""What a design assumes, stated or not, in words."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from acmodels.errors import listing
from acmodels.numbers import number
from acmodels.simulation.frame import WAVE, loaded, predictors
from acmodels.simulation.losses import losable
from acmodels.simulation.truths import assumed
from acmodels.spec.design import Design
from acmodels.spec.distribution import Distribution
from acmodels.system import Layout


@dataclass(frozen=True)
class Assumptions:
    """All that the studies of a design rest on.

    Attributes:
        stated: truths that the design states.
        assumed: truths that it does not, with the values that were taken for them.
        drawn: truths that are drawn for each study, with their distributions.
        from_priors: whether all truths are drawn from the model's priors.
        predictors: how each predictor is drawn, in words.
        unstated: predictors of which the design says nothing, so that they are standard normal.
        units: how many of each kind there are, in words.
        losses: what a study loses, in words; empty where it loses nothing.
    """

    stated: Mapping[str, float]
    assumed: Mapping[str, float]
    drawn: Mapping[str, Distribution] = field(default_factory=dict[str, Distribution])
    from_priors: bool = False
    predictors: Mapping[str, str] = field(default_factory=dict[str, str])
    unstated: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict[str, str])
    losses: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """What was assumed without the design saying so, in lines for a terminal."""
        out: list[str] = []
        if self.assumed:
            out.append("Assumed, since the design does not state them:")
            out += [f"  {said}" for said in grouped(self.assumed)]
        if self.unstated:
            out.append(
                "Simulated as Normal(mu=0, sigma=1), since the design does not describe them: "
                f"{', '.join(self.unstated)}"
            )
        return tuple(out)

    @property
    def sentences(self) -> tuple[str, ...]:
        """All assumptions in sentences, for a report and a methods paragraph."""
        return self.over({})

    def over(
        self, grid: Mapping[str, Sequence[float]], choices: Collection[str] = ()
    ) -> tuple[str, ...]:
        """The same where a grid varies some of them.

        Args:
            grid: values by key.
            choices: keys that a researcher chooses.
        """
        fixed = {k: v for k, v in self.units.items() if not _varied(k, grid)}
        stated = {k: v for k, v in self.stated.items() if k not in grid}
        out = [f"Sample sizes: {'; '.join(fixed.values())}."] if fixed else []
        for what, keys in (
            ("Varied by choice", [k for k in grid if k in choices]),
            ("Varied as an assumption", [k for k in grid if k not in choices]),
        ):
            said = [f"{k} = {', '.join(f'{v:g}' for v in grid[k])}" for k in keys]
            if said:
                out.append(f"{what}: {'; '.join(said)}.")
        if self.from_priors:
            out.append("True values of all parameters were drawn from their priors.")
        if stated:
            out.append(f"True values stated by the design: {_values(stated)}.")
        if self.drawn:
            drawn = ", ".join(f"{k} ~ {d}" for k, d in self.drawn.items())
            out.append(f"True values drawn anew for each study: {drawn}.")
        if self.assumed:
            said = "; ".join(grouped(self.assumed))
            out.append(f"True values assumed, since the design does not state them: {said}.")
        if self.predictors:
            drawn = "; ".join(f"{k} {how}" for k, how in self.predictors.items())
            out.append(f"Predictors: {drawn}.")
        if self.unstated:
            out.append(
                f"The design does not describe {listing(list(self.unstated), 99)}: standard normal "
                "was assumed."
            )
        if self.losses:
            out.append(f"Losses, completely at random: {'; '.join(self.losses)}.")
        return tuple(out)


def assumptions(
    design: Design,
    layout: Layout,
    truth: Mapping[str, float],
    drawn: Mapping[str, Distribution] | None = None,
    *,
    from_priors: bool = False,
) -> Assumptions:
    """Collect what a design's studies rest on.

    Args:
        design: with its model loaded.
        layout: of the model on one of its studies.
        truth: of every structural parameter, as resolved.
        drawn: truths that are drawn for each study.
        from_priors: whether all truths are drawn from the model's priors.
    """
    model = loaded(design)
    drawn = dict(drawn or {})
    how = predictors(design, model)
    taken = [] if from_priors else assumed(design, layout, drawn)
    stated = {} if from_priors else {k: v for k, v in design.truth.items() if k not in drawn}
    return Assumptions(
        stated=stated,
        assumed={n: truth[n] for n in taken},
        drawn=drawn,
        from_priors=from_priors,
        predictors={n: str(e) for n, e in how.items() if n in design.exogenous},
        unstated=tuple(n for n in how if n not in design.exogenous),
        units=_units(design),
        losses=tuple(_losses(design)),
    )


def grouped(values: Mapping[str, float]) -> list[str]:
    """Values with the names that have them: `0.5 for sd(y ~ 1 | g), sd(m ~ 1 | g)`."""
    by: dict[str, list[str]] = {}
    for name, value in values.items():
        by.setdefault(f"{number(value, 4)}", []).append(name)
    return [f"{value} for {', '.join(names)}" for value, names in by.items()]


def _values(values: Mapping[str, float]) -> str:
    return ", ".join(f"{k} = {v:g}" for k, v in values.items())


def _varied(unit: str, grid: Collection[str]) -> bool:
    """Return whether a grid varies the number of a kind of unit."""
    return any(k == unit or f".{k}".startswith((f".{unit}.", f".units.{unit}")) for k in grid)


def _units(design: Design) -> dict[str, str]:
    out: dict[str, str] = {}
    for u in design.units:
        many = f"{u.size.mean:g}" if u.size.sd == 0 else (
            f"normal with mean {u.size.mean:g} and sd {u.size.sd:g}, at least {u.size.min},"
        )  # fmt: skip
        said = f"{u.name} {many}" + (f" in each {u.per}" if u.per else "")
        if u.crossed_with:
            said += f", crossed with {listing(list(u.crossed_with))}"
        out[u.name] = said
    return out


def _losses(design: Design) -> list[str]:
    out: list[str] = []
    loss = design.loss
    if loss.attrition > 0:
        waves = any(u.name == WAVE for u in design.units)
        what = "units leave before each wave after the first" if waves else "rows are lost"
        out.append(f"{100 * loss.attrition:g} % of the {what}")
    shares = {n: loss.share(n) for n in losable(design)} if loss.empties else {}
    shares = {n: s for n, s in shares.items() if s > 0}
    if shares:
        missing = loaded(design).missing
        then = "modeled" if missing == "model" else "left out with their rows"
        cells = ", ".join(f"{n} {100 * s:g} %" for n, s in shares.items())
        out.append(f"empty cells in {cells}, {then} in the fit")
    return out
