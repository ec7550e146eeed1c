"""The public functions: which there are, their documentation, and their errors for wrong input."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

import uhcs_bench
from uhcs_bench import metallography, metrics, plot, protocol, segmentation, synthetic
from uhcs_bench.errors import MissingItemError, SubmissionError, UhcsBenchError, UsageError, listed

PACKAGES = {
    "uhcs_bench": uhcs_bench,
    "metrics": metrics,
    "metallography": metallography,
    "plot": plot,
    "segmentation": segmentation,
    "synthetic": synthetic,
}
NOT_COVERED = {
    "metallography.denuded_zone_widths",  # the same function as uhcs_bench.denuded_zone_widths
}

MAP = np.zeros((8, 9), np.uint8)
WIDE = np.zeros((8, 12), np.uint8)
FLOATS = np.full((8, 9), 0.5)
GRAY = np.arange(72, dtype=np.uint8).reshape(8, 9)
RAGGED = [[0, 1], [0]]
SYNTHETIC = {"version": "synthetic"}


def particles():
    """Three particles, one of them at the border."""
    mask = MAP.copy()
    mask[0, 0] = mask[3:5, 3:5] = mask[6, 6] = 1
    return metallography.measure_particles(mask)


def dataset():
    """The stand-in for the particle task."""
    return uhcs_bench.load("particles", **SYNTHETIC)


def report():
    """Scores of one fold of the stand-in."""
    fold = uhcs_bench.load("particles", fold=2, **SYNTHETIC)
    return uhcs_bench.score({m.id: m.labels for m in fold.val}, fold=2, **SYNTHETIC)


def otsu(image):
    """Segment with Otsu's threshold, by its name."""
    return segmentation.load("otsu", task="particles").segment(image)


def shipped(image):
    """Segment with a network that comes with the package."""
    pytest.importorskip("onnxruntime")
    return segmentation.load("particles", threads=1).segment(image)


def raw_otsu(image):
    """Segment with the function, which takes arrays of uint8 only."""
    return segmentation.otsu.segment(image, "particles")


# What is no micrograph, and what the message names.
NO_MICROGRAPHS = (
    ("steel.png", "'steel.png'"),
    (None, "None"),
    ([[0, 1]], "[[0, 1]]"),
    (RAGGED, "[[0, 1], [0]]"),
    (3, "3"),
    (MAP[0], "(9,)"),
    (np.zeros((1, 2, 3, 4)), "(1, 2, 3, 4)"),
    (MAP[:0], "no pixel"),
    (np.full((4, 4), np.nan), "not finite"),
    (np.full((4, 4), 1j), "complex128"),
    (np.full((4, 4), "a"), "<U1"),
    (np.full((4, 4), None), "object"),
    (np.dstack([MAP, MAP, MAP + 1]), "colour"),
    (np.ma.masked_equal(MAP, 0), "masked"),
)


def cross_validate(train, task="particles"):
    """Call it with a folder that is not made, since each call here is a mistake."""
    return uhcs_bench.cross_validate(train, task, "no/such", **SYNTHETIC)


def of_mask(name, mask):
    """Call a function of a particle mask."""
    return getattr(metallography, name)(mask)


