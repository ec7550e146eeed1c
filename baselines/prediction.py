"""Apply a trained model to whole micrographs."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch
from tqdm import tqdm

from baselines import hardware
from baselines.training import checkpoint
from baselines.training.preparation import autocast
from uhcs_bench.data import label_maps
from uhcs_bench.errors import UhcsBenchError, UsageError
from uhcs_bench.io import protection
from uhcs_bench.io.images import ImageError, read_image
from uhcs_bench.segmentation.preprocessing import gray

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from baselines.networks.model import Model


def segment(
    model: Model,
    image: NDArray[np.generic],
    precision: str = "float32",
    *,
    tta: bool = False,
    others: Sequence[Model] = (),
) -> NDArray[np.uint8]:
    """Segment a micrograph of any size.

    Parameters
    ----------
    model : Model
        In evaluation mode, on any device.
    image : ndarray of any integer or float dtype, shape (h, w)
        Raw gray values.
    precision : {"float32", "bfloat16"}
    tta : bool
        Average the probabilities over the eight rotations and reflections of the micrograph.
    others : sequence of Model
        Models whose probabilities are averaged with those of the first: an ensemble.

    Returns
    -------
    ndarray of uint8, shape (h, w)
        Class labels.
    """
    if tta or others:
        averaged = probabilities([model, *others], image, precision, tta=tta)
        return np.asarray(averaged.argmax(axis=0), dtype=np.uint8)
    device = next(model.parameters()).device
    values = torch.from_numpy(model.preprocessing.apply(image)).to(device)
    with autocast(precision, device):
        bands = model.logit_bands(values)
        labels = torch.cat([logits.argmax(dim=0).to(torch.uint8) for logits in bands])
    return labels.cpu().numpy()


def probabilities(
    models: Sequence[Model],
    image: NDArray[np.generic],
    precision: str = "float32",
    *,
    tta: bool = False,
) -> NDArray[np.float32]:
    """Average the class probabilities of several models, and of several views of a micrograph.

    Parameters
    ----------
    models : sequence of Model
        In evaluation mode, on one device, all of the same classes.
    image, precision, tta
        As `segment` takes them.

    Returns
    -------
    ndarray of float32, shape (n_classes, h, w)
    """
    device = next(models[0].parameters()).device
    views = [(turns, mirrored) for turns in range(4) for mirrored in (False, True)]
    total = torch.zeros(())
    for model, (turns, mirrored) in product(models, views if tta else views[:1]):
        values = torch.from_numpy(model.preprocessing.apply(image)).to(device)
        view = torch.rot90(values.flip(-1) if mirrored else values, turns, (-2, -1))
        with autocast(precision, device):
            bands = [logits.float().softmax(dim=0) for logits in model.logit_bands(view)]
        back = torch.rot90(torch.cat(bands, dim=1), -turns, (-2, -1))
        total = total + (back.flip(-1) if mirrored else back).cpu()
    return (total / (len(models) * (len(views) if tta else 1))).numpy()


def predict_files(
    model_files: Sequence[Path],
    images: Sequence[Path],
    out: Path,
    device: str,
    precision: str,
    *,
    tta: bool = False,
    page: int | None = None,
) -> list[str]:
    """Segment image files with checkpoints' models; the map of NAME.tif is ``<out>/NAME.png``.

    Parameters
    ----------
    model_files : sequence of Path
        Several are averaged; they must have the same classes.
    images : sequence of Path
    out : Path
    device, precision : str
        As `hardware.choose_device` and `hardware.choose_precision` take them.
    tta : bool
        As `segment` takes it.
    page : int, optional
        Which image is meant where files hold several, from 1 on.

    Returns
    -------
    list of str
        What could not be segmented, with the reason.

    Raises
    ------
    UsageError
        Two images would give one file, the models differ in their classes, or there is no such
        device.
    UhcsBenchError
        The checkpoint can't be used, or memory runs out.
    """
    by_name: dict[str, list[str]] = {}
    for path in images:
        by_name.setdefault(path.stem, []).append(str(path))
    same = [" and ".join(paths) for paths in by_name.values() if len(paths) > 1]
    if same:
        raise UsageError(
            f"Nothing was segmented: {'; '.join(same)} would give the same file in {out}. Segment "
            "them by several calls, each with its own --out."
        )
    for path in images:
        protection.check(out / f"{path.stem}.png")
    place = hardware.choose_device(device)
    chosen = hardware.choose_precision(precision, place)
    model, *others = load_models(model_files, place)
    failures = []
    for path in tqdm(images, unit="micrograph", disable=None):
        try:
            labels = segment(
                model, gray(read_image(path, page=page)), chosen, tta=tta, others=others
            )
        except ImageError as error:
            failures.append(f"{path} {error}.")
        except (MemoryError, RuntimeError) as error:
            if not hardware.is_out_of_memory(error):
                raise
            raise UhcsBenchError(
                f"{path}: out of memory on {place}. Take --device cpu, or cut the image up."
            ) from error
        else:
            label_maps.write_label_map(out / f"{path.stem}.png", labels)
    return failures


def load_models(model_files: Sequence[Path], device: torch.device) -> list[Model]:
    """Load checkpoints whose probabilities can be averaged.

    Raises
    ------
    UsageError
        The models differ in their classes.
    UhcsBenchError
        A checkpoint can't be used.
    """
    trained = [checkpoint.load(path, device) for path in model_files]
    for path, other in zip(model_files, trained, strict=True):
        if other.classes != trained[0].classes:
            raise UsageError(
                f"{path} knows the classes {', '.join(other.classes)}, but {model_files[0]} knows "
                f"{', '.join(trained[0].classes)}. Only models of the same classes can be averaged."
            )
    return [other.model for other in trained]
