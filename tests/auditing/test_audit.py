"""The audit: each detector finds what is planted, and is silent without it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

import uhcs_bench
from uhcs_bench import protocol
from uhcs_bench.auditing import audit, circumstances, overlaps
from uhcs_bench.auditing.registration import register
from uhcs_bench.data import registry
from uhcs_bench.data.dataset import Dataset
from uhcs_bench.data.micrograph import Micrograph
from uhcs_bench.errors import UsageError
from uhcs_bench.metallography import components

SHAPE = (120, 160)
UNHURRIED = settings(max_examples=15, deadline=None)


def picture(seed, shape=SHAPE):
    """Gray levels and label map of bright blobs, the map in its place."""
    random = np.random.default_rng(seed)
    blobs = ndimage.gaussian_filter(random.standard_normal(shape), 3)
    labels = (blobs > 0.8 * blobs.std()).astype(np.uint8)
    gray = 60 + 120 * ndimage.gaussian_filter(labels.astype(float), 0.7)
    return (gray + random.normal(0, 12, shape)).clip(0, 255).astype(np.uint8), labels


def micrograph(
    name,
    pixels,
    fold=0,
    task="particles",
    sample=None,
    claims=(0.04,),
    um=0.04,
    filled_rows=(),
):
    """A micrograph from its gray levels and label map."""
    image, labels = pixels
    entry = registry.Entry(
        task=task,
        id=name,
        version="1.0",
        fold=fold,
        shape=image.shape,
        uhcsdb_id=None,
        pixel_size=registry.PixelSize(um, "test", dict(zip("abc", claims, strict=False)), False),
        heat_treatment=registry.HeatTreatment(sample, None, None, None),
        licence="test",
        citation=(),
    )
    return Micrograph(entry, image, labels, filled_rows)


def audited(*micrographs, task="particles"):
    """Audit of one task."""
    return audit.audit([Dataset(protocol.task(task), "1.0", micrographs)])


def kinds(found):
    """Kinds of an audit's findings."""
    return {finding.kind for finding in found.findings}


LEAKS = {"duplicate", "overlap", "shared micrograph"}


# Overlaps


def test_a_duplicate_across_folds_is_a_leak():
    """Check that equal pixels are found, and the effective n."""
    found = audited(
        micrograph("a", picture(0), 0),
        micrograph("b", picture(1), 0),
        micrograph("c", picture(0), 1),
    )
    (overlap,) = found.overlaps
    assert (overlap.a, overlap.b, overlap.offset, overlap.shape) == ("a", "c", (0, 0), SHAPE)
    assert (overlap.share, overlap.equal_pixels, overlap.equal_labels) == (1, 1, 1)
    assert overlap.is_leak
    assert (found["particles"].n, found["particles"].n_distinct) == (3, 2)
    (finding,) = [finding for finding in found.findings if finding.kind == "duplicate"]
    assert finding.ids == ("a", "c")
    assert "effective n of particles is 2, not 3" in finding.sentence


def test_a_duplicate_within_a_fold_is_no_leak():
    """Check that the fold decides, and that three copies leave one micrograph."""
    found = audited(*(micrograph(name, picture(0), 4) for name in "abc"))
    assert len(found.overlaps) == 3
    assert not any(overlap.is_leak for overlap in found.overlaps)
    assert found["particles"].n_distinct == 1


def test_different_micrographs_do_not_overlap():
    """Check silence, on micrographs of the same kind."""
    found = audited(*(micrograph(str(seed), picture(seed), seed % 6) for seed in range(10)))
    assert not found.overlaps
    assert not LEAKS & kinds(found)
    assert found["particles"].n_distinct == 10


