"""Optimisation methods: what step to try next, and what to make of the trial's misfit.

The methods know vectors, an inner product and a preconditioner, nothing of waves or meshes.
"""

from wavetree.optimize.space import Point, Space, weighted_inner
from wavetree.optimize.state import State, Step, Verdict
from wavetree.optimize.trust_region import TrustRegion

__all__ = ["Point", "Space", "State", "Step", "TrustRegion", "Verdict", "weighted_inner"]
