"""Write ``registry.json`` from the source files themselves.

Run as ``python -m tools.write_registry MIRROR > uhcs_bench/data/registry.json``, where
MIRROR is a folder that holds the files as ``<host>/<path>``. Folds come from the authors' fold
files, sample and micron bar from UHCSDB's database, hashes and row counts from the files. Where a
micrograph has several sources, they must give equal pixels. The tables below hold the little that
no file says.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from tools import usage
from uhcs_bench import protocol
from uhcs_bench.data import pixels as canonical
from uhcs_bench.data import registry
from uhcs_bench.io import images

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

RAW = "raw.githubusercontent.com"
AUTHORS = f"{RAW}/bdecost/uhcs-segment/7aea6f37f5246bb2570e0300f224db7f186a5fc3/data"
MATSEG = f"{RAW}/leibo-cmu/MatSeg/d32b2effbd73c30a80043ad9c1be1745b0a36ad4/data/uhcs"
AMPIS = (
    f"{RAW}/rccohn/AMPIS/fd822b1b4cb82aa54d8d90f537a5742eef8b12f8/examples/spheroidite/data/images"
)
POSTECH = (
    f"{RAW}/iai-postech/OpenSource/e94670ccf9839ca242af2fe22fc67155d2d18c06/"
    "weakly_supervised_microstructure_segmentation/data_files/Spheroidite particles/image"
)
AUTOPHASE = f"{RAW}/asdfqrt/Autophase/9ecd2dc8ec4e92745f4208cfb97f3985a26f28fd/data/For Training"

DEPOSIT_COPY = (
    f"https://{RAW}/CollaboratorD/3_UHCS_micro_DB/d50a47901be8d5cb35fa42bdd8b944c41c27f4d9"
)
UHCSDB_COPY = (
    f"https://{RAW}/rydia001/UHCS_micrographs_mirror/e5267cf1b3ea67912d30891a53418e3e42c578c8"
)
DATA_FACILITY = "https://data.materialsdatafacility.org/legacy/mdr_item_1496_v1"
ARCHIVE_INDEX = (
    "https://web.archive.org/cdx/search/cdx?url=materialsdata.nist.gov/bitstream/handle/11256/964*"
    "&filter=statuscode:200&output=json&fl=timestamp,original,mimetype,digest&limit=1000"
)
NIST_PAGE = "https://materialsdata.nist.gov/handle/11256/964"

MAX_ZIP_BYTES = 12_000_000
"""The deposit's zips have 9.95 and 6.66 MB."""

MAX_IMAGE_BYTES = 1_000_000
"""A micrograph of UHCSDB has about 345 kB."""

DATA_BAR_ROWS = 38
"""Rows of the data bar below a 4-class micrograph; its label maps mark them with -1."""

AUTOPHASE_LOST_ROWS = 1
"""Autophase's crops start one row below the top of the original micrograph."""

AUTOPHASE_CROPS = {
    "800C-24H-Q-1": 170,
    "800C-24H-Q-7": 170,
    "800C-24H-Q-3": 1196,
    "800C-24H-Q-5": 1720,
    "800C-3H-Q-1": 391,
    "800C-3H-Q-2": 1031,
    "800C-3H-Q-3": 565,
    "800C-3H-Q-4": 1234,
    "800C-8H-Q-1": 1265,
}
"""UHCSDB key of the particle micrographs that Autophase has, found by comparing with label maps."""

SHARED_MICROGRAPHS = {"970C-5M-Q-2": "uhcs0596"}
"""Particle micrograph -> the 4-class micrograph whose top rows it is; checked by the pixels."""

DEPOSIT_PIXEL_SIZE_UM = 1 / 26
"""The deposit's readme states 26 px/um for every particle micrograph."""

MATCHED_PIXEL_SIZES_UM = {
    # From the micron bar of the UHCSDB micrograph that shows the same picture, for those whose
    # UHCSDB key is not among the tables above. 800C-24H-Q-4 and 800C-24H-Q-6 matched none.
    "800C-8H-Q-3": 0.01942,
    "800C-8H-Q-4": 0.01942,
    "800C-85H-Q-1": 0.01942,
    "800C-85H-Q-2": 0.01942,
    "800C-85H-Q-3": 0.01942,
    "800C-24H-Q-2": 0.03876,
    "800C-85H-Q-5": 0.03876,
    "800C-85H-Q-6": 0.03876,
    "970C-5M-Q-1": 0.03876,
    "970C-5M-Q-3": 0.03876,
    "970C-5M-Q-4": 0.03876,
    "970C-5M-Q-5": 0.03876,
}