# Function, what is called, what the message names. Each line is a mistake of a user.
MISTAKES = [
    ("uhcs_bench.load", lambda: uhcs_bench.load("steel"), "'steel'"),
    ("uhcs_bench.load", lambda: uhcs_bench.load(3), "3"),
    ("uhcs_bench.load", lambda: uhcs_bench.load("particles", fold=6, **SYNTHETIC), "6"),
    ("uhcs_bench.load", lambda: uhcs_bench.load("particles", fold="2", **SYNTHETIC), "'2'"),
    ("uhcs_bench.load", lambda: uhcs_bench.load("particles", fold=2.0, **SYNTHETIC), "2.0"),
    ("uhcs_bench.load", lambda: uhcs_bench.load("particles", fold=2.5, **SYNTHETIC), "whole"),
    ("uhcs_bench.load", lambda: uhcs_bench.load("particles", fold="a", **SYNTHETIC), "whole"),
    ("uhcs_bench.load", lambda: uhcs_bench.load("particles", version="2.0"), "'2.0'"),
    ("uhcs_bench.load", lambda: uhcs_bench.load("particles", split="best"), "'best'"),
    ("uhcs_bench.Dataset", lambda: dataset()["uhcs0006"], "'uhcs0006'"),
    ("uhcs_bench.Dataset", lambda: dataset()[24], "24"),
    ("uhcs_bench.Dataset", lambda: dataset()[-25], "-25"),
    ("uhcs_bench.Dataset", lambda: dataset()[1.5], "1.5"),
    ("uhcs_bench.Dataset", lambda: dataset()[None], "None"),
    ("uhcs_bench.Dataset", lambda: dataset()["a":"b"], "'a'"),
    ("uhcs_bench.Dataset", lambda: dataset().fold(6), "6"),
    ("uhcs_bench.Report", lambda: report()["microconstituents"], "microconstituents"),
    ("uhcs_bench.Report", lambda: report()["steel"], "'steel'"),
    ("uhcs_bench.score", lambda: uhcs_bench.score(3), "int"),
    ("uhcs_bench.score", lambda: uhcs_bench.score({}, "steel"), "'steel'"),
    ("uhcs_bench.score", lambda: uhcs_bench.score({"a": MAP}, **SYNTHETIC), "a"),
    ("uhcs_bench.score", lambda: uhcs_bench.score("no/such", **SYNTHETIC), "no/such"),
    ("uhcs_bench.score", lambda: uhcs_bench.score({}, resample="pixels"), "'pixels'"),
    ("uhcs_bench.check", lambda: uhcs_bench.check({}), "no claim"),
    ("uhcs_bench.check", lambda: uhcs_bench.check({}, "F1=0.5"), "F1=0.5"),
    ("uhcs_bench.check", lambda: uhcs_bench.check({}, "IU=200"), "which 200 does not"),
    ("uhcs_bench.compare", lambda: uhcs_bench.compare(report(), 3), "int"),
    (
        "uhcs_bench.compare",
        lambda: uhcs_bench.compare(report(), {}, names=["mine", "yours"]),
        "yours: there is no label map",
    ),
    ("uhcs_bench.compare", lambda: uhcs_bench.compare(report(), "no/such"), "no/such"),
    (
        "uhcs_bench.compare",
        lambda: uhcs_bench.compare(report(), report(), names=["a", "a"]),
        "'a', 'a'",
    ),
    ("uhcs_bench.compare", lambda: uhcs_bench.compare(report(), report(), names=3), "3"),
    ("uhcs_bench.compare", lambda: uhcs_bench.compare(report(), report(), names=[1, 2]), "[1, 2]"),
    ("uhcs_bench.compare", lambda: uhcs_bench.compare(report(), report(), resample=3), "3"),
    ("uhcs_bench.leaderboard", lambda: uhcs_bench.leaderboard("steel"), "'steel'"),
    ("uhcs_bench.leaderboard", lambda: uhcs_bench.leaderboard(None, "best"), "'best'"),
    ("uhcs_bench.save_predictions", lambda: uhcs_bench.save_predictions(MAP, "out"), "ndarray"),
    ("uhcs_bench.save_predictions", lambda: uhcs_bench.save_predictions({}, 3), "3"),
    ("uhcs_bench.save_predictions", lambda: uhcs_bench.save_predictions({}, "out"), "no map"),
    ("uhcs_bench.save_predictions", lambda: uhcs_bench.save_predictions({"a": MAP}, "out"), "a"),
    ("uhcs_bench.cross_validate", lambda: cross_validate(3), "3"),
    ("uhcs_bench.cross_validate", lambda: cross_validate(lambda _: MAP), "ndarray"),
    ("uhcs_bench.cross_validate", lambda: cross_validate(len, "steel"), "'steel'"),
    ("uhcs_bench.cross_validate", lambda: cross_validate(lambda _: lambda _: MAP), "(8, 9)"),
    ("plot.micrograph", lambda: plot.micrograph(dataset()[0], MAP), "(8, 9)"),
    ("plot.micrograph", lambda: plot.micrograph(dataset()[0], MAP + 2), "2 to 2"),
    ("plot.micrograph", lambda: dataset()[0].show(FLOATS), "float64"),
    ("plot.micrograph", lambda: plot.micrograph(MAP), "ndarray"),
    ("plot.sizes", lambda: plot.sizes(MAP), "ndarray"),
    ("plot.sizes", lambda: plot.sizes({"a": GRAY}), "0 to 71"),
    ("plot.sizes", lambda: plot.sizes({"a": MAP[0]}), "(9,)"),
    ("plot.widths", lambda: plot.widths({}), "dict"),
    ("plot.widths", lambda: plot.widths({"a": MAP + 9}), "9 to 9"),
    ("uhcs_bench.measure", lambda: uhcs_bench.measure(MAP, "steel"), "'steel'"),
    ("uhcs_bench.measure", lambda: uhcs_bench.measure(MAP + 2, "particles"), "2 to 2"),
    ("uhcs_bench.measure", lambda: uhcs_bench.measure({"a": FLOATS}, "particles"), "float64"),
    ("uhcs_bench.measure", lambda: uhcs_bench.measure("no/such", "particles"), "no/such"),
    ("uhcs_bench.measure", lambda: uhcs_bench.measure(3, "particles"), "int"),
    ("uhcs_bench.measure", lambda: uhcs_bench.measure({}, "particles"), "no map to measure in {}"),
    ("uhcs_bench.measure", lambda: uhcs_bench.measure([], "particles"), "no map to measure in []"),
    ("uhcs_bench.measure", lambda: uhcs_bench.measure({"a": RAGGED}, "particles"), "a"),
    ("uhcs_bench.measure", lambda: uhcs_bench.measure({"a": MAP[0]}, "particles"), "(9,)"),
    ("uhcs_bench.measure", lambda: uhcs_bench.measure({"a": MAP[:0]}, "particles"), "a"),
    ("uhcs_bench.measure", lambda: uhcs_bench.measure(MAP, "particles", -1), "-1"),
    ("uhcs_bench.measure", lambda: uhcs_bench.measure(MAP, "particles", "1 um"), "'1 um'"),
    ("uhcs_bench.combine", lambda: uhcs_bench.combine(MAP, WIDE), "(8, 12)"),
    ("uhcs_bench.combine", lambda: uhcs_bench.combine("no/such.png", MAP), "no/such.png"),
    ("uhcs_bench.combine", lambda: uhcs_bench.combine(MAP + 7, MAP), "7 to 7"),
    ("uhcs_bench.combine", lambda: uhcs_bench.combine(MAP, MAP, 0), "0"),
    ("uhcs_bench.combine", lambda: uhcs_bench.combine(MAP, MAP, None, [3, 2]), "[3, 2]"),
    ("uhcs_bench.combine", lambda: uhcs_bench.combine(None, MAP), "None"),
    ("uhcs_bench.audit", lambda: uhcs_bench.audit("steel"), "'steel'"),
    ("uhcs_bench.audit", lambda: uhcs_bench.audit(version="2.0"), "'2.0'"),
    ("uhcs_bench.export", lambda: uhcs_bench.export("voc", "out"), "'voc'"),
    ("uhcs_bench.export", lambda: uhcs_bench.export("png", 3), "3"),
    ("uhcs_bench.export", lambda: uhcs_bench.export("coco", "out", "uhcs"), "microconstituents"),
    ("uhcs_bench.calibrate", lambda: uhcs_bench.calibrate([1], [], 2), "[1]"),
    ("uhcs_bench.calibrate", lambda: uhcs_bench.calibrate([8], [], 1), "1"),
    ("uhcs_bench.calibrate", lambda: uhcs_bench.calibrate(8, [], 2), "8"),
    ("uhcs_bench.calibrate", lambda: uhcs_bench.calibrate([8], [], 2, seed=-1), "-1"),
    ("uhcs_bench.calibrate", lambda: uhcs_bench.calibrate([8], [], 2, seed="a"), "'a'"),
    ("uhcs_bench.calibrate", lambda: uhcs_bench.calibrate([8], [], 10**9), "1000000000"),
    ("uhcs_bench.calibrate", lambda: uhcs_bench.calibrate([8], [], 2.5), "2.5"),
    ("uhcs_bench.calibrate", lambda: uhcs_bench.calibrate([8], [], 2, progress=None), "None"),
    ("uhcs_bench.calibrate", lambda: uhcs_bench.calibrate("8", [], 2), "'8'"),
    ("uhcs_bench.denuded_zone_widths", lambda: uhcs_bench.denuded_zone_widths(MAP + 9), "9 to 9"),
    ("uhcs_bench.denuded_zone_widths", lambda: uhcs_bench.denuded_zone_widths("a.png"), "'a.png'"),
    ("metrics.confusion_matrix", lambda: metrics.confusion_matrix(MAP, WIDE, 2), "(8, 12)"),
    ("metrics.confusion_matrix", lambda: metrics.confusion_matrix(MAP, FLOATS, 2), "float64"),
    ("metrics.confusion_matrix", lambda: metrics.confusion_matrix(MAP, MAP + 3, 2), "3 to 3"),
    ("metrics.confusion_matrix", lambda: metrics.confusion_matrix(MAP, MAP, 99), "99"),
    ("metrics.confusion_matrix", lambda: metrics.confusion_matrix(RAGGED, MAP, 2), "annotated"),
    *(
        (f"metrics.{name}", lambda name=name, wrong=wrong: getattr(metrics, name)(wrong), shown)
        for name in (
            "accuracy",
            "annotated_fractions",
            "cohen_kappa",
            "dice",
            "fraction_errors",
            "intersection_over_union",
            "precision",
            "predicted_fractions",
            "recall",
        )
        for wrong, shown in (
            (MAP, "(8, 9)"),
            ("abc", "'abc'"),
            (None, "None"),
            ([[-1, 2], [1, 1]], "from -1 to 2"),
            ([[[1, 0], [0, 1]], [[1, 0], [-3, 1]]], "from -3 to 1"),
            ([[np.nan, 2], [1, 1]], "from nan to nan"),
            ([[1, np.inf], [1, 1]], "from 1 to inf"),
        )
    ),
    *(
        (f"metrics.{name}", lambda name=name, wrong=wrong: getattr(metrics, name)(*wrong), shown)
        for name in ("boundary_f1", "boundary_iou", "boundary_precision_recall")
        for wrong, shown in (
            ((MAP, WIDE, 2), "(8, 12)"),
            ((MAP, MAP, 9), "9"),
            ((MAP, MAP, 2, -1), "-1"),
            ((MAP, MAP, 2, 1.5), "1.5"),
            ((MAP, MAP + 5, 2), "5 to 5"),
            ((MAP, FLOATS, 2), "float64"),
        )
    ),
    ("metrics.match_instances", lambda: metrics.match_instances(MAP, WIDE), "(8, 12)"),
    ("metrics.match_instances", lambda: metrics.match_instances(FLOATS, MAP), "The annotated"),
    ("metrics.match_instances", lambda: metrics.match_instances(MAP, MAP, [0.3]), "0.3"),
    ("metrics.match_instances", lambda: metrics.match_instances(MAP, MAP, []), "0"),
    ("metrics.match_instances", lambda: metrics.match_instances(MAP.astype(int) - 1, MAP), "-1"),
    ("metrics.ks_sensitivity", lambda: metrics.ks_sensitivity(MAP[0], MAP[0]), "(9,)"),
    ("metrics.ks_sensitivity", lambda: metrics.ks_sensitivity(MAP, GRAY), "0 to 71"),
    ("metrics.ks_test", lambda: metrics.ks_test(MAP, [1]), "(8, 9)"),
    ("metrics.ks_test", lambda: metrics.ks_test([1.0, float("nan")], [1]), "1 NaN"),
    ("metrics.size_errors", lambda: metrics.size_errors(MAP, [1]), "(8, 9)"),
    ("metrics.size_errors", lambda: metrics.size_errors([1], [-4]), "-4"),
    ("metrics.size_errors", lambda: metrics.size_errors([1], [1], "x"), "'x'"),
    ("metrics.wasserstein_distance", lambda: metrics.wasserstein_distance("ab", [1]), "'ab'"),
    (
        "metallography.equivalent_diameters",
        lambda: metallography.equivalent_diameters([-1]),
        "-1",
    ),
    (
        "metallography.equivalent_diameters",
        lambda: metallography.equivalent_diameters([1], float("nan")),
        "nan",
    ),
    *(
        (f"metallography.{name}", lambda name=name, wrong=wrong: of_mask(name, wrong), shown)
        for name in ("label_particles", "particle_areas", "measure_particles")
        for wrong, shown in (
            (GRAY, "0 to 71"),
            (MAP + np.arange(9, dtype=np.uint8) % 4, "0 to 3"),
            (FLOATS * np.arange(9), "0 to 4"),
            (MAP - 1.0, "-1 to -1"),
        )
    ),
    ("metallography.label_particles", lambda: metallography.label_particles(MAP[0]), "(9,)"),
    ("metallography.label_particles", lambda: metallography.label_particles(MAP, 6), "6"),
    ("metallography.particle_areas", lambda: metallography.particle_areas(MAP[0]), "(9,)"),
    ("metallography.particle_areas", lambda: metallography.particle_areas(MAP, 6), "6"),
    ("metallography.measure_particles", lambda: metallography.measure_particles(MAP[0]), "(9,)"),
    ("metallography.measure_particles", lambda: metallography.measure_particles(MAP, 0), "0"),
    ("metallography.measure_particles", lambda: metallography.measure_particles("a"), "'a'"),
    ("metallography.unfold", lambda: metallography.unfold("x"), "'x'"),
    ("metallography.nearest_neighbours", lambda: metallography.nearest_neighbours("x"), "'x'"),
    ("metallography.mean_shapes", lambda: metallography.mean_shapes(MAP), "array"),
    ("metallography.connectivity", lambda: metallography.connectivity(MAP + 9), "9 to 9"),
    ("metallography.grain_size_number", lambda: metallography.grain_size_number(5), "5"),
    ("metallography.number_density", lambda: metallography.number_density("x"), "'x'"),
    ("metallography.size_distribution", lambda: metallography.size_distribution(MAP), "array"),
    (
        "metallography.sizes_by_distance",
        lambda: metallography.sizes_by_distance(particles(), np.zeros(5), [0, 1]),
        "5",
    ),
    (
        "metallography.sizes_by_distance",
        lambda: metallography.sizes_by_distance(particles(), np.zeros(3), [1, 0]),
        "[1, 0]",
    ),
    (
        "metallography.sizes_by_distance",
        lambda: metallography.sizes_by_distance(particles(), np.zeros(3), "ab"),
        "sequence of bin edges is 'ab'",
    ),
    (
        "metallography.distance_to_network",
        lambda: metallography.distance_to_network(particles(), WIDE),
        "(8, 12)",
    ),
    (
        "metallography.distance_to_network",
        lambda: metallography.distance_to_network("x", MAP),
        "'x'",
    ),
    (
        "metallography.mask_outside_spheroidite",
        lambda: metallography.mask_outside_spheroidite(MAP, WIDE),
        "(8, 12)",
    ),
    (
        "metallography.unobstructed_widths",
        lambda: metallography.unobstructed_widths(FLOATS),
        "float64",
    ),
    ("metallography.width_distribution", lambda: metallography.width_distribution(3), "3"),
    (
        "metallography.phase_fractions",
        lambda: metallography.phase_fractions(MAP, "steel"),
        "'steel'",
    ),
    (
        "metallography.phase_fractions",
        lambda: metallography.phase_fractions(MAP + 4, "uhcs"),
        "4 to 4",
    ),
    (
        "metallography.mean_intercept_length",
        lambda: metallography.mean_intercept_length(MAP, -2),
        "-2",
    ),
    (
        "metallography.mean_intercept_length",
        lambda: metallography.mean_intercept_length(MAP, phase="9"),
        "9",
    ),
    ("segmentation.otsu.segment", lambda: segmentation.otsu.segment(FLOATS, "particles"), "float"),
    ("segmentation.otsu.segment", lambda: segmentation.otsu.segment(MAP, "steel"), "'steel'"),
    ("segmentation.otsu.segment", lambda: segmentation.otsu.segment(MAP[0], "uhcs"), "(9,)"),
    *(
        (name, lambda segment=segment, wrong=wrong: segment(wrong), shown)
        for name, segment in (
            ("segmentation.load otsu", otsu),
            ("segmentation.load", shipped),
            ("segmentation.otsu.segment", raw_otsu),
            ("segmentation.Preprocessing", segmentation.Preprocessing().apply),
        )
        for wrong, shown in NO_MICROGRAPHS
    ),
    ("segmentation.load", lambda: otsu(dataset()[0]), "attribute image"),
    ("segmentation.load", lambda: segmentation.load("no.onnx"), "no.onnx"),
    ("segmentation.load", lambda: segmentation.load("otsuu"), "mean otsu?"),
    ("segmentation.load", lambda: segmentation.load("otsuu"), "otsu, particles or microcons"),
    ("segmentation.load", lambda: segmentation.load(None), "None. Give otsu, particles or"),
    ("segmentation.load", lambda: segmentation.load("otsu"), "task='particles'"),
    ("segmentation.load", lambda: segmentation.load("otsu", task="steel"), "'steel'"),
    ("segmentation.load", lambda: segmentation.load("particles", task=3), "3"),
    *(
        (
            "segmentation.load",
            lambda model=model, wrong=wrong: segmentation.load(model, wrong, "particles"),
            repr(wrong),
        )
        for model in ("otsu", "particles")
        for wrong in ("a", -1, 1.5, None, True, 10**6)
    ),
    ("segmentation.onnx_model.load", lambda: segmentation.onnx_model.load("no.onnx"), "no.onnx"),
    ("segmentation.onnx_model.load", lambda: segmentation.onnx_model.load(3), "3"),
    ("synthetic.particles", lambda: synthetic.particles("x"), "'x'"),
    ("synthetic.particles", lambda: synthetic.particles(-1), "-1"),
    ("synthetic.particles", lambda: synthetic.particles(1, 100), "100"),
    ("synthetic.particles", lambda: synthetic.particles(1, (9, 0)), "(9, 0)"),
    ("synthetic.particles", lambda: synthetic.particles(1, area_share=2), "2"),
    *(
        ("synthetic.particles", lambda wrong=wrong: synthetic.particles(0, **wrong), shown)
        for wrong, shown in (
            ({"imaging": 3}, "3"),
            ({"imaging": {"blur_px": 1}}, "{'blur_px': 1}"),
            ({"sizes": "a"}, "'a'"),
            ({"sizes": 0}, "0"),
            ({"area_share": "a"}, "'a'"),
            ({"irregularity": "x"}, "'x'"),
            ({"longest_aspect": None}, "None"),
            ({"pixel_size_um": float("nan")}, "nan"),
            ({"shape": (9.5, 9)}, "(9.5, 9)"),
            ({"shape": 10**9}, "1000000000"),
        )
    ),
    ("synthetic.Sizes", lambda: synthetic.Sizes("a"), "'a'"),
    ("synthetic.Imaging", lambda: synthetic.Imaging(ferrite="x"), "'x'"),
    ("synthetic.Imaging", lambda: synthetic.Imaging(electrons=-1), "-1"),
    ("synthetic.Imaging", lambda: synthetic.Imaging(read_noise=float("nan")), "nan"),
    ("synthetic.ParticleField", lambda: synthetic.ParticleField(3), "3"),
    ("synthetic.Hypereutectoid", lambda: synthetic.Hypereutectoid(lath_um=3), "3"),
    ("synthetic.hypereutectoid", lambda: synthetic.hypereutectoid("x"), "'x'"),
    ("synthetic.hypereutectoid", lambda: synthetic.hypereutectoid(0, (60, 60), imaging=3), "3"),
    ("synthetic.hypereutectoid", lambda: synthetic.hypereutectoid(0, structure="a"), "'a'"),
    ("synthetic.hypereutectoid", lambda: synthetic.hypereutectoid(1, pixel_size_um="x"), "'x'"),
]

