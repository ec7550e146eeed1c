from . import imaging, limits, micrographs, network, particle_field, random_fields
from .imaging import Imaging
from .micrographs import Synthetic, hypereutectoid, particles
from .network import Hypereutectoid
from .particle_field import ParticleField, Sizes

__all__ = [
    "Hypereutectoid",
    "Imaging",
    "ParticleField",
    "Sizes",
    "Synthetic",
    "hypereutectoid",
    "imaging",
    "limits",
    "micrographs",
    "network",
    "particle_field",
    "particles",
    "random_fields",
]
