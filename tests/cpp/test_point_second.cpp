#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "meshes.hpp"
#include "reference.hpp"
#include "wavetree/basis/gll.hpp"
#include "wavetree/mesh/locate.hpp"
#include "wavetree/operators/point.hpp"

using namespace wavetree;
using namespace wavetree::tests;

namespace {

std::vector<std::array<int, 2>> pairs(int dim) {
    if (dim == 2) return {{0, 0}, {1, 1}, {0, 1}};
    return {{0, 0}, {1, 1}, {2, 2}, {1, 2}, {0, 2}, {0, 1}};
}

// A polynomial of degree 2 in x with its derivatives: q(x) = 1 + Σ_d b_d x_d + Σ_pairs c_p x_i x_j.
struct Quadratic {
    int dim;
    std::vector<double> b, c;

    Quadratic(int dim, Random& random) : dim(dim), b(random_values(dim, random)) {
        c = random_values(static_cast<Index>(pairs(dim).size()), random);
    }
    double value(const double* x) const {
        double sum = 1.0;
        for (int d = 0; d < dim; ++d) sum += b[d] * x[d];
        for (std::size_t p = 0; p < c.size(); ++p) sum += c[p] * x[pairs(dim)[p][0]] * x[pairs(dim)[p][1]];
        return sum;
    }
    // In the order of a row's coefficients.
    std::vector<double> derivatives(const double* x) const {
        std::vector<double> result{value(x)};
        for (int d = 0; d < dim; ++d) {
            result.push_back(b[d]);
            for (std::size_t p = 0; p < c.size(); ++p) {
                const auto [i, j] = pairs(dim)[p];
                result.back() += c[p] * ((i == d) * x[j] + (j == d) * x[i]);
            }
        }
        for (std::size_t p = 0; p < c.size(); ++p)
            result.push_back(pairs(dim)[p][0] == pairs(dim)[p][1] ? 2 * c[p] : c[p]);
        return result;
    }
};

std::vector<double> places(const Mesh& mesh, Index n, Random& random) {
    std::vector<double> positions;
    for (Index i = 0; i < n; ++i) {
        const auto xi = random_values(3, random, -0.9, 0.9);
        const auto x = map_point(mesh, static_cast<Index>(random() % mesh.n_elements), xi.data());
        positions.insert(positions.end(), x.begin(), x.begin() + mesh.dim);
    }
    return positions;
}

// One row per derivative and point, of one component.
std::vector<Index> elements_at(const Mesh& mesh, const std::vector<double>& positions) {
    std::vector<Index> elements;
    for (const Location& one : Locator(mesh).locate(positions.data(), static_cast<Index>(positions.size()) / mesh.dim))
        elements.push_back(one.element);
    return elements;
}

std::vector<double> sample_all(const Mesh& mesh, const DofMap& dofs, int order, const std::vector<double>& positions,
                               const std::vector<double>& field) {
    const int n = n_space_derivatives(mesh.dim, 2);
    const auto n_points = static_cast<Index>(positions.size()) / mesh.dim;
    std::vector<Index> point;
    std::vector<double> coefficients(static_cast<std::size_t>(n_points * n * n)), result;
    for (Index i = 0; i < n_points * n; ++i) {
        point.push_back(i / n);
        coefficients[i * n + i % n] = 1.0;
    }
    const auto elements = elements_at(mesh, positions);
    const PointOperator rows(
        mesh, dofs, order, 1,
        {n_points, positions.data(), elements.data(), n_points * n, point.data(), coefficients.data(), 2});
    for (Index i = 0; i < n_points * n; ++i) result.push_back(rows.sample(i, [&](Index dof) { return field[dof]; }));
    return result;
}

OwnedMesh curved(int dim, int shape_order, Random& random) {
    auto owned = grid(dim == 2 ? std::vector{4, 3} : std::vector{2, 2, 2}, shape_order);
    bend(owned);
    reorient(owned, random);
    return owned;
}

}  // namespace

