"""Pages of the documentation that are made from the package: commands and the glossary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uhcs_bench import cli, protocol
from uhcs_bench.measuring import biases, columns
from uhcs_bench.metrics import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_BETTER = {"higher": "higher is better", "lower": "lower is better", "zero": "0 is best"}

_COMMAND = """\
```{{eval-rst}}
.. click:: {place}
   :prog: {prog}
   :nested: full
```
"""

_COMMANDS = """\
# Commands

Results go to standard output, progress and warnings to standard error. Each page lists the exit codes. The
[first steps](../first-steps.md#complete-words-in-the-shell) show how a shell completes commands, tasks and splits.

| command | what it does |
|---|---|
{rows}

```{{toctree}}
:hidden:

{names}
```
"""

_GLOSSARY = """\
# Glossary of columns

The names in tables, CSV and JSON files. This page is made from the lists that the commands themselves read.

## Scores

Of `uhcs-bench score`, for a whole submission and for each micrograph. Fractions in CSV and JSON, percent in tables.

{scores}

`convention` is one of `paper`, `present` and `pooled`: see [the protocol](protocol.md#three-conventions). `se` is the
standard error over micrographs, `ci95_low` and `ci95_high` are the ends of the 95 % interval by micrograph,
`ci95_samples_low` and `ci95_samples_high` by heat-treated sample: see [Intervals](intervals.md). `n` is the number of
micrographs that the mean is over.

## Further measures of two maps

{further}

## Measures of a micrograph

Of `uhcs-bench measure`. The unit ends a column's name. After it, `_low` and `_high` are the ends of an interval: of a 95 %
interval for the mean of many fields of view, or, where the table says so, a lower bound of it. No conformity with a
standard is claimed. Biases are those of `uhcs-bench calibrate` with its defaults, on exact label maps of synthetic
micrographs; for the network, whose truth is that map, after Otsu's threshold. A segmentation adds its own.

{measured}
"""


def write(folder: Path) -> None:
    """Write the pages of the commands and the glossary into the folder of the documentation."""
    _write_commands(folder / "cli")
    (folder / "glossary.md").write_text(glossary(), encoding="utf-8")


def _write_commands(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    rows = []
    for name, command in cli.main.commands.items():
        place = f"{command.callback.__module__}:{name}"
        prog = f"uhcs-bench {name}"
        text = _COMMAND.format(place=place, prog=prog)
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
        rows.append(f"| [`{prog}`]({name}.md) | {command.get_short_help_str(100)} |")
    prog = "python -m baselines"
    text = _COMMAND.format(place="baselines.__main__:main", prog=prog)
    (folder / "baselines.md").write_text(text, encoding="utf-8")
    rows.append(f"| [`{prog}`](baselines.md) | Reference methods; from a clone. |")
    names = "\n".join([*cli.main.commands, "baselines"])
    page = _COMMANDS.format(rows="\n".join(rows), names=names)
    (folder / "index.md").write_text(page, encoding="utf-8")


def glossary() -> str:
    """Text of the glossary."""
    scores = [
        (f"`{s.name}`", "IU (IoU, Jaccard index): " * (s.name == "IU") + s.long_name)
        for s in table.SCORES
    ]
    ks = "share of micrographs on which the KS test does not reject equal sizes"
    scores.append(("`KS`, `ks_score`", ks))
    return _GLOSSARY.format(
        scores=_table(("column", "meaning"), scores),
        further=_table(("measure", "unit", "better"), _further()),
        measured="\n\n".join(
            f"### {task.capitalize()}\n\n" + _table(_MEASURED, _measured(task))
            for task in protocol.TASKS
        ),
    )


_MEASURED = ("columns", "meaning", "symbol", "standard", "interval", "bias")


def _further() -> Iterator[tuple[str, ...]]:
    for measure in table.MEASURES:
        if measure.long_name:
            per_class = " of each class" if measure.per_class else ""
            better = _BETTER.get(measure.better or "", "")
            yield f"{measure.long_name}{per_class}", measure.unit, better


def _measured(task: protocol.TaskName) -> Iterator[tuple[str, ...]]:
    for measure in columns.MEASURES[task]:
        names = [c.name for c in measure.columns if not c.name.endswith(("_low", "_high"))]
        interval = measure.interval.replace("holds", "95 %")
        shown = ", ".join(f"`{name}`" for name in names)
        has_bias = measure.dimension not in ("word", "count", "px", "um")
        bias = biases.text(measure.name, task).removeprefix("bias ") if has_bias else ""
        yield shown, measure.text, measure.symbol, measure.standard, interval, bias


def _table(headers: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(headers), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
