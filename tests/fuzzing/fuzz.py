"""Hand damaged and hostile files in as submissions, and count what becomes of them.

Run as ``python tests/fuzzing/fuzz.py CASES SEED [pictures]``; prints the counts as JSON. Every case
must be scored or refused with a message; anything else ends the run with the case's description.
With ``pictures`` single files of all kinds are read as micrographs and as label maps, with their
headers and data bars, and the largest memory and the longest time of each kind are printed.
"""

from __future__ import annotations

import io
import json
import random
import resource
import struct
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.fuzzing import bombs
from tests.helpers import pictures
from uhcs_bench.data import dataset
from uhcs_bench.errors import SubmissionError
from uhcs_bench.io import images
from uhcs_bench.measuring import data_bar, pixel_size
from uhcs_bench.scoring.submission import read_submission

ENTRIES = [entry for entry in dataset.catalogue("particles", "synthetic") if entry.fold == 0]
TARGET, *OTHERS = ENTRIES
MEMORY_LIMIT = 4 << 30


def valid_files() -> dict[str, list[bytes]]:
    """Whole label maps in every container, to be damaged."""
    labels = np.random.default_rng(0).integers(0, 2, TARGET.shape, np.uint8)
    files: dict[str, list[bytes]] = {".png": [], ".tif": [], ".npy": []}
    for mode in ("L", "P", "RGB", "1", "I;16", "LA"):
        stream = io.BytesIO()
        Image.fromarray(labels).convert(mode).save(stream, "PNG")
        files[".png"].append(stream.getvalue())
    for compression in (None, "tiff_lzw", "tiff_deflate", "packbits"):
        stream = io.BytesIO()
        Image.fromarray(labels).save(stream, "TIFF", compression=compression)
        files[".tif"].append(stream.getvalue())
    for dtype in (np.int64, np.float32):
        stream = io.BytesIO()
        tifffile.imwrite(stream, labels.astype(dtype))
        files[".tif"].append(stream.getvalue())
    for array in (labels, labels.astype(np.float64), labels.astype(">i4"), labels.T):
        stream = io.BytesIO()
        np.save(stream, array)
        files[".npy"].append(stream.getvalue())
    stream = io.BytesIO()
    np.savez(stream, labels)
    files[".npy"].append(stream.getvalue())
    return files


def damage(content: bytes, chance: random.Random) -> bytes:
    """Damage a file in one of the ways in which files get damaged, or are made to do damage."""
    data = bytearray(content)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 5))):
        if not data:
            break
        kind = chance.randrange(7)
        # Half of the damage falls on the header, where it does most.
        place = chance.randrange(min(len(data), 200) if chance.random() < 0.5 else len(data))
        if kind == 0:
            del data[place:]
        elif kind == 1:
            data[place] ^= 1 << chance.randrange(8)
        elif kind == 2:
            data[place : place + 4] = chance.randbytes(4)
        elif kind == 3:
            data[place : place + 4] = struct.pack(
                chance.choice("<>") + "I",
                chance.choice((0, 1, 2**16, 2**31 - 1, 2**32 - 1, 100_000)),
            )
        elif kind == 4:
            data[place:place] = data[place : place + chance.randrange(1, 64)]
        elif kind == 5:
            del data[place : place + chance.randrange(1, 64)]
        else:
            text = chance.choice(
                (b"(100000, 100000)", b"|O", b"'descr'", b"IHDR", b"IDAT", b"\0" * 9)
            )
            data[place : place + len(text)] = text
    return bytes(data)


def name(chance: random.Random) -> str:
    """A file name: mostly the right one, else anything that a file system takes."""
    suffix = chance.choice((".png", ".tif", ".tiff", ".npy", ".PNG", ".jpg", ".npz", ""))
    if chance.random() < 0.7:
        return TARGET.id + suffix
    letters = "".join(chr(chance.choice((*range(1, 0x250), 0x202E, 0x1F4A9))) for _ in range(9))
    stem = chance.choice(
        (
            letters.replace("/", ""),
            TARGET.id.upper(),
            TARGET.id + "_pred",
            "micrograph6",
            "<script>alert(1)<",
            "a" * 200,
            "-rf",
            "..hidden",
            "CON",
            "%s%n",
        )
    )
    return stem + suffix