@UNHURRIED
@given(
    row=st.integers(0, 60),
    column=st.integers(0, 80),
    rows=st.integers(60, 110),
    columns=st.integers(80, 150),
    is_filled=st.booleans(),
)
def test_a_crop_is_found_in_its_place(row, column, rows, columns, is_filled):
    """Check that a part of a micrograph is found, a filled first row notwithstanding."""
    image, labels = picture(3)
    crop, crop_labels = (
        x[row : row + rows, column : column + columns].copy() for x in (image, labels)
    )
    filled = ()
    if is_filled:
        crop[0] = crop[1]
        filled = (0,)
    (overlap,) = overlaps.find_overlaps(
        [
            micrograph("whole", (image, labels), 0),
            micrograph("crop", (crop, crop_labels), 1, filled_rows=filled),
        ]
    )
    assert overlap.offset == (row, column)
    assert overlap.shape == crop.shape
    assert (overlap.share, overlap.equal_pixels, overlap.equal_labels) == (1, 1, 1)
    assert overlap.is_same_spot


@pytest.mark.parametrize("rows", [120, 210, 430])
def test_neighbouring_fields_of_view_are_found(rows):
    """Check a small overlap, taken a second time: other noise, other brightness."""
    start = rows - rows // 10 - 1
    wide, labels = picture(5, (start + rows, 207))
    noise = np.random.default_rng(0).normal(0, 8, (rows, 200))
    again = (0.7 * wide[start:, 7:] + 20 + noise).clip(0, 255).astype(np.uint8)
    top = micrograph("top", (wide[:rows, :200], labels[:rows, :200]), 0)
    (overlap,) = overlaps.find_overlaps([top, micrograph("end", (again, labels[start:, 7:]), 2)])
    assert (overlap.offset, overlap.shape) == ((start, 7), (rows - start, 193))
    assert overlap.share == pytest.approx((rows - start) * 193 / (rows * 200))
    assert overlap.is_leak
    assert not overlap.is_same_spot
    assert overlap.equal_pixels < 0.2


def test_a_few_large_particles_alike_are_no_overlap():
    """Check that corners which chance makes alike, as small ones can be, are not reported."""
    image, labels = picture(0)
    other, other_labels = picture(1)
    corner = (slice(0, 24), slice(0, 40))
    opposite = (slice(-24, None), slice(-40, None))
    other[opposite] = image[corner] // 2 + other[opposite] // 2
    pair = [micrograph("a", (image, labels), 0), micrograph("b", (other, other_labels), 1)]
    assert overlaps.find_overlaps(pair) == ()


def test_the_tasks_may_share_a_micrograph():
    """Check that it is found across tasks, whatever the folds, and is no duplicate of a task."""
    image, labels = picture(6)
    particles = Dataset(
        protocol.task("particles"), "1.0", [micrograph("p", (image[:110], labels[:110]), 3)]
    )
    other = micrograph("u", (image, labels), 3, task="microconstituents")
    found = audit.audit([particles, Dataset(protocol.task("uhcs"), "1.0", [other])])
    (overlap,) = found.overlaps
    assert overlap.is_across_tasks
    assert not overlap.is_leak
    assert overlap.equal_labels is None
    assert LEAKS & kinds(found) == {"shared micrograph"}
    assert found["particles"].n_distinct == found["uhcs"].n_distinct == 1


def test_one_constant_or_no_micrograph_has_no_overlap():
    """Check inputs that have no correlation."""
    flat = np.full(SHAPE, 7, np.uint8), np.zeros(SHAPE, np.uint8)
    assert overlaps.find_overlaps([]) == ()
    assert overlaps.find_overlaps([micrograph("a", flat)]) == ()
    assert overlaps.find_overlaps([micrograph("a", flat), micrograph("b", flat)]) == ()


# Registration


