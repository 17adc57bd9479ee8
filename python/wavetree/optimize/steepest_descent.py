"""Steepest descent in the metric of the preconditioner."""

from __future__ import annotations

from wavetree.config import configuration
from wavetree.optimize.first_step import ChangeLinf
from wavetree.optimize.line_search import LineSearch

__all__ = ["SteepestDescent"]


@configuration
class SteepestDescent(LineSearch):
    """Steps along −S g, their length tested with misfits only.

    Parameters
    ----------
    initial_step_linf
        Largest absolute change of the first step in the unit of the inversion parameter: one number for all
        parameters, or a number per parameter (parameters left out get the default). Default: 1 % of the mean
        absolute value for absolute scaling, 0.01 for relative and logarithmic scaling.

    Raises
    ------
    ValueError
        If a number is not positive.

    Notes
    -----
    The first trial is −γ S g with γ = ⟨s, y⟩/⟨y, S y⟩ of the last step s and the change y of the gradient
    along it (Barzilai & Borwein 1988, IMA J. Numer. Anal. 8), then come shorter ones; see `LineSearch`.
    """

    initial_step_linf: ChangeLinf = None

    @property
    def _pairs_kept(self) -> int:
        return 0
