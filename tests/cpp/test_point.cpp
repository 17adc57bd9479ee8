#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <numeric>

#include "meshes.hpp"
#include "reference.hpp"
#include "wavetree/operators/point.hpp"

using namespace wavetree;
using namespace wavetree::tests;

namespace {

// Points at random reference coordinates of random elements of a bent mesh.
struct Bed {
    Bed(int dim, int polynomial_order, Index n_points, int shape_order) : order(polynomial_order) {
        Random random(17 * dim + order);
        owned = grid(dim == 2 ? std::vector{4, 3} : std::vector{2, 2, 2}, shape_order);
        bend(owned);
        reorient(owned, random);
        for (Index i = 0; i < n_points; ++i) {
            const auto xi = random_values(3, random);
            elements.push_back(static_cast<Index>(random() % owned.view().n_elements));
            const auto x = map_point(owned.view(), elements.back(), xi.data());
            positions.insert(positions.end(), x.begin(), x.begin() + dim);
            references.push_back({xi[0], xi[1], xi[2]});
        }
        dofs = make_dof_map(owned.view(), order);
    }

    // Row i reads point i with coefficients (n_components, 1 + dim) of its own.
    PointOperator rows(int n_components, const std::vector<double>& coefficients) const {
        std::vector<Index> point(elements.size());
        std::iota(point.begin(), point.end(), Index{0});
        const auto n = static_cast<Index>(point.size());
        return {owned.view(),
                dofs,
                order,
                n_components,
                {n, positions.data(), elements.data(), n, point.data(), coefficients.data()}};
    }

    OwnedMesh owned{};
    int order;
    std::vector<Index> elements;
    std::vector<double> positions;
    std::vector<std::array<double, 3>> references;
    DofMap dofs;
};

// The same coefficients in all of n rows.
std::vector<double> repeat(const std::vector<double>& one, Index n) {
    std::vector<double> all;
    for (Index i = 0; i < n; ++i) all.insert(all.end(), one.begin(), one.end());
    return all;
}

double read(const PointOperator& points, Index row, const std::vector<double>& field) {
    return points.sample(row, [&](Index i) { return field[i]; });
}

// p(x) = (1 + a·x)^degree and its gradient.
struct Polynomial {
    int degree;
    std::array<double, 3> a{0.3, -0.2, 0.25};

    double base(const double* x, int dim) const {
        double sum = 1.0;
        for (int d = 0; d < dim; ++d) sum += a[d] * x[d];
        return sum;
    }
    double value(const double* x, int dim) const { return std::pow(base(x, dim), degree); }
    double slope(const double* x, int dim, int axis) const {
        return degree ? degree * a[axis] * std::pow(base(x, dim), degree - 1) : 0.0;
    }
};

}  // namespace

TEST_CASE("the coordinate functions and their derivatives are sampled exactly on curved elements") {
    for (int dim : {2, 3})
        for (int order = 2; order <= 8; order += dim - 1) {
            CAPTURE(dim);
            CAPTURE(order);
            const Index n = 20;
            const Bed bed(dim, order, n, 2);  // order ≥ shape order: x, y, z lie in the space
            const auto x = Reference(bed.owned.view(), order).coordinates();
            std::vector<double> field(static_cast<std::size_t>(bed.dofs.n_dofs));
            for (int k = 0; k <= dim; ++k) {
                std::vector<double> one(1 + dim);
                one[k] = 1.0;
                const auto points = bed.rows(1, repeat(one, n));
                for (int d = 0; d < dim; ++d) {
                    for (std::size_t i = 0; i < field.size(); ++i) field[i] = x[i * dim + d];
                    for (Index p = 0; p < n; ++p) {
                        const double expected = k == 0 ? bed.positions[p * dim + d] : (k - 1 == d ? 1.0 : 0.0);
                        CHECK(std::abs(read(points, p, field) - expected) < 1e-12);
                    }
                }
            }
        }
}

TEST_CASE("polynomials of the order and their gradients are exact where the elements are affine") {
    for (int dim : {2, 3})
        for (int order = 1; order <= 8; order += dim - 1) {
            CAPTURE(dim);
            CAPTURE(order);
            const Index n = 20;
            Bed bed(dim, order, 0, 1);
            bed.owned = grid(dim == 2 ? std::vector{2, 2} : std::vector{2, 1, 2}, 1);
            shear(bed.owned);
            Random random(order);
            reorient(bed.owned, random);
            bed.dofs = make_dof_map(bed.owned.view(), order);
            for (Index i = 0; i < n; ++i) {
                const auto xi = random_values(3, random);
                bed.elements.push_back(static_cast<Index>(random() % bed.owned.view().n_elements));
                const auto x = map_point(bed.owned.view(), bed.elements.back(), xi.data());
                bed.positions.insert(bed.positions.end(), x.begin(), x.begin() + dim);
            }
            const auto x = Reference(bed.owned.view(), order).coordinates();
            const Polynomial p{order};
            std::vector<double> field;
            for (Index i = 0; i < bed.dofs.n_dofs; ++i) field.push_back(p.value(&x[i * dim], dim));
            for (int k = 0; k <= dim; ++k) {
                std::vector<double> one(1 + dim);
                one[k] = 1.0;
                const auto points = bed.rows(1, repeat(one, n));
                for (Index row = 0; row < n; ++row) {
                    const double* at = &bed.positions[row * dim];
                    const double expected = k == 0 ? p.value(at, dim) : p.slope(at, dim, k - 1);
                    CHECK(read(points, row, field) == doctest::Approx(expected).epsilon(1e-11));
                }
            }
        }
}

