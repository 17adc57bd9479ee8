// Where in which element a point lies.
#pragma once

#include <memory>
#include <vector>

#include "wavetree/mesh/mesh.hpp"

namespace wavetree {

struct Location {
    Index element;
    double reference[3];  // ξ in [-1, 1]^dim
    double dxi_dx[9];     // ∂ξ_a/∂x_d at [a * dim + d]
    double d2xi_dx2[27];  // ∂²ξ_a/∂x_d∂x_e at [(a * dim + d) * dim + e]
};

// Finds positions by Newton's method inside the curved elements of a mesh, which it refers to.
class Locator {
  public:
    explicit Locator(const Mesh& mesh);
    ~Locator();

    // positions: (n, dim) [m]. Throws InputError that names the point, the mesh's bounds and the nearest distance for
    // a point outside.
    std::vector<Location> locate(const double* positions, Index n) const;

  private:
    class Grid;
    std::unique_ptr<Grid> grid_;
};

// The same in a known element (n), or nowhere for element −1.
std::vector<Location> locate_in(const Mesh& mesh, const Index* elements, const double* positions, Index n);

}  // namespace wavetree
