"""Optimisation methods: what step to try next, and what to make of the trial's misfit.

The methods know vectors, an inner product and a preconditioner, nothing of waves or meshes.
"""

from wavetree.optimize.adam import Adam
from wavetree.optimize.batch import Batch, BatchSelection, ControlGroup, subset_scale
from wavetree.optimize.judgement import Control
from wavetree.optimize.lbfgs import LBFGS
from wavetree.optimize.method import Method
from wavetree.optimize.space import MetricVector, Point, Space, weighted_inner
from wavetree.optimize.state import State, Step, Verdict
from wavetree.optimize.steepest_descent import SteepestDescent
from wavetree.optimize.trust_region import TrustRegion

__all__ = [
    "LBFGS",
    "Adam",
    "Batch",
    "BatchSelection",
    "Control",
    "ControlGroup",
    "Method",
    "MetricVector",
    "Point",
    "Space",
    "State",
    "SteepestDescent",
    "Step",
    "TrustRegion",
    "Verdict",
    "subset_scale",
    "weighted_inner",
]
