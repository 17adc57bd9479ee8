"""L-BFGS with a line search in the metric of the preconditioner."""

from __future__ import annotations

from dataclasses import KW_ONLY

from pydantic import PositiveInt

from wavetree.config import configuration
from wavetree.optimize.first_step import ChangeLinf
from wavetree.optimize.line_search import LineSearch

__all__ = ["LBFGS"]


@configuration
class LBFGS(LineSearch):
    """Steps along the L-BFGS direction, their length tested with misfits only; see `LineSearch`.

    Parameters
    ----------
    initial_step_linf
        Largest absolute change of the first step in the unit of the inversion parameter: one number for all
        parameters, or a number per parameter (parameters left out get the default). Default: 1 % of the mean
        absolute value for absolute scaling, 0.01 for relative and logarithmic scaling.
    history_size
        Number of curvature pairs kept.

    Raises
    ------
    ValueError
        If a number is not positive.
    """

    initial_step_linf: ChangeLinf = None
    _: KW_ONLY
    history_size: PositiveInt = 10

    @property
    def _pairs_kept(self) -> int:
        return self.history_size
