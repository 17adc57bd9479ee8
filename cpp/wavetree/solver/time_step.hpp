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
    // out = W x, zero where a lower rank has the dof too: the products with it then add up over ranks.
    std::function<void(Vector& x, Vector& out)> weigh;
    const Ranks* ranks = nullptr;  // null: there is one
};

// xᵀ y over all ranks, y as `weigh` makes it.
double dot(const EigenProblem::Vector& x, const EigenProblem::Vector& y, const Ranks* ranks);

// What is known of every place: mass, whether the field is free there, whether no lower rank has it; see `Medium`.
struct PlaceData {
    const std::vector<double>& mass;
    const std::vector<char>&free, &owned;
};

// The largest eigenvalue by the Lanczos method: Ritz value plus residual norm. That bounds some eigenvalue;
// where the largest ones cluster, the largest may lie some tenths of a percent higher, so callers add a
// margin.
double largest_eigenvalue(const EigenProblem& problem, AlignedVector<double> start);

// Of M⁻¹K.
EigenProblem stiffness_problem(const Stiffness<double>& stiffness, const PlaceData& places, const Ranks* ranks);

// A start vector (size) that holds all wavelengths of a mesh and does not depend on its numbering.
// coordinates: by place (n_places, dim) [m]
AlignedVector<double> rough_field(const Stiffness<double>& stiffness, const std::vector<char>& free,
                                  const std::vector<double>& coordinates, const Ranks* ranks);

}  // namespace wavetree
