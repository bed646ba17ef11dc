"""Settings of the documentation site: Sphinx builds it from the Markdown pages of this folder (`make docs`)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "site"))

import generated_parts

from ermas_envs import __version__

project = "ERMAS suite"
author = "ERMAS suite maintainers"
copyright = f"2026, {author}"
release = version = __version__

extensions = ["myst_parser"]
exclude_patterns = ["site", "results/*.json"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
suppress_warnings = ["misc.highlighting_failure"]  # indented blocks are shell, tables of numbers and the like

html_theme = "furo"
html_title = "ERMAS suite"
html_static_path = ["site/static"]
html_css_files = ["site.css"]
html_show_sourcelink = False

linkcheck_timeout = 10
linkcheck_workers = 4
linkcheck_retries = 1


def setup(app):
    app.connect("source-read", generated_parts.fill_in)
