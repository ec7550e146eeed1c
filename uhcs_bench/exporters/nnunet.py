"""Export for nnU-Net v2, and the way back from its predictions to a submission.

The layout is that of its documentation [1]_; the folds go into the file in which it looks for a
split made by hand [2]_. Cases are named as micrographs are, so that a prediction of nnU-Net is a
label map of a submission already.

References
----------
.. [1] https://github.com/MIC-DKFZ/nnUNet/blob/master/documentation/dataset_format.md
.. [2] https://github.com/MIC-DKFZ/nnUNet/blob/master/documentation/manual_data_splits.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from uhcs_bench import protocol
from uhcs_bench.data import dataset
from uhcs_bench.errors import SubmissionError
from uhcs_bench.exporters import description
from uhcs_bench.exporters.collection import Collection, Source, check_told, data_problem, read_folds
from uhcs_bench.exporters.collection import write as write_collection
from uhcs_bench.exporters.common import (
    KINDS,
    Usage,
    folds,
    identity,
    licence,
    write_json,
    write_pairs,
)
from uhcs_bench.io import paths
from uhcs_bench.io.texts import read_json

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from uhcs_bench.data.dataset import Dataset

NUMBERS: dict[protocol.TaskName, int] = {"particles": 501, "microconstituents": 502}
"""nnU-Net's numbers of the data sets, of three digits; those up to 10 are taken, those of
published models reach into the hundreds."""

CHANNEL = "SEM"
"""Any name but CT and a few others makes nnU-Net normalise each micrograph by itself."""

BACKGROUND = "background"
"""Name that nnU-Net requires for label 0."""

SPLITS_NAME = "splits_final.json"
"""File with the folds, in nnU-Net's folder of the preprocessed data set."""

_USAGE = """\
```text
nnUNet_raw/DatasetNNN_<name>/imagesTr/<id>_0000.png      micrographs
nnUNet_raw/DatasetNNN_<name>/labelsTr/<id>.png           label maps
nnUNet_raw/DatasetNNN_<name>/dataset.json                classes, number of cases, data set version
nnUNet_preprocessed/DatasetNNN_<name>/splits_final.json  the folds, which nnU-Net then uses
```

nnU-Net calls label 0 "background"; here it is the matrix, a class like the others, though
nnU-Net's Dice loss leaves it out.

In this folder:

```sh
export nnUNet_raw="$PWD/nnUNet_raw" nnUNet_preprocessed="$PWD/nnUNet_preprocessed"
export nnUNet_results="$PWD/nnUNet_results"
{commands}
```

Training on a fold ends with predictions of its micrographs, in `fold_<n>/validation/`. Don't add
`--val_best`: it takes the checkpoint that is best on those very micrographs. `collect` checks that
every prediction was made by the model of its own fold and gathers them; a single fold, trained
without `--npz`, can be scored in place:

```sh
uhcs-bench score nnUNet_results/{example}/fold_2/validation --fold 2{options}
```"""

_COMMANDS = """\
nnUNetv2_plan_and_preprocess -d {number} -c 2d --verify_dataset_integrity
for fold in {folds}; do nnUNetv2_train {number} 2d $fold; done
uhcs-bench collect nnunet nnUNet_results/{results} --out preds/{task}"""


def write(folder: Path, sets: Sequence[Dataset]) -> Usage:
    """Write data sets into a folder."""
    commands = []
    for micrographs in sets:
        name = dataset_name(micrographs)
        raw = folder / "nnUNet_raw" / name
        write_pairs(micrographs, raw / "imagesTr", raw / "labelsTr", image_suffix="_0000")
        write_json(raw / "dataset.json", _dataset_json(micrographs))
        splits = [
            {"train": list(fold.train.ids), "val": list(fold.val.ids)}
            for fold in folds(micrographs)
        ]
        write_json(folder / "nnUNet_preprocessed" / name / SPLITS_NAME, splits)
        commands.append(
            _COMMANDS.format(
                number=NUMBERS[micrographs.task.name],
                folds=" ".join(map(str, range(micrographs.n_folds))),
                results=_results_name(micrographs),
                task=micrographs.task.name,
            )
        )
    text = _USAGE.format(
        commands="\n".join(commands),
        example=_results_name(sets[0]),
        options=protocol.score_options(sets[0].version, sets[0].split),
    )
    return Usage("nnU-Net v2", text)


def dataset_name(micrographs: Dataset) -> str:
    """Return nnU-Net's name of a data set; no two versions or splits share one.

    Examples
    --------
    >>> dataset_name(dataset.load("particles", version="synthetic"))
    'Dataset501_particles_synthetic_paper'
    """
    task = micrographs.task.name
    return f"Dataset{NUMBERS[task]}_{task}_{micrographs.version}_{micrographs.split}"


