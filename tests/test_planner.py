"""The planner: what is moved becomes a plan, its numbers are those of `power`, its page works."""

import asyncio
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

import acmodels as ac
from acmodels.cli import run as cli
from acmodels.load import load_plan
from acmodels.planner import controls, plan_of
from acmodels.planner.curve import Memory, estimates
from acmodels.planner.settings import plans
from acmodels.replication.pilot import to_toml
from acmodels.replication.power import Power

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.mark.parametrize("name", plans())
def test_every_usual_design_becomes_a_plan(name: str) -> None:
    plan = load_plan(plan_of(name, {}))
    shipped = load_plan(name)
    assert plan.grid["district"][-1] == shipped.grid["district"][-1]
    truth = dict(plan.cells[-1].design.truth)
    for key, value in shipped.cells[-1].design.truth.items():
        assert truth[key] == pytest.approx(value, abs=0.02)  # an ICC has two digits
    assert plan.cells[0].cost is not None
    moved = plan_of(name, {"attrition": 0.1}, sizes=True)
    assert tomllib.loads(to_toml(moved)) == moved  # what is downloaded is what was looked at


def test_what_is_moved_is_in_the_plan() -> None:
    name = "plan_crossed_partnerships"
    moved = {
        "districts": 120, "partnership.n": 4, "truth learning ~ routines": 0.15,
        "icc learning": 0.2, "attrition": 0.25, "target": 0.9, "cost district": 700,
    }  # fmt: skip
    plan = load_plan(plan_of(name, moved, sizes=True))
    assert plan.grid == {"district": (24, 48, 72, 96, 120), "partnership.n": (2, 4, 8)}
    last = plan.cells[-1].design
    assert last.truth["learning ~ routines"] == 0.15
    sd = last.truth["sd(learning ~ 1 | district)"]
    rest = 1 + last.truth["sd(learning ~ 1 | partner)"] ** 2
    assert sd**2 / (sd**2 + rest) == pytest.approx(0.2, abs=1e-3)
    assert last.loss.attrition == 0.25
    assert plan.criterion.target == 0.9
    assert plan.cells[0].cost == 24 * 700 + 24 * 2 * 400


def test_every_control_changes_the_plan() -> None:
    for name in plans():
        base = plan_of(name, {})
        for c in controls(name):
            other = c.low if c.value != c.low else c.high
            assert plan_of(name, {c.key: other}) != base, (name, c.key)


def test_the_curve_ends_with_the_numbers_of_power() -> None:
    table = plan_of("plan_crossed_partnerships", {"districts": 20}) | {"replications": 60}
    plan = load_plan(table)

    async def last() -> tuple[int, Power]:
        seen, found = 0, None
        with ThreadPoolExecutor(2) as pool:
            async for found in estimates(plan, pool, 2):  # noqa: B007
                seen += 1
        assert found is not None
        return seen, found

    seen, found = asyncio.run(last())
    assert seen >= 1
    expected = ac.power(plan, replications=60)
    assert found.table.equals(expected.table)


def test_a_target_that_is_moved_asks_for_nothing_new() -> None:
    name = "plan_crossed_partnerships"
    memory = Memory()
    asked: list[object] = []

    class Counting(ThreadPoolExecutor):
        def submit(self, *given: Any, **named: Any) -> Any:
            asked.append(given)
            return super().submit(*given, **named)

    async def last(values: dict[str, float]) -> Power:
        plan = load_plan(plan_of(name, {"districts": 20} | values) | {"replications": 40})
        found = None
        with Counting(1) as pool:
            async for found in estimates(plan, pool, 1, memory=memory):  # noqa: B007
                pass
        assert found is not None
        return found

    first = asyncio.run(last({}))
    n = len(asked)
    assert n == 2 * len(first.plan.cells)
    again = asyncio.run(last({"target": 0.6, "cost district": 10}))
    assert len(asked) == n
    assert again.plan.criterion.target == 0.6
    assert again.table["power"].equals(first.table["power"])
    assert not again.table["cost"].equals(first.table["cost"])
    asyncio.run(last({"truth learning ~ routines": 0.5}))
    assert len(asked) == 2 * n
    back = asyncio.run(last({}))
    assert len(asked) == 2 * n
    assert back.table.equals(first.table)


def test_a_first_block_that_comes_last_is_waited_for() -> None:
    """Workers finish in any order, also after a control was moved away and back."""
    plan = load_plan(plan_of("plan_crossed_partnerships", {"districts": 20}) | {"replications": 60})
    cells = len(plan.cells)

    class Late(ThreadPoolExecutor):
        """Hands over the first block of the first design a second late."""

        def submit(self, call: Any, /, *given: Any, **named: Any) -> Any:
            first = given[-2:] == (0, 0)

            def run() -> Any:
                done = call(*given, **named)
                if first:
                    time.sleep(1.0)
                return done

            return super().submit(run)

    async def all_of(memory: Memory) -> list[Power]:
        with Late(16) as pool:
            return [p async for p in estimates(plan, pool, 16, memory=memory)]

    memory = Memory()
    expected = ac.power(plan, replications=60)
    assert asyncio.run(all_of(memory))[-1].table.equals(expected.table)
    ((_, done),) = memory.jobs.values()
    assert len(done) == cells
    del done[0][0]  # as after a control was moved away while it was being fitted
    assert asyncio.run(all_of(memory))[-1].table.equals(expected.table)
    fewer = replace(plan, replications=20)

    async def last() -> Power:
        with ThreadPoolExecutor(1) as pool:
            return [p async for p in estimates(fewer, pool, 1, memory=memory)][-1]

    assert asyncio.run(last()).table.equals(ac.power(fewer, replications=20).table)


def test_a_port_that_is_taken_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit) as done:
        cli(["planner", "--no-browser", "--port", str(taken.getsockname()[1])])
    assert done.value.code == 2
    assert "--port" in capsys.readouterr().err


@pytest.fixture
def address() -> Iterator[str]:
    command = [sys.executable, "-m", "acmodels", "planner", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found is not None
        yield found[0]
        process.terminate()


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_the_page(address: str) -> None:
    """Moving each control redraws the curve; nothing is asked of another host."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 390, "height": 844})
        asked: list[str] = []
        page.on("request", lambda r: asked.append(r.url))
        page.goto(address)
        page.wait_for_selector("#state", timeout=60_000)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        for k, c in enumerate(controls("plan_crossed_partnerships")):
            box = page.locator(f"#plan_crossed_partnerships_{k}")
            before = page.get_attribute("figure", "data-plan")
            if c.key.startswith("cost "):
                box.fill(str(int(c.value) + 1000))
                box.press("Tab")
            else:  # by keyboard, as the slider's own handle takes it
                handle = page.locator(f".shiny-input-container:has(#{box.get_attribute('id')})")
                handle.locator(".irs-line, .irs-handle").first.click(force=True)
                page.keyboard.press("ArrowRight")
            until = time.monotonic() + 60
            while page.get_attribute("figure", "data-plan") == before:
                assert time.monotonic() < until, c.key
                time.sleep(0.1)
        with page.expect_download() as got:
            page.get_by_role("link", name="Plan file").click()
        text = got.value.path().read_text(encoding="utf-8")
        browser.close()
    assert "[criterion]" in text
    assert all(u.startswith((address, "data:", "blob:")) for u in asked), asked
