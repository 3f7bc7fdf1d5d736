"""HTML of README and docs/: uv run --extra docs sphinx-build -c docs . build/docs

The pages are read where they stand, so that their links hold in a checkout and in HTML alike.
"""

from pathlib import Path

from sphinx.application import Sphinx

project = "finescale"
extensions = ["myst_parser"]
include_patterns = ["*.md", "docs/*.md"]
root_doc = "README"
html_theme = "furo"
html_title = "finescale"
html_copy_source = False
html_show_copyright = False
html_static_path = ["style"]
html_css_files = ["wide.css"]
myst_heading_anchors = 3  # as hosts of Markdown name them
smartquotes = False  # else --flag becomes –flag

CHAPTERS = (
    *("docs/tutorial", "docs/examples", "docs/data", "docs/methods", "docs/verification"),
    *("docs/cordex", "docs/runs", "docs/sweeps", "docs/clusters", "docs/dl4ds", "docs/python"),
    *("docs/options", "docs/extending", "docs/reliability", "docs/performance"),
    *("ARCHITECTURE", "CONTRIBUTING", "CHANGELOG"),
)
ENTRY = '<!doctype html><meta http-equiv="refresh" content="0; url=README.html">\n'


def append_contents(_app: Sphinx, page: str, source: list[str]) -> None:
    """Give README the table of contents that Sphinx needs and hosts of Markdown would show raw."""
    if page == root_doc:
        source[0] += "\n```{toctree}\n:hidden:\n" + "\n".join(CHAPTERS) + "\n```\n"


def write_entry(app: Sphinx, _error: Exception | None) -> None:
    """Let index.html lead to README."""
    (Path(app.outdir) / "index.html").write_text(ENTRY, encoding="utf-8")


def setup(app: Sphinx) -> None:
    app.connect("source-read", append_contents)
    app.connect("build-finished", write_entry)
