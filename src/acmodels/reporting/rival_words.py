"""Rival accounts, as the page shows them."""

from typing import TYPE_CHECKING, Any

from acmodels.numbers import decimal, signed

if TYPE_CHECKING:
    from acmodels.theory.rivals import Compared


def rival_card(c: "Compared") -> dict[str, Any]:
    """Return what a page says of one pair of accounts."""
    numbers: list[tuple[str, str]] = []
    if c.units:
        log, error, half, double = c.log_bf
        first, other = c.accounts
        numbers = [
            (first, f"probability {decimal(c.probabilities[0], 3)}"),
            (other, f"probability {decimal(c.probabilities[1], 3)}"),
            (
                "Log Bayes factor",
                (
                    f"{decimal(log, 2)} for the term (Monte Carlo error {decimal(error, 2)}); "
                    f"{decimal(half, 2)} at half "
                    f"and {decimal(double, 2)} at double the prior sd"
                ),
            ),
            (
                "Left out",
                (
                    f"{c.units} districts in turn: log density {signed(c.elpd[0], 1)} with the "
                    "term, "
                    f"standard error {decimal(c.elpd[1], 1)}"
                ),
            ),
        ]
    propositions_ = ", ".join(c.propositions)
    return {"propositions": propositions_, "title": c.title, "reason": c.reason, "numbers": numbers}
