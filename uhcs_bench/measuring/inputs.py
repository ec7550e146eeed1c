"""Inputs of a run: files and folders, what in them is passed over, and a table about them."""

from __future__ import annotations

import csv
import difflib
import io
import os
from collections import Counter
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.data import label_maps
from uhcs_bench.errors import UsageError, listed, things
from uhcs_bench.io import images, texts
from uhcs_bench.measuring import data_bar, lengths, pixel_size
from uhcs_bench.metallography.arguments import FEWEST_LEVELS, is_micrograph

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from uhcs_bench import protocol

MICROGRAPH_SUFFIXES = (".jpg", ".jpeg", ".bmp")
"""Endings, besides those of label maps, by which micrographs in a folder are known."""

_UNREAD_SUFFIXES = (
    ".gif", ".webp", ".jp2", ".avif", ".heic", ".dm3", ".dm4", ".czi", ".nd2", ".lif", ".oib",
    ".svg", ".pdf", ".eps", ".npz", ".mat", ".h5", ".zarr",
)  # fmt: skip

LOOKED_AT = 8
"""Files that `are_micrographs` reads."""

_ENOUGH_PIXELS = 1 << 20


@dataclass(frozen=True)
class Found:
    """What inputs stand for.

    Attributes
    ----------
    files : tuple of Path
        As they were given, a folder's files by name; a file that is named twice comes once.
    passed_over : tuple of (str, str)
        What else is in the folders, and why it is not among the files.
    """

    files: tuple[Path, ...]
    passed_over: tuple[tuple[str, str], ...]


def find(
    paths: Sequence[Path],
    task: protocol.TaskName,
    *,
    micrographs: bool = False,
    recursive: bool = False,
    outputs: Sequence[Path] = (),
) -> Found:
    """List the files that inputs stand for.

    Parameters
    ----------
    paths : sequence of Path
        Files, and folders with files directly in them or, as in a submission, in a folder of the
        task's name.
    task : str
    micrographs : bool, optional
        Whether to look for micrographs, which may also be JPEG or BMP.
    recursive : bool, optional
        Whether to look into the folders inside of folders, too.
    outputs : sequence of Path, optional
        Folders and files that the run writes to; they are no inputs.

    Returns
    -------
    Found

    Raises
    ------
    UsageError
        If an input does not exist or a folder holds no such file; all are listed.
    """
    endings = label_maps.MAP_SUFFIXES + (MICROGRAPH_SUFFIXES if micrographs else ())
    own = {os.path.realpath(path) for path in outputs}
    found: dict[str, Path] = {}
    passed_over: dict[str, str] = {}
    problems = []
    for path in paths:
        if path.is_dir():
            inside = dict(_inside(path, task, recursive, endings, own))
            files = [file for file, reason in inside.items() if not reason]
            passed_over |= {str(file): reason for file, reason in inside.items() if reason}
            if not files:
                problems.append(_empty(path, inside, endings))
        elif path.exists():
            files = [path]
        else:
            files = []
            problems.append(f"{path} does not exist. Give the path of a file or folder.")
        for file in files:
            found.setdefault(os.path.abspath(file), file)  # noqa: PTH100 - links stay links
    if problems:
        raise UsageError(listed("Nothing was measured", problems))
    return Found(tuple(found.values()), tuple(passed_over.items()))


def _empty(folder: Path, inside: Mapping[Path, str], endings: Sequence[str]) -> str:
    hint = " Give another folder."
    if any(reason.startswith("is a folder") for reason in inside.values()):
        hint = " --recursive looks into the folders inside of it."
    elif any(file.suffix.lower() in MICROGRAPH_SUFFIXES for file in inside):
        hint = " Its JPEG and BMP files can't be label maps; micrographs need a --model."
    elif any(file.suffix.lower() in (".gif", ".webp") for file in inside):
        hint = " GIF and WebP files are read if they are named one by one."
    return f"{folder} holds no {', '.join(endings)} file.{hint}"


def _inside(
    folder: Path,
    task: protocol.TaskName,
    recursive: bool,
    endings: Sequence[str],
    own: set[str],
) -> Iterator[tuple[Path, str]]:
    """Go through a folder; give each file with the reason why it is passed over, or with ''."""
    later = []
    for item in sorted(folder.iterdir()):
        if os.path.realpath(item) in own:
            yield item, "is written by this command"
        elif item.is_dir():
            # Links to folders are not followed, since they may lead in circles.
            if (item.name == task and not item.is_symlink()) or (
                recursive and not item.is_symlink() and not item.name.startswith(".")
            ):
                later.append(item)
            elif not item.name.startswith("."):
                yield item, "is a folder; --recursive looks inside"
        else:
            yield item, _reason(item, endings)
    for item in later:
        yield from _inside(item, task, recursive, endings, own)


def _reason(file: Path, endings: Sequence[str]) -> str:
    ending = file.suffix.lower()
    if file.name.startswith("."):
        return "is hidden"
    if ending in endings:
        return ""
    if ending in MICROGRAPH_SUFFIXES:
        return "can't be a label map, by its format"
    if ending in _UNREAD_SUFFIXES or ending in label_maps.OTHER_SUFFIXES:
        return "has a format that is not read; save it as PNG or TIFF"
    return "is no image, by its name"


