"""One fit, told on one page: a self-contained HTML file for readers, editors and reviewers."""

import os
import tempfile
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acmodels.errors import InputError
from acmodels.folder import unwritable

if TYPE_CHECKING:
    import pandas as pd

    from acmodels.inference.fitting import Fit
    from acmodels.inference.saved import KeptFit
    from acmodels.robustness.confounding import Confounding
    from acmodels.robustness.leave_out import Influence

__all__ = ["report"]


def report(
    fit: "Fit | KeptFit",
    path: str | os.PathLike[str],
    *,
    ml: "pd.DataFrame | None" = None,
    confounding: "Confounding | None" = None,
    influence: "Influence | None" = None,
    notice: str = "",
    progress: Callable[[str, int, int], None] | None = None,
) -> Path:
    """Write the report of a fit.

    The page loads nothing from the network, runs no script, and holds no row of the data, only
    counts, smoothed densities and binned summaries. The same fit gives the same bytes.

    Args:
        fit: from `fit`; or from `load_fit`, whose page is copied as it was written.
        path: of the HTML file; missing folders are made, an existing file is replaced whole.
        ml: from `maximum_likelihood`, for a section of its own; None leaves it out.
        confounding: from `confounding`, likewise.
        influence: from `influence`, likewise.
        notice: what a reader must know first, at the top of the page; that data are simulated, say.
        progress: called at every step.

    Returns:
        The path written.

    Raises:
        InputError: the file cannot be written; or a fit that was read has no page, or is asked
            for one with more in it.
    """
    from acmodels.inference.saved import KeptFit
    from acmodels.reporting.page import render

    target = Path(path)
    if isinstance(fit, KeptFit):
        text = _kept(fit, more=any(v is not None for v in (ml, confounding, influence)) or notice)
    else:
        text = render(fit, progress or (lambda *_: None), ml, confounding, influence, notice)
    try:
        written(target, text)
    except OSError as error:
        raise InputError(
            f"{target}: the report cannot be written ({error.strerror or error}); "
            "choose another place with room and the right to write"
        ) from None
    return target


def _kept(fit: "KeptFit", *, more: bool | str) -> str:
    """The page of a fit that was read, as it was written."""
    page = fit.folder / "report.html"
    if more:
        raise InputError(
            f"{fit.folder}: the report of a fit that was loaded is copied as it was written; to "
            "add "
            "sections to it, fit the model again"
        )
    if not page.is_file():
        raise InputError(f"{fit.folder}: has no report.html to copy; fit the model again")
    return page.read_text(encoding="utf-8")


def written(target: Path, text: str) -> None:
    """Write a temporary file beside the target, then put it in the target's place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name[:40]}.", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_page(path: Path, template: str, context: Mapping[str, Any]) -> Path:
    """Fill a template of this folder, with the style sheet in it, and write the page.

    Args:
        path: of the HTML file; an existing one is replaced whole.
        template: its name; values are escaped, but for what passes the filter `svg`.
        context: its values.

    Raises:
        InputError: the file cannot be written.
    """
    text = filled(template, context)
    try:
        written(path, text)
    except OSError as error:
        raise unwritable(path, error) from None
    return path


def filled(template: str, context: Mapping[str, Any]) -> str:
    """A template of this folder with its values and the style sheet in it."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        loader=FunctionLoader(asset),
    )  # fmt: skip
    # what `svg` writes is escaped there, attribute by attribute
    environment.filters["svg"] = Markup
    style = Markup(asset("style.css"))  # noqa: S704
    return environment.get_template(template).render({**context, "style": style})


def asset(name: str) -> str:
    """The text of a file of this folder."""
    return files("acmodels.reporting").joinpath(name).read_text(encoding="utf-8")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
