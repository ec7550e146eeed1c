"""Export of single particles as COCO instances [1]_.

A particle is a connected component of the label map, with 8-connectivity as in the paper. Its shape
is written as a run-length encoding, which is exact; the polygons of other exporters are not.

References
----------
.. [1] https://cocodataset.org/#format-data
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.errors import SubmissionError, in_words
from uhcs_bench.exporters import coco_masks, description
from uhcs_bench.exporters.collection import Collection, data_problem, other_folds, read_manifest
from uhcs_bench.exporters.collection import write as write_collection
from uhcs_bench.exporters.common import Usage, folds, identity, licence, write_json, write_png
from uhcs_bench.io import paths
from uhcs_bench.io.texts import read_json

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    from uhcs_bench.data.dataset import Dataset
    from uhcs_bench.data.micrograph import Micrograph

TASKS: tuple[protocol.TaskName, ...] = tuple(
    name for name, task in protocol.TASKS.items() if task.has_particles
)
"""Tasks with single objects."""

CATEGORY: dict[str, Any] = {
    "id": protocol.PARTICLE_LABEL,
    "name": protocol.PARTICLE_CLASS,
    "supercategory": "microconstituent",
}

MIN_SCORE = 0.5
"""Confidence from which on a predicted particle counts."""

_USAGE = """\
```text
<task>/images/<id>.png                            micrographs
<task>/annotations/fold_<n>_instances_train.json  particles of the micrographs to train on
<task>/annotations/fold_<n>_instances_val.json    particles of the micrographs to score on
```

Every 8-connected component is an instance, down to single pixels, with its mask as a compressed
run-length encoding (`pycocotools.mask.decode`), `bbox` as x, y, width, height, and `iscrowd` 0.
Annotations and micrographs have the same ids in all files.

```python
from pycocotools.coco import COCO

coco = COCO("particles/annotations/fold_2_instances_train.json")
```

The benchmark scores label maps. Write the results of each fold's model on its validation
micrographs, a list of `image_id`, `segmentation` and `score` as COCO's own tools read it, to
`results/fold_<n>.json`. This gives the pixels of all particles with a score of at least 0.5 the
label 1:

