"""The page: controls on the left, the curve and what it says on the right."""

import asyncio
import contextlib
import hashlib
import logging
import socket
from concurrent.futures import Executor
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from acmodels.errors import AcmodelsError, InputError
from acmodels.load import load_plan
from acmodels.numbers import decimal, number
from acmodels.planner.curve import Memory, estimates
from acmodels.planner.settings import Control, controls, plan_of, plans
from acmodels.replication import job_key
from acmodels.replication.block import run_block_alone
from acmodels.replication.criterion import power_job
from acmodels.replication.loop import warm_workers
from acmodels.replication.pilot import to_toml
from acmodels.reporting.run_page import power_parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from shiny import App

HOST = "127.0.0.1"
STEADY = 0.05
"""Seconds that controls must rest before a new curve is begun; the page itself waits a quarter."""
_LOG = logging.getLogger(__name__)


def serve(port: int, workers: int, opened: "Callable[[str], None]") -> None:
    """Serve the planner until the process is interrupted.

    Args:
        port: to listen on; 0 for any free port.
        workers: that fit at once.
        opened: told of the page's address once it can be opened.

    Raises:
        InputError: the port is taken, or Shiny is not installed.
    """
    try:
        import uvicorn
    except ImportError:
        raise InputError(
            "the planner needs Shiny, which is not installed: pip install 'acmodels[planner]'"
        ) from None
    import_module("statsmodels.api")  # takes seconds: now, not when the first curve is there
    try:
        listening = socket.create_server((HOST, port))
    except (OSError, OverflowError) as error:
        raise InputError(f"--port: {HOST}:{port} cannot be used: {error}") from None
    with listening, warm_workers(workers) as pool:
        _warm(pool, workers)
        config = uvicorn.Config(application(pool, workers), log_level="warning", ws="auto")
        opened(f"http://{HOST}:{listening.getsockname()[1]}")
        uvicorn.Server(config).run(sockets=[listening])


def _warm(pool: Executor, workers: int) -> None:
    """Have the workers fit the first plan once before the page is opened."""
    plan = load_plan(plan_of(next(iter(plans())), {}))
    job = power_job(plan, 1, "auto", None, None)
    for k in range(2 * workers):
        pool.submit(run_block_alone, job, job_key(job), k % len(job.cells), 0)


def application(pool: Executor, workers: int) -> "App":
    """The Shiny application.

    Args:
        pool: runs blocks of replicates.
        workers: that it has.
    """
    from shiny import App

    def start(inputs: Any, outputs: Any, session: Any) -> None:
        _session(inputs, outputs, session, pool, workers)

    return App(_page(), start)


def _page() -> Any:
    from shiny import ui

    style = files("acmodels.reporting").joinpath("style.css").read_text(encoding="utf-8")
    own = files("acmodels.planner").joinpath("planner.css").read_text(encoding="utf-8")
    return ui.page_fluid(
        ui.tags.head(
            ui.tags.meta(name="viewport", content="width=device-width, initial-scale=1"),
            ui.tags.link(rel="icon", href="data:,"),
            ui.tags.style(style + own),
        ),
        ui.tags.a("Skip to the curve", href="#curve", class_="skip"),
        ui.tags.div(
            ui.tags.form(
                ui.input_select("design", "Design", dict(plans())),
                ui.output_ui("moves"),
                ui.input_checkbox("sizes", "Compare half and double the innermost number"),
                class_="controls",
                aria_label="The study",
                onsubmit="return false",
            ),
            ui.tags.main(
                ui.tags.h1("How large a study?"),
                ui.output_ui("shown"),
                ui.tags.p(
                    ui.download_button("plan", "Plan file"),
                    ui.download_button("methods", "Methods paragraph"),
                    class_="downloads",
                ),
                id="curve",
            ),
            class_="planner",
        ),
        title="acmodels planner",
        lang="en",
    )


def _moves(name: str) -> Any:
    """The controls of a design."""
    from shiny import ui

    made = [_control(name, k, c) for k, c in enumerate(controls(name))]
    return ui.TagList(*made)


