#include "wavetree/mesh/locate.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <sstream>

#include "wavetree/basis/gll.hpp"
#include "wavetree/core/errors.hpp"
#include "wavetree/mesh/geometry.hpp"

namespace wavetree {

namespace {

struct Box {
    std::array<double, 3> low, high;

    static Box empty() {
        Box box;
        box.low.fill(std::numeric_limits<double>::infinity());
        box.high.fill(-std::numeric_limits<double>::infinity());
        return box;
    }
    void add(const double* x, int dim) {
        for (int d = 0; d < dim; ++d) low[d] = std::min(low[d], x[d]), high[d] = std::max(high[d], x[d]);
    }
    bool contains(const double* x, int dim) const {
        for (int d = 0; d < dim; ++d)
            if (!(x[d] >= low[d] && x[d] <= high[d])) return false;
        return true;
    }
};

// A curved element may bulge out of the box of its nodes, hence the margin.
Box element_box(const Mesh& mesh, Index e) {
    Box box = Box::empty();
    for (int s = 0; s < mesh.n_shape_nodes(); ++s) box.add(mesh.points + mesh.element(e)[s] * mesh.dim, mesh.dim);
    double size = 0.0;
    for (int d = 0; d < mesh.dim; ++d) size = std::max(size, box.high[d] - box.low[d]);
    for (int d = 0; d < mesh.dim; ++d) box.low[d] -= 0.1 * size, box.high[d] += 0.1 * size;
    return box;
}

// x(ξ) and its derivatives of one element at one reference point.
class PointMap {
  public:
    explicit PointMap(const Mesh& mesh) : mesh_(mesh), shape_(mesh.shape_order) {}

    void evaluate(Index e, const double* xi, double* x, double* J) const {
        const int dim = mesh_.dim, s = shape_.n();
        double value[3][5], slope[3][5];
        for (int d = 0; d < dim; ++d)
            lagrange(shape_.points, xi[d], value[d]), lagrange_derivative(shape_.points, xi[d], slope[d]);
        std::fill(x, x + dim, 0.0), std::fill(J, J + dim * dim, 0.0);
        for (int node = 0; node < mesh_.n_shape_nodes(); ++node) {
            const double* point = mesh_.points + mesh_.element(e)[node] * dim;
            for (int a = -1; a < dim; ++a) {
                double product = 1.0;
                for (int d = 0; d < dim; ++d) product *= (d == a ? slope : value)[d][node / power(s, d) % s];
                for (int d = 0; d < dim; ++d) (a < 0 ? x[d] : J[d * dim + a]) += product * point[d];
            }
        }
    }

    // ∂²ξ_a/∂x_d∂x_e = −Σ_k ∂ξ_a/∂x_k Σ_bc ∂²x_k/∂ξ_b∂ξ_c ∂ξ_b/∂x_d ∂ξ_c/∂x_e, from ∂/∂x_e of (∂ξ/∂x)(∂x/∂ξ) = 1.
    void second_derivatives(Location& at) const {
        const int dim = mesh_.dim;
        std::fill_n(at.d2xi_dx2, 27, 0.0);
        double second[27];  // ∂²x_k/∂ξ_b∂ξ_c
        evaluate_second(at, second);
        const double* inverse = at.dxi_dx;
        for (int k = 0; k < dim; ++k)
            for (int d = 0; d < dim; ++d)
                for (int e = 0; e < dim; ++e) {
                    double sum = 0.0;
                    for (int b = 0; b < dim; ++b)
                        for (int c = 0; c < dim; ++c)
                            sum += second[(k * dim + b) * dim + c] * inverse[b * dim + d] * inverse[c * dim + e];
                    for (int a = 0; a < dim; ++a) at.d2xi_dx2[(a * dim + d) * dim + e] -= inverse[a * dim + k] * sum;
                }
    }

  private:
    void evaluate_second(const Location& at, double* second) const {
        const int dim = mesh_.dim, s = shape_.n();
        double line[3][3][5];  // by how often it is differentiated, then by axis
        for (int d = 0; d < dim; ++d) {
            lagrange(shape_.points, at.reference[d], line[0][d]);
            lagrange_derivative(shape_.points, at.reference[d], line[1][d]);
            lagrange_second_derivative(shape_.points, at.reference[d], line[2][d]);
        }
        std::fill_n(second, 27, 0.0);
        for (int node = 0; node < mesh_.n_shape_nodes(); ++node) {
            const double* point = mesh_.points + mesh_.element(at.element)[node] * dim;
            for (int b = 0; b < dim; ++b)
                for (int c = 0; c < dim; ++c) {
                    double product = 1.0;
                    for (int d = 0; d < dim; ++d) product *= line[(d == b) + (d == c)][d][node / power(s, d) % s];
                    for (int k = 0; k < dim; ++k) second[(k * dim + b) * dim + c] += product * point[k];
                }
        }
    }