AGREEMENT = 0.02
"""Relative difference up to which pixel sizes agree: bars of about 100 px, read to a pixel."""

UHCSDB_LICENCE = "cc-by-3.0-us"
ANNOTATED_LICENCE = "cc-by-sa-3.0-us"
"""Of the annotated set: its label maps, and its micrographs that were not found in UHCSDB."""

LICENCES = {
    UHCSDB_LICENCE: "CC BY 3.0 US (https://creativecommons.org/licenses/by/3.0/us/)",
    ANNOTATED_LICENCE: "CC BY-SA 3.0 US (https://creativecommons.org/licenses/by-sa/3.0/us/)",
}
CITATIONS = {
    "paper": (
        "B. L. DeCost, B. Lei, T. Francis, E. A. Holm. High throughput quantitative metallography "
        "for complex microstructures using deep learning: a case study in ultrahigh carbon steel. "
        "Microscopy and Microanalysis 25 (2019) 21-29. https://doi.org/10.1017/S1431927618015635"
    ),
    "annotations": (
        "NIST materials data repository, handle 11256/964. https://hdl.handle.net/11256/964"
    ),
    "uhcsdb": "NIST materials data repository, handle 11256/940. https://hdl.handle.net/11256/940",
}
CITED = ["paper", "annotations", "uhcsdb"]


def deposit(
    kind: registry.DepositKind,
    url: str,
    max_bytes: int,
    tasks: Iterable[str] = tuple(protocol.TASKS),
    git_blob: str | None = None,
) -> dict[str, Any]:
    """Registry record of a place where the pixels have to say which file is which."""
    return {
        "kind": kind,
        "url": url,
        "max_bytes": max_bytes,
        "git_blob": git_blob,
        "tasks": list(tasks),
    }


DEPOSITS = [
    # In order of trust: a git blob id pins the zips; the images, like all else, only their pixels.
    deposit(
        "zip",
        f"{DEPOSIT_COPY}/particles.zip",
        MAX_ZIP_BYTES,
        ["particles"],
        git_blob="92797965da1356c6d1ae69f05c01e29ea39048ac",
    ),
    deposit(
        "zip",
        f"{DEPOSIT_COPY}/uhcs.zip",
        MAX_ZIP_BYTES,
        ["microconstituents"],
        git_blob="b4084713c3feb6a114f43234aa30ee1089415c98",
    ),
    deposit("image", f"{UHCSDB_COPY}/micrographs/{{uhcsdb_file}}", MAX_IMAGE_BYTES),
    deposit("image", f"{DATA_FACILITY}/micrographs/micrographs/{{uhcsdb_file}}", MAX_IMAGE_BYTES),
    deposit("archive", ARCHIVE_INDEX, MAX_ZIP_BYTES),
    deposit("page", NIST_PAGE, MAX_ZIP_BYTES),
]


class Located(NamedTuple):
    """A source file and the canonical array that it gives."""

    path: str
    source: registry.Source
    array: NDArray[np.uint8]


def locate(mirror: Path, path: str, rows: int, missing_rows: int = 0) -> Located:
    """Read a file of the mirror as a source of so many canonical rows."""
    content = (mirror / path).read_bytes()
    source = registry.Source(
        url="https://" + quote(path),
        sha256=hashlib.sha256(content).hexdigest(),
        n_bytes=len(content),
        rows=(0, rows - missing_rows),
        missing_rows=missing_rows,
    )
    array = canonical.canonical_array(images.read_image(mirror / path), source)
    return Located(path, source, array)


def file_record(located: list[Located], licence: str) -> dict[str, Any]:
    """Registry record of an image or label map; raise if the sources disagree."""
    hashed_from_row = min(item.source.missing_rows for item in located)
    pixels = {canonical.pixel_sha256(item.array[hashed_from_row:]) for item in located}
    if len(pixels) != 1:
        raise ValueError(f"different pixels in {[item.path for item in located]}")
    return {
        "pixel_sha256": pixels.pop(),
        "hashed_from_row": hashed_from_row,
        "licence": licence,
        "sources": [
            {
                "url": item.source.url,
                "sha256": item.source.sha256,
                "bytes": item.source.n_bytes,
                "rows": list(item.source.rows),
                "missing_rows": item.source.missing_rows,
            }
            for item in located
        ],
    }


def find(mirror: Path, folder: str, pattern: str) -> str:
    """Path, relative to the mirror, of the one file of a folder that fits a pattern."""
    found = [path for path in (mirror / folder).rglob("*") if re.fullmatch(pattern, path.name)]
    if len(found) != 1:
        raise ValueError(f"{len(found)} files fit {pattern} in {folder}")
    return found[0].relative_to(mirror).as_posix()


