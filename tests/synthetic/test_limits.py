"""Tests of the arguments of all building blocks: a wrong one gets an error that names it."""

import inspect
from dataclasses import replace

import numpy as np
import pytest

from uhcs_bench.data import synthetic as data_synthetic
from uhcs_bench.errors import UsageError
from uhcs_bench.synthetic import imaging, limits, micrographs, network, particle_field
from uhcs_bench.synthetic.random_fields import smooth_field
from uhcs_bench.synthetic.sizes import Sizes

RNG = np.random.default_rng(0)
SHAPE = (12, 16)
MAP = np.zeros(SHAPE)
FIELD = particle_field.ParticleField()
ONE = np.ones(1)
PLACED = particle_field.Placed(ONE, ONE, 3 * ONE, 2 * ONE, 0 * ONE, np.zeros((1, 2), complex))
MADE = micrographs.particles(0, SHAPE)

WRONG_MAPS = {
    "text": "a",
    "list": [[0.0, 1.0]],
    "one dimension": np.zeros(3),
    "words": np.full(SHAPE, "a"),
    "not a number": np.full(SHAPE, np.nan),
    "too small": np.full(SHAPE, -2e30),
    "masked": np.ma.masked_equal(MAP, 1),
}
WRONG_SHAPES = ("a", 3, (3,), (3, 4, 5), (0, 3), (-1, 3), (2.0, 3), (True, 3), (10**9, 10**9))
WRONG_LENGTHS = ("a", None, True, 0, -1.0, np.nan, np.inf, 1e-9, ONE)
WRONG_RNGS = (None, 0, "a", np.random)
WRONG_COUNTS = ("a", None, -1, 2.0, np.nan, 10**12)
FINITE = ("a", None, np.nan, np.inf)

BLOCKS = [
    (smooth_field, (RNG, SHAPE, 3.0), {"rng": WRONG_RNGS, "shape": WRONG_SHAPES}),
    (smooth_field, (RNG, SHAPE, 3.0), {"length_px": WRONG_LENGTHS}),
    (imaging.acquire, (RNG, imaging.Imaging(), MAP), {"rng": WRONG_RNGS, "imaging": ("a", None)}),
    (imaging.acquire, (RNG, imaging.Imaging(), MAP), {"cementite": WRONG_MAPS.values()}),
    (imaging.acquire, (RNG, imaging.Imaging(), MAP), {"cementite": (MAP + 2,)}),
    (imaging.detect, (RNG, MAP, 4.0, 0.0), {"rng": WRONG_RNGS, "signal": WRONG_MAPS.values()}),
    (imaging.detect, (RNG, MAP, 4.0, 0.0), {"electrons": ("a", None, 0, -1, np.nan)}),
    (imaging.detect, (RNG, MAP, 4.0, 0.0), {"read_noise": ("a", None, -1, np.nan)}),
    (
        particle_field.scatter_particles,
        (RNG, FIELD, SHAPE, 0.04),
        {
            "rng": WRONG_RNGS,
            "particles": ("a", None, Sizes()),
            "shape": WRONG_SHAPES,
            "pixel_um": (*WRONG_LENGTHS, 1e-5, 1e5),
        },
    ),
    (particle_field.margin_px, (FIELD, 0.04), {"particles": ("a",), "pixel_um": WRONG_LENGTHS}),
    (
        particle_field.place_particles,
        (RNG, FIELD, MAP, 0.04),
        {
            "rng": WRONG_RNGS,
            "particles": ("a", None),
            "clearance": (*WRONG_MAPS.values(), MAP - 1),
            "pixel_um": (*WRONG_LENGTHS, 1e5),
        },
    ),
    (particle_field.particle_coverage, (PLACED, SHAPE), {"placed": ("a", (PLACED,))}),
    (particle_field.particle_coverage, (PLACED, SHAPE), {"shape": WRONG_SHAPES}),
    (Sizes().moment, (1,), {"order": ("a", None, -1, 5, np.nan)}),
    (Sizes().quantile_um, (0.5,), {"level": ("a", None, -0.1, 1.1, np.nan)}),
    (Sizes().draw, (RNG, 3), {"rng": WRONG_RNGS, "n": WRONG_COUNTS}),
    (PLACED.outlines, (9,), {"n_points": (*WRONG_COUNTS, 0)}),
    (PLACED.moved, (1.0, 2.0), {"rows": FINITE, "columns": FINITE}),
    (PLACED.within, (SHAPE,), {"shape": WRONG_SHAPES}),
    (
        network.grow_hypereutectoid,
        (RNG, network.Hypereutectoid(), SHAPE, 0.2),
        {
            "rng": WRONG_RNGS,
            "structure": ("a", None, FIELD),
            "shape": WRONG_SHAPES,
            "pixel_um": (*WRONG_LENGTHS, 1e-5, 1e5),
        },
    ),
    *(
        (draw, (RNG,), {"rng": WRONG_RNGS})
        for draw in (
            micrographs.draw_particles,
            micrographs.draw_hypereutectoid,
            micrographs.draw_particle_imaging,
            micrographs.draw_overview_imaging,
        )
    ),
    (micrographs.particles, (0, SHAPE), {"seed": ("a", None, -1, 1.5), "shape": WRONG_SHAPES}),
    (micrographs.hypereutectoid, (0, SHAPE), {"seed": ("a", None, -1, 1.5)}),
]

