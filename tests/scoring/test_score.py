"""Scores in the three conventions, against scikit-learn, scipy and hand-computed cases."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage, stats
from sklearn import metrics as sklearn_metrics

import uhcs_bench
from uhcs_bench import protocol
from uhcs_bench.metrics.table import CLASS_SCORES, OVERALL_SCORES
from uhcs_bench.scoring import conventions
from uhcs_bench.segmentation import otsu
from uhcs_bench.stats import means

CLASSES = ("a", "b", "c")
confusion_stacks = hnp.arrays(np.int64, (5, 3, 3), elements=st.integers(0, 9)).filter(
    lambda stack: (stack.sum((1, 2)) > 0).all()
)


def true_maps(task="particles"):
    return {m.id: m.labels for m in uhcs_bench.load(task, version="synthetic")}


def score_synthetic(maps, **options):
    return uhcs_bench.score(maps, version="synthetic", **options)


def oracle_means(stack, keep):
    """Values of IU, precision and recall by class and overall, as plainly as can be."""
    by_class = {name: {"IU": [], "precision": [], "recall": []} for name in CLASSES}
    overall = []
    for confusion in stack:
        micrograph = []
        for label, name in enumerate(CLASSES):
            hits = confusion[label, label]
            annotated, predicted = confusion[label].sum(), confusion[:, label].sum()
            if not keep(annotated, predicted):
                continue
            if annotated + predicted:
                micrograph.append(hits / (annotated + predicted - hits))
                by_class[name]["IU"].append(micrograph[-1])
            if predicted:
                by_class[name]["precision"].append(hits / predicted)
            if annotated:
                by_class[name]["recall"].append(hits / annotated)
        overall.append(np.mean(micrograph))
    return by_class, overall


def assert_estimate(estimate, values):
    assert estimate.n == len(values)
    if not values:
        assert estimate.mean is None
        assert estimate.se is None
        return
    assert estimate.mean == pytest.approx(np.mean(values))
    if len(values) == 1:
        assert estimate.se is None
    else:
        assert estimate.se == pytest.approx(stats.sem(values, ddof=1), abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("convention", "keep"),
    [
        ("paper", lambda annotated, predicted: annotated + predicted > 0),
        ("present", lambda annotated, _: annotated > 0),
    ],
)
@given(stack=confusion_stacks)
def test_conventions_over_micrographs(stack, convention, keep):
    """Check both conventions that average over micrographs on random confusion matrices."""
    by_class, overall = oracle_means(stack, keep)
    scored = conventions.conventions(stack, CLASSES)[convention]
    assert_estimate(scored.IU, overall)
    assert_estimate(scored.AC, [np.trace(c) / c.sum() for c in stack])
    for name in CLASSES:
        for metric, values in by_class[name].items():
            assert_estimate(getattr(scored.classes[name], metric), values)


@given(confusion_stacks)
def test_pooled_convention(stack):
    """Check that pooling is scoring one micrograph that holds all pixels."""
    pooled = conventions.conventions(stack, CLASSES)["pooled"]
    single = conventions.conventions(stack.sum(0, keepdims=True), CLASSES)["paper"]
    assert pooled.AC.mean == single.AC.mean
    assert pooled.IU.mean == single.IU.mean
    for name in CLASSES:
        for metric in ("IU", "precision", "recall"):
            estimate = getattr(pooled.classes[name], metric)
            assert estimate.mean == getattr(single.classes[name], metric).mean
            assert (estimate.se, estimate.n) == (None, 5)


def test_a_class_that_is_predicted_but_not_annotated():
    """Check by hand where it counts: IU 0 and precision 0 in the paper's convention alone."""
    stack = np.array([[[8, 2], [0, 0]], [[5, 0], [1, 4]]])
    scores = conventions.conventions(stack, ("matrix", "particle"))
    paper, present = scores["paper"], scores["present"]
    assert paper.classes["particle"].IU.mean == (0 + 4 / 5) / 2
    assert paper.classes["particle"].precision.mean == (0 + 1) / 2
    assert paper.classes["particle"].recall.mean == 4 / 5
    assert paper.classes["particle"].recall.n == 1
    assert paper.IU.mean == pytest.approx(((8 / 10 + 0) / 2 + (5 / 6 + 4 / 5) / 2) / 2)
    assert present.classes["particle"].IU.mean == 4 / 5
    assert present.IU.mean == pytest.approx((8 / 10 + (5 / 6 + 4 / 5) / 2) / 2)
    assert scores["pooled"].classes["particle"].IU.mean == 4 / 7


