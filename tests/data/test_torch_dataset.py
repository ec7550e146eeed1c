"""Data sets as PyTorch's own loader and transforms see them."""

from __future__ import annotations

import pickle
import sys

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from torchvision import tv_tensors
from torchvision.transforms import v2

import uhcs_bench
from tests.helpers import exports
from uhcs_bench import protocol
from uhcs_bench.data import dataset
from uhcs_bench.data.micrograph import Micrograph
from uhcs_bench.errors import MissingPackageError

pytestmark = pytest.mark.slow  # importing torch is


@pytest.fixture
def small():
    return exports.small_set("microconstituents")


def picture_of_labels():
    """A data set whose gray levels are 60 times the labels, so that they show where they moved."""
    micrographs = exports.small_set("microconstituents")
    drawn = [Micrograph(m.entry, 60 * m.labels, m.labels) for m in micrographs]
    return dataset.Dataset(micrographs.task, micrographs.version, drawn)


def test_items_are_the_micrographs(small):
    """Check types, shapes and values against the arrays."""
    items = small.to_torch()
    assert len(items) == len(small) == 6
    for (image, mask), micrograph in zip(items, small, strict=True):
        assert isinstance(image, tv_tensors.Image)
        assert isinstance(mask, tv_tensors.Mask)
        assert (image.dtype, mask.dtype) == (torch.uint8, torch.int64)
        np.testing.assert_array_equal(image.numpy(), micrograph.image[np.newaxis])
        np.testing.assert_array_equal(mask.numpy(), micrograph.labels)


def test_ids_folds_and_classes_are_at_hand(small):
    """Check what is known of each item."""
    items = small.to_torch()
    assert items.ids == small.ids
    assert items.folds == (0, 1, 2, 3, 4, 5)
    assert items.classes == protocol.task("microconstituents").classes
    assert items.dataset is small
    assert "microconstituents synthetic" in repr(items)


def test_writing_into_an_item_changes_nothing_else(small):
    """Check that items are copies."""
    items = small.to_torch()
    image, mask = items[0]
    image += 1
    mask += 1
    again, mask_again = items[0]
    np.testing.assert_array_equal(again[0].numpy(), small[0].image)
    np.testing.assert_array_equal(mask_again.numpy(), small[0].labels)


# A spawned worker imports PyTorch, which takes seconds: one is enough to see that it gets the data.
@pytest.mark.slow
@pytest.mark.parametrize(("start", "n_workers"), [("fork", 2), ("spawn", 1)])
def test_loader_with_workers(small, start, n_workers):
    """Check that workers, forked or spawned, deliver every pair in order."""
    flip = v2.RandomHorizontalFlip(p=1)
    loader = DataLoader(
        small.to_torch(flip), batch_size=2, num_workers=n_workers, multiprocessing_context=start
    )
    images, masks = (torch.cat(parts).numpy() for parts in zip(*loader, strict=True))
    np.testing.assert_array_equal(images[:, 0], [m.image[:, ::-1] for m in small])
    np.testing.assert_array_equal(masks, [m.labels[:, ::-1] for m in small])


def test_pickled_whole(small):
    """Check that a copy through pickle, as workers get it, is the same."""
    copy = pickle.loads(pickle.dumps(small.to_torch(v2.RandomVerticalFlip(p=1))))
    assert copy.ids == small.ids
    np.testing.assert_array_equal(copy[3][1].numpy(), small[3].labels[::-1])


def test_image_and_mask_move_alike():
    """Check random geometry on a picture that shows its own labels, fill included."""
    torch.manual_seed(0)
    transform = v2.Compose(
        [
            v2.RandomRotation(180),
            v2.RandomResizedCrop((96, 128), interpolation=v2.InterpolationMode.NEAREST),
            v2.RandomHorizontalFlip(),
            v2.RandomVerticalFlip(),
        ]
    )
    items = picture_of_labels().to_torch(transform)
    seen = set()
    for _ in range(2):
        for image, mask in items:
            assert image.shape == (1, 96, 128)
            assert mask.dtype == torch.int64
            filled = mask == 255
            np.testing.assert_array_equal(image[0][~filled], 60 * mask[~filled])
            assert not image[0][filled].any()
            seen.add(mask.numpy().tobytes())
    assert len(seen) == 12, "the transform is not random"


