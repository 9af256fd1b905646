"""The share of an outcome's unexplained variance that lies between groups.

With random intercepts only, this is the intraclass correlation of a multilevel model
(Snijders & Bosker, 2012, section 4.3); with random slopes each effect counts with the
mean square of what it multiplies (Johnson, 2014). The residual variance is on the scale of the
linear predictor: for logit and probit links that of the latent response (pi^2/3 and 1), for
student sigma^2 nu / (nu - 2) (infinite, and the share 0, where nu is 2 or less), for counts the
lognormal approximation at the mean observed count (Nakagawa, Johnson & Schielzeth, 2017), for beta
the variance of the response's logit at its observed mean.
"""

import numpy as np

from acmodels.errors import EstimandError
from acmodels.estimands import Context, Estimand, Row, known_parameter, no_warnings
from acmodels.estimands._effects import covariance
from acmodels.spec.strict import Strict
from acmodels.system import Block
from acmodels.system.columns import group_column
from acmodels.system.terms import residual_variance


class Settings(Strict):
    """Keys of the table: `parameter`, a group sd such as `sd(y ~ 1 | district)`."""

    parameter: str


def evaluate(estimand: Estimand, context: Context) -> list[Row]:
    """Variance of the named effect over the sum of all group-effect and residual variances."""
    where = f"{estimand.where}.parameter"
    name = known_parameter(estimand.settings.parameter, context, where)
    found = [
        (b, k) for b in context.layout.blocks for k, m in enumerate(b.members) if b.sd(m) == name
    ]
    if not found:
        raise EstimandError(f"{where}: '{name}' is not a group sd; give one such as sd(y ~ 1 | g)")
    block, k = found[0]
    response = block.members[k].response
    e = context.layout.equation(response)
    if e.se is not None:
        raise EstimandError(
            f"{where}: equations.{response} has known standard errors, which differ by row, so "
            "there is no one residual variance"
        )
    total = residual_variance(e, context.parameter, context.responses)
    for other, mine in context.layout.blocks_of(response):
        total = total + _variance(context, other, mine)
    return [Row("", _variance(context, block, [k]) / total)]


def _variance(context: Context, block: Block, mine: list[int]) -> np.ndarray:
    """Mean over rows of the variance that some effects of a block give the predictor."""
    layout = context.layout
    e = layout.equation(block.members[mine[0]].response)
    z = {k: group_column(layout, e, block.members[k].column, context.responses) for k in mine}
    total = np.zeros(())
    for i in mine:
        for j in mine:
            total = total + float(np.mean(z[i] * z[j])) * covariance(context, block, i, j)
    return total


warnings = no_warnings
