"""Data: tables in, read with warnings and notes, and asked column by column.

Cells of a CSV file stay text, exactly as written. `numeric` and `labels` say what they mean when
a model asks, and refuse what they cannot know. Rows in messages are numbered as a spreadsheet
shows them for files with a header row (which is row 1), and from 1 for others: see `row_names`.
"""

from acmodels.data.columns import kind, label_codes, labels, numeric, truth_values
from acmodels.data.files import read_study
from acmodels.data.frames import study
from acmodels.data.package import package_study, study_of
from acmodels.data.scores import items_of as items_of_construct
from acmodels.data.screening import near_duplicate_labels, sentinels
from acmodels.data.table import Finding, Study, row_names

load_study = read_study
"""The public name, as `load_model` and `load_design` are."""

__all__ = [
    "Finding",
    "Study",
    "items_of_construct",
    "kind",
    "label_codes",
    "labels",
    "load_study",
    "near_duplicate_labels",
    "numeric",
    "package_study",
    "read_study",
    "row_names",
    "sentinels",
    "study",
    "study_of",
    "truth_values",
]
