// Small meshes for the tests: grids, bent and with elements in any orientation.
#pragma once

#include <array>
#include <functional>
#include <random>
#include <vector>

#include "wavetree/mesh/mesh.hpp"

namespace wavetree::tests {

using Random = std::mt19937;
using Point = std::array<double, 3>;

struct OwnedMesh {
    int dim;
    int shape_order;
    std::vector<double> points;       // (n_points, dim) [m]
    std::vector<Index> connectivity;  // (n_elements, n_shape_nodes)

    Mesh view() const;
};

// Unit cells [0, n_0] × [0, n_1] (× [0, n_2]), shape nodes at the GLL points.
OwnedMesh grid(const std::vector<int>& n, int shape_order);

// x ← map(x) for all points.
void deform(OwnedMesh& mesh, const std::function<Point(const Point&)>& map);

// A linear map: elements stay affine, none is a rectangle.
void shear(OwnedMesh& mesh);

// A smooth curved map that keeps corners apart.
void bend(OwnedMesh& mesh);

// Turns the reference axes of every element by a random rotation of the square or cube.
void reorient(OwnedMesh& mesh, Random& random);

// Shuffles the numbers of points and elements.
void renumber(OwnedMesh& mesh, Random& random);

// Sides that belong to one element only.
std::vector<Side> boundary_sides(const Mesh& mesh);

std::vector<double> random_values(Index n, Random& random, double low = -1.0, double high = 1.0);

}  // namespace wavetree::tests