```sh
uhcs-bench collect coco results/ --data "<this folder>" --out preds/
```"""


def write(folder: Path, sets: Sequence[Dataset]) -> Usage:
    """Write data sets into a folder."""
    for micrographs in sets:
        root = folder / micrographs.task.name
        images, annotations = {}, {}
        first_id, licences = 1, _image_licences(micrographs)
        for number, micrograph in enumerate(micrographs, start=1):
            write_png(root / "images" / f"{micrograph.id}.png", micrograph, "image")
            images[micrograph.id] = _image(micrograph, number, licences)
            annotations[micrograph.id] = particle_annotations(micrograph.labels, number, first_id)
            first_id += len(annotations[micrograph.id])
        head = _head(micrographs)
        for fold in folds(micrographs):
            for name, part in (("train", fold.train), ("val", fold.val)):
                path = root / "annotations" / f"fold_{fold.number}_instances_{name}.json"
                content = {
                    **head,
                    "images": [images[id_] for id_ in part.ids],
                    "annotations": _joined(annotations[id_] for id_ in part.ids),
                }
                write_json(path, content, indent=None)
    return Usage("COCO readers", _USAGE)


def particle_annotations(
    labels: np.ndarray[Any, np.dtype[np.uint8]], image_id: int, first_id: int = 1
) -> list[dict[str, Any]]:
    """Describe every particle of a label map as a COCO annotation.

    Parameters
    ----------
    labels : ndarray of uint8, shape (rows, columns)
        1 where there is particle, 0 elsewhere.
    image_id : int
    first_id : int, optional
        The annotations get this id and the following ones.

    Returns
    -------
    list of dict
        In the order in which the particles' first pixels appear. Areas are numbers of pixels.

    Raises
    ------
    MissingPackageError
        If pycocotools is not installed.

    Examples
    --------
    >>> particles = particle_annotations(np.array([[1, 0, 0], [0, 1, 1]], np.uint8), image_id=7)
    >>> [(p["id"], p["image_id"], p["area"], p["bbox"]) for p in particles]
    [(1, 7, 3, [0, 0, 3, 2])]
    """
    coco_mask = coco_masks.coco_mask()
    from scipy import ndimage

    from uhcs_bench.metallography import components

    numbered = components.label_particles(labels == protocol.PARTICLE_LABEL)
    single = np.zeros(labels.shape, np.uint8, order="F")
    annotations = []
    for number, box in enumerate(ndimage.find_objects(numbered), start=1):
        single[box] = numbered[box] == number
        area = int(single[box].sum())
        encoded = coco_mask.encode(single)
        single[box] = 0
        rows, columns = box
        annotations.append(
            {
                "id": first_id + number - 1,
                "image_id": image_id,
                "category_id": CATEGORY["id"],
                "iscrowd": 0,
                "area": area,
                "bbox": [
                    columns.start,
                    rows.start,
                    columns.stop - columns.start,
                    rows.stop - rows.start,
                ],
                "segmentation": {
                    "size": list(labels.shape),
                    "counts": encoded["counts"].decode("ascii"),
                },
            }
        )
    return annotations


def _head(micrographs: Dataset) -> dict[str, Any]:
    return {
        "info": {
            "description": description.SUMMARIES[micrographs.task.name],
            "version": micrographs.version,
            "url": description.URL,
            **identity(micrographs),
        },
        "licenses": [
            {"id": number, "name": text, "url": description.licence_url(text)}
            for number, text in enumerate(_image_licences(micrographs), start=1)
        ],
        "categories": [CATEGORY],
    }


def _image_licences(micrographs: Dataset) -> list[str]:
    return list(dict.fromkeys(licence(m.entry, "image") for m in micrographs))


def _image(micrograph: Micrograph, number: int, licences: list[str]) -> dict[str, Any]:
    rows, columns = micrograph.entry.shape
    return {
        "id": number,
        "file_name": f"{micrograph.id}.png",
        "height": rows,
        "width": columns,
        "license": 1 + licences.index(licence(micrograph.entry, "image")),
        "fold": micrograph.fold,
        "pixel_size_um": micrograph.pixel_size_um,
    }


def _joined(lists: Iterable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [annotation for annotations in lists for annotation in annotations]


def collect(
    results: str | os.PathLike[str],
    out: str | os.PathLike[str],
    data: str | os.PathLike[str],
    min_score: float = MIN_SCORE,
) -> Collection:
    """Gather instances in COCO's result format as label maps.

    Parameters
    ----------
    results : path
        Folder with ``fold_0.json``, ``fold_1.json``, ..., each with the instances that the fold's
        model has found on its validation micrographs: a list of objects with ``image_id``, as in
        the export, ``segmentation``, a run-length encoding or polygons, and ``score``.
    out : path
        Folder to write, with one label map for each micrograph. It is written in one step.
    data : path
        The export that was trained on.
    min_score : float, optional
        Instances below it are left out. It must not be chosen on validation micrographs.

    Returns
    -------
    Collection
        A pixel is particle if an instance has it; instances that touch become one particle.

    Raises
    ------
    SubmissionError
        If anything is wrong; it lists all problems of all folds.
    UsageError
        If `out` is not empty.
    MissingPackageError
        If pycocotools is not installed.
    DataUnavailableError
        If the micrographs can't be had: the annotations are compared with those of the export.
    """
    coco_masks.coco_mask()
    source, told = read_manifest(paths.given(data), "coco", str(results), set())
    problems = data_problem(told, source, "the export: the model")
    by_id = {entry.id: entry for entry in source.entries}
    folder = paths.given(data) / source.task / "annotations"
    names = _image_names(folder, str(results), by_id)
    maps = {name: np.zeros(entry.shape, np.uint8) for name, entry in by_id.items()}
    for fold in range(1 + max(entry.fold for entry in source.entries)):
        place = f"fold_{fold}.json"
        faults: dict[str, list[int]] = {}
        predicted = []
        for number, result in enumerate(_read_results(paths.given(results) / place, problems)):
            name, found = _checked(result, names)
            if name is not None:
                predicted.append(name)
            if name is not None and not found and result["score"] >= min_score:
                try:
                    maps[name] |= coco_masks.decoded(result.get("segmentation"), by_id[name].shape)
                except ValueError as error:
                    found.append(f"no valid mask ({error}); write it as COCO's own tools do")
            for fault in found:
                faults.setdefault(fault, []).append(number)
        problems += [_located(place, fault, numbers) for fault, numbers in faults.items()]
        advice = "Predict the micrographs of a fold by the model of that fold"
        problems += other_folds(place, dict.fromkeys(predicted), by_id, fold, advice)
    empty = [name for name, labels in maps.items() if not labels.any()]
    return write_collection(source, paths.given(out), maps, problems, empty)


def _image_names(folder: Path, where: str, by_id: Mapping[str, object]) -> dict[int, str]:
    """Read the ids of the export's pictures, which are the same in all of its files."""
    try:
        parts = [read_json(folder / f"fold_0_instances_{part}.json") for part in ("train", "val")]
        names = {image["id"]: Path(image["file_name"]).stem for p in parts for image in p["images"]}
        others = [name for name in names.values() if name not in by_id]
        if others:
            raise ValueError(f"{others[0]!r} is no micrograph of its split")
    except (OSError, ValueError, KeyError, TypeError) as error:
        problem = f"{folder} has no annotations of the export ({in_words(error)}); export it again"
        raise SubmissionError(where, [problem], "collected") from error
    return names


def _read_results(path: Path, problems: list[str]) -> list[Any]:
    """Read the results of a fold; none if there is no list of them, which becomes a problem."""
    try:
        content = read_json(path)
    except FileNotFoundError:
        problems.append(f"{path.name} is not there: write the results of that fold's model to it")
        return []
    except (OSError, ValueError) as error:
        problems.append(f"{path.name} can't be read as JSON ({error}); write it again")
        return []
    if not isinstance(content, list):
        problems.append(f"{path.name} is no list of results; write it in COCO's result format")
        return []
    return content


def _checked(result: object, names: Mapping[int, str]) -> tuple[str | None, list[str]]:
    """Give the micrograph of a result, None if it names none, and all that is wrong but its mask.

    A fault is a phrase that follows "has".
    """
    if not isinstance(result, dict):
        return None, ["no object in its place; write it in COCO's result format"]
    image, category = result.get("image_id"), result.get("category_id", CATEGORY["id"])
    name = names.get(int(image)) if coco_masks.is_number(image) and image == int(image) else None
    faults = []
    if name is None:
        faults.append("an image_id that the export does not have; use the ids of its annotations")
    if not coco_masks.is_number(category) or category != CATEGORY["id"]:
        faults.append(
            f"a category_id other than {CATEGORY['id']}, which is that of a "
            f"{CATEGORY['name']} in the export; leave out what is none, or write that id"
        )
    if not coco_masks.is_number(result.get("score")):
        faults.append("no score that is a finite number; write how sure the model is of it")
    return name, faults


def _located(place: str, fault: str, numbers: Sequence[int]) -> str:
    """Say which results of a file have a fault, in one sentence for all of them."""
    if len(numbers) == 1:
        return f"{place}: result {numbers[0]} has {fault}"
    return f"{place}: {len(numbers)} results, the first of them number {numbers[0]}, have {fault}"
