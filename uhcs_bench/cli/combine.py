"""The command ``uhcs-bench combine``."""

from __future__ import annotations

import math
from itertools import pairwise
from math import inf
from textwrap import fill
from typing import TYPE_CHECKING

import click

from uhcs_bench import protocol
from uhcs_bench.cli import notes
from uhcs_bench.cli.common import (
    EXIT_CODES,
    GuardedCommand,
    InputPath,
    OutputFile,
    echo,
    emit,
)
from uhcs_bench.errors import UhcsBenchError, UsageError, things
from uhcs_bench.io import atomic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from uhcs_bench.measuring.pixel_size import Scale
    from uhcs_bench.metallography.spheroidite import CombinedAnalysis

FORMATS = (".json", ".csv")

_LONGEST_NAME = 14
"""Letters of a name that leave the table room within 80 columns."""


@click.command(
    cls=GuardedCommand,
    epilog="\b\nExamples:\n"
    "  uhcs-bench combine maps/particles maps/microconstituents --out sizes.json\n"
    "  uhcs-bench combine particle.png constituent.png --pixel-size 0.1 \\\n"
    "      --bins 0,2,5,10,20um --out sizes.csv --particles particles.csv\n" + EXIT_CODES,
)
@click.argument("particle_maps", type=InputPath())
@click.argument("microconstituent_maps", type=InputPath())
@click.option(
    "--out",
    required=True,
    type=OutputFile(),
    help="File for the results, .json or .csv.",
)
@click.option(
    "--particles",
    "particle_table",
    type=OutputFile(),
    help="CSV file for every particle's size, place and distance from the network.",
)
@click.option(
    "--pixel-size",
    metavar="UM",
    help="Edge of a pixel in micrometres, or with its unit as in 40nm.  [default: the "
    "registry's, else the file's own]",
)
@click.option(
    "--bins",
    metavar="EDGES",
    help="Distances from the network that separate the bins, with unit: 0,20,40,80px or 0,2,4um.  "
    "[default: five bins of about as many particles]",
)
@click.option(
    "--min-diameter",
    metavar="LENGTH",
    help="Equivalent circular diameter of the smallest particle that counts, with its unit: 0.2um "
    "or 5px.  [default: all particles count]",
)
def combine(
    particle_maps: Path,
    microconstituent_maps: Path,
    out: Path,
    particle_table: Path | None,
    pixel_size: str | None,
    bins: str | None,
    min_diameter: str | None,
) -> None:
    """Measure particles inside the spheroidite of larger fields.

    PARTICLE_MAPS and MICROCONSTITUENT_MAPS are folders with what two models
    predicted for the same micrographs, or two files; maps are paired by file
    name. Particle pixels outside predicted spheroidite are dropped. The result
    has the size distribution of what is left, sizes at different distances from
    the network, and Spearman's rank correlation of both, with 95 % intervals.

    A pair that can't be measured is named, the others are done all the same, and
    the exit code is 1.
    """
    _check_outputs(out, particle_table)
    edges, unit = (None, "px") if bins is None else parse_bins(bins)

    from uhcs_bench.measuring.outputs import combined_tables
    from uhcs_bench.metallography import arguments, spheroidite

    given_um = None if pixel_size is None else _read_um(pixel_size)
    arguments.check_min_diameter(min_diameter)

    pairs, problems = _pairs(particle_maps, microconstituent_maps)
    results, scales = _measure(pairs, given_um, (edges, unit), min_diameter, problems)
    if results:
        to_text = (
            combined_tables.to_json if out.suffix.lower() == ".json" else combined_tables.to_csv
        )
        emit(to_text(results).removesuffix("\n"), out)
        if particle_table is not None:
            emit(combined_tables.particles_to_csv(results).removesuffix("\n"), particle_table)
        echo(summary(results))
        echo(fill(f"{notes.WARNING}{spheroidite.WARNING}", 80), err=True)
        doubts = [(str(pairs[name][1]), one.warning) for name, one in scales.items() if one.warning]
        for line in notes.gathered(doubts):
            echo(f"{notes.WARNING}{line}", err=True)
        echo(f"{len(results)} of {things(len(pairs), 'pair')} measured:", err=True)
        for path in filter(None, (out, particle_table)):
            echo(f"  {path}", err=True)
    fate = "so that sizes are in pixels"
    sizes = ((name, one.um, one.source) for name, one in scales.items())
    for line in notes.pixel_sizes(sizes, fate, fate):
        echo(line, err=True)
    if problems:
        kind = UhcsBenchError if results else UsageError
        raise kind("\n  - ".join([f"{things(len(problems), 'problem')}.", *problems]))


