"""Columns of the tables that the compiled density reads: what is known of each equation and so on.

Tables rather than an array for each number: compiling takes time for every array that is passed.
"""

from collections import namedtuple
from typing import Any

MOST_EFFECTS = 8
"""Effects that may share a covariance."""
MOST_SEEN = 24
"""These, and coefficients times effects that other equations read."""

EQUATION = (
    "address", "row0", "data0", "X0", "p", "raw", "slope0", "constant", "cut0", "cuts", "par0",
    "pars", "term0", "prior0", "lin0", "par_prior0", "lin_at", "par_at", "row_par_at", "eta_at",
    "product0", "cells0", "mo0", "plain", "bin0", "exact", "tilts", "tilt0", "anchor0",
    "first_par_at", "shear0",
)  # fmt: skip
BLOCK = (
    "J", "K", "Q", "member0", "block0", "info0", "score0", "sd0", "cor0", "virtual0", "weight0",
    "cell_equation", "cell_row0", "root_at",
)  # fmt: skip
MEMBER = ("eff0", "sd_form")
SD = ("rho", "sd_location", "sd_scale", "sd_shape")
TERM = ("effect", "Z0", "zero_level", "by")
STEP = ("mo_b", "mo_x", "mo_steps", "mo_raw")
RESIDUAL = ("residual_member0", "residual_cor", "residual_at", "residual_first")
READ = ("virtual_at", "product_at")
PRIOR = ("location", "scale", "shape")
NUMBER = ("lower", "upper", "par_location", "par_scale", "par_shape", "par_rho")
PRODUCT = ("to", "first", "second")
LINK = ("link_at", "link0")
PAIR = ("pair_a", "pair_b", "pair_scale", "pair0")
GAUSS = ("gauss_member0", "gauss_root", "gauss_at", "gauss_first")
RATING = ("rated_at", "rated_term0", "rated_row0")
RATE = ("rate_at", "rate_scale", "rate0")
MEETING = ("meet_a", "meet_b", "meet0")
SHEAR = ("shear_a", "shear_b")

TABLES = {
    "equation": EQUATION, "block": BLOCK, "member": MEMBER, "sd": SD, "term": TERM, "step": STEP,
    "residual": RESIDUAL, "read": READ, "prior": PRIOR, "number": NUMBER, "product": PRODUCT,
    "link": LINK, "pair": PAIR, "gauss": GAUSS, "rating": RATING, "rate": RATE, "meeting": MEETING,
    "shear": SHEAR,
}  # fmt: skip
REAL = frozenset({"sd", "prior", "number"})
"""Tables that do not hold whole numbers."""
COLUMNS = {name: (table, k) for table, names in TABLES.items() for k, name in enumerate(names)}

(
    address, row0, data0, X0, p, raw, slope0, constant, cut0, cuts, par0,
    pars, term0, prior0, lin0, par_prior0, lin_at, par_at, row_par_at, eta_at,
    product0, cells0, mo0, plain, bin0, exact, tilts, tilt0, anchor0,
    first_par_at, shear0,
) = range(len(EQUATION))  # fmt: skip
(
    J, K, Q, member0, block0, info0, score0, sd0, cor0, virtual0, weight0,
    cell_equation, cell_row0, root_at,
) = range(len(BLOCK))  # fmt: skip
eff0, sd_form = range(len(MEMBER))
rho, sd_location, sd_scale, sd_shape = range(len(SD))
effect, Z0, zero_level, by = range(len(TERM))
mo_b, mo_x, mo_steps, mo_raw = range(len(STEP))
residual_member0, residual_cor, residual_at, residual_first = range(len(RESIDUAL))
virtual_at, product_at = range(len(READ))
location, scale, shape = range(len(PRIOR))
lower, upper, par_location, par_scale, par_shape, par_rho = range(len(NUMBER))
to, first, second = range(len(PRODUCT))
link_at, link0 = range(len(LINK))
pair_a, pair_b, pair_scale, pair0 = range(len(PAIR))
gauss_member0, gauss_root, gauss_at, gauss_first = range(len(GAUSS))
rated_at, rated_term0, rated_row0 = range(len(RATING))
rate_at, rate_scale, rate0 = range(len(RATE))
meet_a, meet_b, meet0 = range(len(MEETING))
shear_a, shear_b = range(len(SHEAR))

VECTORS = (
    "data", "eta0", "weight", "X", "level", "Z", "info", "score", "lkj", "a", "A", "form",
    "par_form", "V0", "factor", "seen_at", "virtual_weight", "cells", "cell_row", "cell_rough",
    "mo_alpha", "residual_member", "residual_lkj", "bin", "alternative0", "sizes",
    "first_row", "shear_weight",
)  # fmt: skip
JOINT = (
    "link_row", "link_state", "link_z", "pair_entry", "pair_k", "gauss_member", "info_row",
    "score_row", "eta_row", "response_row", "tilt", "par_anchor", "anchor", "standard",
    "state_of", "entry_row", "entry_column", "entry0", "diagonal", "own", "triple0",
    "triple_left", "triple_right", "rate_row", "rate_node", "rate_z", "rate_k", "meet_entry",
    "meet_node", "meet_k",
)  # fmt: skip
"""Arrays of the joint coordinates of states, empty where each block has its own."""


_fields: Any = namedtuple("Arrays", (*TABLES, *VECTORS, *JOINT))  # pyright: ignore[reportUntypedNamedTuple]


