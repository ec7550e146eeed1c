"""Write the leaderboard as a static web site that works without a server and without scripts.

The pages are ``templates/*.html.jinja``, filled with a `Board`. Only predicted label maps are
shown, no micrograph and no annotation.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from uhcs_bench import formatting, paper, protocol
from uhcs_bench._version import __version__
from uhcs_bench.data import dataset
from uhcs_bench.errors import UsageError
from uhcs_bench.io import paths
from uhcs_bench.io.atomic import make_folder, replacing
from uhcs_bench.io.texts import packaged
from uhcs_bench.metrics.table import RANKED_SCORES
from uhcs_bench.ranking.board import METRICS
from uhcs_bench.ranking.outputs import board_json, sentences
from uhcs_bench.ranking.outputs.board_json import DATA_NAME
from uhcs_bench.web import size_plot, templates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from uhcs_bench.ranking.board import Board, Group, Row
    from uhcs_bench.ranking.entries.entry import LeaderboardEntry, TaskMaps
    from uhcs_bench.scoring.results import ConventionScore, MeanScore, MicrographScore


@dataclass(frozen=True)
class Picture:
    """A predicted map as a file of the site, with its scores and sizes where there are any."""

    id: str
    fold: int
    path: str
    n_rows: int
    n_columns: int
    score: MicrographScore | None
    plot: size_plot.SizePlot | None


@dataclass(frozen=True)
class EntrySection:
    """What an entry's page shows of one task."""

    maps: TaskMaps
    group: Group
    row: Row
    pictures: list[Picture]


def check_folder(site: Path, entries: Path) -> None:
    """Check that the folders of a site and of the entries are apart.

    Parameters
    ----------
    site : Path
        Folder that is to be written.
    entries : Path
        Folder of the entries.

    Raises
    ------
    UsageError
        If one of the two lies inside the other, where a later build would take pages for entries,
        or replace entries.
    """
    ours, theirs = paths.real(site), paths.real(entries)
    if ours == theirs or ours in theirs.parents or theirs in ours.parents:
        raise UsageError(
            f"The site {site} and the entries {entries} lie inside one another. Nothing was "
            "written; name a folder for the site that lies beside the entries."
        )


def write(folder: Path, board: Board) -> Path:
    """Write the site.

    Parameters
    ----------
    folder : Path
        Made where needed. Files of an earlier build are replaced, others are left alone.
    board : Board

    Returns
    -------
    Path
        ``index.html``. Files are written atomically; the same board gives the same bytes.

    Raises
    ------
    DataUnavailableError
        If the annotations, for their particle sizes, could not be had from any source.
    """
    for name, written in files(board):
        path = folder / name
        make_folder(path.parent)
        with replacing(path) as partial:
            partial.write_bytes(written)
    return folder / "index.html"


def files(board: Board) -> Iterator[tuple[str, bytes]]:
    """Lay the site out.

    Parameters
    ----------
    board : Board

    Yields
    ------
    name : str
        Place in the site's folder, with slashes.
    content : bytes
    """
    yield DATA_NAME, board_json.to_json(board).encode()
    pages = [{"title": "Leaderboard", "href": "index.html"}]
    pages += [{"title": name.capitalize(), "href": f"{name}.html"} for name in protocol.TASKS]

    def page(template: str, title: str, *, root: str = "", **values: Any) -> bytes:
        shared = _shared(board) | {"pages": pages, "root": root, "title": title}
        name = f"ranking/templates/{template}.html.jinja"
        return templates.render(name, **shared, **values).encode()

    yield (
        "index.html",
        page(
            "index",
            "Leaderboard",
            groups=board.groups,
            entries=board.entries,
            left_out=board.left_out,
            synthetic=_is_synthetic(found.version for found in board.entries),
        ),
    )
    for task in protocol.TASKS.values():
        groups = [group for group in board.groups if group.task == task]
        yield (
            f"{task.name}.html",
            page("task", task.name.capitalize(), **_task_values(task, groups, board)),
        )
    for found in board.entries:
        sections = []
        for maps in found.tasks.values():
            (group,) = [g for g in board.groups if _holds(g, found) and g.task == maps.task]
            shown = maps.load(maps.runs[0]) if maps.runs else {}
            yield from _map_files(found, maps, shown)
            sections.append(_entry_section(found, maps, group, shown))
        yield (
            f"entries/{found.slug}.html",
            page(
                "entry",
                found.name,
                root="../",
                found=found,
                sections=sections,
                texts={
                    "settings": sentences.settings_text(found.declaration),
                    "runs": sentences.runs_text(found.declaration),
                    "compute": sentences.compute_text(found.declaration),
                    "weights": sentences.weights_text(found.declaration),
                },
                choices=sentences.selection_sentences(found.declaration),
                badges=sentences.badges(
                    found, recomputed=any(section.row.score for section in sections)
                ),
                synthetic=_is_synthetic([found.version]),
            ),
        )


