from . import components, denuded_zone, estimates, labels, particles, spheroidite, stereology
from .components import equivalent_diameters, label_particles, particle_areas
from .denuded_zone import (
    DenudedZone,
    UnobstructedWidths,
    denuded_zone_widths,
    unobstructed_widths,
    width_distribution,
)
from .estimates import Distribution, Estimate, Quantity
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
from .spheroidite import CombinedAnalysis
from .stereology import MeanIntercept, PhaseFraction, mean_intercept_length, phase_fractions

__all__ = [
    "CombinedAnalysis",
    "DenudedZone",
    "Distribution",
    "Estimate",
    "Lognormal",
    "MeanIntercept",
    "Particles",
    "PhaseFraction",
    "Quantity",
    "SizeDistribution",
    "UnobstructedWidths",
    "components",
    "denuded_zone",
    "denuded_zone_widths",
    "distance_to_network",
    "equivalent_diameters",
    "estimates",
    "label_particles",
    "labels",
    "mask_outside_spheroidite",
    "mean_intercept_length",
    "measure_particles",
    "number_density",
    "particle_areas",
    "particles",
    "phase_fractions",
    "size_distribution",
    "sizes_by_distance",
    "spheroidite",
    "stereology",
    "unobstructed_widths",
    "width_distribution",
]
