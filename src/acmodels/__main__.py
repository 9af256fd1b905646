"""`python -m acmodels`."""

from acmodels.cli import run

run()
