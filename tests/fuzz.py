"""Hand damaged and hostile files in as submissions, and count what becomes of them.

Run as ``python tests/fuzz.py CASES SEED``; prints the counts as JSON. Every case must be scored or
refused with a message; anything else ends the run with the case's description.
"""

from __future__ import annotations

import io
import json
import random
import resource
import struct
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from uhcs_bench.data import dataset
from uhcs_bench.errors import SubmissionError
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


def main() -> None:
    """Run the cases within a memory limit and print the counts."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes = run(int(sys.argv[1]), int(sys.argv[2]))
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        json.dumps({"outcomes": dict(sorted(outcomes.items())), "memory_grown_mb": round(grown_mb)})
    )


if __name__ == "__main__":
    main()
