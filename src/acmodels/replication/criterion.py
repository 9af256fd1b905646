"""What a plan asks of a fit: a measure, and whether a replicate succeeds by it."""

from dataclasses import dataclass, replace

import numpy as np

from acmodels.errors import ModelError, did_you_mean, listing
from acmodels.estimands import Context, question
from acmodels.families import scalars
from acmodels.inference.judging import meant
from acmodels.inference.rules import Drawn, chances, decide
from acmodels.replication import Cell, Job
from acmodels.replication.answers import point_label
from acmodels.replication.job import Seen
from acmodels.replication.ready import resolve_design
from acmodels.replication.recovery import bounds, effect_names
from acmodels.spec.model import Model
from acmodels.spec.plan import Criterion, Plan
from acmodels.spec.proposition import Claim, Proposition
from acmodels.system import parameters
from acmodels.system.arrays import Array


@dataclass(frozen=True)
class PowerMeasure:
    """What a criterion asks of one estimand: interval, probabilities of regions, the truth.

    Attributes:
        estimand: its name.
        at: the row wanted, or None for all.
        interval: `eti` or `hdi`.
        prob: its mass.
        claim: the region and the rope.
        probability: that is asked for.
    """

    estimand: str
    at: str | None
    interval: str
    prob: float
    claim: Claim
    probability: float

    @property
    def columns(self) -> tuple[str, ...]:
        """What is kept of each quantity."""
        return ("truth", "mean", "lower", "upper", "p_region", "p_rope", "supported")

    def quantities(self, model: Model, context: Context) -> tuple[str, ...]:
        """The estimand's rows.

        Raises:
            ModelError: `at` names none of them.
        """
        names = effect_names(model, (self.estimand,), context)
        rows = question(self.estimand, context).at
        if self.at is not None and self.at not in rows:
            raise ModelError(
                f"criterion.at: '{self.estimand}' has no row '{self.at}'"
                f"{did_you_mean(self.at, rows)} (rows: {listing(rows)})"
            )
        return tuple(names[k] for k in self._rows(model, context))

    def _rows(self, model: Model, context: Context) -> list[int]:
        """Positions of the rows that are meant."""
        rows = question(self.estimand, context).at
        wanted = meant(model.estimands[self.estimand].kind, rows, self.at)
        return [k for k, at in enumerate(rows) if at in wanted]

    def measure(self, seen: Seen) -> Array:
        """The numbers, (R, quantities, 7); no probability and no interval where withheld."""
        draws, truth = seen.effects((self.estimand,), self.prob)
        one = {k: v[0] for k, v in seen.responses.items()}
        context = Context(
            seen.layout, one, lambda n: seen.truth[n][:1, None], seen.model.estimands,
            seen.model.source,
        )  # fmt: skip
        rows = self._rows(seen.model, context)
        draws, truth = draws[..., rows], truth[:, rows]
        low, high = bounds(draws, self.interval, self.prob)
        steps = seen.steps(self.estimand) if self.claim.rope is not None else None
        legs = [[] if steps is None else steps[k] for k in rows]
        judged = [self._judged(Drawn(draws[..., k], legs[k])) for k in range(len(rows))]
        chance = np.stack(judged, axis=1) if judged else np.zeros((len(draws), 0, 3))
        told = np.stack([truth, draws.mean(axis=1), low, high], axis=-1)
        return np.concatenate([told, chance], axis=-1)

    def _judged(self, drawn: Drawn) -> Array:
        """P(region), P(rope) and whether the claim is supported, (R, 3).

        Of a region that lies outside of two ends the probability of the side that has more.
        """
        seen = chances(self.claim, drawn)
        said = decide([seen], self.probability)
        region = said.region if seen.above is None else np.mean(seen.held, axis=-1)
        rope = np.full(region.shape, np.nan) if said.rope is None else said.rope
        return np.stack([region, rope, said.supported.astype(np.float64)], axis=-1)


