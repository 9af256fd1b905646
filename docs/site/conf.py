"""The documentation site: pages by hand, and pages made from the registry and the models."""

import sys
from importlib import import_module
from importlib.metadata import version as installed
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
made = import_module("made")

project = "acmodels"
author = "the acmodels authors"
version = release = installed("acmodels")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 2
exclude_patterns = ["_build"]
html_theme = "pydata_sphinx_theme"
html_theme_options = {"show_prev_next": False, "header_links_before_dropdown": 4}
html_sidebars = {"index": []}
html_copy_source = False
html_title = "acmodels"
autodoc_typehints = "description"
autodoc_member_order = "bysource"
add_module_names = False
nitpicky = False

made.write(HERE)