@UNHURRIED
@given(rows=st.integers(-4, 4), columns=st.integers(-4, 4), seed=st.integers(0, 50))
def test_a_planted_shift_is_measured(rows, columns, seed):
    """Check shifts of known size, in both axes, and silence without one."""
    image, labels = picture(seed)
    found = register(micrograph("m", (image, np.roll(labels, (-rows, -columns), (0, 1)))))
    assert found.best_shift == (rows, columns)
    assert found.rows[0] == pytest.approx(rows, abs=0.3)
    assert found.columns[0] == pytest.approx(columns, abs=0.3)
    assert found.is_shifted == ((rows, columns) != (0, 0))
    assert not found.is_drifting
    assert found.best_correlation >= found.correlation
    assert found.gray_correlation[1] >= found.gray_correlation[0]
    assert (found.iu_if_moved == 1) == (not found.is_shifted)


def stretched(labels, rows):
    """A label map with rows put in, cut to its old height."""
    return np.insert(labels, rows, labels[list(rows)], axis=0)[: len(labels)]


def test_a_stretched_map_drifts():
    """Check that rows put in are found as drift."""
    image, labels = picture(8, (320, 200))
    found = audited(micrograph("m", (image, stretched(labels, (80, 160, 240)))))
    (registration,) = found["particles"].registrations
    assert registration.is_drifting
    assert registration.drift[0] == pytest.approx(-3.6, abs=0.8)
    assert registration.strips[0] == pytest.approx(0, abs=0.2)
    assert registration.strips[-1] == pytest.approx(-3, abs=0.2)
    assert "drifting labels" in kinds(found)


def test_repeated_rows():
    """Check that rows put in between changing rows are found, and plain repetitions are not."""
    labels = np.random.default_rng(0).integers(0, 2, SHAPE).astype(np.uint8)
    labels[40:50] = 1
    repeated = stretched(labels, (20, 80))
    found = audited(
        *(micrograph(n, (picture(0)[0], x)) for n, x in (("a", labels), ("b", repeated)))
    )
    assert found["particles"].repeated_rows == {"b": (21, 82)}
    assert "drifting labels" in kinds(found)


def test_a_map_in_its_place_is_no_finding():
    """Check silence about a map that lies right."""
    found = audited(micrograph("m", picture(8)))
    assert not {"shifted labels", "drifting labels"} & kinds(found)
    assert found["particles"].repeated_rows == {}


@pytest.mark.parametrize("brightness", [1, -1])
def test_registration_does_not_depend_on_contrast(brightness):
    """Check that dark particles are as good as bright ones."""
    image, labels = picture(9)
    image = image if brightness > 0 else 255 - image
    found = register(micrograph("m", (image, np.roll(labels, -2, 0))))
    assert found.best_shift == (2, 0)


@pytest.mark.parametrize(
    ("image", "labels"),
    [
        (picture(0)[0], np.zeros(SHAPE, np.uint8)),
        (np.full(SHAPE, 9, np.uint8), picture(0)[1]),
        (picture(0)[0][:60], picture(0)[1][:60]),
    ],
    ids=["one class", "constant image", "few rows"],
)
def test_what_can_not_be_registered_is_left_out(image, labels):
    """Check that nothing is claimed where nothing can be measured."""
    assert register(micrograph("m", (image, labels))) is None


def test_an_unrelated_map_is_not_called_shifted():
    """Check that noise, whose best shift is anywhere, does not make a finding."""
    found = [
        register(micrograph("m", (picture(seed)[0], picture(seed + 50)[1]))) for seed in range(20)
    ]
    assert not any(r.is_shifted or r.is_drifting for r in found if r is not None)


def test_shifts_of_microconstituents_have_a_wider_tolerance():
    """Check that a small shift of a hand-drawn map is measured but not reported."""
    image, labels = picture(2)
    for shift, is_reported in ((2, False), (4, True)):
        moved = micrograph("m", (image, np.roll(labels, -shift, 0)), task="microconstituents")
        found = audited(moved, task="microconstituents")
        assert found["uhcs"].registrations[0].best_shift == (shift, 0)
        assert ("shifted labels" in kinds(found)) == is_reported
        assert found["uhcs"].registrations[0].iu_if_moved is None


# Classes, particles, circumstances