def rounded(pixel_size_um: float) -> float:
    """Pixel size to the five decimals in which the benchmark states it."""
    return round(pixel_size_um, 5)


def pixel_size(claims: dict[str, float], provenance: str) -> dict[str, Any]:
    """Registry record of a pixel size; UHCSDB's micron bar is the source that is believed."""
    values = list(claims.values())
    return {
        "um": claims.get("uhcsdb"),
        "provenance": provenance,
        "claims": claims,
        "sources_disagree": max(values) / min(values) - 1 > AGREEMENT,
    }


class Uhcsdb:
    """UHCSDB's database of micrographs and samples."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        connection.row_factory = sqlite3.Row
        self.connection = connection

    def __getitem__(self, key: int) -> sqlite3.Row:
        query = (
            "select * from micrograph left join sample on sample_key = sample_id "
            "where micrograph_id = ?"
        )
        row: sqlite3.Row = self.connection.execute(query, (key,)).fetchone()
        return row

    def pixel_size(self, key: int) -> tuple[float, str]:
        """Pixel size in um from the micron bar, and how it was read."""
        row = self[key]
        if row["micron_bar_units"] != "um":
            raise ValueError(f"unit {row['micron_bar_units']} of UHCSDB micrograph {key}")
        bar, length_px = row["micron_bar"], row["micron_bar_px"]
        return rounded(bar / length_px), f"UHCSDB micron bar, {bar:g} um over {length_px} px"

    def heat_treatment(self, key: int) -> dict[str, Any]:
        """Registry record of the heat treatment of the micrograph's sample."""
        row = self[key]
        hours = {"H": 1.0, "M": 1 / 60, None: None}[row["anneal_time_unit"]]
        return {
            "sample": row["label"] if hours else None,
            "temperature_c": row["anneal_temperature"],
            "time_h": None if hours is None else round(row["anneal_time"] * hours, 4),
            "cooling": row["cool_method"],
        }


def heat_treatment_in_name(name: str) -> dict[str, Any]:
    """Registry record of the heat treatment in a particle micrograph's name, as 800C-24H-Q-1."""
    temperature, time, cooling, _ = name.split("-")
    hours = float(time[:-1]) * {"H": 1.0, "M": 1 / 60}[time[-1]]
    return {
        "sample": None,
        "temperature_c": float(temperature.removesuffix("C")),
        "time_h": round(hours, 4),
        "cooling": cooling,
    }


def microconstituent_record(mirror: Path, uhcsdb: Uhcsdb, fold: int, name: str) -> dict[str, Any]:
    """Registry record of a 4-class micrograph: micrograph6 in the fold file, uhcs0006 elsewhere."""
    key = int(name.removeprefix("micrograph"))
    micrograph_id = f"uhcs{key:04d}"
    raw_labels = images.read_image(mirror / AUTHORS / f"uhcs-tif/labels/{micrograph_id}.tif")
    rows = raw_labels.shape[0] - DATA_BAR_ROWS
    if not (raw_labels[rows:] == -1).all():
        raise ValueError(f"no data bar below {micrograph_id}")
    labels = locate(mirror, f"{AUTHORS}/uhcs-tif/labels/{micrograph_id}.tif", rows)
    image = locate(mirror, find(mirror, MATSEG, f"{micrograph_id}\\.tif"), rows)
    size, provenance = uhcsdb.pixel_size(key)
    return {
        "task": "microconstituents",
        "id": micrograph_id,
        "fold": fold,
        "shape": list(labels.array.shape),
        "uhcsdb_id": key,
        "uhcsdb_file": uhcsdb[key]["path"],
        "pixel_size": pixel_size({"uhcsdb": size}, provenance),
        "heat_treatment": uhcsdb.heat_treatment(key),
        "licence": ANNOTATED_LICENCE,
        "citation": CITED,
        "image": file_record([image], UHCSDB_LICENCE),
        "labels": file_record([labels], ANNOTATED_LICENCE),
    }


def particle_images(mirror: Path, micrograph_id: str, rows: int) -> list[Located]:
    """List the sources of a particle micrograph, those with all rows first."""
    found = []
    if micrograph_id.startswith("970C"):
        found.append(locate(mirror, f"{POSTECH}/{micrograph_id}.png", rows))
    elif micrograph_id not in AUTOPHASE_CROPS:
        pattern = f"(train|valid)_{micrograph_id}_sizeRC_.*\\.png"
        found.append(locate(mirror, find(mirror, AMPIS, pattern), rows))
    if micrograph_id in SHARED_MICROGRAPHS:
        pattern = f"{SHARED_MICROGRAPHS[micrograph_id]}\\.tif"
        found.append(locate(mirror, find(mirror, MATSEG, pattern), rows))
    if micrograph_id in AUTOPHASE_CROPS:
        pattern = f"Croppedmicrograph{AUTOPHASE_CROPS[micrograph_id]}\\.png"
        path = find(mirror, AUTOPHASE, pattern)
        found.append(locate(mirror, path, rows, missing_rows=AUTOPHASE_LOST_ROWS))
    return found


