"""A data set in the form that PyTorch trains on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np

from uhcs_bench.errors import MissingPackageError

try:
    import torch
    from torchvision import tv_tensors
except ModuleNotFoundError as error:
    raise MissingPackageError("A PyTorch data set", "torch") from error

if TYPE_CHECKING:
    from collections.abc import Callable

    from uhcs_bench.data.dataset import Dataset

    Pair = tuple[tv_tensors.Image, tv_tensors.Mask]


IGNORED = 255
"""Label of pixels that a transform has left empty."""


class TorchDataset(torch.utils.data.Dataset["Pair"]):
    """Micrographs and label maps as tensors; `uhcs_bench.Dataset.to_torch` makes it.

    An item is a pair:

    - a ``torchvision.tv_tensors.Image`` of uint8, shape (1, rows, columns), gray levels;
    - a ``torchvision.tv_tensors.Mask`` of int64, shape (rows, columns), class labels. That is the
      type that ``torch.nn.functional.cross_entropy`` requires of its targets.

    Both are copies: a transform may write into them. The data set can be pickled, so that the
    workers of a ``DataLoader`` can be forked or spawned.

    Parameters
    ----------
    dataset : Dataset
        For example ``uhcs_bench.load("particles", fold=2).train``.
    transform : callable, optional
        Called with image and mask, gives both back: any of ``torchvision.transforms.v2``, which
        treat the mask as one, that is, move it with the image but don't interpolate or shade it.
        Pixels that a rotation, a shift or padding leaves empty get the label `IGNORED`.

    Notes
    -----
    The transform sees labels from 1 on, so that its fill of 0 is no class. Give the loss
    ``ignore_index=255``: ``torch.nn.functional.cross_entropy`` raises an error otherwise.

    Attributes
    ----------
    dataset : Dataset
        The micrographs, with all that is known of them.
    transform : callable or None
    ids : tuple of str
        Name of each item.
    folds : tuple of int
        Validation fold of each item.
    classes : tuple of str
        Names of the classes; a class's label is its position.

    Examples
    --------
    >>> import uhcs_bench
    >>> fold = uhcs_bench.load("particles", fold=2, version="synthetic")
    >>> validation = fold.val.to_torch()
    >>> image, mask = validation[0]
    >>> image.shape, image.dtype, mask.shape, mask.dtype
    (torch.Size([1, 192, 256]), torch.uint8, torch.Size([192, 256]), torch.int64)
    >>> validation.ids[0], validation.folds
    ('synthetic-particles-08', (2, 2, 2, 2))

    A slice is a data set. What a rotation leaves empty is ignored, and no false matrix:

    >>> from torchvision.transforms import v2
    >>> rotated = fold.train[:2].to_torch(v2.RandomRotation((30, 30)))
    >>> mask = rotated[0][1]
    >>> mask.unique().tolist(), len(rotated[:1])
    ([0, 1, 255], 1)
    """

    def __init__(self, dataset: Dataset, transform: Callable[..., Any] | None = None) -> None:
        self.dataset = dataset
        self.transform = transform
        self.ids = dataset.ids
        self.folds = tuple(micrograph.fold for micrograph in dataset)
        self.classes = dataset.classes

    def __len__(self) -> int:
        return len(self.dataset)

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> TorchDataset: ...
    def __getitem__(self, index: int | slice) -> Pair | TorchDataset:
        """Image and mask at a position, transformed; or a part of the data set by a slice."""
        if isinstance(index, slice):
            return TorchDataset(self.dataset[index], self.transform)
        micrograph = self.dataset[index]
        image = tv_tensors.Image(torch.from_numpy(micrograph.image[np.newaxis].copy()))
        mask = tv_tensors.Mask(torch.from_numpy(micrograph.labels.astype(np.int64)))
        if self.transform is None:
            return image, mask
        image, mask = self.transform(image, tv_tensors.wrap(mask + 1, like=mask))
        return image, tv_tensors.wrap(_restored(mask, len(self.classes)), like=mask)

    def __repr__(self) -> str:
        return f"<TorchDataset of {self.dataset!r}>"


def _restored(mask: torch.Tensor, n_classes: int) -> torch.Tensor:
    """Take labels from 1 on back to 0 on; what is no label, a transform has filled in."""
    labels = mask.as_subclass(torch.Tensor)
    return torch.where((labels >= 1) & (labels <= n_classes), labels - 1, IGNORED)
