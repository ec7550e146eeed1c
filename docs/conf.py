"""Configuration of the documentation site: ``sphinx-build -W docs docs/_build/html``."""

from __future__ import annotations

import sys
import types
import warnings
from pathlib import Path

HERE = Path(__file__).parent
# The baselines are not a part of the installed package.
sys.path[:0] = [str(HERE.parent), str(HERE)]

import pages  # noqa: E402
import pictures  # noqa: E402

import uhcs_bench  # noqa: E402

project = "uhcs-bench"
author = "The uhcs-bench developers"
copyright = author  # noqa: A001
version = release = uhcs_bench.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_click",
    "sphinx_copybutton",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "jupyter_execute"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 300

# numpydoc also reads docstrings of what a module imports, and warns about their sections.
warnings.filterwarnings("ignore", message="Unknown section", module="numpydoc")

autosummary_generate = True
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "none"  # they are in numpydoc's sections
numpydoc_show_class_members = False
# What is typed, but not what it answers.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = f"uhcs-bench {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    # Okabe and Ito's blue, which has a contrast of more than 4.5 : 1 on white.
    "light_css_variables": {
        "color-brand-primary": "#005a91",
        "color-brand-content": "#005a91",
        "color-foreground-muted": "#55595f",
    },
    "dark_css_variables": {"color-brand-primary": "#7cc4f5", "color-brand-content": "#7cc4f5"},
}


def setup(app):
    app.connect("builder-inited", lambda _: pictures.write(HERE / "generated"))
    app.connect("builder-inited", lambda _: pages.write(HERE))
    app.connect("html-page-context", level_captions, priority=900)  # after the theme's
    app.connect("sphinx-click-process-epilog", show_examples)
    app.connect("autodoc-skip-member", skip_aliases)


def level_captions(app, pagename, templatename, context, doctree):
    """Give the captions of the tree of pages the level that screen readers need."""
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace(
        'role="heading"', 'role="heading" aria-level="2"'
    )


def skip_aliases(app, what, name, obj, skip, options):
    """Leave out aliases such as dict[str, Any], which numpydoc takes for classes."""
    return True if isinstance(obj, types.GenericAlias) else None


def show_examples(app, context, lines):
    """Show a command's examples as code, and exit codes that differ from its group's."""
    shown = sections(context.command.epilog)
    if context.parent is not None:
        known = sections(context.parent.command.epilog).items()
        shown = {title: body for title, body in shown.items() if (title, body) not in known}
    lines[:] = [
        line
        for title, body in shown.items()
        for line in (f".. rubric:: {title}", "", ".. code-block:: text", "", *body, "")
    ]


def sections(epilog):
    """Titles, which end in a colon, with the indented lines below."""
    found = {}
    for line in (epilog or "").replace("\b", "").splitlines():
        if line.endswith(":") and not line.startswith(" "):
            body = found.setdefault(line.removesuffix(":"), [])
        elif line.strip():
            body.append(line)
    return found
