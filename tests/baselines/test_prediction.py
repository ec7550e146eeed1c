"""Segmenting image files of any kind."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from baselines import prediction
from baselines.networks.model import build
from baselines.training import checkpoint
from uhcs_bench.errors import UsageError
from uhcs_bench.io import images
from uhcs_bench.segmentation.preprocessing import Preprocessing

RAMP = np.add.outer(np.arange(21), 3 * np.arange(33)).astype(np.uint8)


def save(tiny, path, seed=0, classes=("matrix", "particle")):
    """Write the checkpoint of an untrained model."""
    torch.manual_seed(seed)
    configuration = tiny("unet")
    model, _ = build(configuration, len(classes))
    checkpoint.save(path, checkpoint.Checkpoint(model, configuration, "particles", 0, classes))
    return path


@pytest.fixture
def model_file(tiny, tmp_path):
    """Give the checkpoint of an untrained model."""
    return save(tiny, tmp_path / "model.pt")


def predict(model_file, paths, out):
    return prediction.predict_files([model_file], paths, out, "cpu", "float32")


def test_formats_and_depths_agree(model_file, tmp_path):
    """Check 8- and 16-bit, gray and three equal channels, PNG, TIFF and NPY."""
    Image.fromarray(RAMP).save(tmp_path / "png.png")
    Image.fromarray(np.stack([RAMP] * 3, axis=-1)).save(tmp_path / "rgb.png")
    tifffile.imwrite(tmp_path / "deep.tif", RAMP.astype(np.uint16) * 257)
    np.save(tmp_path / "array.npy", RAMP)
    paths = [tmp_path / name for name in ("png.png", "rgb.png", "deep.tif", "array.npy")]
    out = tmp_path / "maps"
    assert predict(model_file, paths, out) == []
    maps = [images.read_image(out / f"{path.stem}.png") for path in paths]
    assert maps[0].shape == RAMP.shape
    assert maps[0].dtype == np.uint8
    for other in maps[1:]:
        assert (other == maps[0]).mean() > 0.99


def test_one_of_several_images_is_chosen(model_file, tmp_path):
    """Check the second page of a TIFF against the same picture alone, and without a choice."""
    path, out = tmp_path / "two.tif", tmp_path / "maps"
    with tifffile.TiffWriter(path) as writer:
        writer.write(np.ascontiguousarray(RAMP[::-1]), photometric="minisblack")
        writer.write(RAMP, photometric="minisblack")
    np.save(tmp_path / "alone.npy", RAMP)
    assert predict(model_file, [tmp_path / "alone.npy"], out) == []
    files = ([model_file], [path], out, "cpu", "float32")
    assert prediction.predict_files(*files, page=2) == []
    found, expected = (images.read_image(out / f"{name}.png") for name in ("two", "alone"))
    np.testing.assert_array_equal(found, expected)
    (failure,) = prediction.predict_files(*files)
    assert "two.tif" in failure
    assert "--page" in failure


@pytest.mark.parametrize("shape", [(1, 1), (3, 70), (130, 2)])
def test_tiny_images(model_file, shape, tmp_path):
    """Check images smaller than the coarsest pixel of the model."""
    np.save(tmp_path / "tiny.npy", np.ones(shape, np.uint16))
    assert predict(model_file, [tmp_path / "tiny.npy"], tmp_path / "maps") == []
    assert images.read_image(tmp_path / "maps" / "tiny.png").shape == shape


def test_bad_files_are_named_and_the_rest_is_done(model_file, tmp_path):
    """Check each kind of file that can't be segmented."""
    colour = np.zeros((4, 4, 3), np.uint8)
    colour[..., 0] = 9
    Image.fromarray(colour).save(tmp_path / "colour.png")
    np.save(tmp_path / "stack.npy", np.zeros((2, 3, 4, 5)))
    np.save(tmp_path / "nan.npy", np.full((4, 4), np.nan))
    np.save(tmp_path / "empty.npy", np.zeros((0, 4)))
    np.save(tmp_path / "complex.npy", np.zeros((4, 4), complex))
    (tmp_path / "text.png").write_text("not an image")
    np.save(tmp_path / "good.npy", RAMP)
    names = [
        "colour.png",
        "stack.npy",
        "nan.npy",
        "empty.npy",
        "complex.npy",
        "text.png",
        "none.png",
    ]
    failures = predict(model_file, [tmp_path / n for n in (*names, "good.npy")], tmp_path / "maps")
    assert len(failures) == len(names)
    for name, failure in zip(names, failures, strict=True):
        assert name in failure
    assert [path.name for path in (tmp_path / "maps").iterdir()] == ["good.png"]


