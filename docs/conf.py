"""Sphinx: `pip install -e '.[docs]'`, then `sphinx-build -W docs build/docs`. The pages are Markdown, readable without it."""

project = "rollout-conformance"
extensions = ["myst_parser", "sphinxcontrib.mermaid"]
root_doc = "index"
exclude_patterns = ["generate.py"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]  # links to files of the repository beside this folder
html_theme = "furo"