ADVICE = re.compile(
    r"\b(Give|Name|Choose|Convert|Leave|Save|choose|did you mean|name it after|must be)\b"
    r"|\b(tasks|folds|versions|splits|formats|ids)\b.* are "
    r"|A submission has one label map|predict at"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mistake", "value"),
    [pytest.param(call, value, id=f"{name}-{value}") for name, call, value in MISTAKES],
)
def test_mistake_gets_a_sentence(mistake, value):
    """Check type, value, advice and full stop of the error for a user's mistake."""
    with pytest.raises(UhcsBenchError) as caught:
        mistake()
    message = str(caught.value)
    assert isinstance(caught.value, UsageError | SubmissionError) or "no.onnx" in message
    assert value in message
    assert ADVICE.search(message), message
    assert message.splitlines()[-1].endswith("."), message
    assert not re.search(r"\b[Aa] (?!unit|uni|use|one|UHCS)[aeiou]", message), message
    assert re.search("in Python", message) or not re.search(r"--\w", message), message


def public():
    """Every public function and class, by its name after ``uhcs_bench``."""
    for package, module in PACKAGES.items():
        for name in module.__all__:
            yield f"{package}.{name}", getattr(module, name)


def test_every_public_function_is_called_wrongly():
    """Check that the table above leaves out no function."""
    functions = {name for name, thing in public() if inspect.isfunction(thing)}
    assert functions - NOT_COVERED <= {name for name, *_ in MISTAKES}