TEST_CASE("second derivatives of Lagrange polynomials are those of powers") {
    for (int order = 1; order <= max_order; ++order)
        for (double x : {-1.0, -0.3, 0.7}) {
            const Gll gll(order);
            std::vector<double> second(gll.points.size());
            lagrange_second_derivative(gll.points, x, second.data());
            for (int power = 0; power <= order; ++power) {
                double sum = 0.0;
                for (std::size_t j = 0; j < second.size(); ++j) sum += second[j] * std::pow(gll.points[j], power);
                const double expected = power < 2 ? 0.0 : power * (power - 1) * std::pow(x, power - 2);
                CHECK(std::abs(sum - expected) < 1e-11);
            }
        }
}

TEST_CASE("a quadratic polynomial has its derivatives on curved elements") {
    // Of degree 2 in x, and x of degree 2 in ξ: order 4 holds it.
    for (int dim : {2, 3}) {
        CAPTURE(dim);
        Random random(3 + dim);
        const auto owned = curved(dim, 2, random);
        const Mesh mesh = owned.view();
        for (int order : {4, 6}) {
            CAPTURE(order);
            const DofMap dofs = make_dof_map(mesh, order);
            const auto x = Reference(mesh, order).coordinates();
            const Quadratic q(dim, random);
            std::vector<double> field(static_cast<std::size_t>(dofs.n_dofs));
            for (std::size_t i = 0; i < field.size(); ++i) field[i] = q.value(&x[i * dim]);
            const auto positions = places(mesh, 20, random);
            const auto found = sample_all(mesh, dofs, order, positions, field);
            const int n = n_space_derivatives(dim, 2);
            for (Index p = 0; p < 20; ++p) {
                const auto expected = q.derivatives(&positions[p * dim]);
                for (int k = 0; k < n; ++k) CHECK(std::abs(found[p * n + k] - expected[k]) < 1e-9);
            }
        }
    }
}

TEST_CASE("second derivatives are the differences of first ones") {
    Random random(11);
    const double step = 1e-5;
    for (int dim : {2, 3}) {
        CAPTURE(dim);
        const auto owned = curved(dim, 3, random);
        const Mesh mesh = owned.view();
        const DofMap dofs = make_dof_map(mesh, 5);
        const auto field = random_values(dofs.n_dofs, random);
        const auto positions = places(mesh, 1, random);
        const int n = n_space_derivatives(dim, 2);
        const auto here = sample_all(mesh, dofs, 5, positions, field);
        const double largest = std::abs(
            *std::max_element(here.begin(), here.end(), [](double a, double b) { return std::abs(a) < std::abs(b); }));
        for (int p = 0; p < static_cast<int>(pairs(dim).size()); ++p) {
            const auto [d, e] = pairs(dim)[p];
            auto plus = positions, minus = positions;
            plus[e] += step, minus[e] -= step;
            const double difference =
                (sample_all(mesh, dofs, 5, plus, field)[1 + d] - sample_all(mesh, dofs, 5, minus, field)[1 + d]) /
                (2 * step);
            CHECK(std::abs(here[1 + dim + p] - difference) < 1e-7 * largest);
        }
        CHECK(static_cast<int>(here.size()) == n);
    }
}

TEST_CASE("rows without second derivatives are the same") {
    Random random(13);
    const auto owned = curved(3, 2, random);
    const Mesh mesh = owned.view();
    const DofMap dofs = make_dof_map(mesh, 3);
    const auto positions = places(mesh, 1, random);
    const auto field = random_values(3 * dofs.n_dofs, random);
    const auto first = random_values(3 * 4, random);
    std::vector<double> padded(3 * 10);
    for (int c = 0; c < 3; ++c) std::copy_n(&first[c * 4], 4, &padded[c * 10]);
    const Index point = 0;
    const auto elements = elements_at(mesh, positions);
    const PointOperator a(mesh, dofs, 3, 3, {1, positions.data(), elements.data(), 1, &point, first.data()});
    const PointOperator b(mesh, dofs, 3, 3, {1, positions.data(), elements.data(), 1, &point, padded.data(), 2});
    const auto u = [&](Index i) { return field[i]; };
    CHECK(a.sample(0, u) == b.sample(0, u));
    CHECK(a.sample(0, u) != 0.0);
}
