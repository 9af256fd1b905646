"""The course: every lesson runs, and its exercises tell right answers from wrong ones."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

COURSE = Path(__file__).parents[1] / "course"
LESSONS = sorted(p.name for p in COURSE.glob("lesson_*.py"))
SPEC = importlib.util.spec_from_file_location("exercises", COURSE / "exercises.py")
assert SPEC is not None
assert SPEC.loader is not None
EXERCISES = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(EXERCISES)
RIGHT = {
    "1.1": 2.8, "1.2": 143, "1.3": 192, "1.4": 200, "1.5": 0.8,
    "2.1": 0.5, "2.2": 4, "2.3": 0.909, "2.4": 3, "2.5": 0.383,
    "3.1": 0.3, "3.2": 0.17, "3.3": 0.6, "3.4": 0.1166, "3.5": 0.2,
    "4.1": 0.556, "4.2": 0.32, "4.3": 0.75, "4.4": 10, "4.5": 0.4,
    "5.1": 0.025, "5.2": 1.0, "5.3": 0.691, "5.4": 0.999375, "5.5": 0.1,
    "6.1": 0.0126, "6.2": 1600, "6.3": 7.07, "6.4": 0.28, "6.5": 80,
}  # fmt: skip


def test_exercises_tell_right_from_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(EXERCISES.RIGHT) == set(RIGHT)
    for exercise, answer in RIGHT.items():
        assert EXERCISES.check(exercise, answer) is True, exercise
        assert EXERCISES.check(exercise, answer * 1.1 + 0.01) is False, exercise
        assert EXERCISES.check(exercise, None) is None
    text = "".join((COURSE / n).read_text(encoding="utf-8") for n in LESSONS)
    assert all(f'check("{e}", answer)' in text for e in RIGHT)


@pytest.mark.slow
@pytest.mark.parametrize("lesson", LESSONS)
def test_the_lesson_runs(lesson: str) -> None:
    done = subprocess.run(
        [sys.executable, lesson], cwd=COURSE, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-1500:]
    assert done.stdout.count("not answered yet") == 5


@pytest.mark.parametrize("lesson", LESSONS)
def test_the_lesson_is_a_notebook(lesson: str) -> None:
    import jupytext

    notebook = jupytext.read(COURSE / lesson)  # what course/README.md asks for
    kinds = [c.cell_type for c in notebook.cells]
    assert kinds.count("markdown") > 3
    assert kinds.count("code") > 3
    assert jupytext.writes(notebook, fmt="ipynb").startswith("{")
