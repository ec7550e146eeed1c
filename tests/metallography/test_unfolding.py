"""Saltykov's unfolding, against spheres that were cut, and Wicksell's moments."""

from __future__ import annotations

import math

import numpy as np
import pytest

from uhcs_bench.metallography import particles, unfolding


def sections(rng, n, diameters):
    """Cut spheres by a plane, larger ones more often."""
    chosen = rng.choice(diameters, n, p=diameters / diameters.sum())
    return np.sqrt(chosen**2 - (chosen * rng.uniform(size=n)) ** 2)


def as_particles(diameters, shape=(2000, 2000)):
    """Lay sections out as a table, all of them whole and at random places."""
    table = particles.measure_particles(np.eye(2)[:, :0]).table
    table = np.zeros(len(diameters), table.dtype)
    rng = np.random.default_rng(1)
    table["row"], table["column"] = rng.uniform(0, shape[0], (2, len(diameters)))
    table["diameter_px"], table["edge_weight"] = diameters, 1.0
    return particles.Particles(table, shape, 0.5)


@pytest.mark.parametrize("log_sd", [0.0, 0.2, 0.4, 0.6])
def test_spheres_are_found_again(log_sd):
    """Check mean diameter and number per volume of one size and of lognormal sizes."""
    rng = np.random.default_rng(0)
    diameters = 20 * np.exp(log_sd * rng.normal(size=2000))
    cut = sections(rng, 6000, diameters)
    found = unfolding.unfold(as_particles(cut))
    true = diameters.mean()
    assert found.diameter.px.value == pytest.approx(true, rel=0.06)
    assert found.diameter.px.low < found.diameter.px.value < found.diameter.px.high
    # So many sections per area come of spheres per volume times their mean diameter.
    per_volume = 6000 / 2000**2 / true
    assert found.number_per_volume.px.value == pytest.approx(per_volume, rel=0.06)
    assert found.number_per_volume.um.value == pytest.approx(found.number_per_volume.px.value * 8)
    # Without unfolding, the mean section of equal spheres is pi / 4 of their diameter.
    if not log_sd:
        assert cut.mean() == pytest.approx(math.pi / 4 * true, rel=0.02)


def test_product_of_diameter_and_number_is_the_number_of_sections():
    """Check the relation N_A = N_V D, which holds whatever the classes are."""
    cut = sections(np.random.default_rng(3), 500, np.full(10, 12.0))
    found = unfolding.unfold(as_particles(cut))
    product = found.diameter.px.value * found.number_per_volume.px.value
    assert product == pytest.approx(500 / 2000**2)


def test_sections_of_a_sphere_add_up_to_its_diameter():
    """Check that each column of the matrix sums to the diameter, and none is negative."""
    edges = unfolding.class_edges(30)
    matrix = unfolding.sections_per_sphere(edges)
    np.testing.assert_allclose(matrix.sum(0), edges[1:] * 10**-0.05)
    assert (matrix >= 0).all()
    assert (np.triu(matrix) == matrix).all()


def test_nothing_to_unfold_has_a_reason():
    """Check a map of no particle."""
    found = unfolding.unfold(particles.measure_particles(np.zeros((9, 9))))
    assert math.isnan(found.diameter.px.value)
    assert found.reason
    assert "spheres" in found.assumption
