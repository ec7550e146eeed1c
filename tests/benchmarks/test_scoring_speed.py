"""How long scoring takes, beside the usual libraries doing the same in the same run.

Run with ``pytest tests/benchmarks/test_scoring_speed.py --benchmark-enable``; compare within a
group, by ratios. ``pip install -e '.[benchmarks]'`` adds the libraries that only serve to compare.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

import uhcs_bench
from uhcs_bench.data import label_maps
from uhcs_bench.metallography import components
from uhcs_bench.metrics import confusion as metrics
from uhcs_bench.metrics import particle_sizes
from uhcs_bench.segmentation import otsu

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def predictions(real_data: None, tmp_path: Path) -> Path:  # noqa: ARG001 - makes load() work
    """Otsu's maps of the 24 real particle micrographs, as files."""
    for name, (_, predicted) in real_pairs().items():
        label_maps.write_label_map(tmp_path / "preds" / f"{name}.png", predicted)
    return tmp_path / "preds"


@pytest.fixture
def pairs(real_data):  # noqa: ARG001 - makes load() work
    """Annotation and Otsu's map of each real particle micrograph."""
    return list(real_pairs().values())


def real_pairs():
    return {
        m.id: (m.labels, otsu.segment(m.image, "particles")) for m in uhcs_bench.load("particles")
    }


def command(*arguments):
    return subprocess.run([sys.executable, *arguments], capture_output=True, check=True)


def hot_path(pairs):
    """Confusion matrix, particles and their test, as the scorer does it."""
    results = []
    for annotated, predicted in pairs:
        confusion = metrics.confusion_matrix(annotated, predicted, 2)
        areas = [components.particle_areas(labels) for labels in (annotated, predicted)]
        results.append((confusion, particle_sizes.ks_test(*areas)))
    return results


def hot_path_with_the_usual_libraries(pairs):
    """The same as most users would write it."""
    from scipy import stats
    from skimage.measure import label, regionprops_table
    from sklearn.metrics import confusion_matrix

    results = []
    for annotated, predicted in pairs:
        confusion = confusion_matrix(annotated.ravel(), predicted.ravel())
        areas = [
            regionprops_table(label(labels, connectivity=2), properties=["area"])["area"]
            for labels in (annotated, predicted)
        ]
        test = stats.ks_2samp(*areas, method="asymp")
        results.append((confusion, (test.statistic, test.pvalue)))
    return results


@pytest.mark.benchmark(group="24 micrographs: confusion matrix, particles, KS test")
@pytest.mark.parametrize("implementation", [hot_path, hot_path_with_the_usual_libraries])
def test_hot_path(pairs, benchmark, implementation):
    """Time both, and check that they agree."""
    results = benchmark(implementation, pairs)
    for (confusion, test), (expected, expected_test) in zip(results, hot_path(pairs), strict=True):
        np.testing.assert_array_equal(confusion, expected)
        np.testing.assert_allclose(test, expected_test, rtol=1e-8, atol=1e-13)


def confusion_of_torchmetrics(annotated, predicted):
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchmetrics.functional.classification")
    return functional.multiclass_confusion_matrix(
        torch.from_numpy(predicted), torch.from_numpy(annotated), num_classes=2
    ).numpy()


def confusion_of_segmentation_models(annotated, predicted):
    torch = pytest.importorskip("torch")
    smp = pytest.importorskip("segmentation_models_pytorch")
    maps = [torch.from_numpy(m.astype(np.int64))[None] for m in (predicted, annotated)]
    hits, false_positives, false_negatives, _ = smp.metrics.get_stats(
        *maps, mode="multiclass", num_classes=2
    )
    particle = [int(x[0, 1]) for x in (hits, false_positives, false_negatives)]
    return np.array([[int(hits[0, 0]), particle[1]], [particle[2], particle[0]]])


def confusion_of_scikit_learn(annotated, predicted):
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(annotated.ravel(), predicted.ravel())


@pytest.mark.benchmark(group="24 micrographs: confusion matrix alone")
@pytest.mark.parametrize(
    "implementation",
    [
        lambda annotated, predicted: metrics.confusion_matrix(annotated, predicted, 2),
        confusion_of_scikit_learn,
        confusion_of_torchmetrics,
        confusion_of_segmentation_models,
    ],
    ids=["uhcs-bench", "scikit-learn", "torchmetrics", "segmentation-models-pytorch"],
)
def test_confusion_matrix(pairs, benchmark, implementation):
    """Time each library's confusion matrix, and check that they agree."""
    for annotated, predicted in pairs[:2]:
        np.testing.assert_array_equal(
            implementation(annotated, predicted), metrics.confusion_matrix(annotated, predicted, 2)
        )
    benchmark(lambda: [implementation(*pair) for pair in pairs])


@pytest.mark.benchmark(group="whole commands")
def test_score_command(predictions, benchmark):
    """Time the whole command, interpreter and imports included."""
    result = benchmark(command, "-m", "uhcs_bench", "score", str(predictions), "--format", "json")
    assert b'"n_images": 24' in result.stdout


@pytest.mark.benchmark(group="whole commands")
def test_import_numpy(benchmark):
    """Time what no command can do without, to compare with."""
    benchmark(command, "-c", "import numpy")


@pytest.mark.benchmark(group="in a running interpreter")
def test_load(real_data, benchmark):  # noqa: ARG001 - makes load() work
    """Time loading a task from the cache."""
    assert len(benchmark(uhcs_bench.load, "particles")) == 24


@pytest.mark.benchmark(group="in a running interpreter")
def test_score(predictions, benchmark):
    """Time scoring files."""
    assert benchmark(uhcs_bench.score, predictions)["particles"].n_images == 24


@pytest.mark.benchmark(group="time per pixel")
@pytest.mark.parametrize("times", [1, 4, 16])
def test_growth_with_pixels(pairs, benchmark, times):
    """Time the hot path on one map repeated in both directions, 16 and 256 times as large."""
    tiled = [(np.tile(a, (times, times)), np.tile(p, (times, times))) for a, p in pairs[:1]]
    benchmark.pedantic(hot_path, args=(tiled,), rounds=3)
