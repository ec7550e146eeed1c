"""The audit: each finding is there when it is planted, and silent without it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import uhcs_bench
from tests.auditing.planted import SHAPE, UNHURRIED, audited, kinds, micrograph, picture
from uhcs_bench import protocol
from uhcs_bench.auditing import audit, circumstances, overlaps
from uhcs_bench.data import registry
from uhcs_bench.data.dataset import Dataset
from uhcs_bench.errors import UsageError
from uhcs_bench.metallography import components

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


@pytest.mark.slow
def test_the_synthetic_version_has_no_leaks_and_no_misplaced_maps(synthetic):
    """Check that only what is really there is reported: particles at the border, small ones."""
    assert kinds(synthetic) == {"border particles", "specks"}
    assert not synthetic.overlaps
    assert [task.n_distinct for task in synthetic.tasks] == [24, 24]


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "shown"), [(Terminal, True), (io.StringIO, False)])
def test_progress_is_shown_in_a_terminal_alone(monkeypatch, kind, shown):
    """Check that a terminal shows each of the three searches, and a pipe nothing."""
    stream = kind()
    monkeypatch.setattr(sys, "stderr", stream)
    uhcs_bench.audit("particles", version="synthetic")
    written = stream.getvalue()
    assert all((name in written) is shown for name in ("Same spot", "Two scales", "Registration"))
