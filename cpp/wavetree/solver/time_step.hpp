// The largest stable time step of central differences.
#pragma once

#include <vector>

#include "wavetree/operators/stiffness.hpp"

namespace wavetree {

// The largest eigenvalue of M⁻¹K by the Lanczos method in the inner product of M: Ritz value plus residual
// norm. That bounds some eigenvalue; where the largest ones cluster, the largest may lie some tenths of a
// percent higher, so callers add a margin. mass: (n_dofs); free: 0 on dofs held at zero, else 1; coordinates:
// (n_dofs, dim) [m], from which the start vector is made, so that it does not depend on the numbering.
double largest_eigenvalue(const Stiffness<double>& stiffness, const std::vector<double>& mass,
                          const std::vector<char>& free, const std::vector<double>& coordinates);

}  // namespace wavetree
