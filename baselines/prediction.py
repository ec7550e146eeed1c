"""Apply a trained model to whole micrographs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from tqdm import tqdm

from baselines import checkpoint, hardware, pixelnet, unet
from baselines.preparation import autocast
from uhcs_bench.data import label_maps
from uhcs_bench.errors import UhcsBenchError, UsageError
from uhcs_bench.io.images import ImageError, read_image
from uhcs_bench.segmentation.preprocessing import equalize, gray

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from baselines.unet import UNet

GPU_BAND_ROWS = 512
"""Rows that PixelNet classifies at a time on a GPU, where memory is ample and launches cost."""


def segment(
    model: pixelnet.PixelNet | UNet, image: NDArray[np.generic], precision: str = "float32"
) -> NDArray[np.uint8]:
    """Segment a micrograph of any size.

    Parameters
    ----------
    model : PixelNet or UNet
        In evaluation mode, on any device.
    image : ndarray of any integer or float dtype, shape (h, w)
        Raw gray values.
    precision : {"float32", "bfloat16"}

    Returns
    -------
    ndarray of uint8, shape (h, w)
        Class labels.
    """
    device = next(model.parameters()).device
    values = torch.from_numpy(equalize(image)).unsqueeze(0).to(device)
    with autocast(precision, device):
        if isinstance(model, pixelnet.PixelNet):
            rows = pixelnet.BAND_ROWS if device.type == "cpu" else GPU_BAND_ROWS
            bands = pixelnet.logit_bands(model, values, band_rows=rows)
        else:
            bands = unet.logit_bands(model, values)
        labels = torch.cat([logits.argmax(dim=0).to(torch.uint8) for logits in bands])
    return labels.cpu().numpy()


def predict_files(
    model_file: Path, images: Sequence[Path], out: Path, device: str, precision: str
) -> list[str]:
    """Segment image files with a checkpoint's model; the map of NAME.tif is ``<out>/NAME.png``.

    Parameters
    ----------
    model_file : Path
    images : sequence of Path
    out : Path
    device, precision : str
        As `hardware.choose_device` and `hardware.choose_precision` take them.

    Returns
    -------
    list of str
        What could not be segmented, with the reason.

    Raises
    ------
    UsageError
        Two images would give one file, or there is no such device.
    UhcsBenchError
        The checkpoint can't be used, or memory runs out.
    """
    if len({path.stem for path in images}) < len(images):
        raise UsageError(
            "Two images have the same name without suffix; segment them one at a time."
        )
    place = hardware.choose_device(device)
    chosen = hardware.choose_precision(precision, place)
    model = checkpoint.load(model_file, place).model
    failures = []
    for path in tqdm(images, unit="micrograph", disable=None):
        try:
            labels = segment(model, gray(read_image(path)), chosen)
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