def test_a_class_that_is_nowhere():
    """Check that a class absent from all maps is left out and shown as undefined."""
    stack = np.array([[[8, 0], [0, 0]]] * 3)
    for score in conventions.conventions(stack, ("matrix", "particle")).values():
        assert score.classes["particle"].IU.mean is None
        assert score.IU.mean == 1


@pytest.mark.slow
@given(confusion_stacks, st.permutations(range(5)))
def test_the_order_of_micrographs_is_no_matter(stack, order):
    """Check that permuting micrographs changes no mean."""
    before = conventions.conventions(stack, CLASSES)
    after = conventions.conventions(stack[list(order)], CLASSES)
    for name, score in before.items():
        assert after[name].IU.mean == pytest.approx(score.IU.mean, abs=1e-12)
        assert after[name].AC.se == pytest.approx(score.AC.se, abs=1e-12)


@pytest.mark.slow
@given(confusion_stacks)
def test_a_copy_of_every_micrograph_changes_no_mean(stack):
    """Check that doubling the set leaves all means and only narrows their errors."""
    once = conventions.conventions(stack, CLASSES)
    twice = conventions.conventions(np.concatenate([stack, stack]), CLASSES)
    for name, score in once.items():
        assert twice[name].AC.n == 2 * score.AC.n
        for before, after in ((score.AC, twice[name].AC), (score.IU, twice[name].IU)):
            assert after.mean == pytest.approx(before.mean)
            assert before.se is None or after.se <= before.se + 1e-12


@pytest.mark.parametrize("task", protocol.TASKS)
def test_annotations_score_one(task):
    """Check that the truth is perfect under all conventions, and that one flipped pixel is seen."""
    maps = true_maps(task)
    scored = score_synthetic(maps)[task]
    for convention in scored.conventions.values():
        assert (convention.AC.mean, convention.IU.mean) == (1, 1)
        for found in convention.classes.values():
            assert (found.IU.mean, found.precision.mean, found.recall.mean) == (1, 1, 1)
    if scored.psd:
        assert scored.psd.ks_score == 1
        assert all(image.psd.p_value == 1 for image in scored.images)

    name = next(iter(maps))
    flipped = maps[name].copy()
    flipped[5, 5] = (flipped[5, 5] + 1) % len(protocol.TASKS[task].classes)
    for convention in score_synthetic({**maps, name: flipped})[task].conventions.values():
        assert 0.999 < convention.AC.mean < 1
        assert convention.IU.mean < 1


def test_particle_sizes_are_scipys():
    """Check KS statistic, p-value and counts of Otsu's maps against scipy and scikit-learn."""
    truth = uhcs_bench.load("particles", version="synthetic")
    maps = {m.id: otsu.segment(m.image, "particles") for m in truth}
    scored = score_synthetic(maps)["particles"]
    n_consistent = 0
    for micrograph, image in zip(truth, scored.images, strict=True):
        sizes = []
        for labels in (micrograph.labels, maps[micrograph.id]):
            components, n = ndimage.label(labels, np.ones((3, 3)))
            sizes.append(np.sqrt(ndimage.sum_labels(labels, components, range(1, n + 1))))
        expected = stats.ks_2samp(*sizes, method="asymp")
        assert image.psd.ks_statistic == pytest.approx(expected.statistic)
        assert image.psd.p_value == pytest.approx(expected.pvalue, rel=1e-8, abs=1e-13)
        assert (image.psd.n_true, image.psd.n_pred) == (len(sizes[0]), len(sizes[1]))
        n_consistent += expected.pvalue >= 0.05
        flat = micrograph.labels.ravel(), maps[micrograph.id].ravel()
        expected_iu = sklearn_metrics.jaccard_score(*flat)
        assert image.classes["particle"].IU == pytest.approx(expected_iu)
    assert scored.psd.n_consistent == n_consistent
    assert scored.psd.ks_score == n_consistent / 24


def test_maps_without_particles():
    """Check that an empty prediction is not consistent, and that its test is undefined."""
    maps = {name: 0 * labels for name, labels in true_maps().items()}
    scored = score_synthetic(maps)["particles"]
    assert scored.psd.ks_score == 0
    assert scored.images[0].psd.p_value is None
    assert scored.conventions["paper"].classes["particle"].precision.mean is None
    assert scored.conventions["paper"].classes["particle"].recall.mean == 0