def account(passed_over: Sequence[tuple[str, str]], most: int = 3) -> list[str]:
    """Summarise what was passed over, a line for each reason.

    Parameters
    ----------
    passed_over : sequence of (str, str)
        See `Found`.
    most : int, optional
        Files that are named for each reason.

    Returns
    -------
    list of str

    Examples
    --------
    >>> account([("a.txt", "is no image, by its name"), ("b", "is no image, by its name")], 1)
    ['2 not looked at: a.txt and 1 more (is no image, by its name)']
    """
    lines = []
    for reason, number in Counter(reason for _, reason in passed_over).items():
        names = [name for name, why in passed_over if why == reason]
        more = f" and {number - most} more" if number > most else ""
        lines.append(f"{number} not looked at: {', '.join(names[:most])}{more} ({reason})")
    return lines


def are_micrographs(files: Sequence[Path], n_classes: int) -> bool:
    """Say whether files are raw micrographs and not label maps, by the values of some of them.

    Parameters
    ----------
    files : sequence of Path
    n_classes : int
        Labels lie below it.

    Returns
    -------
    bool
        False if none of the files that are looked at can be read. A picture of one value may be
        either, so that the others decide.

    Raises
    ------
    UsageError
        If some are micrographs and others are label maps.
    """
    step = max(1, len(files) // LOOKED_AT)
    kinds: dict[bool, Path] = {}
    for file in files[::step][:LOOKED_AT]:
        try:
            if file.is_file():  # others are reported when they are measured
                pixels = images.read_image(file)
                if not has_one_value(pixels):
                    kinds.setdefault(is_micrograph(pixels, n_classes), file)
        except images.ImageError:
            continue
    if len(kinds) > 1:
        raise UsageError(
            f"{kinds[True]} is a micrograph, but {kinds[False]} a label map or mask. Nothing was "
            "measured. Give them separately, or state --model NAME or --model none for all."
        )
    return kinds.popitem()[0] if kinds else False


def has_one_value(pixels: NDArray[np.generic]) -> bool:
    """Say whether all pixels of a picture are equal, so that there is no contrast.

    Examples
    --------
    >>> has_one_value(np.zeros((2, 3))), has_one_value(np.eye(2))
    (True, False)
    """
    return pixels.size > 0 and bool((pixels == pixels.flat[0]).all())


def map_like(image: NDArray[np.generic]) -> str:
    """Say why a picture that is to be segmented looks like a label map; empty if it doesn't.

    A picture of one gray level is no more like a map than like a micrograph: see `has_one_value`.

    Examples
    --------
    >>> map_like(np.eye(4, dtype=np.uint8))
    'it has 2 gray levels, as label maps have; --model none measures a label map as it is'
    >>> map_like(np.arange(400).reshape(20, 20))
    ''
    """
    # Some rows of a montage tell as much as all.
    rows = image[:: max(1, image.size // _ENOUGH_PIXELS)]
    number = len(np.unique(rows))
    if number == 1 or number >= FEWEST_LEVELS:
        return ""
    return (
        f"it has {number} gray levels, as label maps have; --model none measures a label map as it "
        "is"
    )


@dataclass(frozen=True)
class About:
    """What a table says of one file.

    Attributes
    ----------
    pixel_size_um : float or None
    crop_bottom : str or None
    columns : mapping of str to str
        All cells, by column.
    """

    pixel_size_um: float | None = None
    crop_bottom: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


_SIZE_COLUMNS = ("pixel_size_um", "pixel_size", "pixel size")
_CROP_COLUMNS = ("crop_bottom", "crop")
_ALIKE = 0.75
"""Similarity of two names, by `difflib`, from which on one may be the other misspelt."""

SPECIMEN_COLUMN = "specimen"


def read_table(
    path: Path, files: Sequence[Path], specimen: str | None = None
) -> tuple[dict[Path, About], tuple[str, ...]]:
    """Read a table with the pixel size, the specimen and the crop of files.

    Parameters
    ----------
    path : Path
        A CSV file with the column ``file``, and any of ``pixel_size_um`` (or ``pixel_size``, in
        micrometres), ``specimen``, ``crop_bottom`` (or ``crop``) and others. Cells are separated by
        comma, semicolon or tabulator. A file is named by its path, from the table's folder on, or
        by its name alone.
    files : sequence of Path
        The inputs.
    specimen : str, optional
        A column of the user's own that is used as well.

    Returns
    -------
    about : dict of Path to About
        For the inputs that the table names.
    doubts : tuple of str
        Sentences about columns that are not used, and files that are no inputs.

    Raises
    ------
    UsageError
        If it can't be read, a line makes no sense, a column's name is almost that of one that is
        used, or no line names an input; all are listed.
    """
    names, lines = _lines(path)
    doubts, problems = _unused(names, specimen)
    by_place: dict[str, Path] = {os.path.realpath(file): file for file in files}
    n_called = Counter(file.name for file in files)
    by_name = {file.name: file for file in files if n_called[file.name] == 1}
    about: dict[Path, About] = {}
    absent = []
    seen: set[Path] = set()
    for number, cells in lines:
        name = cells.get("file", "")
        place = os.path.realpath(path.parent / name) if "\0" not in name else name
        file = by_place.get(place) or by_name.get(name)
        if file is None:
            if n_called[name] > 1:
                problems.append(f"line {number}: {n_called[name]} inputs are called {name}")
            else:
                absent.append((number, name))
            continue
        if file in seen:
            problems.append(f"line {number}: {name} comes twice")
        seen.add(file)
        try:
            about[file] = _about(cells)
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    if not lines:
        doubts.append("it has no line below the names of the columns")
    unmatched = _unmatched(absent, [file.name for file in files])
    if lines and not seen and not problems:
        problems, unmatched = ["no line names an input", *unmatched], []
    if problems:
        raise UsageError(listed(f"{path} was not used", problems))
    return about, tuple(f"{path}: {doubt}" for doubt in (*doubts, *unmatched))


def _unused(names: Sequence[str], specimen: str | None) -> tuple[list[str], list[str]]:
    """Name the columns that nothing reads: a doubt for all, a problem for each that is misspelt."""
    used = ["file", *_SIZE_COLUMNS, *_CROP_COLUMNS, SPECIMEN_COLUMN, (specimen or "").lower()]
    others = [name for name in names if name not in used]
    nearest = {name: difflib.get_close_matches(name, used, 1, _ALIKE) for name in others}
    problems = [
        f"there is no column {name}; did you mean {near[0]}?"
        for name, near in nearest.items()
        if near
    ]
    unused = ", ".join(name or "one without a name" for name, near in nearest.items() if not near)
    doubts = [f"these columns are not used: {unused}"] if unused else []
    return doubts, problems


def _only(cells: Mapping[str, str], columns: Sequence[str]) -> str:
    """Give what one of columns of the same meaning says; they may not contradict each other."""
    found = {cells[name]: name for name in columns if cells.get(name)}
    if len(found) > 1:
        said = " and ".join(f"{name} is {value}" for value, name in found.items())
        raise ValueError(f"{said}; keep one of the columns")
    return next(iter(found), "")


def _unmatched(
    absent: Sequence[tuple[int, str]], names: Sequence[str], most: int = 10
) -> list[str]:
    """Name lines whose file is no input, with the input that is called almost so."""
    said = []
    for number, name in absent[:most]:
        near = difflib.get_close_matches(name.rpartition("/")[2], names, 1, _ALIKE)
        hint = f"; did you mean {near[0]}?" if near else ""
        said.append(f"line {number}: {name!r} is no input{hint}")
    if len(absent) > most:
        said.append(f"{len(absent) - most} further lines name no input")
    return said


def _lines(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Read the names of the columns, and the cells of each line with its number."""
    try:
        text = texts.read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no UTF-8 text. Save the table as CSV in UTF-8.") from error
    except ValueError as error:
        raise UsageError(f"{path} is no table: {error}. Give a CSV file.") from error
    except OSError as error:
        raise UsageError(
            f"{path} can't be read ({error.strerror}). Give a length such as 0.04 or 40nm, or "
            "a CSV file with the columns file and pixel_size_um."
        ) from error
    head = text.lstrip("\r\n").partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    # Not the lines of the text: a cell in quotes may hold line breaks.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise UsageError(
            f"{path} can't be read beyond line {reader.line_num} ({error}). Save the table as CSV."
        ) from error
    lines = [(number, cells) for number, cells in lines if any(cells)]
    names = [name.lower() for name in lines[0][1]] if lines else []
    if "file" not in names:
        raise UsageError(
            f"{path} has no column file, its first line is {head.strip()[:80]!r}. Begin the table "
            "with a line of column names such as file,pixel_size_um,specimen,crop_bottom."
        )
    problems = [
        f"{things(count, 'column')} are called {name}; keep one of them"
        for name, count in Counter(filter(None, names)).items()
        if count > 1
    ]
    hint = "; decimal commas need a table separated by semicolons" if delimiter == "," else ""
    problems += [
        f"line {number}: there are more cells than columns{hint}"
        for number, cells in lines[1:]
        if any(cells[len(names) :])
    ]
    if problems:
        raise UsageError(listed(f"{path} was not used", problems))
    return names, [
        (number, {name: cell for name, cell in zip_longest(names, cells, fillvalue="") if name})
        for number, cells in lines[1:]
    ]


def _about(cells: Mapping[str, str]) -> About:
    size, crop = (_only(cells, columns) for columns in (_SIZE_COLUMNS, _CROP_COLUMNS))
    um = None
    if size:
        try:
            um = pixel_size.check(lengths.number(size))
        except UsageError:
            raise
        except ValueError as error:
            raise ValueError(f"the pixel size {size!r} is no number of micrometres") from error
    if crop:
        data_bar.parse(crop)
    return About(um, crop or None, cells)