def _results_name(micrographs: Dataset) -> str:
    return f"{dataset_name(micrographs)}/nnUNetTrainer__nnUNetPlans__2d"


def _dataset_json(micrographs: Dataset) -> dict[str, Any]:
    return {
        "channel_names": {"0": CHANNEL},
        "labels": {
            name if label else BACKGROUND: label for label, name in enumerate(micrographs.classes)
        },
        "numTraining": len(micrographs),
        "file_ending": ".png",
        "overwrite_image_reader_writer": "NaturalImage2DIO",
        "name": dataset_name(micrographs),
        "description": description.SUMMARIES[micrographs.task.name],
        "reference": description.URL,
        "licence": sorted({licence(m.entry, kind) for m in micrographs for kind in KINDS}),
        "release": micrographs.version,
        "uhcs_bench": identity(micrographs),
    }


def collect(
    results: str | os.PathLike[str],
    out: str | os.PathLike[str],
    version: str | None = None,
    split: str | None = None,
) -> Collection:
    """Gather the predictions of nnU-Net's cross-validation as a submission.

    nnU-Net predicts the validation cases of each fold after training on the others, into
    ``fold_<n>/validation``. A prediction in another place than its micrograph's own fold was made
    by a model that may have been trained on it.

    Parameters
    ----------
    results : path
        Folder with ``fold_0``, ``fold_1``, ..., as
        ``nnUNet_results/<data set>/nnUNetTrainer__nnUNetPlans__2d``, or one above it.
    out : path
        Folder to write, with one label map for each micrograph. It is written in one step.
    version, split : str, optional
        Data set version and split. By default those in the results' ``dataset.json``, which comes
        from the export.

    Returns
    -------
    Collection

    Raises
    ------
    SubmissionError, UsageError, DataUnavailableError
        As of `uhcs_bench.exporters.coco.collect`; also if there is no such version or split.
    """
    root = _cross_validation(paths.given(results))
    told = _told(root)
    check_told(told, root / "dataset.json", str(results))
    version = protocol.check_version(version or told.get("dataset_version", protocol.REAL_VERSION))
    split = protocol.check_split(split or told.get("split", protocol.PAPER_SPLIT))
    problems = [
        f"dataset.json: nnU-Net trained on {key.replace('_', ' ')} {told[key]}, not {wanted}"
        for key, wanted in (("dataset_version", version), ("split", split))
        if told.get(key, wanted) != wanted
    ]
    source = Source(str(results), _task(root, told, version), version, split)
    if not problems:
        problems += data_problem(told, source, "dataset.json: nnU-Net")
    maps = read_folds(
        root,
        source,
        "fold_{fold}/validation",
        problems,
        "train fold {fold} to its end",
        f"nnU-Net trained on folds of its own: put the export's {SPLITS_NAME} beside the "
        "preprocessed data and train again",
    )
    return write_collection(source, paths.given(out), maps, problems)


def _cross_validation(results: Path) -> Path:
    """Find the folder with the folds, at most two levels below."""
    found = {
        path.parent
        for pattern in ("fold_*", "*/fold_*", "*/*/fold_*")
        for path in results.glob(pattern)
        if path.is_dir()
    }
    if len(found) == 1:
        return found.pop()
    if found:
        listing = ", ".join(sorted(str(path) for path in found))
        problem = f"several trainings are in it; name one of {listing}"
    else:
        problem = (
            "there is no fold_0, fold_1, ... in it; name the folder of a training, such as "
            "nnUNet_results/Dataset501_particles_1.0_paper/nnUNetTrainer__nnUNetPlans__2d"
        )
    raise SubmissionError(str(results), [problem], "collected")


def _told(root: Path) -> Mapping[str, str]:
    """Read what the export wrote into the ``dataset.json`` that nnU-Net copies about."""
    try:
        path = root / "dataset.json"
        told = read_json(path)["uhcs_bench"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return told if isinstance(told, dict) else {}


def _task(root: Path, told: Mapping[str, str], version: protocol.Version) -> protocol.TaskName:
    if "task" in told:
        return protocol.task(told["task"]).name
    names = {path.stem for path in root.glob("fold_*/validation/*.png")}
    for task in protocol.TASKS:
        if names & {entry.id for entry in dataset.catalogue(task, version)}:
            return task
    problem = (
        f"no prediction in fold_*/validation is named after a micrograph of version {version}; "
        "train on an export of uhcs-bench, whose cases are"
    )
    raise SubmissionError(str(root), [problem], "collected")
