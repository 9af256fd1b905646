"""A world in which the framework's arrows hold as a scenario says, and the studies made in it.

What causes what is read from the framework's graph, and how much from its `sizes.toml`. A
`Scenario` says how large the world is, which arrows are other than there, and how people answer;
`flow` lets the variables run through the waves, `answers` has people report on them, `tables`
makes the tables of a study, and `truth` says every coefficient and every effect that follows from
them.
"""

from acmodels.worlds.arrows import Arrow, CauseTerm, Variable, variables
from acmodels.worlds.making import World, world
from acmodels.worlds.scenario import Scenario, scenario, scenarios

__all__ = [
    "Arrow",
    "CauseTerm",
    "Scenario",
    "Variable",
    "World",
    "scenario",
    "scenarios",
    "variables",
    "world",
]
