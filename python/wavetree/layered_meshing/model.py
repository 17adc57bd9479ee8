"""Layers of materials from top to bottom, and how they are to be meshed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import KW_ONLY

import numpy as np
from pydantic import model_validator

from wavetree.config import Configuration, configuration
from wavetree.layered_meshing.interface import Hyperplane, Interface
from wavetree.material import Material
from wavetree.model.background.homogeneous import Homogeneous
from wavetree.model.volume.cartesian import GenericModel
from wavetree.simulation.boundary import AbsorbingBoundaryParameters

__all__ = ["LayeredModel", "MeshingProtocol"]

Bounds = Sequence[tuple[float, float]]


@configuration
class LayeredModel(Configuration):
    """Materials with interfaces between them, from top to bottom.

    Parameters
    ----------
    layers
        ``[material, interface, material, ..., material]``. With an interface in front of the first material,
        that is the top of the mesh (topography); without one, the domain's upper side is. The bottom is
        the domain's lower side. Materials that vary in space need values only in their own layer.

    Raises
    ------
    ValueError
        If materials and interfaces do not take turns, or the last entry is no material.
    """

    layers: tuple[Material | Interface, ...]

    @model_validator(mode="after")
    def _takes_turns(self) -> LayeredModel:
        kinds = ["interface" if isinstance(entry, Interface) else "material" for entry in self.layers]
        if not kinds or kinds[-1] != "material":
            raise ValueError(
                f"layers has {len(kinds)} entries, the last one {kinds[-1] if kinds else 'missing'}; "
                "expected a material at the end: the bottom is that of the domain"
            )
        for k, (upper, lower) in enumerate(itertools.pairwise(kinds)):
            if upper == lower:
                raise ValueError(
                    f"layers has two {upper}s in a row, entries {k} and {k + 1}; expected materials and "
                    "interfaces to take turns"
                )
        return self

    @property
    def materials(self) -> tuple[Material, ...]:
        """The materials from top to bottom."""
        return tuple(entry for entry in self.layers if isinstance(entry, Material))

    @property
    def has_topography(self) -> bool:
        """Whether the top is an interface of the model's own."""
        return isinstance(self.layers[0], Interface)

    def interfaces(self, domain: Bounds) -> list[Interface]:
        """Return top, interfaces and bottom, one more than materials.

        Parameters
        ----------
        domain
            (smallest, largest) coordinate per axis [m].
        """
        own = [entry for entry in self.layers if isinstance(entry, Interface)]
        top = [] if self.has_topography else [Hyperplane.at(domain[-1][1])]
        return [*top, *own, Hyperplane.at(domain[-1][0])]

    def media(self, domain: Bounds) -> list[Homogeneous | GenericModel]:
        """Return the materials as models that can be evaluated, from top to bottom.

        Parameters
        ----------
        domain
            (smallest, largest) coordinate per axis [m]. Materials are constant along axes on which they have
            no values.
        """
        return [
            material if material.is_homogeneous else _volume_model(f"layer {k}", material, domain)
            for k, material in enumerate(self.materials)
        ]


@configuration
class MeshingProtocol(Configuration):
    """A layered model and how its mesh is going to be used.

    Parameters
    ----------
    model
        The model.
    ab
        Absorbing boundaries that the mesh has to allow for. Their layers are added by the simulation, outside
        the mesh, whose own elements keep their numbers: hand the same object to the simulation's
        configuration as ``absorbing_boundaries``.
    """

    model: LayeredModel
    _: KW_ONLY
    ab: AbsorbingBoundaryParameters | None = None


def _volume_model(name: str, material: Material, domain: Bounds) -> GenericModel:
    data = material.data
    # A hair more than the domain, which topography may leave; what is constant may be so everywhere.
    for axis, (low, high) in zip("xyz", domain, strict=False):
        if axis not in data.dims:
            margin = high - low
            data = data.expand_dims({axis: np.array([low - margin, high + margin])})
    return GenericModel(name, data)