PARTS = {
    "row": ("a", np.ones((1, 1)), ONE * np.nan),
    "column": (ONE[:0], [1.0]),
    "major": (np.ones(2), 0 * ONE, -ONE, 1e6 * ONE, [1.0]),
    "bumps": (np.zeros((1, 3), complex), np.full((1, 2), 2j), np.full((1, 2), np.nan)),
    "n_lost": (-1, "a", 0.5),
}
MADE_PARTS = {
    "image": (3, MAP[0], np.full(SHAPE, 300)),
    "labels": (MAP + 9, "a", MAP[:5]),
    "cementite": (MAP + 2, None),
    "pixel_size_um": (0, "a"),
    "structure": ("a",),
    "placed": (None,),
}


def cases():
    """Give function, right arguments, and the name and value of a wrong one."""
    for function, arguments, wrong in BLOCKS:
        for name, values in wrong.items():
            for value in values:
                yield function, arguments, name, value


@pytest.mark.parametrize(("function", "arguments", "name", "value"), [*cases()])
def test_a_wrong_argument_is_named(function, arguments, name, value):
    """Check kinds, shapes, dtypes and limits of each argument of each building block."""
    place = list(inspect.signature(function).parameters).index(name)
    wrong = (*arguments[:place], value, *arguments[place + 1 :])
    said = "The seed can't be" if name == "seed" else rf"1 problem\.\n  - {name} (is|holds) "
    with pytest.raises(UsageError, match=said):
        function(*wrong)


@pytest.mark.parametrize(("made", "parts"), [(PLACED, PARTS), (MADE, MADE_PARTS)])
def test_a_wrong_part_of_a_result_is_named(made, parts):
    """Check arrays of another shape, dtype or length, and numbers that make no sense."""
    for name, values in parts.items():
        for value in values:
            with pytest.raises(UsageError, match=rf"\n  - {name} (is|holds) "):
                replace(made, **{name: value})


def test_all_wrong_arguments_are_told_at_once():
    """Check one call with nothing right in it."""
    with pytest.raises(UsageError, match="3 problems"):
        imaging.acquire(1, "a", "b")
    with pytest.raises(UsageError, match="4 problems"):
        network.grow_hypereutectoid(1, "a", 3, "b")


def test_every_public_function_is_tested():
    """Check that no building block is left out above."""
    covered = {getattr(function, "__func__", function) for function, _, _ in BLOCKS}
    for module in (imaging, particle_field, network, micrographs):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            is_own = function.__module__ == module.__name__ and not name.startswith("_")
            if is_own and not name.endswith("_problems"):
                assert function in covered, name


def test_whole_numbers_are_no_fractions():
    """Check what a limit of whole numbers takes."""
    count = limits.Limits(0, 9, whole=True)
    assert [count.hold(n) for n in (0, np.int64(9), 10, 2.0, True)] == [True, True] + 3 * [False]


def test_fields_of_the_network_are_no_finer_than_the_grid_of_random_fields():
    """Check that grains of which a quarter is too short are refused before memory is taken."""
    fine = network.Hypereutectoid(grain_um=0.03)
    with pytest.raises(UsageError, match=r"pixel_um is 0\.2, and must be smaller"):
        network.grow_hypereutectoid(RNG, fine, SHAPE, 0.2)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("a", "it is no entry"),
        (replace(data_synthetic.catalogue("particles")[0], id="b"), "'b' is no generated"),
    ],
)
def test_what_is_not_in_the_catalogue_is_not_generated(entry, said):
    """Check another object, and an entry of another id."""
    with pytest.raises(UsageError, match=said):
        data_synthetic.generate(entry)
