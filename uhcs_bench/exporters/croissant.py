"""Croissant metadata: the data sets as other tools' loaders understand them.

Croissant [1]_ is JSON-LD that names the files of a data set with their hashes, and the records that
they hold. All of that is computed from the registry. The fields on the responsible use of the data
[2]_ are computed from the audit.

References
----------
.. [1] https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html
.. [2] https://docs.mlcommons.org/croissant/docs/croissant-rai-spec.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from uhcs_bench import protocol
from uhcs_bench.data import registry
from uhcs_bench.exporters import description

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from uhcs_bench.auditing.audit import Audit
    from uhcs_bench.data.registry import Entry, FileKind, Source

CONFORMS_TO = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
FOLDERS: dict[FileKind, str] = {"image": "images", "labels": "labels"}
_ENCODINGS = {"png": "image/png", "tif": "image/tiff"}

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the specification gives."""

_TEXT, _INTEGER, _FLOAT, _URL = "sc:Text", "sc:Integer", "sc:Float", "sc:URL"
_IMAGE = "sc:ImageObject"

_CLASS_FIELDS = (
    ("label", _INTEGER, "Value of the class in the label maps."),
    ("name", _TEXT, "Name of the class."),
    ("color", _TEXT, "Colour of the class in figures, #rrggbb."),
)

_MICROGRAPH_FIELDS = (
    ("id", _TEXT, "Name of the micrograph."),
    ("fold", _INTEGER, "Validation fold in the paper's split; the training set is all others."),
    *(
        (
            f"fold_{split}",
            _INTEGER,
            f"Validation fold in another split ({meaning}), if it is there.",
        )
        for split, meaning in protocol.SPLITS.items()
        if split != protocol.PAPER_SPLIT
    ),
    ("rows", _INTEGER, "Height of image and label map in pixels."),
    ("columns", _INTEGER, "Width of image and label map in pixels."),
    ("uhcsdb_id", _INTEGER, "Primary key of the micrograph in UHCSDB, where it is known."),
    ("sample", _TEXT, "Label of the sample in UHCSDB, where it is known."),
    ("temperature_c", _FLOAT, "Annealing temperature in degrees Celsius."),
    ("time_h", _FLOAT, "Annealing time in hours."),
    ("cooling", _TEXT, "Cooling: Q quenched, WQ water-quenched, AR air-cooled, FC furnace-cooled."),
    ("pixel_size_um", _FLOAT, "Edge of a pixel in micrometres, where a reliable source states it."),
    ("pixel_size_provenance", _TEXT, "Where the pixel size comes from, or why there is none."),
    ("image_file", _TEXT, "File object of the micrograph."),
    ("image_licence", _URL, "Licence of the micrograph."),
    ("image_rows", _INTEGER, "Rows of the file that are used, from its first one on."),
    (
        "image_missing_rows",
        _INTEGER,
        "Rows above those that the file has lost; they are filled with its first row.",
    ),
    (
        "image_pixel_sha256",
        _TEXT,
        "SHA-256 of 'uint8 <rows>x<columns>', a newline and the pixels that the file has.",
    ),
    ("labels_file", _TEXT, "File object of the label map."),
    ("labels_licence", _URL, "Licence of the label map."),
    ("labels_rows", _INTEGER, "Rows of the file that are used, from its first one on."),
    ("labels_pixel_sha256", _TEXT, "The same hash of the label map as uint8."),
)


