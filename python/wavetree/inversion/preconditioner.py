"""The preconditioner of an inverse problem: smoothing S, pseudo-Hessian W², or W S W."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from wavetree.inversion.configuration import PreconditionerConfiguration
from wavetree.inversion.pseudo_hessian import PseudoHessian
from wavetree.mesh import Mesh
from wavetree.smoothing import ModelDependentSmoothing, Smoothing, SmoothingOperator

__all__ = [
    "Preconditioner",
    "build_preconditioner",
    "needs_illumination",
    "reference_models",
    "smoothing_of",
]


@dataclass(frozen=True)
class Preconditioner:
    """W S W on one continuous nodal field per parameter.

    It is linear, self-adjoint in the lumped mass and positive semidefinite, as S is and W diagonal.

    Attributes
    ----------
    smoothing
        S; None is the identity.
    factor
        W (n_dofs,); None is the identity.
    """

    smoothing: SmoothingOperator | None = None
    factor: np.ndarray | None = None

    def apply(self, fields: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the preconditioned fields.

        Parameters
        ----------
        fields
            Parameter name to continuous nodal field (n_dofs,).
        """
        factor = 1.0 if self.factor is None else self.factor
        scaled = {name: factor * values for name, values in fields.items()}
        if self.smoothing is not None:
            scaled = self.smoothing.apply(scaled)
        return {name: factor * values for name, values in scaled.items()}


def build_preconditioner(
    configuration: PreconditionerConfiguration | None,
    mesh: Mesh,
    order: int,
    illumination: np.ndarray | None = None,
    get_mesh: Callable[[str], Mesh] | None = None,
) -> Preconditioner:
    """Return the preconditioner on the continuous nodes of a mesh.

    Parameters
    ----------
    configuration
        A smoothing, a pseudo-Hessian, a tuple of both, or None for the identity.
    mesh
        The mesh.
    order
        Order of the nodes.
    illumination
        H (n_dofs,) [J s/m^d], not negative, which a pseudo-Hessian needs.
    get_mesh
        Returns the mesh of a simulation configuration by its name, for a smoothing that refers to one.

    Raises
    ------
    ValueError
        If a pseudo-Hessian has no illumination, or one of another mesh, or a reference model does not fit.
    """
    smoothing, hessian = smoothing_of(configuration), _pseudo_hessian(configuration)
    if isinstance(smoothing, ModelDependentSmoothing) and get_mesh is not None:
        smoothing = smoothing.resolve(get_mesh)
    factor = None
    if hessian is not None:
        mass = mesh.get_mass_matrix(order)
        if illumination is None or illumination.shape != mass.shape:
            found = "None" if illumination is None else f"an array of shape {illumination.shape}"
            raise ValueError(
                f"illumination is {found}; expected (n_dofs,) = {mass.shape} for a PseudoHessian."
            )
        factor = hessian.factor(illumination, mass)
    return Preconditioner(None if smoothing is None else smoothing.build(mesh, order), factor)


def needs_illumination(configuration: PreconditionerConfiguration | None) -> bool:
    """Whether there is a pseudo-Hessian in the configuration of a preconditioner."""
    return _pseudo_hessian(configuration) is not None


def smoothing_of(configuration: PreconditionerConfiguration | None) -> Smoothing | None:
    """Return the smoothing in the configuration of a preconditioner, None if there is none."""
    return next((factor for factor in _factors(configuration) if isinstance(factor, Smoothing)), None)


def reference_models(configuration: PreconditionerConfiguration | None) -> tuple[str, ...]:
    """Return the names of the simulation configurations whose velocities a preconditioner depends on."""
    smoothing = smoothing_of(configuration)
    reference = smoothing.reference_model if isinstance(smoothing, ModelDependentSmoothing) else None
    return (reference,) if isinstance(reference, str) else ()


def _pseudo_hessian(configuration: PreconditionerConfiguration | None) -> PseudoHessian | None:
    return next((factor for factor in _factors(configuration) if isinstance(factor, PseudoHessian)), None)


def _factors(configuration: PreconditionerConfiguration | None) -> tuple[Any, ...]:
    return configuration if isinstance(configuration, tuple) else (configuration,)