def power_job(plan: Plan, seed: int, engine: str, draws: int | None, chains: int | None) -> Job:
    """Return what a plan asks to run.

    Raises:
        ModelError: its criterion names nothing of the model, or a truth is drawn that is none.
    """
    model = plan.cells[0].design.model
    assert model is not None  # noqa: S101
    c = plan.criterion
    proposition = proposition_of(plan)
    name = c.estimand if proposition is None else proposition.estimand
    if name not in model.estimands:
        raise ModelError(
            f"{plan.source}: criterion.estimand: {model.source} has no estimand '{name}'"
            f"{did_you_mean(str(name), model.estimands)} "
            f"(estimands: {listing(list(model.estimands))})"
        )
    claim, need = Claim(str(name), c.lower, c.upper, c.at, c.rope, c.outside), c.probability
    if proposition is not None:
        claim = replace(proposition.claims[0], rope=c.rope or proposition.rope)
        need = proposition.probability if c.rule == "verdict" else need
        if c.rule == "rope" and claim.rope is None:
            raise ModelError(
                f'{plan.source}: criterion: rule = "rope" needs rope = [low, high], since '
                f"{proposition.id} has none"
            )
    interval = "hdi" if c.rule == "hdi" else "eti"
    measure = PowerMeasure(str(name), claim.at, interval, c.prob, claim, need)
    _check_drawn(plan, seed)
    cells = tuple(
        Cell(x.design, plan.design_prior, label=point_label(x.values)) for x in plan.cells
    )
    return Job("power", cells, measure, seed, engine, draws, chains)


def _check_drawn(plan: Plan, seed: int) -> None:

    layout, _, _ = resolve_design(Cell(plan.cells[0].design), seed)
    known = {p.name: p for p in parameters(layout)}
    for name, d in plan.design_prior.items():
        where = f'{plan.source}: design_prior."{name}"'
        if name not in known:
            raise ModelError(
                f"{where}: the model has no parameter '{name}'{did_you_mean(name, known)} "
                f"(parameters: {listing(list(known), 12)})"
            )
        if known[name].kind in ("cor", "threshold"):
            raise ModelError(f"{where}: correlations and thresholds are not drawn one by one")
        own = scalars().get(known[name].kind)
        if own is not None and own.support == "unit" and d.kind.support != "unit":
            raise ModelError(f"{where}: {name} lies between 0 and 1, so it is Beta or Uniform")
        if known[name].kind != "coefficient" and d.kind.support not in ("positive", "unit"):
            raise ModelError(f"{where}: {name} is above 0, so its distribution must be positive")


def proposition_of(plan: Plan) -> Proposition | None:
    """Return the proposition that a plan's criterion names, or None.

    Raises:
        ModelError: the model has no such proposition, or it judges several estimands jointly.
    """
    model = plan.cells[0].design.model
    assert model is not None  # noqa: S101
    wanted = plan.criterion.proposition
    if wanted is None:
        return None
    if wanted not in model.propositions:
        raise ModelError(
            f"{plan.source}: criterion.proposition: {model.source} has no proposition '{wanted}'"
            f"{did_you_mean(wanted, model.propositions)} "
            f"(propositions: {listing(list(model.propositions))})"
        )
    found = model.propositions[wanted]
    if found.all:
        raise ModelError(
            f"{plan.source}: criterion.proposition: {wanted} judges several estimands jointly "
            f"(all = [...]), and power is of one; name an estimand: {found.estimands}"
        )
    return found


def successes(good: Array, criterion: Criterion, proposition: Proposition | None) -> Array:
    """Return whether each replicate meets a criterion, (n, quantities), 0 or 1.

    Args:
        good: numbers of `PowerMeasure`, (n, quantities, 7).
        criterion: of the plan.
        proposition: that it names, or None.
    """
    _, _, lower, upper, region, rope, supported = np.moveaxis(good, -1, 0)
    if criterion.rule in ("eti", "hdi"):
        hits = (lower > 0) | (upper < 0)
    elif criterion.rule == "p_region":
        outside = criterion.outside if proposition is None else proposition.outside
        least = 1 - (1 - criterion.probability) / (2 if outside else 1)
        hits = region >= (least - 1e-12 if outside else least)
    elif criterion.rule == "rope":
        hits = rope >= criterion.probability
    elif criterion.rule == "width":
        hits = upper - lower <= (criterion.value or 0.0)
    else:
        hits = supported > 0
    return hits.astype(np.float64)
