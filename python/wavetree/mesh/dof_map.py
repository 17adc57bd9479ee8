"""The map between element-local nodes and the continuous degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

__all__ = ["DofMap"]


@dataclass(frozen=True, eq=False)
class DofMap:
    """Element-local to global degrees of freedom (E in the formulas).

    Parameters
    ----------
    element_dofs
        Global number of every element node (nelem, (order + 1)**dim), x fastest.
    n_dofs
        Number of continuous degrees of freedom.
    """

    element_dofs: np.ndarray
    n_dofs: int

    def gather(self, nodal: np.ndarray) -> np.ndarray:
        """Return the element-nodal values (nelem, n_nodes) of a continuous field (n_dofs,).

        Raises
        ------
        ValueError
            If the field does not have n_dofs values.
        """
        nodal = np.asarray(nodal)
        if nodal.shape != (self.n_dofs,):
            raise ValueError(f"nodal has shape {nodal.shape}; expected (n_dofs,) = ({self.n_dofs},).")
        return np.asarray(nodal[self.element_dofs])

    def assemble(self, element_nodal: np.ndarray) -> np.ndarray:
        """Sum element-nodal values (nelem, n_nodes) into (n_dofs,); the transpose of `gather`.

        Raises
        ------
        ValueError
            If the shape is not that of ``element_dofs``.
        """
        values = np.asarray(element_nodal, dtype=np.float64)
        if values.shape != self.element_dofs.shape:
            raise ValueError(
                f"element_nodal has shape {values.shape}; expected (nelem, n_nodes) = "
                f"{self.element_dofs.shape}."
            )
        return np.bincount(self.element_dofs.ravel(), weights=values.ravel(), minlength=self.n_dofs)

    @cached_property
    def valence(self) -> np.ndarray:
        """Number of element nodes that share each degree of freedom, float64 (n_dofs,)."""
        return np.bincount(self.element_dofs.ravel(), minlength=self.n_dofs).astype(np.float64)