def metadata(task: str | None = None, audited: Audit | None = None) -> dict[str, Any]:
    """Describe the data sets in Croissant 1.1.

    For each task there are the pinned files (the best source of each), file sets of its images and
    label maps, and four record sets: ``<task>-classes``, ``<task>`` (one record for each
    micrograph, inline), ``<task>-images`` and ``<task>-labels`` (the contents of the files). A
    record of ``<task>`` names its file objects and the rows of them that are used.

    Parameters
    ----------
    task : str, optional
        Name or alias of a task; both tasks without it.
    audited : Audit, optional
        Of the same data, version 1.0. With it the description has the fields on limitations,
        biases and intended use.

    Returns
    -------
    dict
        JSON-LD.

    Raises
    ------
    UsageError
        If there is no such task.

    Examples
    --------
    >>> described = metadata("particles")
    >>> [record_set["@id"] for record_set in described["recordSet"]]
    ['particles-classes', 'particles', 'particles-images', 'particles-labels']
    """
    entries = description.entries(task)
    every = [entry for listed in entries.values() for entry in listed]
    return {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": "-".join([description.NAME, *([] if task is None else entries)]),
        "description": " ".join(
            f"{name}: {len(listed)} micrographs. {description.SUMMARIES[name]}"
            for name, listed in entries.items()
        ),
        "conformsTo": CONFORMS_TO,
        "citeAs": " ".join(description.citations(every)),
        "creator": [{"@type": "sc:Person", "name": name} for name in description.CREATORS],
        "datePublished": description.PUBLISHED,
        "keywords": list(description.KEYWORDS),
        "license": [description.licence_url(text) for text in description.licences(every)],
        "url": description.URL,
        # The specification requires three numbers; the data set's own version has two.
        "version": f"{protocol.REAL_VERSION}.0",
        "distribution": [
            item for name, listed in entries.items() for item in _distribution(name, listed)
        ],
        "recordSet": [
            record_set for name, listed in entries.items() for record_set in _records(name, listed)
        ],
        **({} if audited is None else _responsible_use(audited)),
    }


_LEAKS = ("duplicate", "overlap", "two magnifications", "shared micrograph")
_BIASES = (*_LEAKS, "sample in several folds", "absent classes")
"""Kinds of findings that bias a score or a model; the others limit what can be measured."""


def _responsible_use(audited: Audit) -> dict[str, list[str]]:
    biases = [finding.sentence for finding in audited.findings if finding.kind in _BIASES]
    limits = [finding.sentence for finding in audited.findings if finding.kind not in _BIASES]
    shares = [
        f"{task.task}: {', '.join(f'{name} {share:.1%}' for name, share in task.shares.items())} "
        "of the annotated pixels."
        for task in audited.tasks
    ]
    return {
        "rai:dataUseCases": [description.USES],
        "rai:dataLimitations": [description.LIMITS, *limits],
        "rai:dataBiases": [*shares, *biases],
        "rai:dataAnnotationProtocol": [description.ANNOTATION],
        "rai:dataPreprocessingProtocol": [description.PREPROCESSING],
        "rai:personalSensitiveInformation": ["None: the pictures show polished and etched steel."],
    }


def to_json(described: dict[str, Any]) -> str:
    """Text of a description, without a newline at its end."""
    return json.dumps(described, indent=1)


def file_id(entry: Entry, kind: FileKind) -> str:
    """Name the file object that an image or label map comes from.

    Examples
    --------
    >>> file_id(registry.entries("particles")[0], "image")
    'particles/images/970C-5M-Q-2.png'
    """
    return f"{entry.task}/{FOLDERS[kind]}/{_file_name(_source(entry, kind))}"


def _source(entry: Entry, kind: FileKind) -> Source:
    return entry.files[kind].sources[0]


def _file_name(source: Source) -> str:
    return unquote(urlsplit(source.url).path).rpartition("/")[2]