def test_public_functions_are_documented():
    """Check sections of the docstrings; a headline function has an example."""
    for name, thing in public():
        if not inspect.isfunction(thing):
            continue
        text = inspect.getdoc(thing) or ""
        for section in ("Parameters", "Returns"):
            assert f"\n{section}\n---" in text, f"{name} has no section {section}"
        if name.startswith("uhcs_bench."):
            assert "\nExamples\n---" in text, f"{name} has no example"
            assert "\nRaises\n---" in text, f"{name} has no section Raises"


def test_headline_commands_have_functions():
    """Check that a command that computes has a function of the same name."""
    for name in ("score", "compare", "check", "measure", "combine", "audit", "export", "calibrate"):
        assert inspect.isfunction(getattr(uhcs_bench, name)), name


def test_data_set_answers_by_id_position_and_slice():
    """Check membership, positions of NumPy and slices."""
    data = dataset()
    last = data.ids[-1]
    assert last in data
    assert data[last] in data
    assert "uhcs0006" not in data
    assert data[np.int64(23)] is data[-1] is data[last]
    assert data[1:6:2].ids == data.ids[1:6:2]


def test_fold_may_be_a_number_of_numpy():
    """Check that such a number loads the same fold as Python's."""
    fold = uhcs_bench.load("particles", fold=np.int64(2), **SYNTHETIC)
    assert type(fold.number) is int
    assert fold.val.ids == uhcs_bench.load("particles", fold=2, **SYNTHETIC).val.ids


