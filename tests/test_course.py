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
RIGHT = {"1.1": 2.8, "1.2": 143, "2.1": 0.5, "2.2": 4, "3.1": 0.3, "3.2": 0.17, "4.1": 0.556,
         "4.2": 0.32, "5.1": 0.025, "5.2": 1.0, "6.1": 0.0126, "6.2": 1600}  # fmt: skip


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
    assert done.stdout.count("not answered yet") == 2