def test_a_fold_is_a_part_of_the_whole():
    """Check that the scores of the folds' micrographs are those of all."""
    maps = {name: labels * 0 for name, labels in true_maps().items()}
    whole = score_synthetic(maps)["particles"].images
    parts = []
    for fold in range(6):
        scored = score_synthetic(maps, fold=fold)["particles"]
        assert (scored.folds, scored.n_images) == ([fold], 4)
        parts += scored.images
    assert parts == whole


def test_a_report_finds_its_tasks():
    """Check look-up by name and alias, and the error for a task that was not scored."""
    report = score_synthetic(true_maps())
    assert report["spheroidite"] is report.tasks[0]
    with pytest.raises(KeyError, match="microconstituents was not scored"):
        report["uhcs"]


def test_json_has_the_documented_form():
    """Check keys, nulls and numbers of the JSON output."""
    maps = {name: 0 * labels for name, labels in {**true_maps(), **true_maps("uhcs")}.items()}
    content = json.loads(score_synthetic(maps).to_json(), parse_constant=pytest.fail)
    assert list(content) == [
        *("schema", "scorer_version", "dataset_version", "split", "resampled"),
        *("training_split", "training_subsets", "tasks", "other_runs"),
    ]
    assert content["schema"] == "uhcs-bench/score/3"
    assert content["scorer_version"] == uhcs_bench.__version__
    assert (content["dataset_version"], content["split"]) == ("synthetic", "paper")
    particles, uhcs = content["tasks"]
    assert (particles["task"], particles["n_images"]) == ("particles", 24)
    assert particles["data_id"] == uhcs_bench.load("particles", version="synthetic").data_id
    assert particles["folds"] == [0, 1, 2, 3, 4, 5]
    assert set(particles["conventions"]) == {"paper", "present", "pooled"}
    overall, of_class = ({score.name for score in s} for s in (OVERALL_SCORES, CLASS_SCORES))
    for convention in particles["conventions"].values():
        assert set(convention) == {*overall, "classes"}
        assert set(convention["classes"]["matrix"]) == of_class
        assert set(convention["AC"]) == {"mean", "se", "n", "ci95", "ci95_samples"}
    assert particles["conventions"]["pooled"]["AC"]["se"] is None
    assert particles["conventions"]["pooled"]["AC"]["n"] == 24
    psd = particles["psd"]
    assert (psd["ks_score"], psd["n_consistent"], psd["n"], psd["alpha"]) == (0, 0, 24, 0.05)
    image = particles["images"][0]
    others = {"id", "fold", "classes", "confusion", "measures", "psd"}
    assert set(image) == overall | others
    assert {"ks_statistic", "p_value", "n_true", "n_pred"} <= set(image["psd"])
    of_particles = image["classes"]["particle"]
    assert set(of_particles) == of_class
    assert of_particles.items() >= {"IU": 0.0, "precision": None, "recall": 0.0}.items()
    assert "psd" not in uhcs
    assert "psd" not in uhcs["images"][0]


def test_intervals_are_those_whose_coverage_was_simulated():
    """Check both intervals of a mean against the statistics that the simulation takes."""
    truth = uhcs_bench.load("particles", version="synthetic")
    maps = {m.id: otsu.segment(m.image, "particles") for m in truth}
    scored = score_synthetic(maps)["particles"]
    values = [image.classes["particle"].IU for image in scored.images]
    found = scored.conventions["paper"].classes["particle"].IU
    assert found.ci95 == pytest.approx(means.bootstrap_t_interval(values))
    assert found.ci95_samples == pytest.approx(means.cluster_interval(values, scored.samples))
    assert found.interval("samples") == found.ci95_samples


def test_few_micrographs_have_no_interval():
    """Check a fold, and that intervals of a share do not leave 0 to 1."""
    maps = true_maps()
    scored = score_synthetic(maps, fold=0)["particles"]
    for convention in scored.conventions.values():
        assert convention.IU.ci95 is None
        assert convention.IU.ci95_samples is None
    name = next(iter(maps))
    for convention in score_synthetic({**maps, name: 1 - maps[name]})["particles"].conventions:
        ends = scored.conventions[convention].AC.ci95
        assert ends is None or (ends[0] >= 0 and ends[1] <= 1)


