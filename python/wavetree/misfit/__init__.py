"""Misfits between synthetic and observed records, each with its adjoint source."""

from wavetree.misfit.configuration import MisfitConfiguration
from wavetree.misfit.registry import MISFITS

__all__ = ["MISFITS", "MisfitConfiguration"]