def run(cases: int, seed: int) -> Counter[str]:
    """Hand in so many cases and count the outcomes by kind of file."""
    chance = random.Random(seed)
    files = valid_files()
    outcomes: Counter[str] = Counter()
    good = np.zeros(TARGET.shape, np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        for case in range(cases):
            root = Path(folder) / str(case)
            root.mkdir()
            kind = chance.choice(list(files))
            content = damage(chance.choice(files[kind]), chance)
            path = root / (name(chance) if chance.random() < 0.3 else TARGET.id + kind)
            path.write_bytes(content)
            if chance.random() < 0.02:
                (root / "link.png").symlink_to(
                    chance.choice(("/etc/passwd", "/", "link.png", "/dev/zero"))
                )
            for other in OTHERS if chance.random() < 0.5 else ():
                np.save(root / f"{other.id}.npy", good)
            try:
                (submission,) = read_submission(root, "particles", 0, "synthetic")
            except SubmissionError as error:
                if not error.problems or not all(error.problems):
                    raise AssertionError(
                        f"case {case} of seed {seed} was refused without a reason"
                    ) from error
                outcomes[f"{kind} refused"] += 1
            except BaseException as error:
                raise AssertionError(f"case {case} of seed {seed}: {path.name!r}") from error
            else:
                if any(labels.max() > 1 for labels in submission.maps.values()):
                    raise AssertionError(f"case {case} of seed {seed} was read with a wrong label")
                outcomes[f"{kind} read"] += 1
            for made in root.iterdir():
                made.unlink()
            root.rmdir()
    return outcomes


LARGEST_RATIO, ROOM_BYTES, LONGEST_S = 10, 100 << 20, 10.0
"""What no file may exceed: memory over that of its pixels, and beside it; and seconds of a core."""


@dataclass
class Record:
    """What became of one kind of file."""

    tries: int = 0
    read: int = 0
    refused: int = 0
    largest_mb: float = 0.0
    longest_s: float = 0.0


def picture_files(shape: tuple[int, int] = (96, 128)) -> dict[str, tuple[str, bytes]]:
    """Whole micrographs in every way that they can be written: {kind: (ending, content)}."""
    image = np.random.default_rng(0).integers(0, 200, shape, np.uint8)
    files = {}
    for name, way in pictures.WAYS.items():
        try:
            files[name] = (way.ending, way.write(image))
        except (KeyError, OSError):  # this Pillow does not write it
            continue
    labels = image % 2
    files["label map"] = ("png", pictures.pillow("PNG")(labels))
    files["data bar"] = ("png", pictures.with_data_bar(image))
    return files


def kind_of(name: str) -> str:
    """Group ways of writing by their container."""
    return name.split(",")[0] if name.split(",")[0] in ("PNG", "TIFF", "NPY") else "other"


def hurt(content: bytes, chance: random.Random) -> bytes:
    """Damage a picture, or make a TIFF's directory claim something else."""
    if content[:2] not in (b"II", b"MM") or chance.random() < 0.5:
        return damage(content, chance)
    data, order = bytearray(content), "<" if content[:2] == b"II" else ">"
    start = struct.unpack_from(f"{order}I", data, 4)[0]
    if content[2:4] in (b"+\0", b"\0+") or start + 2 > len(data):
        return damage(content, chance)
    n = struct.unpack_from(f"{order}H", data, start)[0]
    for _ in range(chance.choice((1, 1, 2, 3))):
        place = start + 2 + 12 * chance.randrange(max(n, 1))
        if place + 12 > len(data):
            break
        value = chance.choice((0, 1, 2, 3, 5, 7, 8, 16, 64, 1000, 65_535, 10**6, 2**31, 2**32 - 1))
        field = chance.choice(((0, "H"), (2, "H"), (4, "I"), (8, "I"), (8, "I"), (8, "H")))
        struct.pack_into(
            f"{order}{field[1]}",
            data,
            place + field[0],
            value % 2 ** (16 if field[1] == "H" else 32),
        )
    return bytes(data)


def peak() -> int:
    """Largest memory in bytes since the last call, as Linux counts it."""
    largest = bombs.status("VmHWM")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return largest


def run_pictures(cases: int, seed: int) -> dict[str, Record]:
    """Read so many files, and record outcome, memory and time by kind."""
    chance = random.Random(seed)
    files = picture_files()
    records: dict[str, Record] = {}
    with tempfile.TemporaryDirectory() as folder:
        for case in range(cases):
            name = chance.choice(list(files))
            ending, content = files[name]
            path = Path(folder) / f"a.{ending}"
            path.write_bytes(hurt(content, chance))
            record = records.setdefault(kind_of(name), Record())
            declared = [0]
            before, start = bombs.status("VmRSS"), time.process_time()
            peak()
            try:
                record.read += read_picture(path, chance, declared)
            except BaseException as error:
                raise AssertionError(f"picture {case} of seed {seed}: {name}") from error
            used, seconds = peak() - before, time.process_time() - start
            record.tries += 1
            record.refused = record.tries - record.read
            record.largest_mb = max(record.largest_mb, used / 2**20)
            record.longest_s = max(record.longest_s, seconds)
            if used > ROOM_BYTES + LARGEST_RATIO * declared[0] or seconds > LONGEST_S:
                raise AssertionError(
                    f"picture {case} of seed {seed}: {name} took {used} bytes and {seconds:.1f} s"
                )
    return records


def read_picture(path: Path, chance: random.Random, declared: list[int]) -> bool:
    """Read a file as `measure` does; give whether it could be."""

    def check(header: images.Header) -> None:
        declared[0] = int(np.prod(header.shape, dtype=object)) * header.dtype.itemsize

    kind: images.Kind = chance.choice(("micrograph", "labels"))
    pixel_size.find(path, (1, 1))
    try:
        image = images.read_image(path, check, kind=kind, page=chance.choice((None, None, 1, 2)))
    except images.ImageError as error:
        if not str(error):
            raise AssertionError("refused without a reason") from error
        return False
    if kind == "labels" and image.ndim != 2:
        raise AssertionError("a label map has colours")
    data_bar.crop(image, "auto", path)
    return True


def main() -> None:
    """Run the cases within a memory limit and print the counts."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    if sys.argv[3:] == ["pictures"]:
        records = run_pictures(int(sys.argv[1]), int(sys.argv[2]))
        print(json.dumps({kind: asdict(record) for kind, record in sorted(records.items())}))
        return
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes = run(int(sys.argv[1]), int(sys.argv[2]))
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        json.dumps({"outcomes": dict(sorted(outcomes.items())), "memory_grown_mb": round(grown_mb)})
    )


if __name__ == "__main__":
    main()