def _holds(group: Group, found: LeaderboardEntry) -> bool:
    return (group.version, group.split) == (found.version, found.split)


def _is_synthetic(versions: Any) -> bool:
    return protocol.SYNTHETIC_VERSION in versions


def _reported(number: paper.Published | None) -> str:
    return formatting.MISSING if number is None else sentences.reported_number(number)


def _shared(board: Board) -> dict[str, Any]:
    return {
        **templates.inline(
            packaged("ranking/templates/site.css"),
            packaged("ranking/templates/site.js"),
        ),
        "conventions": protocol.CONVENTIONS,
        "scores": RANKED_SCORES,
        "scorer_version": __version__,
        "source": paper.SOURCE,
        "source_url": paper.SOURCE_URL,
        "draft_url": paper.DRAFT_URL,
        "names": {found.slug: found.name for found in board.entries},
        "sentences": sentences,
        "metrics": METRICS,
    }


def _task_values(task: protocol.Task, groups: Sequence[Group], board: Board) -> dict[str, Any]:
    return {
        "task": task,
        "groups": groups,
        "comparisons": [found for found in board.split_comparisons if found.task == task.name],
        "versions": list(dict.fromkeys(group.version for group in groups)),
        "splits": list(dict.fromkeys(group.split for group in groups)),
        "version_meanings": protocol.VERSIONS,
        "split_meanings": protocol.SPLITS,
        "method_names": paper.METHOD_NAMES,
        "reported": _reported,
        "pickers": {score.name: attrgetter(score.name) for score in RANKED_SCORES},
        "class_pickers": [
            (score.name, name, _class_picker(score.name, name))
            for score in RANKED_SCORES
            if score.per_class
            for name in task.classes
        ],
        "synthetic": _is_synthetic(group.version for group in groups),
    }


def _class_picker(score: str, name: str) -> Callable[[ConventionScore], MeanScore]:
    def pick(means: ConventionScore) -> MeanScore:
        found: MeanScore = getattr(means.classes[name], score)
        return found

    return pick


def _entry_section(
    found: LeaderboardEntry,
    maps: TaskMaps,
    group: Group,
    shown: Mapping[str, NDArray[np.uint8]],
) -> EntrySection:
    (row,) = [row for row in (*group.scored, *group.unfinished) if row.entry.slug == found.slug]
    # The maps that are shown are those of the first run, and so are the scores beside them.
    scores = {image.id: image for image in row.runs[0].score.images} if row.runs else {}
    plots = _plots(maps, scores, shown)
    pictures = [
        Picture(
            id=micrograph.id,
            fold=micrograph.fold,
            path=_map_path(found, maps, micrograph.id),
            n_rows=micrograph.shape[0],
            n_columns=micrograph.shape[1],
            score=scores.get(micrograph.id),
            plot=plots.get(micrograph.id),
        )
        for micrograph in maps.expected
        if micrograph.id in shown
    ]
    return EntrySection(maps, group, row, pictures)


def _plots(
    maps: TaskMaps,
    scores: Mapping[str, MicrographScore],
    shown: Mapping[str, NDArray[np.uint8]],
) -> dict[str, size_plot.SizePlot]:
    if not maps.task.has_particles or not scores:
        return {}
    truth = dataset.micrographs(maps.expected)
    diameters = {m.id: size_plot.Diameters(m.labels, shown[m.id]) for m in truth}
    largest_px = max(found.largest_px for found in diameters.values())
    plots = {}
    for micrograph in truth:
        test = scores[micrograph.id].psd
        if test is not None:
            plots[micrograph.id] = size_plot.size_plot(
                diameters[micrograph.id], test, micrograph.pixel_size_um, largest_px
            )
    return plots


def _map_path(found: LeaderboardEntry, maps: TaskMaps, name: str) -> str:
    return f"maps/{found.slug}/{maps.task.name}/{name}.png"


def _map_files(
    found: LeaderboardEntry, maps: TaskMaps, shown: Mapping[str, NDArray[np.uint8]]
) -> Iterator[tuple[str, bytes]]:
    for name, labels in shown.items():
        yield _map_path(found, maps, name), _colored_png(labels, maps.task.colors)


def _colored_png(labels: NDArray[np.uint8], colors: Sequence[str]) -> bytes:
    from PIL import Image

    image = Image.fromarray(labels)
    image.putpalette(b"".join(bytes.fromhex(color.removeprefix("#")) for color in colors))
    stream = io.BytesIO()
    image.save(stream, format="PNG", optimize=True)
    return stream.getvalue()
