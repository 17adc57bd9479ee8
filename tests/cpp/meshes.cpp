#include "meshes.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "wavetree/basis/gll.hpp"

namespace wavetree::tests {

Mesh OwnedMesh::view() const {
    Mesh mesh;
    mesh.dim = dim, mesh.shape_order = shape_order;
    mesh.n_points = static_cast<Index>(points.size()) / dim;
    mesh.n_elements = static_cast<Index>(connectivity.size()) / power(shape_order + 1, dim);
    mesh.points = points.data(), mesh.connectivity = connectivity.data();
    return mesh;
}

OwnedMesh grid(const std::vector<int>& n, int shape_order) {
    const int dim = static_cast<int>(n.size());
    const Gll shape(shape_order);
    OwnedMesh mesh{dim, shape_order, {}, {}};
    std::array<Index, 3> stride{1, 1, 1};
    Index n_points = 1, n_elements = 1;
    for (int d = 0; d < dim; ++d) stride[d] = n_points, n_points *= n[d] * shape_order + 1, n_elements *= n[d];
    for (Index i = 0; i < n_points; ++i)
        for (int d = 0; d < dim; ++d) {
            const int at = static_cast<int>(i / stride[d] % (n[d] * shape_order + 1));
            mesh.points.push_back(at / shape_order + 0.5 * (1.0 + shape.points[at % shape_order]));
        }
    for (Index e = 0; e < n_elements; ++e)
        for (int node = 0; node < power(shape_order + 1, dim); ++node) {
            Index point = 0, cell = e;
            for (int d = 0; d < dim; cell /= n[d], ++d)
                point += stride[d] * (cell % n[d] * shape_order + node / power(shape_order + 1, d) % (shape_order + 1));
            mesh.connectivity.push_back(point);
        }
    return mesh;
}

void deform(OwnedMesh& mesh, const std::function<Point(const Point&)>& map) {
    for (std::size_t i = 0; i < mesh.points.size(); i += mesh.dim) {
        Point x{};
        std::copy_n(&mesh.points[i], mesh.dim, x.begin());
        std::copy_n(map(x).begin(), mesh.dim, &mesh.points[i]);
    }
}

void shear(OwnedMesh& mesh) {
    deform(mesh, [](const Point& x) {
        return Point{1.3 * x[0] + 0.4 * x[1] + 0.1 * x[2], -0.2 * x[0] + 0.8 * x[1], 0.3 * x[1] + 0.9 * x[2]};
    });
}

void bend(OwnedMesh& mesh) {
    deform(mesh, [](const Point& x) {
        return Point{x[0] + 0.12 * std::sin(1.7 * x[1] + 0.3 * x[2]), x[1] + 0.1 * std::cos(1.3 * x[0] - x[2]),
                     x[2] + 0.11 * std::sin(0.9 * x[0] + 1.1 * x[1])};
    });
}

namespace {

// A proper rotation of the axes: new axis a runs along old axis `axis[a]`, backwards if `flip[a]`.
struct Turn {
    std::array<int, 3> axis{0, 1, 2};
    std::array<bool, 3> flip{};
};

Turn random_turn(int dim, Random& random) {
    Turn turn;
    std::shuffle(turn.axis.begin(), turn.axis.begin() + dim, random);
    bool odd = false;  // a swap or a flip mirrors; an even number of both together rotates
    for (int i = 0; i < dim; ++i)
        for (int j = i + 1; j < dim; ++j) odd ^= turn.axis[i] > turn.axis[j];
    for (int a = 0; a + 1 < dim; ++a) turn.flip[a] = random() % 2, odd ^= turn.flip[a];
    turn.flip[dim - 1] = odd;
    return turn;
}

}  // namespace

void reorient(OwnedMesh& mesh, Random& random) {
    const int n = mesh.shape_order + 1, nodes = power(n, mesh.dim);
    const auto old = mesh.connectivity;
    for (std::size_t begin = 0; begin < old.size(); begin += nodes) {
        const Turn turn = random_turn(mesh.dim, random);
        for (int node = 0; node < nodes; ++node) {
            int from = 0;
            for (int a = 0; a < mesh.dim; ++a) {
                const int at = node / power(n, a) % n;
                from += power(n, turn.axis[a]) * (turn.flip[a] ? n - 1 - at : at);
            }
            mesh.connectivity[begin + node] = old[begin + from];
        }
    }
}

void renumber(OwnedMesh& mesh, Random& random) {
    const std::size_t dim = mesh.dim, nodes = power(mesh.shape_order + 1, mesh.dim);
    std::vector<std::size_t> point(mesh.points.size() / dim), element(mesh.connectivity.size() / nodes);
    std::iota(point.begin(), point.end(), 0), std::iota(element.begin(), element.end(), 0);
    std::shuffle(point.begin(), point.end(), random), std::shuffle(element.begin(), element.end(), random);
    const OwnedMesh old = mesh;
    for (std::size_t i = 0; i < point.size(); ++i) std::copy_n(&old.points[i * dim], dim, &mesh.points[point[i] * dim]);
    for (std::size_t e = 0; e < element.size(); ++e)
        for (std::size_t n = 0; n < nodes; ++n)
            mesh.connectivity[element[e] * nodes + n] = static_cast<Index>(point[old.connectivity[e * nodes + n]]);
}

std::vector<Side> boundary_sides(const Mesh& mesh) {
    std::map<std::vector<Index>, std::vector<Side>> owners;
    for (Index e = 0; e < mesh.n_elements; ++e)
        for (int side = 0; side < 2 * mesh.dim; ++side) {
            std::vector<Index> key;
            for (int node : side_nodes(mesh.shape_order, mesh.dim, side)) key.push_back(mesh.element(e)[node]);
            std::sort(key.begin(), key.end());
            owners[key].push_back({e, side});
        }
    std::vector<Side> result;
    for (const auto& [key, sides] : owners)
        if (sides.size() == 1) result.push_back(sides[0]);
    return result;
}

std::vector<double> random_values(Index n, Random& random, double low, double high) {
    std::uniform_real_distribution<double> uniform(low, high);
    std::vector<double> values(static_cast<std::size_t>(n));
    for (double& value : values) value = uniform(random);
    return values;
}

}  // namespace wavetree::tests