    const Mesh& mesh_;
    Gll shape_;
};

std::optional<Location> inside(const Mesh& mesh, const PointMap& map, Index e, const double* position) {
    const int dim = mesh.dim;
    Location found{e, {}, {}, {}};
    double x[3], J[9], *inverse = found.dxi_dx;
    for (int it = 0; it < 30; ++it) {
        map.evaluate(e, found.reference, x, J);
        if (!(invert(dim, J, inverse) != 0.0)) return std::nullopt;
        double change = 0.0;
        for (int a = 0; a < dim; ++a) {
            double step = 0.0;
            for (int d = 0; d < dim; ++d) step += inverse[a * dim + d] * (position[d] - x[d]);
            const double next = std::clamp(found.reference[a] + step, -1.5, 1.5);
            change = std::max(change, std::abs(next - found.reference[a]));
            found.reference[a] = next;
        }
        if (change < 1e-14) break;
    }
    // A point on a facet belongs to either neighbour; rounding must not lose it between them.
    for (int a = 0; a < dim; ++a) {
        if (!(std::abs(found.reference[a]) <= 1.0 + 1e-8)) return std::nullopt;
        found.reference[a] = std::clamp(found.reference[a], -1.0, 1.0);
    }
    map.evaluate(e, found.reference, x, J);
    invert(dim, J, inverse);
    map.second_derivatives(found);
    return found;
}

std::string describe_outside(const Mesh& mesh, const Box& bounds, const double* position) {
    double nearest = std::numeric_limits<double>::infinity();
    for (Index i = 0; i < mesh.n_points; ++i) {
        double square = 0.0;
        for (int d = 0; d < mesh.dim; ++d) square += std::pow(mesh.points[i * mesh.dim + d] - position[d], 2);
        nearest = std::min(nearest, std::sqrt(square));
    }
    std::ostringstream text;
    text << "position (" << position[0];
    for (int d = 1; d < mesh.dim; ++d) text << ", " << position[d];
    text << ") m lies outside the mesh, which spans";
    for (int d = 0; d < mesh.dim; ++d)
        text << (d ? ", " : " ") << "xyz"[d] << " from " << bounds.low[d] << " to " << bounds.high[d] << " m";
    text << "; the nearest mesh point is " << nearest << " m away: move the position or enlarge the domain";
    return text.str();
}

}  // namespace

// Elements sorted into a uniform grid of about as many cells, so that a look-up costs the same on
// any mesh size.
class Locator::Grid {
  public:
    explicit Grid(const Mesh& mesh) : mesh_(mesh), bounds_(Box::empty()) {
        for (Index i = 0; i < mesh.n_elements * mesh.n_shape_nodes(); ++i)
            bounds_.add(mesh.points + mesh.connectivity[i] * mesh.dim, mesh.dim);
        const double cells = std::pow(static_cast<double>(mesh.n_elements), 1.0 / mesh.dim);
        n_ = std::clamp(static_cast<int>(cells), 1, 512);
        cells_.resize(static_cast<std::size_t>(power(n_, mesh.dim)));
        for (Index e = 0; e < mesh.n_elements; ++e) add(e);
    }
    const std::vector<Index>& candidates(const double* x) const { return cells_[static_cast<std::size_t>(cell(x))]; }
    const Box& bounds() const { return bounds_; }
    const Mesh& mesh() const { return mesh_; }

  private:
    int along(double x, int d) const {
        const double width = bounds_.high[d] - bounds_.low[d];
        return std::clamp(static_cast<int>((x - bounds_.low[d]) / width * n_), 0, n_ - 1);
    }
    int cell(const double* x) const {
        int c = 0;
        for (int d = mesh_.dim - 1; d >= 0; --d) c = c * n_ + along(x[d], d);
        return c;
    }
    void add(Index e) {
        const Box box = element_box(mesh_, e);
        std::array<int, 3> low{}, high{};
        for (int d = 0; d < mesh_.dim; ++d) low[d] = along(box.low[d], d), high[d] = along(box.high[d], d);
        for (int k = low[2]; k <= high[2]; ++k)
            for (int j = low[1]; j <= high[1]; ++j)
                for (int i = low[0]; i <= high[0]; ++i)
                    cells_[static_cast<std::size_t>((k * n_ + j) * n_ + i)].push_back(e);
    }

    const Mesh mesh_;
    Box bounds_;
    int n_ = 1;
    std::vector<std::vector<Index>> cells_;
};

Locator::Locator(const Mesh& mesh) {
    mesh.check();
    grid_ = std::make_unique<Grid>(mesh);
}

Locator::~Locator() = default;

std::vector<Location> Locator::locate(const double* positions, Index n) const {
    const Mesh& mesh = grid_->mesh();
    const PointMap map(mesh);
    std::vector<Location> locations;
    for (Index i = 0; i < n; ++i) {
        const double* position = positions + i * mesh.dim;
        std::optional<Location> found;
        for (Index e : grid_->candidates(position)) {
            if (element_box(mesh, e).contains(position, mesh.dim)) found = inside(mesh, map, e, position);
            if (found) break;
        }
        if (!found) throw InputError(describe_outside(mesh, grid_->bounds(), position));
        locations.push_back(*found);
    }
    return locations;
}

std::vector<Location> locate_in(const Mesh& mesh, const Index* elements, const double* positions, Index n) {
    const PointMap map(mesh);
    std::vector<Location> locations;
    for (Index i = 0; i < n; ++i) {
        if (elements[i] < -1 || elements[i] >= mesh.n_elements)
            throw InputError("elements name element " + std::to_string(elements[i]) + "; the mesh has " +
                             std::to_string(mesh.n_elements));
        locations.push_back({-1, {}, {}, {}});
        if (elements[i] < 0) continue;
        const auto found = inside(mesh, map, elements[i], positions + i * mesh.dim);
        if (!found) throw InputError("position " + std::to_string(i) + " lies outside its element");
        locations.back() = *found;
    }
    return locations;
}

}  // namespace wavetree