def test_absent_classes_and_shares():
    """Check which classes a micrograph lacks, and the shares over the set."""
    labels = np.zeros((2, *SHAPE), np.uint8)
    labels[1, :60] = 2
    labels[1, 60:, :80] = 1
    labels[1, 0, :4] = 3
    pictures = [(picture(k)[0], labels[k]) for k in (0, 1)]
    found = audited(
        *(
            micrograph(name, p, task="microconstituents")
            for name, p in zip("ab", pictures, strict=True)
        ),
        task="microconstituents",
    )
    task = found["microconstituents"]
    assert task.absent == {"a": ("network", "spheroidite", "widmanstatten")}
    counts = np.bincount(labels.ravel())
    assert list(task.shares.values()) == pytest.approx(list(counts / counts.sum()))
    (sentence,) = [f.sentence for f in found.findings if f.kind == "absent classes"]
    assert "a has no network, spheroidite or widmanstatten" in sentence
    assert not task.particles


@UNHURRIED
@given(
    hnp.arrays(
        np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 1)
    )
)
def test_particle_counts_are_those_of_labelled_components(labels):
    """Check all counts against component labelling."""
    counts = circumstances.count_particles(micrograph("m", (labels, labels)))
    numbered = components.label_particles(labels)
    areas = np.bincount(numbered.ravel(), minlength=1)[1:]
    border = np.concatenate([numbered[0], numbered[-1], numbered[:, 0], numbered[:, -1]])
    assert counts.n == len(areas)
    assert counts.n_border == len(set(border.tolist()) - {0})
    assert counts.n_one_pixel == (areas == 1).sum()
    assert counts.n_small == (areas <= 5).sum()
    assert counts.n_four_neighbours == components.label_particles(labels, 4).max()


def test_large_inner_particles_are_no_finding():
    """Check silence about particles that are neither cut, tiny nor touching at corners."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[20:30, 20:30] = labels[60:70, 100:120] = 1
    found = audited(micrograph("m", (picture(0)[0], labels)))
    assert not {"border particles", "specks", "connectivity"} & kinds(found)
    labels[0, 0] = labels[80, 80] = labels[81, 81] = 1
    found = audited(micrograph("m", (picture(0)[0], labels)))
    assert {"border particles", "specks", "connectivity"} <= kinds(found)
    assert found["particles"].particles[0].connectivity_change == pytest.approx(1 / 4)


def test_samples_in_several_folds():
    """Check that a sample of one fold, and none at all, are not reported."""
    samples = ["S", "S", "T", "T", None]
    found = audited(
        *(
            micrograph(str(k), picture(k), fold, sample=samples[k])
            for k, fold in enumerate([0, 3, 1, 1, 2])
        )
    )
    (span,) = found["particles"].samples
    assert (span.sample, span.folds, span.ids) == ("S", (0, 3), ("0", "1"))
    assert found["particles"].n_without_sample == 1
    assert "sample in several folds" in kinds(found)
    assert "sample in several folds" not in kinds(audited(micrograph("m", picture(0), sample="S")))


def test_micrographs_without_a_sample_may_be_of_any_with_their_treatment():
    """Check that they join those on record, and are named by treatment."""
    hot = registry.HeatTreatment
    treatments = [hot("S", 800, 3, "Q"), hot(None, 800, 3, "Q"), hot("T", 970, 0.5, "Q")]
    plain = [micrograph(str(k), picture(k), k) for k in range(3)]
    found = audited(
        *(
            replace(m, entry=replace(m.entry, heat_treatment=treatment))
            for m, treatment in zip(plain, treatments, strict=True)
        )
    )
    (span,) = found["particles"].samples
    assert (span.sample, span.folds, span.ids) == ("800 °C for 3 h", (0, 1), ("0", "1"))
    (finding,) = [f for f in found.findings if f.kind == "sample in several folds"]
    assert "2 of 3 particle micrographs" in finding.sentence
    assert "the sample of 1 isn't on record" in finding.sentence


def test_pixel_sizes():
    """Check conflicts beyond a micron bar's reading error, and unknown sizes."""
    claims = {"agrees": (0.04, 0.0405), "differs": (0.04, 0.1), "alone": (0.04,)}
    found = audited(
        *(micrograph(n, picture(k), claims=c) for k, (n, c) in enumerate(claims.items()))
    )
    (conflict,) = found["particles"].pixel_sizes
    assert (conflict.id, conflict.ratio) == ("differs", pytest.approx(2.5))
    assert found["particles"].n_comparable_pixel_sizes == 2
    assert "pixel size unknown" not in kinds(found)
    unknown = audited(micrograph("m", picture(0), claims=(), um=None))
    assert unknown["particles"].pixel_size_unknown == ("m",)
    assert "pixel size unknown" in kinds(unknown)
    assert "pixel size conflict" not in kinds(unknown)


