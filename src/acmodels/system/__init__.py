"""A model meets a study: named arrays that every engine and estimand reads."""

from acmodels.system.build import System, build_layout, build_system
from acmodels.system.layout import (
    Block,
    Column,
    EquationLayout,
    Layout,
    Member,
    Parameter,
    Responses,
    Variable,
    own_values,
    parameters,
)

__all__ = [
    "Block",
    "Column",
    "EquationLayout",
    "Layout",
    "Member",
    "Parameter",
    "Responses",
    "System",
    "Variable",
    "build_layout",
    "build_system",
    "own_values",
    "parameters",
]
