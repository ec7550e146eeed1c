"""Export of single particles as COCO instances [1]_.

A particle is a connected component of the label map, with 8-connectivity as in the paper. Its shape
is written as a run-length encoding, which is exact; the polygons of other exporters are not.

References
----------
.. [1] https://cocodataset.org/#format-data
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from uhcs_bench import protocol
from uhcs_bench.errors import MissingPackageError
from uhcs_bench.exporters import description
from uhcs_bench.exporters.common import Usage, folds, identity, licence, write_json, write_png

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

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

The benchmark scores label maps: give the pixels of all predicted particles of a micrograph the
label 1 and the others 0, and save that as `preds/<id>.png`."""


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
    try:
        from pycocotools import mask as coco_mask
    except ModuleNotFoundError as error:
        raise MissingPackageError("Writing COCO instances", "coco") from error
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
