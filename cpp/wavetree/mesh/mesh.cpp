#include "wavetree/mesh/mesh.hpp"

#include <sstream>

#include "wavetree/core/errors.hpp"

namespace wavetree {

void Mesh::check() const {
    if (dim != 2 && dim != 3) throw InputError("dimension is " + std::to_string(dim) + "; expected 2 or 3");
    if (shape_order < 1 || shape_order > 4)
        throw InputError("shape_order is " + std::to_string(shape_order) + "; expected 1 to 4");
    if (n_elements < 1) throw InputError("the mesh has no elements");
    const Index n = n_elements * n_shape_nodes();
    for (Index i = 0; i < n; ++i) {
        if (connectivity[i] < 0 || connectivity[i] >= n_points)
            throw InputError("element " + std::to_string(i / n_shape_nodes()) + " refers to point " +
                             std::to_string(connectivity[i]) + "; the mesh has " + std::to_string(n_points) +
                             " points");
    }
}

std::string Mesh::corners(Index e) const {
    std::ostringstream text;
    const auto nodes = corner_nodes(shape_order, dim);
    for (std::size_t c = 0; c < nodes.size(); ++c) {
        const double* x = points + element(e)[nodes[c]] * dim;
        text << (c ? ", (" : "(") << x[0];
        for (int d = 1; d < dim; ++d) text << ", " << x[d];
        text << ")";
    }
    return text.str();
}

std::vector<int> corner_nodes(int order, int dim) {
    std::vector<int> nodes(static_cast<std::size_t>(power(2, dim)));
    for (std::size_t c = 0; c < nodes.size(); ++c)
        for (int d = 0; d < dim; ++d) nodes[c] += ((c >> d) & 1) * order * power(order + 1, d);
    return nodes;
}

std::vector<int> side_nodes(int order, int dim, int side) {
    std::vector<int> nodes;
    const int n = order + 1, axis = side / 2, wanted = side % 2 ? order : 0;
    for (int node = 0; node < power(n, dim); ++node)
        if (node / power(n, axis) % n == wanted) nodes.push_back(node);
    return nodes;
}

}  // namespace wavetree
