// Where in which element a point lies.
#pragma once

#include <vector>

#include "wavetree/mesh/mesh.hpp"

namespace wavetree {

struct Location {
    Index element;
    double reference[3];  // ξ in [-1, 1]^dim
    double dxi_dx[9];     // ∂ξ_a/∂x_d at [a * dim + d]
    double d2xi_dx2[27];  // ∂²ξ_a/∂x_d∂x_e at [(a * dim + d) * dim + e]
};

// Inverse map by Newton's method inside the curved elements. positions: (n, dim) [m]. Throws
// InputError that names the point, the mesh's bounds and the nearest distance for a point outside.
std::vector<Location> locate(const Mesh& mesh, const double* positions, Index n);

}  // namespace wavetree
