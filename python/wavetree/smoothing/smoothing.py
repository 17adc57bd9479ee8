"""What all kinds of smoothing have in common: a length a parameter, and an operator on nodal fields."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import AfterValidator, NonNegativeFloat, ValidationInfo

from wavetree.config import Configuration
from wavetree.errors import unknown_name
from wavetree.mesh import Mesh
from wavetree.smoothing.diffusion import Operator

__all__ = ["Length", "Lengths", "Smoothing", "SmoothingOperator", "length_by_axis"]

Length = (
    NonNegativeFloat
    | tuple[NonNegativeFloat, NonNegativeFloat]
    | tuple[NonNegativeFloat, NonNegativeFloat, NonNegativeFloat]
)


def _not_empty(lengths: dict[str, Length], info: ValidationInfo) -> dict[str, Length]:
    if not lengths:
        raise ValueError(f'{info.field_name} is empty; expected lengths such as {{"VP": 0.01}}.')
    return lengths


Lengths = Annotated[dict[str, Length], AfterValidator(_not_empty)]


class Smoothing(Configuration):
    """Base of smoothing configurations.

    Attributes
    ----------
    argument
        Name of the argument with the lengths by parameter.
    """

    argument: ClassVar[str]

    @property
    def lengths(self) -> dict[str, Length]:
        """The length of every parameter that can be smoothed."""
        lengths: dict[str, Length] = getattr(self, self.argument)
        return lengths

    @abstractmethod
    def operator(self, name: str, mesh: Mesh, order: int, threads: int = 1) -> Operator:
        """Return the operator of one parameter on the continuous nodes of an order of a mesh."""

    def build(self, mesh: Mesh, order: int, threads: int = 1) -> SmoothingOperator:
        """Return the operator on the continuous nodes of a mesh; see `diffusion_operator`.

        Parameters
        ----------
        mesh
            The mesh.
        order
            Order of the nodes.
        threads
            Number of threads; it does not change the result.
        """
        operators = {name: self.operator(name, mesh, order, threads) for name in self.lengths}
        return SmoothingOperator(operators, self.argument)


@dataclass(frozen=True)
class SmoothingOperator:
    """Smoothing of one nodal field per parameter.

    Attributes
    ----------
    operators
        The operator of each parameter.
    argument
        Name of the argument with their lengths.
    """

    operators: Mapping[str, Operator]
    argument: str

    def apply(self, fields: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the smoothed fields.

        Parameters
        ----------
        fields
            Parameter name to continuous nodal field (n_dofs,).

        Raises
        ------
        ValueError
            If no smoothing length was given for a parameter.
        """
        for name in fields:
            if name not in self.operators:
                raise unknown_name(f"parameter in {self.argument}", name, self.operators)
        return {
            name: self.operators[name].apply(np.ascontiguousarray(values, dtype=np.float64))
            for name, values in fields.items()
        }


def length_by_axis(length: Length, dim: int) -> np.ndarray:
    """Return one length per axis (dim,).

    Raises
    ------
    ValueError
        If there are not as many lengths as axes.
    """
    lengths = length if isinstance(length, tuple) else (length,) * dim
    if len(lengths) != dim:
        raise ValueError(
            f"smoothing length is {length}; expected one number, or {dim} for the axes of a mesh in {dim} "
            "dimensions."
        )
    return np.array(lengths)
