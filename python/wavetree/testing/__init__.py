"""Checks of linear maps and gradients, for our tests and for anyone's own set-up.

Randomness comes from a `numpy.random.Generator` that the caller hands in.
"""

from wavetree.testing.certificate import GradientCertificate, TaylorTest, certify_gradient, count_runs
from wavetree.testing.checks import (
    central_difference_errors,
    central_differences,
    dot_product_defect,
    taylor_remainders,
    taylor_slopes,
)
from wavetree.testing.simulation_misfit import SimulationMisfit, exact_storage_plans

__all__ = [
    "GradientCertificate",
    "SimulationMisfit",
    "TaylorTest",
    "central_difference_errors",
    "central_differences",
    "certify_gradient",
    "count_runs",
    "dot_product_defect",
    "exact_storage_plans",
    "taylor_remainders",
    "taylor_slopes",
]
