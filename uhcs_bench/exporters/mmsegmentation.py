"""Export for MMSegmentation 1.x: folders, lists of names, and a configuration for each fold.

The layout is that of its ``BaseSegDataset`` [1]_.

References
----------
.. [1] https://mmsegmentation.readthedocs.io/en/latest/advanced_guides/add_datasets.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uhcs_bench.exporters.collection import Collection, data_problem, read_folds, read_manifest
from uhcs_bench.exporters.collection import write as write_collection
from uhcs_bench.exporters.common import Usage, folds, identity, rgb, write_pairs, write_text
from uhcs_bench.io import paths

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence
    from pathlib import Path

    from uhcs_bench.data.dataset import Dataset, Fold

_USAGE = """\
```text
<task>/img_dir/<id>.png             micrographs
<task>/ann_dir/<id>.png             label maps; 0 is a class, so reduce_zero_label is False
<task>/folds/fold_<n>_train.txt     names of the micrographs to train on
<task>/folds/fold_<n>_val.txt       names of the micrographs to score on
<task>/fold_<n>.py                  configuration: data sets, loaders, classes, colours
```

Build a model's configuration on that of a fold, with as many classes as the task has, and a
schedule that selects no checkpoint on the validation micrographs (no `save_best`):

```python
_base_ = ["<this folder>/particles/fold_2.py", "<a model and a schedule of yours>"]
```

`python tools/test.py CONFIG CHECKPOINT --out results/fold_2`, with that fold's configuration,
writes the fold's label maps as `results/fold_2/<id>.png`. With those of all folds:

```sh
uhcs-bench collect mmsegmentation results/ --data "<this folder>" --out preds/
```

MMSegmentation's own mIoU pools all pixels into one confusion matrix: quote the scores of uhcs-bench
instead."""

_CONFIGURATION = '''\
"""Fold {fold} of {task}: data set version {dataset_version}, split {split}."""

dataset_type = "BaseSegDataset"
data_root = "{{{{ fileDirname }}}}"
metainfo = dict(
    classes={classes!r},
    palette={palette!r},
)
data = dict(
    type=dataset_type,
    data_root=data_root,
    metainfo=metainfo,
    data_prefix=dict(img_path="img_dir", seg_map_path="ann_dir"),
    img_suffix=".png",
    seg_map_suffix=".png",
    reduce_zero_label=False,
)
train_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="RandomFlip", prob=0.5),
    dict(type="PackSegInputs"),
]
test_pipeline = [
    dict(type="LoadImageFromFile"),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs"),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=2,
    sampler=dict(type="InfiniteSampler", shuffle=True),
    dataset=dict(data, ann_file="folds/fold_{fold}_train.txt", pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(data, ann_file="folds/fold_{fold}_val.txt", pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(type="IoUMetric", iou_metrics=["mIoU"])
test_evaluator = val_evaluator
'''


def write(folder: Path, sets: Sequence[Dataset]) -> Usage:
    """Write data sets into a folder."""
    for micrographs in sets:
        root = folder / micrographs.task.name
        write_pairs(micrographs, root / "img_dir", root / "ann_dir")
        for fold in folds(micrographs):
            for name, part in (("train", fold.train), ("val", fold.val)):
                lines = "".join(f"{id_}\n" for id_ in part.ids)
                write_text(root / "folds" / f"fold_{fold.number}_{name}.txt", lines)
            write_text(root / f"fold_{fold.number}.py", _configuration(micrographs, fold))
    return Usage("MMSegmentation", _USAGE)


def _configuration(micrographs: Dataset, fold: Fold) -> str:
    return _CONFIGURATION.format(
        fold=fold.number,
        classes=micrographs.classes,
        palette=[rgb(color) for color in micrographs.task.colors],
        **identity(micrographs),
    )


def collect(
    results: str | os.PathLike[str], out: str | os.PathLike[str], data: str | os.PathLike[str]
) -> Collection:
    """Gather the label maps that MMSegmentation's ``tools/test.py --out`` has written.

    Parameters
    ----------
    results : path
        Folder with ``fold_0``, ``fold_1``, ..., each with the maps ``<id>.png`` of its validation
        micrographs.
    out : path
        Folder to write, with one label map for each micrograph. It is written in one step.
    data : path
        The export that was trained on.

    Returns
    -------
    Collection

    Raises
    ------
    SubmissionError, UsageError, DataUnavailableError
        As of `uhcs_bench.exporters.coco.collect`.
    """
    root = paths.given(results)
    names = {path.stem for path in root.glob("fold_*/[!.]*.png")}
    source, told = read_manifest(paths.given(data), "mmsegmentation", str(results), names)
    problems = data_problem(told, source, "the export: MMSegmentation")
    maps = read_folds(
        root,
        source,
        "fold_{fold}",
        problems,
        f"run tools/test.py with fold_{{fold}}.py and --out {root}/fold_{{fold}}",
        "Predict the micrographs of a fold by the model of that fold",
    )
    return write_collection(source, paths.given(out), maps, problems)