def particle_record(mirror: Path, uhcsdb: Uhcsdb, fold: int, micrograph_id: str) -> dict[str, Any]:
    """Registry record of one particle micrograph."""
    path = f"{AUTHORS}/spheroidite-tif/labels/{micrograph_id}.tif"
    rows = images.read_image(mirror / path).shape[0]
    labels = locate(mirror, path, rows)
    key = AUTOPHASE_CROPS.get(micrograph_id)
    if micrograph_id in SHARED_MICROGRAPHS:
        key = int(SHARED_MICROGRAPHS[micrograph_id].removeprefix("uhcs"))
    claims = {"deposit": rounded(DEPOSIT_PIXEL_SIZE_UM)}
    if key is not None:
        claims["uhcsdb"], provenance = uhcsdb.pixel_size(key)
    elif micrograph_id in MATCHED_PIXEL_SIZES_UM:
        claims["uhcsdb"] = MATCHED_PIXEL_SIZES_UM[micrograph_id]
        provenance = "UHCSDB micron bar of the micrograph with the same picture"
    else:
        provenance = (
            "none: no UHCSDB micrograph matches, "
            "and the deposit's single value is wrong for several others"
        )
    return {
        "task": "particles",
        "id": micrograph_id,
        "fold": fold,
        "shape": list(labels.array.shape),
        "uhcsdb_id": key,
        "uhcsdb_file": None if key is None else uhcsdb[key]["path"],
        "pixel_size": pixel_size(claims, provenance),
        "heat_treatment": uhcsdb.heat_treatment(key)
        if key is not None
        else heat_treatment_in_name(micrograph_id),
        "licence": ANNOTATED_LICENCE,
        "citation": CITED,
        "image": file_record(
            particle_images(mirror, micrograph_id, rows),
            UHCSDB_LICENCE if "uhcsdb" in claims else ANNOTATED_LICENCE,
        ),
        "labels": file_record([labels], ANNOTATED_LICENCE),
    }


def generate(mirror: Path) -> dict[str, Any]:
    """Build the registry.

    Parameters
    ----------
    mirror : Path
        Folder with the source files, laid out ``<host>/<path>``.

    Returns
    -------
    dict
        The content of ``registry.json``.
    """
    folds = {
        "particles": json.loads(
            (mirror / AUTHORS / "spheroidite-validation-sets.json").read_text(encoding="utf-8")
        ),
        "microconstituents": json.loads(
            (mirror / AUTHORS / "uhcs-validation-sets.json").read_text(encoding="utf-8")
        ),
    }
    makers = {"particles": particle_record, "microconstituents": microconstituent_record}
    database = f"file:{quote(str((mirror / AUTHORS / 'microstructures.sqlite').resolve()))}?mode=ro"
    with closing(sqlite3.connect(database, uri=True)) as connection:
        uhcsdb = Uhcsdb(connection)
        micrographs = [
            makers[task](mirror, uhcsdb, fold, name)
            for task in protocol.TASKS
            for fold in range(protocol.N_FOLDS)
            for name in folds[task][str(fold)]
        ]
    return {
        "schema": registry.SCHEMA,
        "dataset_version": protocol.REAL_VERSION,
        "licences": LICENCES,
        "citations": CITATIONS,
        "deposits": DEPOSITS,
        "micrographs": micrographs,
    }


def as_json(content: dict[str, Any]) -> str:
    """Text of ``registry.json``, a line for each micrograph, so that a change shows where it is."""
    head = {key: value for key, value in content.items() if key != "micrographs"}
    lines = ",\n".join("    " + json.dumps(record) for record in content["micrographs"])
    opening = json.dumps(head, indent=2).removesuffix("\n}")
    return f'{opening},\n  "micrographs": [\n{lines}\n  ]\n}}\n'


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the registry to standard output."""
    parser = usage.parser("write_registry", __doc__)
    parser.add_argument(
        "mirror", type=usage.existing, metavar="MIRROR", help="folder of the source files"
    )
    sys.stdout.write(as_json(generate(parser.parse_args(arguments).mirror)))


if __name__ == "__main__":
    main()