@pytest.mark.usefixtures("real_data")
def test_micrographs_of_one_sample_are_counted_together():
    """Check the samples of the real micrographs, by their recorded treatment."""
    maps = {m.id: 0 * m.labels for m in uhcs_bench.load("particles")}
    scored = uhcs_bench.score(maps)["particles"]
    assert sorted(np.bincount(scored.samples)) == [3, 4, 5, 5, 7]
    treatment = {image.id.rpartition("-Q-")[0] for image in scored.images}
    assert len(treatment) == len(set(scored.samples)) == 5


def test_overall_error_is_given_as_in_the_paper():
    """Check the standard error over all values of a class on a micrograph."""
    truth = uhcs_bench.load("particles", version="synthetic")
    maps = {m.id: otsu.segment(m.image, "particles") for m in truth}
    scored = score_synthetic(maps)["particles"]
    values = [c.IU for image in scored.images for c in image.classes.values()]
    assert scored.IU_errors.over_values == pytest.approx(stats.sem(values))
    assert scored.IU_errors.n_values == 48
    assert scored.IU_errors.over_micrographs == pytest.approx(scored.conventions["paper"].IU.se)


def test_measures_are_averaged_where_defined():
    """Check mean, standard error and absolute errors of the measures against the micrographs'."""
    truth = uhcs_bench.load("particles", version="synthetic")
    maps = {m.id: otsu.segment(m.image, "particles") for m in truth}
    scored = score_synthetic(maps)["particles"]
    errors = [image.measures["sizes"]["mean_diameter_error_um"] for image in scored.images]
    assert_estimate(scored.measures["sizes"]["mean_diameter_error_um"], errors)
    assert_estimate(
        scored.measures["sizes"]["mean_diameter_error_um_abs"], [abs(e) for e in errors]
    )
    assert_estimate(scored.measures["kappa"], [image.measures["kappa"] for image in scored.images])


def test_extended_measures():
    """Check that boundaries, particles and ways of counting come with the option alone."""
    maps = true_maps()
    plain = score_synthetic(maps, fold=0)["particles"].measures
    assert "instances" not in plain
    assert "boundary_f1" not in plain["classes"]["particle"]
    extended = score_synthetic(maps, fold=0, extended=True, ks_sensitivity=True)[
        "particles"
    ].measures
    assert extended["instances"]["panoptic_quality"].mean == 1
    assert extended["instances"]["f1"]["0.95"].mean == 1
    assert extended["classes"]["particle"]["boundary_f1"].mean == 1
    protocol_row = extended["ks_sensitivity"][0]
    assert (protocol_row["connectivity"], protocol_row["minimum_area"]) == (8, 1)
    assert protocol_row["ks_score"] == 1
    assert len(extended["ks_sensitivity"]) == 40


def test_extended_measures_of_denuded_zones():
    """Check that a network grown by a pixel all round narrows the denuded zone."""
    truth = uhcs_bench.load("uhcs", fold=0, version="synthetic").val
    maps = {
        m.id: np.where(ndimage.binary_dilation(m.labels == 1) & (m.labels == 0), 1, m.labels)
        for m in truth
    }
    measured = score_synthetic(maps, fold=0, extended=True)["uhcs"].measures["denuded_zone"]
    assert measured["mean_width_error_px"].mean < -0.3
    expected = [
        stats.wasserstein_distance(*map(np.asarray, map(uhcs_bench.denuded_zone_widths, pair)))
        for pair in ((m.labels, maps[m.id].astype(np.uint8)) for m in truth)
    ]
    assert measured["wasserstein_px"].mean == pytest.approx(np.mean(expected))
    pixel_size = truth[0].pixel_size_um
    assert measured["wasserstein_um"].mean == pytest.approx(np.mean(expected) * pixel_size)


@pytest.mark.slow
@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize("task", protocol.TASKS)
def test_real_annotations_score_one(task):
    """Check the truth against itself on the real data, and one flipped pixel."""
    maps = {m.id: m.labels for m in uhcs_bench.load(task)}
    for convention in uhcs_bench.score(maps)[task].conventions.values():
        assert (convention.AC.mean, convention.IU.mean) == (1, 1)
    name = "970C-5M-Q-2" if task == "particles" else "uhcs0596"
    flipped = maps[name].copy()
    flipped[-1, -1] = 1 - flipped[-1, -1] if task == "particles" else 3
    for convention in uhcs_bench.score({**maps, name: flipped})[task].conventions.values():
        assert convention.AC.mean < 1
        assert convention.IU.mean < 1


