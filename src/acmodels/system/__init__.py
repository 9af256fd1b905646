"""A model meets a study: named arrays that every engine and estimand reads."""

from acmodels.system.arrays import Responses
from acmodels.system.build import build_layout, build_system
from acmodels.system.equation import Column, EquationLayout
from acmodels.system.groups import Block, Member
from acmodels.system.layout import Layout, Variable
from acmodels.system.rows import group_labels, study_for
from acmodels.system.structural import Parameter, parameters
from acmodels.system.system import Joint, System, Treatment

__all__ = [
    "Block",
    "Column",
    "EquationLayout",
    "Joint",
    "Layout",
    "Member",
    "Parameter",
    "Responses",
    "System",
    "Treatment",
    "Variable",
    "build_layout",
    "build_system",
    "group_labels",
    "parameters",
    "study_for",
]
