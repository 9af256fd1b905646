"""What families without parameters of their own say of them."""

from typing import Any

from acmodels.families import Array


def guess(y: Array | None, link: str, codes: tuple[int, ...]) -> dict[str, Any]:
    """Nothing to guess."""
    del y, link, codes
    return {}


def warnings(y: Array) -> list[str]:
    """Nothing is odd."""
    del y
    return []