@pytest.mark.parametrize("kind", [KeyError, IndexError, UsageError])
def test_missing_item_is_a_lookup_error(kind):
    """Check that code for mappings and sequences catches it, and that it reads as a sentence."""
    with pytest.raises(kind) as caught:
        dataset()["foo"]
    assert str(caught.value).startswith("There is no micrograph 'foo' among the 24 of particles.")
    assert "synthetic-particles-23" in str(caught.value)
    assert isinstance(caught.value, MissingItemError)


@pytest.mark.parametrize(
    ("problems", "count"), [(["a."], "1 problem"), (["a.", "b."], "2 problems")]
)
def test_problems_are_listed(problems, count):
    """Check the one form in which problems are listed."""
    assert listed("It was not read", problems).splitlines() == [
        f"It was not read: {count}.",
        *(f"  - {problem}" for problem in problems),
    ]


def test_measure_takes_files_folders_and_arrays(tmp_path):
    """Check that each way of giving a map leads to the same row."""
    from uhcs_bench.data.label_maps import write_label_map

    labels = MAP.copy()
    labels[3:5, 3:5] = 1
    path = tmp_path / "a.png"
    write_label_map(path, labels)
    rows = [
        uhcs_bench.measure(maps, "particles", pixel_size_um=0.5)[0]
        for maps in (path, tmp_path, [str(path)], {"a.png": labels}, labels)
    ]
    assert {row["n_particles"] for row in rows} == {1}
    assert {row["diameter_median_um"] for row in rows} == {rows[0]["diameter_median_um"]}
    assert [row["id"] for row in rows] == ["a", "a", "a", "a", ""]


