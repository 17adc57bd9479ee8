"""The map between the parameters of an inversion and the material of a simulation.

A parameter of the inversion is a continuous nodal field; the material is given per element and node and may
jump between elements. The jumps are those of the prior.
"""

from wavetree.mapping.bound_mapping import BoundMapping
from wavetree.mapping.configuration import Mapping

__all__ = ["BoundMapping", "Mapping"]
