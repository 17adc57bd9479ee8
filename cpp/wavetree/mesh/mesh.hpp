// A mesh as it is handed in: quads or hexes, tensor order, x fastest.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "wavetree/core/types.hpp"

namespace wavetree {

struct Mesh {
    int dim = 2;
    int shape_order = 1;
    Index n_points = 0;
    Index n_elements = 0;
    const double* points = nullptr;       // (n_points, dim) [m]
    const Index* connectivity = nullptr;  // (n_elements, (shape_order + 1)^dim)

    int n_shape_nodes() const { return power(shape_order + 1, dim); }
    const Index* element(Index e) const { return connectivity + e * n_shape_nodes(); }

    // Throws InputError for a dimension, order or index that no mesh can have.
    void check() const;

    // Corner coordinates of an element, for messages: "(x, y), (x, y), ...".
    std::string corners(Index e) const;
};

// Number of element-local nodes of a given order.
inline int n_local_nodes(int order, int dim) { return power(order + 1, dim); }

// Element-local numbers of the corners, of 2^dim, x fastest.
std::vector<int> corner_nodes(int order, int dim);

// Element-local numbers of the nodes on a side: 0, 1 are x = -1, +1; 2, 3 are y; 4, 5 are z.
std::vector<int> side_nodes(int order, int dim, int side);

// One side of one element.
struct Side {
    Index element;
    int side;
};

}  // namespace wavetree