class Arrays(_fields):
    """Everything about a model and its data; columns of tables are also read by their own names.

    By equation e: `address` of the row density, first row `row0`, `data` from `data0` on, `eta0`
    known part of the predictor, `weight`, columns `X` from `X0` on (p + raw, n), place in x of the
    first slope `slope0`, of the constant (-1 if there is none) and of the first threshold's
    coordinate `cut0`, number of thresholds `cuts`, place of the first further parameter `par0`, how
    many `pars`, with bounds `lower` and `upper`; those with a `par_rho` above 0 are that times the
    sinh of their coordinate, which is 0 or more. Terms of group effects from `term0[e]` on: the
    member `effect`, the `level` of each row, multipliers `Z` from `Z0` on (-1 for ones), and the
    place in V of a coefficient `by` which the effect is multiplied, 0 for none. The
    last `raw` columns are steps of monotonic effects: from `mo0[e]` on the coordinate of the mean
    step `mo_b`, of the first stick `mo_x`, how many `mo_steps`, the first raw column `mo_raw` and
    the concentration `mo_alpha`.

    By block: levels `J`, effects `K`, first member `member0`, first coordinate of z `block0`, first
    information `info0`, coordinates of sds and correlations `sd0`, `cor0`; by member `eff0`, the
    first effect, and `rho`. Blocks with sd0 = -1 are missing values of an equation, about its
    predictor with its residual sd: `cells` lists those of e from `cells0[e]` on; by such a block,
    from `cell_row0` on, the row `cell_row` of each and the number `cell_rough` that columns hold in
    its place.

    The coordinate of e's constant is the constant plus the products of V[`shear_a`] and
    V[`shear_b`] times `shear_weight`, from `shear0[e]` on: the mean over rows of what e takes of
    latent means, as far as it rests on parameters. Thresholds are less by that.

    Priors of an equation's linear parameters (slopes, raw slopes, constant, thresholds) are on a +
    A linear, with `form`, `location`, `scale` and `shape`.

    Places in V: of linear parameters `lin_at`, of further ones `par_at` (those that rows read:
    `row_par_at`), of predictors `eta_at`; `V0` is what V starts as. Products of equation e are from
    `product0[e + 1]` on; the first are of parameters alone.

    By block: `Q`, the effects and, after these, products of effects with coefficients that other
    equations read; from `virtual0` on, the places of these coefficients in V, `virtual_at`, where
    each product begins among all, `product_at`, whose places in V are `seen_at`; from `weight0` on
    what multiplies each effect, `virtual_weight` (Q - K, K).

    Rows of an equation after the first `plain` stand for values that discrete missing ones can
    have: `bin`, from `bin0` on, says for which of all configurations; those of one set of cells
    are from `alternative0` on.

    Residual blocks: equations `residual_member`, coordinates `residual_cor`, place in V
    `residual_at` of the root (K, K) and then of the inverse of its diagonal; `residual_first` is 1
    where it is of first waves, whose sds are the second of the equations' parameters. Rows of first
    waves have `first_row` 1, and their residual sd at `first_par_at`, -1 where there are none.
    `sizes`: effects in all, products of these that are read, size of V, and whether states have
    joint coordinates.

    Joint coordinates: by block, `root_at`, the place in V of the root of its covariance, (K, K).
    Links are slopes of rows' predictors in states: link a is V[`link_at`] times `link_z` in rows
    `link_row` (of all equations) of states `link_state`, from `link0` on. A pair of links of one
    equation, or of two whose residuals correlate, adds their product times `pair_k` to entries
    `pair_entry` of Q, from `pair0` on, times the precision at `pair_scale` where that is not -1.
    Normal equations are in sets, `gauss`: members from `gauss_member0` on, place in V of the root
    of their residuals' covariance `gauss_root`, and of its inverse among all, `gauss_at`; whether
    it is of rows of first waves, 1, of all others, 0, or of both, -1: `gauss_first`;
    `exact`, of an equation, is its set or -1. By row: information `info_row`, at the anchor or the
    weight; `score_row` at predictors `eta_row`; `tilt`, how scores move with each of the `tilts`
    parameters from `par_anchor`; `response_row` of normal rows. By state: the `anchor`, and
    whether it is a `standard` normal one. The root of Q: see `pattern`; `own` is what its diagonal
    starts from.

    Ratings are values that several equations read times a coefficient each: a construct's value
    plus the deviation of a rater. Rating c is at `rated_at`, of terms from `rated_term0` on, and
    its values are numbered from `rated_row0` on. An equation that reads it, and nothing else that
    moves, gives it information, the square of V[`rate_at`] times `rate_k`, and a score,
    V[`rate_at`] times `rate_z` times its row's: from `rate0` on, of rows `rate_row` to values
    `rate_node`, with the precision at `rate_scale` where that is not -1. Links of ratings are
    among the others, their rows after all rows; pairs of these are `meeting`, `meet_k` times the
    information of `meet_node` in entries `meet_entry`.
    """

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        """Return a column of a table."""
        if name not in COLUMNS:
            raise AttributeError(name)
        table, k = COLUMNS[name]
        return getattr(self, table)[:, k]

    def with_sds(self, rho: Any) -> "Arrays":
        """Return the same with other scales of sds."""
        sd_table = self.sd.copy()
        sd_table[:, COLUMNS["rho"][1]] = rho
        return self._replace(sd=sd_table)
