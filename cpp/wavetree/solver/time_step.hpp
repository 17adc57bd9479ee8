// The largest stable time step of central differences.
#pragma once

#include <functional>
#include <vector>

#include "wavetree/operators/stiffness.hpp"

namespace wavetree {

// An operator L that is symmetric and positive semidefinite in the inner product xᵀ W y.
struct EigenProblem {
    using Vector = AlignedVector<double>;
    std::function<void(Vector& x, Vector& out)> apply;  // out = L x; may write the copies in x
    std::function<void(Vector& x, Vector& out)> weigh;  // out = W x
};

// The largest eigenvalue by the Lanczos method: Ritz value plus residual norm. That bounds some eigenvalue;
// where the largest ones cluster, the largest may lie some tenths of a percent higher, so callers add a
// margin.
double largest_eigenvalue(const EigenProblem& problem, AlignedVector<double> start);

// Of M⁻¹K. mass, free: by place, see `Medium`.
EigenProblem stiffness_problem(const Stiffness<double>& stiffness, const std::vector<double>& mass,
                               const std::vector<char>& free);

// A start vector (size) that holds all wavelengths of a mesh and does not depend on its numbering.
// coordinates: by place (n_places, dim) [m]
AlignedVector<double> rough_field(const Stiffness<double>& stiffness, const std::vector<char>& free,
                                  const std::vector<double>& coordinates);

}  // namespace wavetree
