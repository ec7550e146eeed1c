"""Find micrographs in files and zips of any name: the pixels decide which is which."""

from __future__ import annotations

import io
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.data import pixels as canonical
from uhcs_bench.data.download.cache import Pixels
from uhcs_bench.data.registry import Source
from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.io import images

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import IO

    from numpy.typing import NDArray

    from uhcs_bench.data.registry import Entry, FileKind

MAX_MEMBERS = 5000
MAX_IMAGE_BYTES = 16 << 20
MAX_ZIP_BYTES = 64 << 20
"""Of a zip within a zip, which is read into memory."""
MAX_TOTAL_BYTES = 1 << 30
MAX_PIXELS = 1 << 22
"""Of an image; a micrograph of UHCSDB has 0.34 million."""

MAX_DIRECTORY_BYTES = MAX_MEMBERS * 1024
"""Of a zip's list of members, which zipfile reads as a whole."""

_ZIP_MAGIC = b"PK\x03\x04"
_IMAGE_MAGIC = (b"II*\0", b"MM\0*", b"\x89PNG", b"BM")
_ARCHIVE_MAGIC = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"Rar!", b"\x28\xb5\x2f\xfd")
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""zipfile unpacks these by parts; of the others, some KB may become some GB at once."""


class BundleError(UhcsBenchError):
    """A zip that was not read; the message follows its name."""


@dataclass(frozen=True)
class Find:
    """An image or label map of the benchmark in a file, as the hash of its pixels has proved.

    Attributes
    ----------
    array : ndarray of uint8
        The canonical array.
    filled_rows : tuple of int
        Rows that the file lacks and that repeat a neighbour.
    address : str
        Where it was found.
    """

    entry: Entry
    kind: FileKind
    array: NDArray[np.uint8]
    filled_rows: tuple[int, ...]
    address: str


def file_name(entry: Entry, kind: FileKind) -> str:
    """Name a micrograph's image or label map, as messages show it."""
    return f"{entry.task} {entry.id} ({kind})"


class Finds(dict[str, Find]):
    """What has been found, under the names of the files."""

    def add(self, find: Find) -> None:
        """Keep a find unless there is one; but true rows replace filled ones."""
        known = self.get(name := file_name(find.entry, find.kind))
        if known is None or len(find.filled_rows) < len(known.filled_rows):
            self[name] = find

    def pixels(self, entry: Entry) -> Pixels | None:
        """Give a micrograph's pixels if image and label map have been found."""
        image, labels = (self.get(file_name(entry, kind)) for kind in ("image", "labels"))
        if image is None or labels is None:
            return None
        sources = image.address, labels.address
        return Pixels(image.array, labels.array, image.filled_rows, sources)