def probabilities(model_files, image, **options):
    models = prediction.load_models(model_files, torch.device("cpu"))
    return prediction.probabilities(models, image, **options)


def test_views_are_averaged_where_they_belong(model_file):
    """Check that turning or mirroring a micrograph does the same to its averaged probabilities."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (48, 32), np.uint8)
    model = prediction.load_models([model_file], torch.device("cpu"))[0]
    model.preprocessing = Preprocessing(scale="dtype")  # equalisation is not symmetric
    expected = prediction.probabilities([model], image, tta=True)
    np.testing.assert_allclose(expected.sum(axis=0), 1, rtol=1e-5)
    single = prediction.probabilities([model], image)
    assert np.abs(single - expected).max() > 1e-4
    for turn, back in (
        (lambda x: np.rot90(x, axes=(-2, -1)), lambda x: np.rot90(x, -1, axes=(-2, -1))),
        (lambda x: x[..., ::-1], lambda x: x[..., ::-1]),
    ):
        found = prediction.probabilities([model], np.ascontiguousarray(turn(image)), tta=True)
        np.testing.assert_allclose(back(found), expected, atol=1e-5)
    labels = prediction.segment(model, image, tta=True)
    np.testing.assert_array_equal(labels, expected.argmax(axis=0))


def test_views_are_the_average_of_eight(model_file):
    """Check the average against the views taken one by one."""
    image = np.random.default_rng(1).integers(0, 255, (24, 40), np.uint8)
    model = prediction.load_models([model_file], torch.device("cpu"))[0]
    planes = model.preprocessing.apply(image)
    total = 0
    for turns in range(4):
        for step in (1, -1):
            view = np.rot90(planes[..., ::step], turns, axes=(-2, -1)).copy()
            with torch.no_grad():
                seen = model(torch.from_numpy(view).unsqueeze(0))[0].softmax(dim=0).numpy()
            total = total + np.rot90(seen, -turns, axes=(-2, -1))[..., ::step]
    found = prediction.probabilities([model], image, tta=True)
    np.testing.assert_allclose(found, total / 8, atol=1e-5)


def test_models_are_averaged(tiny, model_file, tmp_path):
    """Check probabilities of two models, and that the files' command does the same."""
    other = save(tiny, tmp_path / "other.pt", seed=1)
    both = probabilities([model_file, other], RAMP)
    each = [probabilities([path], RAMP) for path in (model_file, other)]
    np.testing.assert_allclose(both, sum(each) / 2, atol=1e-6)
    np.save(tmp_path / "a.npy", RAMP)
    prediction.predict_files(
        [model_file, other], [tmp_path / "a.npy"], tmp_path / "maps", "cpu", "float32"
    )
    labels = images.read_image(tmp_path / "maps" / "a.png")
    np.testing.assert_array_equal(labels, both.argmax(axis=0))


def test_models_of_other_classes_are_not_averaged(tiny, model_file, tmp_path):
    """Check that the files are named."""
    other = save(tiny, tmp_path / "other.pt", classes=("matrix", "network", "laths"))
    with pytest.raises(UsageError, match=r"other\.pt knows the classes matrix, network, laths"):
        probabilities([model_file, other], RAMP)


def test_one_name_for_two_images(model_file, tmp_path):
    """Check that no map is overwritten silently."""
    with pytest.raises(UsageError, match=r"and .* would give the same file in "):
        predict(model_file, [tmp_path / "a.png", tmp_path / "a.tif"], tmp_path / "maps")


def test_out_of_memory_names_the_image(model_file, tmp_path, monkeypatch):
    """Check the message when an image is too large for the device."""

    def fail(*_args, **_options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(prediction, "segment", fail)
    np.save(tmp_path / "large.npy", RAMP)
    with pytest.raises(prediction.UhcsBenchError, match=r"large\.npy: out of memory"):
        predict(model_file, [tmp_path / "large.npy"], tmp_path / "maps")