TEST_CASE("gradients of any field on curved elements against moves through the map") {
    // With x = x(ξ) a central difference in ξ gives ∂u/∂ξ_a, and the rows Σ_d ∂u/∂x_d ∂x_d/∂ξ_a must equal it.
    for (int dim : {2, 3}) {
        CAPTURE(dim);
        const Index n = 20;
        const int order = 4;
        const Bed bed(dim, order, n, 3);
        Random random(3);
        const auto field = random_values(bed.dofs.n_dofs, random);
        const Mesh mesh = bed.owned.view();
        const Index n_nodes = n_local_nodes(order, dim);
        for (int a = 0; a < dim; ++a) {
            constexpr double h = 1e-5;
            std::vector<double> coefficients, expected;
            for (Index p = 0; p < n; ++p) {
                auto plus = bed.references[p], minus = plus;
                plus[a] += h, minus[a] -= h;
                const auto x1 = map_point(mesh, bed.elements[p], plus.data());
                const auto x0 = map_point(mesh, bed.elements[p], minus.data());
                coefficients.push_back(0.0);
                for (int d = 0; d < dim; ++d) coefficients.push_back((x1[d] - x0[d]) / (2.0 * h));
                const auto l1 = shape_functions(order, dim, plus.data()),
                           l0 = shape_functions(order, dim, minus.data());
                expected.push_back(0.0);
                for (Index i = 0; i < n_nodes; ++i)
                    expected.back() +=
                        field[bed.dofs.element_dofs[bed.elements[p] * n_nodes + i]] * (l1[i] - l0[i]) / (2.0 * h);
            }
            const auto points = bed.rows(1, coefficients);
            for (Index p = 0; p < n; ++p) CHECK(std::abs(read(points, p, field) - expected[p]) < 1e-7);
        }
    }
}

TEST_CASE("rows of vector fields combine components and derivatives") {
    const Index n = 10;
    for (int dim : {2, 3}) {
        CAPTURE(dim);
        const Bed bed(dim, 3, n, 2);
        Random random(5);
        const auto k = random_values(n * dim * (1 + dim), random), u = random_values(bed.dofs.n_dofs * dim, random);
        const auto points = bed.rows(dim, k);
        CHECK(points.n_rows() == n);
        for (Index row = 0; row < n; ++row) {
            double expected = 0.0;
            for (int c = 0; c < dim; ++c) {
                std::vector<double> component;
                for (Index i = 0; i < bed.dofs.n_dofs; ++i) component.push_back(u[i * dim + c]);
                const auto begin = k.begin() + (row * dim + c) * (1 + dim);
                expected += read(bed.rows(1, repeat({begin, begin + 1 + dim}, n)), row, component);
            }
            CHECK(std::abs(read(points, row, u) - expected) < 1e-13);
        }
    }
}

TEST_CASE("several rows may read one point") {
    const Bed bed(2, 3, 2, 2);
    const Index point[] = {1, 1, 0};
    const double k[] = {1, 0, 0, 0, 1, 0, 1, 0, 0};
    const PointOperator points(bed.owned.view(), bed.dofs, 3, 1,
                               {2, bed.positions.data(), bed.elements.data(), 3, point, k});
    const auto x = Reference(bed.owned.view(), 3).coordinates();
    std::vector<double> field;
    for (Index i = 0; i < bed.dofs.n_dofs; ++i) field.push_back(x[2 * i]);
    CHECK(read(points, 0, field) == doctest::Approx(bed.positions[2]).epsilon(1e-12));
    CHECK(read(points, 1, field) == doctest::Approx(1.0).epsilon(1e-12));
    CHECK(read(points, 2, field) == doctest::Approx(bed.positions[0]).epsilon(1e-12));
}

TEST_CASE("inject is the transpose of sample, scaled, and adds") {
    Random random(4);
    const Index n = 30;
    for (int n_components : {1, 2}) {
        const Bed bed(2, 5, n, 2);
        const auto points = bed.rows(n_components, random_values(n * n_components * 3, random));
        const auto u = random_values(bed.dofs.n_dofs * n_components, random), v = random_values(n, random);
        std::vector<double> injected(u.size(), 1.0);
        double left = 0.0, right = 0.0;
        for (Index row = 0; row < n; ++row) {
            left += -3.0 * v[row] * read(points, row, u);
            points.inject(row, -3.0 * v[row], [&](Index i, double value) { injected[i] += value; });
        }
        for (std::size_t i = 0; i < u.size(); ++i) right += u[i] * (injected[i] - 1.0);
        CHECK(std::abs(left - right) < 1e-12 * n);
        CHECK(std::abs(left) > 1e-2);
    }
}