def test_measure_finds_the_pixel_size_of_a_benchmark_micrograph():
    """Check that a map by id gets the registry's pixel size."""
    micrograph = dataset()[0]
    row, *others = uhcs_bench.measure({micrograph.id: micrograph.labels}, "particles")
    assert row["pixel_size_um"] == micrograph.pixel_size_um
    assert not others


def test_measure_lists_every_bad_file(tmp_path):
    """Check that all problems are reported at once, each with its file."""
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(UsageError, match="2 problems") as caught:
        uhcs_bench.measure(tmp_path, "particles")
    assert all(f"{tmp_path / name} is empty." in str(caught.value) for name in ("a.png", "b.png"))


def test_combine_takes_files(tmp_path):
    """Check files against arrays."""
    from uhcs_bench.data.label_maps import write_label_map

    mask, constituents = MAP.copy(), MAP + 2
    mask[3:5, 3:5] = 1
    paths = [tmp_path / "p.png", tmp_path / "m.png"]
    for path, labels in zip(paths, (mask, constituents), strict=True):
        write_label_map(path, labels)
    found = uhcs_bench.combine(*paths, pixel_size_um=0.5)
    assert found.to_dict() == uhcs_bench.combine(mask, constituents, pixel_size_um=0.5).to_dict()
    with pytest.raises(UsageError, match="is a folder"):
        uhcs_bench.combine(tmp_path, tmp_path)


def test_compare_takes_reports_and_folders(tmp_path):
    """Check that label maps on disk and scores in memory compare alike."""
    from uhcs_bench.data.label_maps import write_label_map

    fold = uhcs_bench.load("particles", fold=2, **SYNTHETIC)
    for m in fold.val:
        write_label_map(tmp_path / "nothing" / f"{m.id}.png", 0 * m.labels)
    found = uhcs_bench.compare(report(), tmp_path / "nothing", fold=2, **SYNTHETIC)
    assert found.names == ["a", "nothing"]
    assert found.tasks[0].differences[0].mean > 0


@pytest.mark.slow
def test_audit_of_both_tasks_is_that_of_the_data_sets():
    """Check the default against the audit of given data sets."""
    from uhcs_bench.auditing import audit

    sets = [uhcs_bench.load(task, **SYNTHETIC) for task in protocol.TASKS]
    assert uhcs_bench.audit(version="synthetic").to_dict() == audit.audit(sets).to_dict()
