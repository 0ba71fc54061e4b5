"""How Sphinx builds the documentation; knows its extensions, not where the sources come from (`docs/build.py` does)."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import distal

sys.path.insert(0, str(Path(__file__).parent))  # the gallery imports from there, too
import pictures

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx

project, author, copyright = "distal", "The distal developers", "the distal developers"
version = release = distal.__version__
root_doc = "index"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["examples/**", "gallery/**/*.ipynb", "gallery/**/*.py"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
suppress_warnings = ["ref.python"]  # annotations name types in short, as the modules import them
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!distal\.).*")]  # what others document lies on the network

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

default_role = "code"  # docstrings write `name` for code, as Markdown does
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
toc_object_entries = False  # a thousand names in every page's margin help nobody

html_theme = "furo"
html_title = f"distal {release}"
html_static_path = ["_static"]
html_css_files = ["distal.css"]
html_show_sphinx = html_show_copyright = False

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "image_scrapers": ("pictures.shown",),
    "ignore_repr_types": r"Figure|'int'|Path|Store",
    "capture_repr": ("_repr_html_", "__repr__"),
    "subsection_order": [f"examples/{section}" for section in pictures.STORY],
    "within_subsection_order": "pictures.Told",
    "default_thumb_file": str(Path(__file__).parent / "_static" / "distal.png"),
    "reset_modules": ("pictures.styled",),
    "remove_config_comments": True,
    "plot_gallery": "True",
    "show_memory": False,
    "write_computation_times": False,
    "show_signature": False,
    "min_reported_time": 5,
    "thumbnail_size": (400, 280),
    "download_all_examples": False,
}


def setup(app: Sphinx) -> None:
    """What Sphinx asks while it builds."""
    app.connect("autodoc-process-docstring", plain)
    app.connect("missing-reference", undocumented)


def plain(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Docstrings write sizes as ``|score|``, which reStructuredText takes for a name to be replaced."""
    lines[:] = [line if "``" in line else line.replace("|", r"\|") for line in lines]


def undocumented(app: Sphinx, env: object, node: pending_xref, content: nodes.Element) -> nodes.Element | None:
    """A type that is there but has no page stays without a link; one that isn't there is warned of."""
    if node.get("refdomain") != "py":
        return None
    module, _, name = node["reftarget"].rpartition(".")
    if not module.startswith("distal"):
        return None
    try:
        return content if hasattr(importlib.import_module(module), name) else None
    except ImportError:
        return None