def _control(name: str, k: int, c: Control) -> Any:
    from shiny import ui

    if c.key.startswith("cost "):
        return ui.input_numeric(f"{name}_{k}", c.label, int(c.value), min=c.low, step=c.step)
    return ui.input_slider(f"{name}_{k}", c.label, c.low, c.high, c.value, step=c.step, ticks=False)


def _session(inputs: Any, outputs: Any, session: Any, pool: Executor, workers: int) -> None:
    """One open page."""
    from shiny import reactive, render, ui

    now: Any = reactive.value(None)
    running: list[asyncio.Task[None]] = []
    memory = Memory()

    @render.ui
    def moves() -> Any:
        return _moves(inputs.design())

    @reactive.calc
    def table() -> dict[str, Any]:
        name = inputs.design()
        every = controls(name)
        given = [(c, inputs[f"{name}_{k}"]()) for k, c in enumerate(every)]
        held = {c.key: min(max(float(v), c.low), c.high) for c, v in given if v is not None}
        return plan_of(name, held, sizes=inputs.sizes())

    async def follow(contents: dict[str, Any]) -> None:
        await asyncio.sleep(STEADY)
        try:
            async for found in estimates(load_plan(contents), pool, workers, memory=memory):
                async with reactive.lock():
                    now.set(found)
                    await reactive.flush()
        except AcmodelsError as error:
            async with reactive.lock():
                now.set(str(error))
                await reactive.flush()

    @reactive.effect
    def begin() -> None:
        contents = table()
        for task in running:
            task.cancel()
        running[:] = [asyncio.create_task(follow(contents))]

    def stop() -> None:
        for task in running:
            task.cancel()

    session.on_ended(stop)

    @render.ui
    def shown() -> Any:
        found = now()
        if found is None:
            return ui.tags.p("The first studies are being simulated …", role="status")
        if isinstance(found, str):
            return ui.tags.p(found, role="alert")
        return _shown(found)

    @render.download_button(filename="plan.toml")
    def plan() -> Any:
        yield to_toml(table(), "From the planner; run `acmodels power plan.toml`.")

    @render.download_button(filename="methods.txt")
    def methods() -> Any:
        found = now()
        yield "" if found is None or isinstance(found, str) else power_parts(found)["methods"]

    for made in (moves, shown, plan, methods):
        outputs(made)


def _shown(found: Any) -> Any:
    """The curve, how sure it is, and what it says."""
    from shiny import ui

    parts = power_parts(found)
    error = found.table["mcse"].max()
    n = min(len(o.replicates) for o in found.result.outcomes)
    rows = [
        ui.tags.tr(*(ui.tags.td(_cell(v)) for v in row))
        for row in found.table[[*found.plan.grid, "power", "mcse", "cost"]].itertuples(index=False)
    ]
    heads = [*found.plan.grid, "power", "standard error", "cost"]
    return ui.TagList(
        ui.tags.figure(
            ui.HTML("".join(parts["charts"])),
            ui.tags.figcaption(
                f"{n:,} simulated studies of each design so far; "
                f"Monte Carlo standard error at most {decimal(error, 3)}.",
                id="state",
            ),
            data_plan=hashlib.sha256(repr(found.plan.table).encode()).hexdigest()[:12],
        ),
        ui.tags.ul(*(ui.tags.li(s) for s in parts["sentences"]), id="answers"),
        ui.tags.details(
            ui.tags.summary("Numbers"),
            ui.tags.div(
                ui.tags.table(
                    ui.tags.thead(ui.tags.tr(*(ui.tags.th(h, scope="col") for h in heads))),
                    ui.tags.tbody(*rows),
                    class_="plain",
                ),
                class_="scroll",
            ),
        ),
        ui.tags.p(parts["methods"], id="methods-text", class_="quiet"),
    )


def _cell(value: Any) -> str:
    with contextlib.suppress(TypeError, ValueError):
        return number(float(value), 4)
    return str(value)
