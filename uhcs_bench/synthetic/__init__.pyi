from . import imaging, limits, micrographs, network, particle_field, random_fields, sizes
from .imaging import Imaging
from .micrographs import Synthetic, hypereutectoid, particles
from .network import Hypereutectoid
from .particle_field import ParticleField
from .sizes import Sizes

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
    "sizes",
]
