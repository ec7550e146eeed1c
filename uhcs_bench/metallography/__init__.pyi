from . import (
    components,
    denuded_zone,
    estimates,
    labels,
    neighbours,
    network,
    particles,
    shapes,
    spheroidite,
    stereology,
    unfolding,
)
from .components import equivalent_diameters, label_particles, particle_areas
from .denuded_zone import (
    DenudedZone,
    UnobstructedWidths,
    denuded_zone_widths,
    unobstructed_widths,
    width_distribution,
)
from .estimates import Distribution, Estimate, Quantity
from .neighbours import NearestNeighbours, nearest_neighbours
from .network import Connectivity, connectivity, grain_size_number
from .particles import (
    Lognormal,
    Particles,
    SizeDistribution,
    distance_to_network,
    mask_outside_spheroidite,
    measure_particles,
    number_density,
    size_distribution,
    sizes_by_distance,
)
from .shapes import Shapes, Spheroidised, mean_shapes
from .spheroidite import CombinedAnalysis
from .stereology import MeanIntercept, PhaseFraction, mean_intercept_length, phase_fractions
from .unfolding import Unfolded, unfold

__all__ = [
    "CombinedAnalysis",
    "Connectivity",
    "DenudedZone",
    "Distribution",
    "Estimate",
    "Lognormal",
    "MeanIntercept",
    "NearestNeighbours",
    "Particles",
    "PhaseFraction",
    "Quantity",
    "Shapes",
    "SizeDistribution",
    "Spheroidised",
    "Unfolded",
    "UnobstructedWidths",
    "components",
    "connectivity",
    "denuded_zone",
    "denuded_zone_widths",
    "distance_to_network",
    "equivalent_diameters",
    "estimates",
    "grain_size_number",
    "label_particles",
    "labels",
    "mask_outside_spheroidite",
    "mean_intercept_length",
    "mean_shapes",
    "measure_particles",
    "nearest_neighbours",
    "neighbours",
    "network",
    "number_density",
    "particle_areas",
    "particles",
    "phase_fractions",
    "shapes",
    "size_distribution",
    "sizes_by_distance",
    "spheroidite",
    "stereology",
    "unfold",
    "unfolding",
    "unobstructed_widths",
    "width_distribution",
]