@pytest.mark.usefixtures("real_data")
def test_one_stray_pixel_on_the_uniform_micrograph():
    """Check that a stray pixel of an absent class costs half of that micrograph's IU."""
    maps = {m.id: m.labels for m in uhcs_bench.load("uhcs")}
    stray = maps["uhcs0596"].copy()
    stray[0, 0] = 3
    scored = uhcs_bench.score({**maps, "uhcs0596": stray})["uhcs"]
    paper, present = scored.conventions["paper"], scored.conventions["present"]
    assert paper.classes["widmanstatten"].IU.mean == pytest.approx(23 / 24)
    assert present.classes["widmanstatten"].IU.mean == 1
    share = 1 - 1 / stray.size
    assert paper.IU.mean == pytest.approx((23 + share / 2) / 24)
    assert present.IU.mean == pytest.approx((23 + share) / 24)


@pytest.mark.usefixtures("real_data")
def test_otsu_on_the_real_particles():
    """Check the scores of Otsu's threshold against figures computed apart from this package."""
    maps = {m.id: otsu.segment(m.image, "particles") for m in uhcs_bench.load("particles")}
    scored = uhcs_bench.score(maps)["particles"]
    paper = scored.conventions["paper"]
    found = (
        *(paper.classes[name].IU.mean for name in ("matrix", "particle")),
        *(paper.IU.mean, paper.AC.mean),
    )
    np.testing.assert_allclose(found, [0.880, 0.552, 0.716, 0.895], atol=5e-4)
    deviations = [
        estimate.se * math.sqrt(24)
        for estimate in (*(paper.classes[n].IU for n in ("matrix", "particle")), paper.IU, paper.AC)
    ]
    np.testing.assert_allclose(deviations, [0.058, 0.117, 0.086, 0.051], atol=5e-4)
    assert scored.psd.ks_score == 0


@pytest.mark.usefixtures("real_data")
def test_what_the_particle_scores_can_and_cannot_see():
    """Check that a row's shift passes KS but costs IU, and that dropping specks does not."""
    truth = {m.id: m.labels for m in uhcs_bench.load("particles")}
    shifted = {name: np.roll(labels, 1, axis=0) for name, labels in truth.items()}
    scored = uhcs_bench.score(shifted)["particles"]
    assert scored.psd.n_consistent == 24
    assert scored.conventions["paper"].classes["particle"].IU.mean == pytest.approx(0.755, abs=5e-3)

    without_specks = {}
    for name, labels in truth.items():
        components, _ = ndimage.label(labels, np.ones((3, 3)))
        small = np.bincount(components.ravel()) <= 2
        without_specks[name] = np.where(small[components], 0, labels)
    scored = uhcs_bench.score(without_specks)["particles"]
    assert scored.psd.n_consistent == 14
    assert scored.conventions["paper"].classes["particle"].IU.mean == pytest.approx(0.994, abs=1e-3)


@pytest.mark.slow
@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize("version", ["1.0", "audited"])
@pytest.mark.parametrize("split", protocol.SPLITS)
def test_scores_follow_the_split(version, split):
    """Check that maps of all 24 score as the split's micrographs alone, under the split's id."""
    every = {m.id: 0 * m.labels for m in uhcs_bench.load("particles")}
    truth = uhcs_bench.load("particles", version=version, split=split)
    report = uhcs_bench.score(every, version=version, split=split)
    scored = report["particles"]
    assert (report.dataset_version, report.split) == (version, split)
    assert scored.data_id == truth.data_id
    assert [(i.id, i.fold) for i in scored.images] == [(m.id, m.fold) for m in truth]
    assert scored.n_images == scored.psd.n == len(truth)
    expected = np.mean([(m.labels == 0).mean() for m in truth])
    assert scored.conventions["paper"].AC.mean == pytest.approx(expected)
    part = uhcs_bench.score(every, fold=0, version=version, split=split)["particles"]
    assert part.data_id == truth.fold(0).val.data_id != scored.data_id


@pytest.mark.usefixtures("real_data")
def test_the_audited_annotations_score_one_only_against_themselves():
    """Check that scoring uses the corrected maps."""
    maps = {m.id: m.labels for m in uhcs_bench.load("particles", version="audited")}
    iu = {
        version: uhcs_bench.score(maps, version=version)["particles"].conventions["paper"].IU.mean
        for version in ("1.0", "audited")
    }
    assert iu["audited"] == 1
    assert iu["1.0"] < 0.95
