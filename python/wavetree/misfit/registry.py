"""The misfits that are known by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wavetree.misfit.l2 import l2

__all__ = ["MISFITS"]

MISFITS: dict[str, Callable[..., Any]] = {"L2": l2}
"""Functions by name.

Each is f(data_synthetic, data_observed, sampling_rate_in_hertz) -> (misfit, adjoint_source), called per
receiver with arrays of shape (n_components, n_samples). The adjoint source f† has the shape of the data,
∂χ/∂u_n = dt f†_n, forward in time.
"""