def _check_outputs(out: Path, particle_table: Path | None) -> None:
    if out.suffix.lower() not in FORMATS:
        raise UsageError(f"--out {out}: end its name in {' or '.join(FORMATS)}.")
    if particle_table is not None:
        if particle_table.suffix.lower() != ".csv":
            raise UsageError(f"--particles {particle_table}: end its name in .csv.")
        if particle_table.absolute() == out.absolute():
            raise UsageError(f"{out} can't hold both tables; give them two names.")
    for path in filter(None, (out, particle_table)):
        atomic.check(path)


def _read_um(text: str) -> float:
    from uhcs_bench.measuring import pixel_size

    try:
        um = pixel_size.read_um(text)
    except ValueError as error:
        raise UsageError(
            f"A pixel size can't be {text!r}. Give the edge of a pixel in micrometres, or with its "
            "unit, as in 40nm."
        ) from error
    return pixel_size.check(um)


def parse_bins(text: str) -> tuple[list[float], str]:
    """Read the option that names distances.

    Returns
    -------
    edges : list of float
    unit : {'px', 'um'}

    Raises
    ------
    UsageError
        If it is something else than ascending numbers and a unit.
    """
    from uhcs_bench.measuring import lengths

    unit = "um" if lengths.unit_um(text[-2:]) == 1.0 else text[-2:]
    try:
        edges = [lengths.number(part) for part in text[:-2].split(",")]
    except ValueError:
        edges = []
    ascending = all(0 <= near < far < inf for near, far in pairwise(edges))
    if unit not in ("px", "um") or len(edges) < 2 or not ascending:
        raise UsageError(
            f"--bins {text}: give two or more ascending distances and their unit, "
            "such as 0,20,40,80px or 0,2,4um."
        )
    return edges, unit


def _pairs(
    particle_maps: Path, microconstituent_maps: Path
) -> tuple[dict[str, tuple[Path, Path]], list[str]]:
    """Pair maps by name, and say which have no partner."""
    problems: list[str] = []
    if particle_maps.is_file() and microconstituent_maps.is_file():
        return {microconstituent_maps.stem: (particle_maps, microconstituent_maps)}, problems
    folders = (particle_maps, microconstituent_maps)
    found = [_maps(folder, problems) for folder in folders]
    if not problems:
        for folder, other, names, others in zip(
            folders, folders[::-1], found, found[::-1], strict=True
        ):
            lonely = [path.name for name, path in names.items() if name not in others]
            if lonely:
                problems.append(
                    f"{other} has no partner for {', '.join(lonely)} of {folder}; add a map of the "
                    "same name, or take these out."
                )
    particle, constituent = found
    common = [name for name in constituent if name in particle]
    return {name: (particle[name], constituent[name]) for name in common}, problems


def _maps(folder: Path, problems: list[str]) -> dict[str, Path]:
    """List the label maps of a folder by name without suffix."""
    from uhcs_bench.data.label_maps import MAP_SUFFIXES

    if not folder.is_dir():
        state = "is a file" if folder.exists() else "does not exist"
        problems.append(f"{folder} {state}; give two folders or two files of label maps.")
        return {}
    maps: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() not in MAP_SUFFIXES:
            continue
        if path.stem in maps:
            problems.append(f"{maps[path.stem]} and {path} have the same name; keep one of them.")
        maps.setdefault(path.stem, path)
    if not maps:
        inside = [task for task in protocol.TASKS if (folder / task).is_dir()]
        hint = f" Did you mean {folder / inside[0]}?" if inside else " Give the folder of the maps."
        problems.append(f"{folder} holds no label map ({', '.join(MAP_SUFFIXES)}).{hint}")
    return maps


