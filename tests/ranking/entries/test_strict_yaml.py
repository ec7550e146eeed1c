"""The plain subset of YAML: what is read as what, and what is refused."""

from __future__ import annotations

import math
import re

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.helpers.entries import NoAliases
from uhcs_bench.ranking.entries import strict_yaml

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), max_size=20)
CONTENT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(-1e9, 1e9) | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(TEXT.filter(len), inner, max_size=3)
    ),
    max_leaves=8,
)


def same(found, expected):
    """Compare, a float up to the digits that PyYAML writes."""
    if isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=1e-12)
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[k], expected[k]) for k in found)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    return type(found) is type(expected) and found == expected


@pytest.mark.slow
@given(CONTENT)
def test_what_pyyaml_writes_is_read_back(content):
    """Check values of all kinds within each other against the library's own writer."""
    text = yaml.dump(content, Dumper=NoAliases, allow_unicode=True)
    # YAML 1.1, which PyYAML writes, has no such numbers, and leaves the text 0E0 unquoted.
    assume(not re.search(r"(?<![\w.])[-+]?[0-9][0-9_]*[eE][-+]?[0-9]", text))
    try:
        found = strict_yaml.load(text.encode())
    except strict_yaml.PlainYamlError as error:
        assert "nested deeper" in str(error)  # noqa: PT017
    else:
        assert same(found, content)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-11-22", "2026-11-22"),
        ("no", "no"),
        ("1:30", "1:30"),
        ("0x10", "0x10"),
        ("010", "010"),
        ("1_000", "1_000"),
        ("1e-3", 0.001),
        ("-5", -5),
        (".5", 0.5),
        ("true", True),
        ("~", None),
        ("=", "="),
    ],
)
def test_plain_values_are_yaml_1_2(text, value):
    """Check what YAML 1.1 would take for dates, truth and sixtieths."""
    found = strict_yaml.load(f"key: {text}".encode())["key"]
    assert (found, type(found)) == (value, type(value))


BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BOMB.encode(), "line 1: anchors and aliases"),
        (b"a: &x 1", "anchors and aliases"),
        (b"a: !!python/object/apply:os.system ['true']", "tags"),
        (b"a: !!str 1", "tags"),
        (b"!x\na: 1", "tags"),
        (b"a: 1\na: 2", "line 2: .*'a' stands there twice"),
        (b"a: {b: 1, b: 2}", "'b' stands there twice"),
        (b"1: 2", "is not a text"),
        (b"? [a]\n: 1", "not YAML|not a text"),
        (b"a: 1\n---\nb: 1", "more than one document"),
        (b"[" * 9 + b"]" * 9, "nested deeper than 8"),
        (b"[" * 60_000, "nested deeper than 8"),
        (b"a: \xff", "not UTF-8"),
        (b"a: 'open", "is not YAML"),
        (b"a: b: c", "is not YAML"),
        (b"\x00", "is not YAML"),
        (b"a: " + b"9" * 5000, "is not YAML"),
    ],
)
def test_the_rest_is_refused(content, message):
    """Check anchors, bombs, tags, repeated keys, depth, and what is no YAML at all."""
    with pytest.raises(strict_yaml.PlainYamlError, match=message):
        strict_yaml.load(content)


def test_all_problems_are_reported():
    """Check that anchors and tags are listed line by line."""
    with pytest.raises(strict_yaml.PlainYamlError) as caught:
        strict_yaml.load(b"a: &x 1\nb: *x\nc: !y 2")
    assert [problem[:6] for problem in caught.value.problems] == ["line 1", "line 2", "line 3"]


def test_merge_keys_are_only_text():
    """Check that << means nothing."""
    assert strict_yaml.load(b'"<<": {a: 1}') == {"<<": {"a": 1}}