def test_masks_are_not_shaded_or_interpolated(small):
    """Check that only the image is shaded, scaled and resized smoothly; a loss takes the mask."""
    transform = v2.Compose(
        [
            v2.ColorJitter(brightness=(0.5, 0.5)),
            v2.Resize((50, 70), antialias=True),
            v2.ToDtype(torch.float32, scale=True),
        ]
    )
    image, mask = small.to_torch(transform)[0]
    assert image.dtype == torch.float32
    assert float(image.max()) <= 0.51
    assert mask.dtype == torch.int64
    assert set(mask.unique().tolist()) <= {0, 1, 2, 3}
    logits = torch.zeros(1, 4, 50, 70)
    loss = torch.nn.functional.cross_entropy(logits, mask[None])
    assert float(loss) == pytest.approx(np.log(4))


@pytest.mark.parametrize(
    "transform",
    [
        v2.RandomRotation((45, 45)),
        v2.RandomRotation((45, 45), fill={tv_tensors.Image: 0, tv_tensors.Mask: 255}),
        v2.RandomAffine(0, translate=(0.4, 0.4)),
        v2.Pad(9),
        v2.RandomCrop(300, pad_if_needed=True),
        v2.RandomPerspective(1, p=1),
    ],
    ids=["rotation", "rotation with a fill", "shift", "padding", "crop", "perspective"],
)
def test_what_a_transform_leaves_empty_is_ignored(small, transform):
    """Check that no pixel outside the micrograph becomes a class, of an image without a zero."""
    torch.manual_seed(1)
    no_zero = v2.Lambda(lambda pixels: pixels.clamp(1), tv_tensors.Image)
    items = small.to_torch(v2.Compose([no_zero, transform]))
    image, mask = items[0]
    outside = image[0] == 0
    assert outside.any()
    assert bool((mask[outside] == 255).all())
    assert set(mask.unique().tolist()) <= {0, 1, 2, 3, 255}


@pytest.mark.usefixtures("real_data")
def test_rotated_micrograph_gets_no_matrix_that_is_not_annotated():
    """Check uhcs0596, which is annotated as spheroidite and laths alone."""
    whole = uhcs_bench.load("microconstituents")
    index = whole.ids.index("uhcs0596")
    annotated = set(np.unique(whole[index].labels).tolist())
    _, mask = whole.to_torch(v2.RandomRotation((45, 45)))[index]
    assert set(mask.unique().tolist()) == annotated | {255}


def test_slice_is_a_data_set(small):
    """Check micrographs, transform and pairs of a part."""
    part = small.to_torch(v2.RandomHorizontalFlip(p=1))[1:3]
    assert part.ids == small.ids[1:3]
    np.testing.assert_array_equal(part[0][1].numpy(), small[1].labels[:, ::-1])


def test_recipe_for_networks_of_imagenet(small):
    """Check the recipe of docs/folds.md: three channels, normalised, padded to a multiple of 32."""
    transform = v2.Compose(
        [
            v2.RGB(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
            v2.Pad([0, 0, 0, 8]),
        ]
    )
    image, mask = small.to_torch(transform)[0]
    rows, columns = small[0].image.shape
    assert image.shape == (3, rows + 8, columns)
    expected = (small[0].image / 255 - 0.485) / 0.229
    np.testing.assert_allclose(image[0, :rows], expected, rtol=1e-4, atol=1e-5)
    assert bool((mask[rows:] == 255).all())


def test_missing_torch_names_the_extra(small, monkeypatch):
    """Check the message where PyTorch is not installed."""
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "uhcs_bench.data.torch_dataset", raising=False)
    with pytest.raises(MissingPackageError, match=r"pip install 'uhcs-bench\[torch\]'"):
        small.to_torch()