def _measure(
    pairs: Mapping[str, tuple[Path, Path]],
    pixel_size: float | None,
    edges_and_unit: tuple[Sequence[float] | None, str],
    min_diameter: str | None,
    problems: list[str],
) -> tuple[dict[str, CombinedAnalysis], dict[str, Scale]]:
    """Measure all pairs; collect what is wrong, and the pixel sizes."""
    from tqdm import tqdm

    from uhcs_bench.data.label_maps import read_map
    from uhcs_bench.io.images import ImageError
    from uhcs_bench.measuring.pixel_size import find
    from uhcs_bench.metallography import spheroidite

    edges, unit = edges_and_unit
    results: dict[str, CombinedAnalysis] = {}
    scales: dict[str, Scale] = {}
    for name, paths in tqdm(pairs.items(), unit="micrograph", disable=None):
        maps = []
        for path, task in zip(paths, ("particles", "microconstituents"), strict=True):
            try:
                maps.append(read_map(path, protocol.task(task).classes))
            except ImageError as error:
                problems.append(f"{path} {error}.")
        if len(maps) < 2:
            continue
        particle_map, constituents = maps
        scale = find(paths[1], (len(constituents), constituents.shape[1]), pixel_size)
        scales[name], um = scale, scale.um
        if um is None and edges is not None and unit == "um":
            problems.append(
                f"{paths[1]}: its pixel size is unknown, so that --bins in um mean nothing. "
                "Give --pixel-size, or bins in px."
            )
            continue
        bins = edges if edges is None or unit == "px" or um is None else [e / um for e in edges]
        try:
            results[name] = spheroidite.combine(particle_map, constituents, um, bins, min_diameter)
        except ValueError as error:
            problems.append(f"{paths[0]} and {paths[1]}: {error}")
    return results, scales


def summary(results: Mapping[str, CombinedAnalysis]) -> str:
    """Lay the main numbers out for a terminal, at most 80 columns wide."""
    from tabulate import tabulate

    from uhcs_bench.measuring.outputs import tidy

    rows = []
    names = tidy.short_names([*results], _LONGEST_NAME)
    medians = _medians([*results.values()])
    for name, median, found in zip(names, medians, results.values(), strict=True):
        rho = found.trend.rho
        rows.append(
            [
                name,
                len(found.particles),
                found.n_dropped,
                found.n_cut,
                median,
                "-" if math.isnan(rho.value) else f"{rho.value:+.2f}",
                "-" if math.isnan(rho.low) else f"{rho.low:+.2f} to {rho.high:+.2f}",
            ]
        )
    headers = ["micrograph", "particles", "dropped", "cut", "median", "rho", "95 %"]
    alignment = ("left", *["right"] * 6)
    table = tabulate(rows, headers, colalign=alignment, disable_numparse=True)
    return (
        f"{table}\n\nparticles: those that count, inside the spheroidite; dropped: particles\n"
        "outside of it; cut: particles that its edge cuts; median: equivalent diameter;\n"
        "rho: Spearman's rank correlation of diameter and distance from the network"
    )


def _medians(results: Sequence[CombinedAnalysis]) -> list[str]:
    """Write median diameters with their units; those of one unit have one number of decimals."""
    from uhcs_bench.measuring.outputs import tidy

    texts = ["-"] * len(results)
    for unit in ("px", "um"):
        places, values = [], []
        for place, found in enumerate(results):
            sizes = found.sizes.diameters
            if sizes.n and (found.pixel_size_um is None) == (unit == "px"):
                median = sizes.median.px if unit == "px" else sizes.median.um
                places.append(place)
                values.append(median.value)
        for place, text in zip(places, tidy.column_text(values), strict=True):
            texts[place] = f"{text} {unit}"
    return texts