class Index:
    """Looks pixels up among those of the registry's micrographs."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._files: dict[tuple[int, int], dict[str, list[tuple[Entry, FileKind]]]] = {}
        for entry in entries:
            for kind, file in entry.files.items():
                form = (entry.shape[0], file.hashed_from_row)
                known = self._files.setdefault(form, defaultdict(list))
                known[file.pixel_sha256].append((entry, kind))

    def look_up(self, pixels: NDArray[np.generic], address: str) -> Iterator[Find]:
        """Find all micrographs that a file's pixels belong to: one file may serve several.

        The upper rows are tried as they are, which leaves out a data bar; then with row 0 filled,
        for those micrographs whose hash leaves row 0 out because a source has lost it. A mask of 0
        and 255 counts as one of 0 and 1.
        """
        if pixels.size and pixels.max() == 255 and ((pixels == 0) | (pixels == 255)).all():
            pixels = pixels == 255
        for (rows, hashed_from_row), known in self._files.items():
            for missing_rows in range(hashed_from_row + 1):
                recipe = Source(address, "", 0, (0, rows - missing_rows), missing_rows)
                try:
                    with np.errstate(invalid="ignore"):  # not a number: no gray level
                        array = canonical.canonical_array(pixels, recipe)
                except canonical.CanonicalError:
                    continue
                files = known.get(canonical.pixel_sha256(array[hashed_from_row:]), ())
                for entry, kind in files:
                    yield Find(entry, kind, array, tuple(range(missing_rows)), address)
                if files:
                    break


def search(path: Path, index: Index, address: str, problems: list[str]) -> Iterator[Find]:
    """Search a file: an image, or a zip of images and zips.

    Parameters
    ----------
    path : Path
    index : Index
    address : str
        What the file is called in `problems` and finds.
    problems : list of str
        What could not be read of a zip is added to it; the rest is searched.

    Raises
    ------
    BundleError
        If it is a zip that can't be read at all, or another archive.
    ImageError
        If it is none of these and can't be decoded.
    """
    with path.open("rb") as stream:
        begin = stream.read(512)
    if begin.startswith(_ZIP_MAGIC):
        for name, content in members(path, problems):
            try:
                pixels = images.decode_image(content, _check_size, kind="labels")
            except images.ImageError as error:
                problems.append(f"{name} {error}")
            else:
                yield from index.look_up(pixels, f"{address}/{name}")
    elif begin.startswith(_ARCHIVE_MAGIC) or begin[257:262] == b"ustar":
        raise BundleError("is an archive, but no zip; unpack it, and name its folder")
    else:
        yield from index.look_up(images.read_image(path, _check_size, kind="labels"), address)


def members(archive: Path, problems: list[str]) -> Iterator[tuple[str, bytes]]:
    """Read the images of a zip, and of zips in it, one after another into memory.

    Nothing is unpacked under the name that a zip gives it. A member that can't be read is added to
    `problems`, and the next one is read.

    Raises
    ------
    BundleError
        If the zip can't be read, or holds more than any copy of the data.
    """
    with archive.open("rb") as stream:
        yield from _members(stream, [MAX_TOTAL_BYTES], problems)


def _members(
    stream: IO[bytes], budget: list[int], problems: list[str], prefix: str = ""
) -> Iterator[tuple[str, bytes]]:
    _check_directory(stream)
    try:
        opened = zipfile.ZipFile(stream)
    except Exception as error:  # zipfile raises anything, even IndexError
        raise BundleError(f"is a damaged zip ({_reason(error)})") from error
    infos = opened.infolist()
    if len(infos) > MAX_MEMBERS:
        raise BundleError(f"holds {len(infos)} files, more than any copy of the data")
    for info in infos:
        name = prefix + info.filename
        content = _content(opened, info, budget, problems, prefix)
        if content.startswith(_ZIP_MAGIC):
            try:
                yield from _members(io.BytesIO(content), budget, problems, f"{name}/")
            except BundleError as error:
                problems.append(f"{name} {error}")
        elif content:
            yield name, content


def _check_directory(stream: IO[bytes]) -> None:
    """Refuse a list of members that would take much memory, before zipfile reads it."""
    stream.seek(0, io.SEEK_END)
    stream.seek(max(stream.tell() - 22 - (1 << 16), 0))
    _, found, record = stream.read().rpartition(b"PK\x05\x06")
    if found and int.from_bytes(record[8:12], "little") > MAX_DIRECTORY_BYTES:
        raise BundleError("lists more files than any copy of the data has")


def _content(
    opened: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    budget: list[int],
    problems: list[str],
    prefix: str,
) -> bytes:
    """Read a member that is an image, or a zip in the outer one; its length is not believed."""
    if info.filename.endswith("/") or is_resource_fork(info.filename):
        return b""
    limits = dict.fromkeys(_IMAGE_MAGIC, MAX_IMAGE_BYTES)
    if not prefix:
        limits[_ZIP_MAGIC] = MAX_ZIP_BYTES
    try:
        if info.compress_type not in _COMPRESSIONS:
            raise ValueError("only members that are stored or deflated are read; pack it again")
        with opened.open(info) as stream:
            content = stream.read(4)
            limit = next((n for magic, n in limits.items() if content.startswith(magic)), 0)
            if not limit:
                return b""
            limit = min(limit, budget[0])
            content += stream.read(limit)
    except Exception as error:  # noqa: BLE001 - zipfile raises anything
        problems.append(f"{prefix}{info.filename} can't be read ({_reason(error)})")
        return b""
    if len(content) > limit:
        raise BundleError(f"holds {info.filename!r}, which is larger than any file of the data")
    budget[0] -= len(content)
    return content


def is_resource_fork(name: str) -> bool:
    """Whether a file holds what macOS notes about another one, beside it in zips and on discs.

    Examples
    --------
    >>> is_resource_fork("images/._a.png"), is_resource_fork("images/a.png")
    (True, False)
    """
    return name.rpartition("/")[2].startswith("._") or name.startswith("__MACOSX/")


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _check_size(header: images.Header) -> None:
    if len(header.shape) < 2 or header.shape[0] * header.shape[1] > MAX_PIXELS:
        raise images.ImageError("is larger than any micrograph")