def test_filled_rows():
    """Check that rows that were made up are named."""
    found = audited(micrograph("m", picture(0), filled_rows=(0,)), micrograph("n", picture(1)))
    assert found["particles"].filled_rows == {"m": (0,)}
    assert "filled rows" in kinds(found)


# Forms


@pytest.fixture(scope="module")
def synthetic():
    """Audit of the synthetic version."""
    return audit.audit([uhcs_bench.load(task, version="synthetic") for task in protocol.TASKS])


def test_the_synthetic_version_has_no_leaks_and_no_misplaced_maps(synthetic):
    """Check that only what is really there is reported: particles at the border, small ones."""
    assert kinds(synthetic) == {"border particles", "specks"}
    assert not synthetic.overlaps
    assert [task.n_distinct for task in synthetic.tasks] == [24, 24]


def test_json_is_complete_and_repeatable(synthetic):
    """Check schema, standard JSON, and that a second audit gives the same text."""
    content = json.loads(synthetic.to_json())
    assert content["schema"] == audit.SCHEMA == "uhcs-bench/audit/2"
    assert content["dataset_version"] == "synthetic"
    assert content["uhcs_bench"] == uhcs_bench.__version__
    assert [task["n"] for task in content["tasks"]] == [24, 24]
    assert len(content["findings"]) == len(synthetic.findings)
    task = uhcs_bench.load("particles", version="synthetic")
    assert audit.audit([task]).to_json() == audit.audit([task]).to_json()


def test_an_empty_set_has_no_shares():
    """Check that what is undefined is null."""
    found = audited()
    assert json.loads(found.to_json())["tasks"][0]["shares"] == {"matrix": None, "particle": None}
    assert "Nothing was found" in found.to_text()


@pytest.mark.parametrize(
    ("tasks", "versions", "message"),
    [
        ([], [], "no data set"),
        (["particles", "particles"], ["1.0", "1.0"], "named twice"),
        (["particles", "uhcs"], ["1.0", "synthetic"], "1.0 and synthetic"),
    ],
)
def test_what_can_not_be_audited_together(tasks, versions, message):
    """Check the errors."""
    datasets = [Dataset(protocol.task(t), v, []) for t, v in zip(tasks, versions, strict=True)]
    with pytest.raises(UsageError, match=message):
        audit.audit(datasets)


def test_the_module_is_light():
    """Check that importing it loads no SciPy."""
    program = "import sys, uhcs_bench.auditing.audit; print('scipy' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"


# Real data


@pytest.fixture
def deposit(real_audit):
    """Audit of the data as the paper used them."""
    return real_audit


