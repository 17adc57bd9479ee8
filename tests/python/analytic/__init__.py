"""Solutions of the wave equation to compare with; independent of the code under test.

Conventions: u = (1/ρ)∇φ and p = −φ_tt in fluids, the body force of a moment tensor is −∇·(M s(t) δ), Voigt
order is xx, yy, (zz, yz, xz,) xy. Records have the shape (n_receivers, n_components, n_times). SI units.
"""
