"""Nearest neighbours, against brute force and points at random places."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from uhcs_bench.metallography.neighbours import nearest_neighbours
from uhcs_bench.metallography.particles import measure_particles


def points(n, shape, seed):
    mask = np.zeros(shape, np.uint8)
    rng = np.random.default_rng(seed)
    mask[rng.integers(0, shape[0], n), rng.integers(0, shape[1], n)] = 1
    return mask


@pytest.mark.parametrize("seed", range(3))
def test_distance_is_that_of_all_pairs(seed):
    """Check the weighted mean against all distances."""
    found = measure_particles(points(40, (80, 120), seed), 0.5)
    places = np.stack([found.table["row"], found.table["column"]], axis=1)
    distances = cdist(places, places) + np.diag(np.full(len(places), np.inf))
    nearest = distances.min(1)
    to_border = np.min([places + 0.5, np.array([79.5, 119.5]) - places], axis=(0, 2))
    counts = nearest < to_border
    weights = 1 / ((80 - 2 * nearest) * (120 - 2 * nearest))
    expected = np.average(nearest[counts], weights=weights[counts])
    summary = nearest_neighbours(found)
    assert summary.n == counts.sum()
    assert summary.distance.px.value == pytest.approx(expected)
    assert summary.distance.um.value == pytest.approx(expected / 2)


def test_random_points_have_their_known_mean_distance():
    """Check small windows, where edges matter, against 1 / (2 sqrt(density)), and a naive mean."""
    found, naive = [], []
    density = 25 / 200**2
    for seed in range(150):
        particles = measure_particles(points(25, (200, 200), seed))
        found.append(nearest_neighbours(particles).distance.px.value)
        places = np.stack([particles.table["row"], particles.table["column"]], axis=1)
        naive.append((cdist(places, places) + np.diag(np.full(len(places), np.inf))).min(1).mean())
    true = 1 / (2 * math.sqrt(density))
    # 150 windows: standard error 1 %.
    assert np.mean(found) == pytest.approx(true, rel=0.03)
    assert np.mean(naive) > 1.05 * true


def test_too_few_particles_have_a_reason():
    """Check none, one, and two that are nearer to the edge than to each other."""
    mask = np.zeros((50, 50))
    assert "fewer than two" in nearest_neighbours(measure_particles(mask)).reason
    mask[3, 3] = mask[40, 40] = 1
    assert "nearer to the edge" in nearest_neighbours(measure_particles(mask)).reason