def test_real_duplicates_and_shared_micrograph(deposit):
    """Check the known leak, the effective n, and the micrograph of both tasks."""
    same = [overlap for overlap in deposit.overlaps if overlap.is_same_spot]
    assert [{overlap.a, overlap.b} for overlap in same] == [
        {"800C-24H-Q-1", "800C-24H-Q-7"},
        {"970C-5M-Q-2", "uhcs0596"},
    ]
    leak, shared = same
    assert leak.is_leak
    assert leak.equal_pixels == leak.equal_labels == 1
    assert shared.is_across_tasks
    assert (shared.offset, shared.shape, shared.equal_pixels) == ((0, 0), (475, 645), 1)
    assert (deposit["particles"].n_distinct, deposit["uhcs"].n_distinct) == (23, 24)


def test_real_neighbouring_fields(deposit):
    """Check two pairs of micrographs whose edges show the same spot, in different folds."""
    small = [overlap for overlap in deposit.overlaps if overlap.share < overlaps.SAME_SPOT]
    assert [{overlap.a, overlap.b} for overlap in small] == [
        {"uhcs0579", "uhcs1176"},
        {"800C-24H-Q-2", "800C-24H-Q-3"},
    ]
    for overlap in small:
        assert overlap.is_leak
        assert 0.08 < overlap.share < 0.13
        assert overlap.correlation > 0.65


def test_real_shifts(deposit):
    """Check the best shift of every particle map."""
    found = {r.id.removeprefix("800C-"): r for r in deposit["particles"].registrations}
    assert len(found) == 24
    shifts = {id_: r.best_shift for id_, r in found.items() if r.is_shifted}
    one_row = ("24H-Q-2", "24H-Q-3", "24H-Q-4", "24H-Q-5", "3H-Q-1", "3H-Q-2", "85H-Q-3")
    assert shifts == dict.fromkeys(one_row, (1, 0)) | {"24H-Q-6": (2, 0), "3H-Q-3": (2, 0)}
    assert found["3H-Q-3"].gray_correlation == pytest.approx((0.26, 0.40), abs=0.01)
    assert not any(r.is_shifted for r in deposit["uhcs"].registrations)


def test_real_drifts(deposit):
    """Check the map that is known to drift, and six that drift by a row."""
    drifts = {r.id: r.drift[0] for r in deposit["particles"].registrations if r.is_drifting}
    assert drifts.pop("800C-3H-Q-3") == pytest.approx(-2.3, abs=0.2)
    assert set(drifts) == {"800C-3H-Q-1", *(f"970C-5M-Q-{k}" for k in range(1, 6))}
    assert list(drifts.values()) == pytest.approx([1.0] * 6, abs=0.25)
    assert deposit["particles"].repeated_rows == {"800C-3H-Q-3": (120, 359)}
    assert deposit["uhcs"].repeated_rows == {}
    assert not any(r.is_drifting for r in deposit["uhcs"].registrations)


def test_real_classes(deposit):
    """Check the micrograph of one class, and the shares of the pixels."""
    assert deposit["uhcs"].absent == {"uhcs0596": ("matrix", "network", "widmanstatten")}
    assert deposit["particles"].absent == {}
    shares = list(deposit["uhcs"].shares.values())
    assert shares == pytest.approx([0.161, 0.130, 0.682, 0.027], abs=5e-4)
    assert deposit["particles"].shares["particle"] == pytest.approx(0.152, abs=5e-4)


def test_real_particle_counts(deposit):
    """Check border particles, specks, and what connectivity changes."""
    counts = {c.id: c for c in deposit["particles"].particles}
    assert sum(c.n_border > 0 for c in counts.values()) == 23
    assert max(c.n_border for c in counts.values()) == 99
    ones = [c.n_one_pixel for c in counts.values()]
    assert (min(ones), max(ones)) == (4, 621)
    assert (counts["800C-3H-Q-1"].n_small, counts["800C-3H-Q-1"].n) == (2946, 4721)
    assert max(c.connectivity_change for c in counts.values()) == pytest.approx(0.284, abs=1e-3)


