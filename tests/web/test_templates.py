"""The one template environment: what is escaped, and what is an error."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib import resources
from pathlib import Path

import jinja2
import pytest

import uhcs_bench
from uhcs_bench.scoring.results import MeanScore
from uhcs_bench.web import templates

HOSTILE = "<b>'\"&"
ESCAPED = "&lt;b&gt;&#39;&#34;&amp;"


def test_html_is_escaped():
    """Check a template that is given as text, as one of HTML is."""
    template = templates.environment().from_string("{{ text }}")
    assert template.render(text=HOSTILE) == ESCAPED


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("scoring/templates/page.html.jinja", True),
        ("ranking/templates/index.html.jinja", True),
        ("ranking/entries/entry.yaml.jinja", False),
        ("exporters/card.md.jinja", False),
    ],
)
def test_escaping_follows_the_kind_of_file(name, escaped):
    """Check that pages are escaped, YAML and Markdown are not."""
    autoescape = templates.environment().autoescape
    assert autoescape(name) is escaped


def test_every_template_of_the_package_compiles():
    """Check all templates, so that none is left out of the loader."""
    package = resources.files("uhcs_bench")
    names = [
        path.relative_to(package).as_posix()
        for path in sorted(package.rglob("*.jinja"))  # type: ignore[attr-defined]
    ]
    assert len(names) >= 8
    for name in names:
        assert templates.environment().get_template(name).name == name


def test_undefined_variables_are_an_error():
    """Check that a template can't show nothing for a name that is wrong."""
    with pytest.raises(jinja2.UndefinedError, match="missing"):
        templates.environment().from_string("{{ missing }}").render()


def test_filters_write_numbers():
    """Check the filters that pages use."""
    score = MeanScore(mean=0.5, se=0.01, n=3, ci95=(0.4, 0.6))
    text = "{{ e | mean_se }}, {{ e.ci95 | interval }}, {{ none | sortable }}, {{ 'ü\"' | quoted }}"
    template = templates.environment().from_string(
        "{% autoescape false %}" + text + "{% endautoescape %}"
    )
    assert template.render(e=score) == '50.0 ± 1.0, 40.0 to 60.0, , "ü\\""'


def rooms_of_named_files():
    """List which room's files a room's code and templates name, as import-linter does not see."""
    package = Path(uhcs_bench.__file__).parent
    for path in sorted(package.rglob("*")):
        if path.suffix in {".py", ".jinja"}:
            for name in re.findall(r'"(\w+/[\w/.]+\.(?:jinja|css|js))"', path.read_text("utf-8")):
                yield path.relative_to(package), name


def test_rooms_name_their_own_files_and_those_of_web():
    """Check templates, styles and scripts: no room takes those of a room beside or above it."""
    found = list(rooms_of_named_files())
    assert len(found) >= 10
    for path, name in found:
        assert name.split("/")[0] in (path.parts[0], "web"), f"{path} names {name}"
        assert (Path(uhcs_bench.__file__).parent / name).is_file(), f"{path} names {name}"


def test_pages_allow_their_own_style_and_script_alone():
    """Check the hashes against what stands in the page, with what a page adds."""
    shared = templates.inline(".mine { color: red }", "start()")
    assert shared["css"].endswith(".mine { color: red }")
    assert shared["script"].endswith("start()")
    for name in ("css", "script"):
        digest = hashlib.sha256(shared[name].encode()).digest()
        assert shared[f"{name}_hash"] == f"sha256-{base64.b64encode(digest).decode()}"


def test_page_is_written_with_names_that_are_no_text(tmp_path):
    """Check a byte that is no Unicode, and a second page in place of the first."""
    path = templates.write_page(tmp_path / "new" / "folder", "a\udcff")
    assert path.read_bytes() == b"a?"
    assert templates.write_page(path.parent, "again") == path
    assert [*path.parent.iterdir()] == [path]
    assert path.read_text("utf-8") == "again"