def _distribution(task: protocol.TaskName, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    # A micrograph that stands in two folds is one file.
    files = {file_id(e, kind): _file_object(e, kind) for kind in FOLDERS for e in entries}
    return [*files.values(), *(_file_set(task, kind, files) for kind in FOLDERS)]


def _file_object(entry: Entry, kind: FileKind) -> dict[str, Any]:
    source = _source(entry, kind)
    name = _file_name(source)
    return {
        "@type": "cr:FileObject",
        "@id": file_id(entry, kind),
        "name": name,
        "contentUrl": source.url,
        "contentSize": f"{source.n_bytes} B",
        "encodingFormat": _ENCODINGS[name.rpartition(".")[2]],
        "sha256": source.sha256,
        "license": description.licence_url(entry.files[kind].licence),
    }


def _file_set(
    task: protocol.TaskName, kind: FileKind, files: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    folder = f"{task}/{FOLDERS[kind]}/"
    its_files = [item for item in files.values() if item["@id"].startswith(folder)]
    return {
        "@type": "cr:FileSet",
        "@id": f"{task}-{FOLDERS[kind]}-files",
        "name": f"{task}-{FOLDERS[kind]}-files",
        "containedIn": [{"@id": item["@id"]} for item in its_files],
        "encodingFormat": sorted({item["encodingFormat"] for item in its_files}),
        "includes": "*",
    }


def _records(task: protocol.TaskName, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    return [
        _inline(
            f"{task}-classes",
            "The classes and their labels.",
            _CLASS_FIELDS,
            _classes(protocol.TASKS[task]),
            key="label",
            data_type="sc:Enumeration",
        ),
        _inline(
            task,
            f"{description.SUMMARIES[task]} One record for each micrograph.",
            _MICROGRAPH_FIELDS,
            _micrographs(task, entries),
            key="id",
        ),
        _contents(task, "image", "The micrographs, as their files hold them.", _IMAGE),
        # The 4-class label maps are TIFFs of int64 with -1 below the micrograph, which image
        # libraries reject or change; both tasks therefore give the bytes of the file.
        _contents(task, "labels", "The label maps' TIFF files, as bytes.", _TEXT),
    ]


def _classes(task: protocol.Task) -> list[dict[str, Any]]:
    return [
        {"label": label, "name": name, "color": color}
        for label, (name, color) in enumerate(zip(task.classes, task.colors, strict=True))
    ]


def _micrographs(task: protocol.TaskName, entries: Iterable[Entry]) -> list[dict[str, Any]]:
    folds = {
        split: {entry.id: entry.fold for entry in registry.entries(task, split=split)}
        for split in protocol.SPLITS
        if split != protocol.PAPER_SPLIT
    }
    return [
        {
            **_micrograph(entry),
            **{f"fold_{name}": fold.get(entry.id) for name, fold in folds.items()},
        }
        for entry in entries
    ]


def _micrograph(entry: Entry) -> dict[str, Any]:
    image, labels = (_source(entry, kind) for kind in FOLDERS)
    return {
        "id": entry.id,
        "fold": entry.fold,
        "rows": entry.shape[0],
        "columns": entry.shape[1],
        "uhcsdb_id": entry.uhcsdb_id,
        "sample": entry.heat_treatment.sample,
        "temperature_c": entry.heat_treatment.temperature_c,
        "time_h": entry.heat_treatment.time_h,
        "cooling": entry.heat_treatment.cooling,
        "pixel_size_um": entry.pixel_size.um,
        "pixel_size_provenance": entry.pixel_size.provenance,
        "image_file": file_id(entry, "image"),
        "image_licence": description.licence_url(entry.files["image"].licence),
        "image_rows": image.rows[1],
        "image_missing_rows": image.missing_rows,
        "image_pixel_sha256": entry.files["image"].pixel_sha256,
        "labels_file": file_id(entry, "labels"),
        "labels_licence": description.licence_url(entry.files["labels"].licence),
        "labels_rows": labels.rows[1],
        "labels_pixel_sha256": entry.files["labels"].pixel_sha256,
    }


def _inline(
    name: str,
    text: str,
    fields: Iterable[tuple[str, str, str]],
    records: Iterable[dict[str, Any]],
    *,
    key: str,
    data_type: str | None = None,
) -> dict[str, Any]:
    """Record set whose records stand in the description itself."""
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": text,
        **({} if data_type is None else {"dataType": data_type}),
        "key": {"@id": f"{name}/{key}"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{field}",
                "name": field,
                "description": meaning,
                "dataType": kind,
            }
            for field, kind, meaning in fields
        ],
        "data": [
            {f"{name}/{field}": value for field, value in record.items()} for record in records
        ],
    }


def _contents(task: protocol.TaskName, kind: FileKind, text: str, data_type: str) -> dict[str, Any]:
    """Record set of the contents of a file set."""
    name = f"{task}-{FOLDERS[kind]}"
    fields = (
        ("file", _TEXT, "filename", "Name of the file, as the loader has stored it."),
        ("content", data_type, "content", text),
    )
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": text,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{field}",
                "name": field,
                "description": meaning,
                "dataType": kind_of_value,
                "source": {
                    "fileSet": {"@id": f"{name}-files"},
                    "extract": {"fileProperty": file_property},
                },
            }
            for field, kind_of_value, file_property, meaning in fields
        ],
    }