def test_real_samples_span_folds(deposit):
    """Check the example that is known, and that particles have spanning samples too."""
    spans = {span.sample: span.folds for span in deposit["uhcs"].samples}
    assert spans["AC1 970C 3H Q"] == (0, 1, 2)
    assert len(spans) == 5
    particles = {span.sample: span.folds for span in deposit["particles"].samples}
    assert particles == {
        "800 °C for 24 h": (0, 1, 2, 3, 5),
        "800 °C for 85 h": (1, 3, 4, 5),
        "970 °C for 5 min": (0, 1, 4, 5),
        "800 °C for 8 h": (1, 3, 5),
        "AC1 800C 3H WQ": (2, 3, 4),
    }
    concerned = [id_ for span in deposit["particles"].samples for id_ in span.ids]
    assert sorted(concerned) == sorted(r.id for r in registry.entries("particles"))
    assert "24 of 24 particle micrographs are from samples" in deposit.to_text()


def test_real_fields_at_two_magnifications(deposit):
    """Check that each pair is a finding, and the sentence that sums them up."""
    across = [overlap for overlap in deposit.overlaps if overlap.is_across_magnifications]
    assert len(across) == 4
    assert deposit.n_pairs_of_magnifications == 337
    found = [f for f in deposit.findings if f.kind == "two magnifications"]
    assert {f.ids for f in found} == {(o.a, o.b) for o in across} | {()}
    (summary,) = [f.sentence for f in found if not f.ids]
    assert summary.startswith("4 of 337 pairs across magnifications show the same field")
    assert deposit.best_unrelated.fine in summary


def test_real_misplaced_maps_are_counted_once(deposit):
    """Check that maps which are shifted and stretched count once, and are those corrected."""
    corrected = [e.id for e in registry.entries("particles", "audited") if e.correction]
    assert sorted(deposit["particles"].misplaced) == sorted(corrected)
    sentence = "14 of 24 particle label maps are off: 9 shifted, 7 stretched, 2 of them both."
    assert sentence in deposit.to_text()


def test_real_pixel_sizes_and_filled_rows(deposit):
    """Check the eight conflicts among 22, the two unknown sizes, and the nine lost rows."""
    particles = deposit["particles"]
    hours = ("24H-Q-1", "24H-Q-7", "3H-Q-1", "8H-Q-3", "8H-Q-4", "85H-Q-1", "85H-Q-2", "85H-Q-3")
    assert {c.id for c in particles.pixel_sizes} == {f"800C-{name}" for name in hours}
    assert particles.n_comparable_pixel_sizes == 22
    assert set(particles.pixel_size_unknown) == {"800C-24H-Q-4", "800C-24H-Q-6"}
    assert set(particles.filled_rows.values()) == {(0,)}
    assert len(particles.filled_rows) == 9
    assert not deposit["uhcs"].pixel_sizes
    assert not deposit["uhcs"].filled_rows


def test_the_text_fits_a_terminal_and_is_worst_first(deposit, synthetic):
    """Check width, order, and that each finding is there."""
    for found in (deposit, synthetic):
        text = found.to_text()
        assert max(map(len, text.splitlines())) <= 80
        assert text.count("\n- ") == len(found.findings)
        assert all(id_ in text for f in found.findings if len(f.ids) < 3 for id_ in f.ids)
    lines = deposit.to_text().splitlines()
    headings = ["Duplicates", "Shifted label maps", "Conflicting pixel sizes", "Filled rows"]
    assert [line for line in lines if line in headings] == headings
    json.loads(deposit.to_json())


class Terminal(io.StringIO):
    """Standard error of a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("kind", "shown"), [(Terminal, True), (io.StringIO, False)])
def test_progress_is_shown_in_a_terminal_alone(monkeypatch, kind, shown):
    """Check that a terminal shows each of the three searches, and a pipe nothing."""
    stream = kind()
    monkeypatch.setattr(sys, "stderr", stream)
    uhcs_bench.audit("particles", version="synthetic")
    written = stream.getvalue()
    assert all((name in written) is shown for name in ("Same spot", "Two scales", "Registration"))
