"""Accounts that cannot both hold, compared: by regions, by Bayes factors, by districts left out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial as bound
from typing import TYPE_CHECKING, Any

import numpy as np

from acmodels.data import Study, kind, label_codes, numeric, study
from acmodels.effects.bayes_factors import bayes_factor
from acmodels.engines import with_marginal_likelihood
from acmodels.errors import AcmodelsError, InputError, did_you_mean, listing
from acmodels.inference.fitting import fit
from acmodels.load import load_model, models_folder
from acmodels.numbers import decimal
from acmodels.spec.model import Model
from acmodels.spec.strict import Strict, check_table, read_toml
from acmodels.system import study_for
from acmodels.system.rows import uses
from acmodels.theory.left_out import left_out, summed

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "rival", "account", "other", "p_account", "p_other", "log_bf", "log_bf_mcse", "log_bf_half",
    "log_bf_double", "elpd_difference", "elpd_se", "units", "reason",
)  # fmt: skip
LEFT_OUT = "district"
NAN = float("nan")
DECIDES = 0.975
STRONG = float(np.log(3))
"""A Bayes factor of 3 is the least that Kass and Raftery (1995) call positive evidence."""

PRIORS = {
    "* ~ 1": {"dist": "Normal", "mu": 0, "sigma": 1},
    "* ~ *": {"dist": "Normal", "mu": 0, "sigma": 1},
    "sd(*)": {"dist": "HalfNormal", "sigma": 1},
    "sigma(*)": {"dist": "HalfNormal", "sigma": 1},
}
"""Those of the hand-written models; Bayes factors hang on them."""


class RivalTable(Strict):
    """An entry of `models/rivals/accounts.toml`."""

    title: str
    propositions: list[str]
    formula: str
    without: str
    parameter: str
    above: str | None = None
    below: str | None = None
    rope: list[float] | None = None
    inside: str | None = None
    outside: str | None = None


@dataclass(frozen=True)
class Compared:
    """Two accounts on one study.

    Attributes:
        name, title, propositions: of the pair.
        accounts: their names; the first is the one above 0, or within the rope.
        probabilities: of the two regions of the parameter, given the data.
        log_bf: of the equation with the term against that without it, its Monte Carlo error, and
            the same at half and at double the prior sd of the term.
        elpd: how much better the equation with the term predicted districts left out: the sum
            over districts of log p(district | others) with it less without it, and its standard
            error over districts.
        units: districts left out in turn.
        reason: what the three say together, or why they say nothing.
    """

    name: str
    title: str
    propositions: tuple[str, ...]
    accounts: tuple[str, str]
    probabilities: tuple[float, float] = (NAN, NAN)
    log_bf: tuple[float, float, float, float] = (NAN, NAN, NAN, NAN)
    elpd: tuple[float, float] = (NAN, NAN)
    units: int = 0
    reason: str = ""

    @property
    def row(self) -> dict[str, Any]:
        """The row of `rivals.csv`."""
        values = (
            self.name, *self.accounts, *self.probabilities, *self.log_bf, *self.elpd, self.units,
            self.reason,
        )  # fmt: skip
        return dict(zip(COLUMNS, values, strict=True))


def rivalries() -> Mapping[str, RivalTable]:
    """Every pair of accounts, by name."""
    table = read_toml(models_folder() / "rivals" / "accounts.toml")
    return {k: check_table(RivalTable, v, "accounts.toml", k) for k, v in table.items()}


def rivals(
    data: Any,
    only: list[str] | None = None,
    *,
    seed: int = 1,
    draws: int = 1000,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Compared, ...]:
    """Compare rival accounts on a study.

    Each pair is told apart by one parameter of one gaussian equation. Three things are said of it:
    the posterior probabilities of its two regions; the Bayes factor of the equation with the term
    against that without it, by exact marginal likelihoods, with the prior's sd halved and doubled;
    and how well each predicts districts left out whole, log p(district | other districts) being
    the log marginal likelihood of all data less that without the district.

    Args:
        data: a study, a DataFrame or a path.
        only: names of pairs; all if None.
        seed: of the fits.
        draws: of each of four chains.
        progress: called at every refit.

    Raises:
        InputError: no such pair.
    """
    every = rivalries()
    wrong = [n for n in only or [] if n not in every]
    if wrong:
        raise InputError(
            f"no rivals '{wrong[0]}'{did_you_mean(wrong[0], every)} (there are "
            f"{listing(list(every))})"
        )
    table = data if isinstance(data, Study) else study(data)
    tell = progress or (lambda *_: None)
    return tuple(_compare(n, every[n], table, seed, draws, tell) for n in only or every)


def rivals_table(found: tuple[Compared, ...]) -> "pd.DataFrame":
    """`rivals.csv`: one row a pair."""
    import pandas as pd

    return pd.DataFrame([c.row for c in found], columns=list(COLUMNS))


def _model(name: str, formula: str) -> Model:
    response = formula.split(" ~ ", maxsplit=1)[0]
    equations = {response: {"formula": formula}}
    read = load_model({"name": name, "equations": equations}).equations[response].formula
    has = {
        "* ~ 1": read.has_intercept,
        "* ~ *": len(read.terms) > read.has_intercept,
        "sd(*)": bool(read.groups),
    }
    priors = {k: v for k, v in PRIORS.items() if has.get(k, True)}
    return load_model({"name": name, "equations": equations, "priors": priors})


def _compare(
    name: str,
    r: RivalTable,
    table: Study,
    seed: int,
    draws: int,
    tell: Callable[[str, int, int], None],
) -> Compared:
    accounts = (r.above or r.inside or "", r.below or r.outside or "")
    bare = Compared(name, r.title, tuple(r.propositions), accounts)
    with_, without = _model(f"{name}, with", r.formula), _model(f"{name}, without", r.without)
    rows = study_for(with_, table)
    try:
        exact = with_marginal_likelihood()[0]
        options: dict[str, Any] = {"seed": seed, "engine": exact, "draws": draws}
        complete = replace(with_, missing="drop"), replace(without, missing="drop")
        rows = _complete(rows, with_)
        full, less = (fit(m, rows, **options) for m in complete)
        factor = bayes_factor(full, less)
    except AcmodelsError as error:
        return replace(bare, reason=f"Not compared: {str(error).splitlines()[0]}.")
    x = full.draws[r.parameter].ravel()
    if r.rope is not None:
        inside = float(np.mean((x >= r.rope[0]) & (x <= r.rope[1])))
        probabilities = (inside, 1 - inside)
    else:
        probabilities = (float(np.mean(x > 0)), float(np.mean(x < 0)))
    difference, se, units = _left_out(complete, rows, seed, tell, name)
    made = replace(
        bare,
        probabilities=probabilities,
        log_bf=(factor.log, factor.mcse, factor.log_half, factor.log_double),
        elpd=(difference, se),
        units=units,
    )
    return replace(made, reason=_words(made, with_term_first=r.rope is None))


def _complete(rows: Study, model: Model) -> Study:
    """Rows on which both equations have all their values, so that both see the same."""
    keep = np.ones(rows.n_rows, dtype=bool)
    for e in model.equations.values():
        for column, _ in uses(e, with_responses=True):
            if column not in rows.names:
                near = did_you_mean(column, rows.names)
                raise InputError(f"{rows.name}: no column '{column}'{near}")
            codes, _ = label_codes(rows, column)
            keep &= codes >= 0
            if kind(rows, column) == "number":
                keep &= ~np.isnan(numeric(rows, column))
    return replace(rows, frame=rows.frame.loc[keep])


def _left_out(
    models: tuple[Model, Model],
    rows: Study,
    seed: int,
    tell: Callable[[str, int, int], None],
    name: str,
) -> tuple[float, float, int]:
    """Difference of log predictive densities of districts left out, its error, and how many."""
    column = LEFT_OUT if LEFT_OUT in rows.names else f"{LEFT_OUT}_id"
    codes, _ = label_codes(rows, column)
    told = bound(tell, f"leaving out for {name}")
    return summed(left_out(models, rows, codes, seed, told).gains)


def _words(c: Compared, *, with_term_first: bool) -> str:
    """Return what the three comparisons say, and whether they agree.

    By regions one account or the other is likelier. The Bayes factor and the districts left out
    tell the equation with the term from that without it: without it neither account of a sign
    holds, and of a rope the one inside does.
    """
    first, other = c.accounts
    p, q = c.probabilities
    region = first if p >= DECIDES else other if q >= DECIDES else ""
    said = [
        f"The posterior decides for {region} (probability {decimal(max(p, q), 3)})."
        if region
        else f"The posterior decides for neither (probabilities: {first} {decimal(p, 2)}, {other} "
        f"{decimal(q, 2)})."
    ]
    nothing = "the model without the term" if with_term_first else first
    kept = "the model with the term" if with_term_first else other
    log, _, half, double = c.log_bf
    factor = kept if log > STRONG else nothing if log < -STRONG else ""
    moved = factor and not all((v > 0) == (log > 0) for v in (half, double))
    said.append(
        f"The Bayes factor favors {factor} (its logarithm is {decimal(log, 1)}"
        f"{', but the sign changes at half or double the prior sd' if moved else ''})."
        if factor
        else f"The Bayes factor does not decide (its logarithm is {decimal(log, 1)})."
    )
    d, se = c.elpd
    if np.isnan(d):
        said.append("Left-out districts could not be predicted.")
        far = ""
    else:
        far = kept if d > 2 * se else nothing if d < -2 * se else ""
        said.append(
            f"Left-out districts are predicted better by {far} (log density higher by "
            f"{decimal(abs(d), 1)}, standard error {decimal(se, 1)})."
            if far
            else (
                "Prediction of left-out districts does not tell the two apart (log density "
                f"differs by {decimal(d, 1)}, standard error {decimal(se, 1)})."
            )
        )
    told = kept if region and (with_term_first or region == other) else nothing if region else ""
    decided = [v for v in (told, factor, far) if v]
    agree = (
        "None of the three comparisons decides."
        if not decided
        else "The comparisons contradict each other."
        if len(set(decided)) > 1
        else "Only one of the three comparisons decides."
        if len(decided) == 1
        else "The comparisons that decide agree."
    )
    return " ".join((*said, agree))
