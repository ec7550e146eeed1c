"""Find micrographs in files and zips of any name: the pixels decide which is which."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from uhcs_bench.data import pixels as canonical
from uhcs_bench.data.download import cache
from uhcs_bench.data.registry import Source
from uhcs_bench.errors import UhcsBenchError
from uhcs_bench.io import images

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
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

_ZIP_MAGIC = b"PK\x03\x04"
_TIFF_MAGIC = (b"II*\0", b"MM\0*")
_IMAGE_MAGIC = (*_TIFF_MAGIC, b"\x89PNG", b"BM")


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


def keep_better(finds: dict[FileKind, Find], find: Find) -> None:
    """Keep a find unless there is one already; but one with the true rows replaces a filled one."""
    known = finds.get(find.kind)
    if known is None or len(find.filled_rows) < len(known.filled_rows):
        finds[find.kind] = find


def store(entry: Entry, finds: Mapping[FileKind, Find], workspace: Path) -> None:
    """Put a micrograph, of which all is found, into the cache."""
    image, labels = finds["image"], finds["labels"]
    addresses = image.address, labels.address
    pixels = cache.Pixels(image.array, labels.array, image.filled_rows, addresses)
    cache.write(entry, pixels, workspace)


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


def search(path: Path, index: Index, address: str) -> Iterator[Find]:
    """Search a file: an image, or a zip of images and zips.

    Raises
    ------
    BundleError
        If it is a zip that is damaged or larger than any copy of the data.
    ImageError
        If it is no zip and can't be decoded.
    """
    with path.open("rb") as stream:
        zipped = stream.read(4) == _ZIP_MAGIC
    if not zipped:
        yield from index.look_up(images.read_image(path, _check_size, kind="labels"), address)
        return
    for name, content in members(path):
        with suppress(images.ImageError):
            pixels = images.decode_image(content, _check_size, kind="labels")
            yield from index.look_up(pixels, f"{address}/{name}")


def members(archive: Path | IO[bytes]) -> Iterator[tuple[str, bytes]]:
    """Read the images of a zip, and of zips in it, one after another into memory.

    Nothing is unpacked under the name that a zip gives it.
    """
    budget = [MAX_TOTAL_BYTES]
    try:
        yield from _members(archive, budget, nested=False)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:
        # RuntimeError: zipfile's for a password or a compression that it does not know
        raise BundleError(f"is a damaged zip, or one that can't be read ({error})") from error


def _members(
    archive: Path | IO[bytes], budget: list[int], nested: bool
) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as opened:
        infos = opened.infolist()
        if len(infos) > MAX_MEMBERS:
            raise BundleError(f"holds {len(infos)} files, more than any copy of the data")
        for info in infos:
            if info.is_dir():
                continue
            with opened.open(info) as stream:
                magic = stream.read(4)
                if magic.startswith(_IMAGE_MAGIC):
                    yield info.filename, _rest(info, stream, magic, MAX_IMAGE_BYTES, budget)
                elif magic == _ZIP_MAGIC and not nested:
                    content = _rest(info, stream, magic, MAX_ZIP_BYTES, budget)
                    for name, inner in _members(io.BytesIO(content), budget, nested=True):
                        yield f"{info.filename}/{name}", inner


def _rest(
    info: zipfile.ZipInfo, stream: IO[bytes], begun: bytes, limit: int, budget: list[int]
) -> bytes:
    """Read what is left of a member; its declared length is not believed."""
    limit = min(limit, budget[0])
    content = begun + stream.read(limit)
    if len(content) > limit:
        raise BundleError(f"holds {info.filename!r}, which is larger than any file of the data")
    budget[0] -= len(content)
    return content


def _check_size(header: images.Header) -> None:
    if len(header.shape) < 2 or header.shape[0] * header.shape[1] > MAX_PIXELS:
        raise images.ImageError("is larger than any micrograph")
