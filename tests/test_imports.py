"""What importing the package, and running a command, does not load."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import uhcs_bench
from uhcs_bench import cli
from uhcs_bench.data import label_maps

HEAVY = {
    *("scipy", "skimage", "requests", "torch", "matplotlib", "pooch", "tifffile", "PIL", "numpy"),
    *("http", "ssl", "tabulate", "jinja2", "pandas", "yaml", "jsonschema", "multiprocessing"),
}
"""Packages of which each takes longer to import than the help of a command takes to print."""

LIGHT = {
    "import uhcs_bench": set(),
    "import uhcs_bench.cli": set(),
    "import uhcs_bench; uhcs_bench.score; uhcs_bench.load": {"numpy"},
}
"""What some code may import of `HEAVY`."""

SCORING = {
    "score PREDS --format json": {"numpy", "PIL"},
    "score PREDS --format csv": {"numpy", "PIL"},
    "compare PREDS MORE --format json": {"numpy", "PIL"},
    "score PREDS": {"numpy", "PIL", "tabulate"},
    "compare PREDS MORE": {"numpy", "PIL", "tabulate"},
}
"""What a command on real data may import of `HEAVY`, after those above it in one process."""

PROGRAM = """
import json, sys
from uhcs_bench.cli import main
for line in json.loads(sys.argv[1]):
    main(line, prog_name="uhcs-bench", standalone_mode=False)
    print(json.dumps([*sys.modules]), file=sys.stderr)
"""


def loaded_after(code, *arguments):
    """Heavy packages, and commands, that a fresh interpreter has after each line on its stderr."""
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return [
        {n for n in json.loads(line) if n.partition(".")[0] in HEAVY or ".cli." in n}
        for line in result.stderr.splitlines()
        if line.startswith("[")
    ]


def heavy(modules):
    return HEAVY & {name.partition(".")[0] for name in modules}


@pytest.mark.parametrize("code", LIGHT)
def test_import_loads_nothing_heavy(code):
    """Check that the package itself is light, and needs NumPy alone to score cached data."""
    shown = "\nimport json, sys; print(json.dumps([*sys.modules]), file=sys.stderr)"
    (modules,) = loaded_after(code + shown)
    assert heavy(modules) == LIGHT[code]


def test_help_loads_nothing_heavy():
    """Check the list of commands, which imports none of them, and then the help of each."""
    lines = [["--help"], ["--version"], *([name, "--help"] for name in cli.SUMMARIES)]
    first, second, *others = loaded_after(PROGRAM, json.dumps(lines))
    assert first == second == {"uhcs_bench.cli.common"}
    for (name, _), modules in zip(lines[2:], others, strict=True):
        assert not heavy(modules), name
    assert {f"uhcs_bench.cli.{name}" for name in cli.SUMMARIES} < others[-1]


@pytest.mark.slow
@pytest.mark.usefixtures("real_data")
def test_scoring_loads_no_scipy(tmp_path):
    """Check that scoring and comparing cached data needs neither scipy nor what fetches."""
    for micrograph in uhcs_bench.load("particles"):
        for name in ("PREDS", "MORE"):
            label_maps.write_label_map(
                tmp_path / name / f"{micrograph.id}.png", micrograph.labels[::-1]
            )
    lines = [
        [str(tmp_path / word) if word.isupper() else word for word in line.split()]
        for line in SCORING
    ]
    found = loaded_after(PROGRAM, json.dumps(lines))
    assert dict(zip(SCORING, map(heavy, found), strict=True)) == SCORING


@pytest.mark.parametrize("name", cli.SUMMARIES)
def test_summary_is_the_first_sentence_of_the_help(name):
    """Check the list of commands, which is written without importing them, against their help."""
    command = cli.main.commands[name]
    assert command.name == name
    assert command.get_short_help_str(100) == cli.SUMMARIES[name]


def test_there_is_no_command_without_a_summary():
    """Check that a name that is no command is none, though a module has it."""
    assert [*cli.main.commands] == sorted(cli.SUMMARIES)
    for name in ("common", "progress", "nothing"):
        assert name not in cli.main.commands
        with pytest.raises(KeyError):
            _ = cli.main.commands[name]


def test_public_names_exist():
    """Check that everything in __all__ and dir() can be had, and nothing else."""
    for name in uhcs_bench.__all__:
        assert getattr(uhcs_bench, name) is not None
    assert dir(uhcs_bench) == sorted(uhcs_bench.__all__)
    with pytest.raises(AttributeError, match="attribute nothing"):
        _ = uhcs_bench.nothing
