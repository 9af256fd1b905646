"""What a person at the planner waits for, in headless Chromium.

python benchmarks/planner.py [TIMES]: for each of three controls (an effect, the target, a cost),
moved TIMES times: seconds until the picture is of the plan as moved, and until all is in.
"""

import re
import shutil
import statistics
import subprocess
import sys
import time

from playwright.sync_api import Page, sync_playwright

from acmodels.planner import controls

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
DESIGN = "plan_crossed_partnerships"
KEYS = ("truth learning ~ routines", "target", "cost district")


def moved(page: Page, key: str, value: float) -> tuple[float, float]:
    """Seconds from a move to the first picture of the new plan, and to the last one."""
    k = [c.key for c in controls(DESIGN)].index(key)
    before = page.get_attribute("figure", "data-plan")
    started = time.perf_counter()
    page.evaluate(
        """([id, value]) => {
            const slider = window.jQuery('#' + id).data('ionRangeSlider');
            if (slider) slider.update({from: value});
            else window.jQuery('#' + id).val(value);
            window.jQuery('#' + id).trigger('change');
        }""",
        [f"{DESIGN}_{k}", value],
    )
    page.wait_for_function(
        "before => document.querySelector('figure')?.dataset.plan !== before", arg=before,
        polling=20,
    )  # fmt: skip
    first = time.perf_counter() - started
    page.wait_for_function(
        "() => document.querySelector('#state').textContent.startsWith('1,000 ')",
        polling=20, timeout=60_000,
    )  # fmt: skip
    return first, time.perf_counter() - started


def main(times: int) -> None:
    command = [sys.executable, "-m", "acmodels", "planner", "--no-browser"]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.readline() if process.stdout else ""
        address = re.findall(r"http://127\.0\.0\.1:\d+", said)
        print(f"page served after {time.perf_counter() - started:.1f} s")
        with sync_playwright() as p:
            path = shutil.which("chromium") or shutil.which("chromium-browser")
            browser = p.chromium.launch(executable_path=path, args=FLAGS)
            page = browser.new_page()
            page.goto(address[0])
            page.wait_for_selector("#state", timeout=60_000)
            print(f"first curve after {time.perf_counter() - started:.1f} s")
            time.sleep(1)
            for key in KEYS:
                at = next(c for c in controls(DESIGN) if c.key == key)
                waits = [
                    moved(page, key, at.value + (at.step if i % 2 == 0 else 0) + 2 * at.step * i)
                    for i in range(times)
                ]
                first, last = (sorted(w) for w in zip(*waits, strict=True))
                print(
                    f"{key}: first {statistics.median(first):.2f} s "
                    f"({first[0]:.2f} to {first[-1]:.2f}), "
                    f"all {statistics.median(last):.2f} s ({last[0]:.2f} to {last[-1]:.2f})"
                )
            browser.close()
        process.terminate()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
