"""Names of structural parameters, as files, tables and plots write them; made here alone.

The response stands as it is, what follows `~` as in a formula; of a loading both stand so.
"""

import re

from acmodels.spec.names import quoted


def coefficient(response: str, term: str) -> str:
    """Name a coefficient, or a group effect without its grouping.

    >>> coefficient("y", "x:w")
    'y ~ x:w'
    """
    return f"{response} ~ {term}"


def intercept(response: str) -> str:
    """Name the intercept of an equation."""
    return coefficient(response, "1")


def is_intercept(name: str) -> bool:
    """Say whether a coefficient's name is that of an intercept."""
    return name.endswith(" ~ 1")


def loading(construct: str, item: str) -> str:
    """Name the loading of an item on a construct.

    >>> loading("trust", "t1")
    'trust =~ t1'
    """
    return f"{quoted(construct)} =~ {quoted(item)}"


def of_item(parameter: str, item: str) -> bool:
    """Return whether a parameter is one of an item's own.

    >>> [of_item(p, "t1") for p in ("trust =~ t1", "t1 | t2", "sigma(t1)", "trust =~ t10")]
    [True, True, True, False]
    """
    loaded, located = re.escape(f"=~ {quoted(item)}"), re.escape(intercept(item))
    own = rf"{re.escape(item)} \| t\d+|{located}|{re.escape(sigma(item))}"
    varying = rf"sd\(({located}|.* {loaded}) \| .*\)"
    return re.fullmatch(rf"{own}|.* {loaded}|{varying}", parameter) is not None


def sd(effect: str, group: str) -> str:
    """Name the standard deviation of a group effect.

    >>> sd(intercept("y"), "district")
    'sd(y ~ 1 | district)'
    """
    return f"sd({effect} | {group})"


def cor(first: str, second: str, group: str | None = None) -> str:
    """Name a correlation: of two group effects, or without a group of two responses' residuals.

    >>> cor("y ~ 1", "y ~ x", "g"), cor("m", "y")
    ('cor(y ~ 1, y ~ x | g)', 'cor(m, y)')
    """
    return f"cor({first}, {second})" if group is None else f"cor({first}, {second} | {group})"


def of_family(kind: str, response: str) -> str:
    """Name a distributional parameter of a response.

    >>> of_family("nu", "y")
    'nu(y)'
    """
    return f"{kind}({response})"


def sigma(response: str) -> str:
    """Name the residual standard deviation of a response."""
    return of_family("sigma", response)


def sigma1(response: str) -> str:
    """Name the standard deviation of a response's first-wave deviations in a panel."""
    return of_family("sigma1", response)


def cor1(first: str, second: str) -> str:
    """Name the correlation of two responses' first-wave deviations in a panel."""
    return f"cor1({first}, {second})"


def threshold(response: str, number: int) -> str:
    """Name a threshold between categories of an ordered response, counted from 1.

    >>> threshold("y", 2)
    'y | t2'
    """
    return f"{response} | t{number}"


def share(response: str, effect: str, step: int) -> str:
    """Name the share of a monotonic effect that a step has, counted from 1.

    >>> share("y", "mo(x)", 1)
    'simo(y ~ mo(x))[1]'
    """
    return f"simo({coefficient(response, effect)})[{step}]"
