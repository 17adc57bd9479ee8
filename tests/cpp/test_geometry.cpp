#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <set>

#include "meshes.hpp"
#include "reference.hpp"
#include "wavetree/core/errors.hpp"
#include "wavetree/mesh/geometry.hpp"

using namespace wavetree;
using namespace wavetree::tests;
using std::numbers::pi;

namespace {

double volume(const OwnedMesh& mesh, int order) {
    const Factors factors(Geometry(mesh.view(), order));
    return std::accumulate(factors.mass_weights.begin(), factors.mass_weights.end(), 0.0);
}

std::set<GeometryClass> classes(const OwnedMesh& mesh, int order) {
    const Factors factors(Geometry(mesh.view(), order));
    return {factors.classes.begin(), factors.classes.end()};
}

double surface(const OwnedMesh& mesh, int order) {
    const Geometry geometry(mesh.view(), order);
    double sum = 0.0;
    for (const Side& side : boundary_sides(mesh.view()))
        for (const SideNode& at : side_quadrature(geometry, side)) sum += at.weight;
    return sum;
}

// A quarter of an annulus of radii 1 and 2, of height 2 in three dimensions.
OwnedMesh quarter_annulus(int dim) {
    auto mesh = grid(dim == 2 ? std::vector{2, 3} : std::vector{2, 3, 2}, 4);
    deform(mesh, [](const Point& x) {
        const double radius = 1.0 + x[0] / 2.0, angle = pi / 6.0 * x[1];
        return Point{radius * std::cos(angle), radius * std::sin(angle), x[2]};
    });
    return mesh;
}

}  // namespace

TEST_CASE("area and perimeter of a sheared box") {
    Random random(1);
    auto mesh = grid({3, 2}, 1);
    shear(mesh);
    reorient(mesh, random);
    const double length = 2.0 * (3.0 * std::hypot(1.3, -0.2) + 2.0 * std::hypot(0.4, 0.8));
    for (int order = 1; order <= 8; ++order) {
        CAPTURE(order);
        CHECK(volume(mesh, order) == doctest::Approx(6.0 * (1.3 * 0.8 + 0.2 * 0.4)).epsilon(1e-13));
        CHECK(surface(mesh, order) == doctest::Approx(length).epsilon(1e-13));
        CHECK(classes(mesh, order) == std::set{GeometryClass::affine});
    }
}

TEST_CASE("volume and surface of a box of hexes in any orientation") {
    Random random(2);
    auto mesh = grid({2, 3, 1}, 2);
    reorient(mesh, random);
    CHECK(volume(mesh, 4) == doctest::Approx(6.0).epsilon(1e-13));
    CHECK(surface(mesh, 4) == doctest::Approx(2.0 * (6.0 + 2.0 + 3.0)).epsilon(1e-13));
    CHECK(classes(mesh, 4) == std::set{GeometryClass::affine});
}

TEST_CASE("a polynomial map is integrated exactly") {
    // x = X + a Y², y = Y + a X² on [0, 2]²: det = 1 − 4 a² X Y, whose integral is 4 − 16 a².
    constexpr double a = 0.1;
    auto mesh = grid({2, 2}, 2);
    deform(mesh, [](const Point& x) { return Point{x[0] + a * x[1] * x[1], x[1] + a * x[0] * x[0], 0.0}; });
    for (int order = 2; order <= 8; ++order)
        CHECK(volume(mesh, order) == doctest::Approx(4.0 - 16.0 * a * a).epsilon(1e-13));
    CHECK(classes(mesh, 4) == std::set{GeometryClass::stored});
}

TEST_CASE("elements that their corners determine are known as such, with the weights of any element") {
    for (const auto& n : {std::vector{3, 2}, std::vector{2, 1, 2}})
        for (int shape_order : {1, 2}) {
            Random random(5);
            auto twisted = grid(n, shape_order);
            deform(twisted, [](const Point& x) {  // linear along each axis
                return Point{x[0] + 0.1 * x[0] * x[1], x[1] + 0.1 * x[0] * x[1] * (1.0 + x[2]),
                             x[2] + 0.1 * x[0] * x[1]};
            });
            reorient(twisted, random);
            CHECK(classes(twisted, 4) == std::set{GeometryClass::multilinear});
            const Geometry geometry(twisted.view(), 4);
            const Factors factors(geometry);
            const int dim = static_cast<int>(n.size()), block = dim * dim;
            std::vector<double> J(static_cast<std::size_t>(geometry.n_nodes() * block));
            double inverse[9];
            for (Index e = 0; e < twisted.view().n_elements; ++e) {
                geometry.jacobians(e, J.data());
                for (int node = 0; node < geometry.n_nodes(); ++node)
                    CHECK(
                        factors.mass_weights[e * geometry.n_nodes() + node] ==
                        doctest::Approx(geometry.weight(node) * invert(dim, &J[node * block], inverse)).epsilon(1e-13));
            }
        }
}

TEST_CASE("area, volume, perimeter and surface of a quarter annulus") {
    Random random(3);
    auto flat = quarter_annulus(2), tall = quarter_annulus(3);
    reorient(flat, random), reorient(tall, random);
    const double area = 0.75 * pi, arcs = 1.5 * pi;
    CHECK(volume(flat, 6) == doctest::Approx(area).epsilon(1e-7));
    CHECK(surface(flat, 6) == doctest::Approx(arcs + 2.0).epsilon(1e-7));
    CHECK(volume(tall, 6) == doctest::Approx(2.0 * area).epsilon(1e-7));
    CHECK(surface(tall, 6) == doctest::Approx(2.0 * (arcs + 2.0) + 2.0 * area).epsilon(1e-7));
}

TEST_CASE("outward normals: the divergence theorem on bent boxes") {
    // ∮ x · n dS = dim · V and ∮ n dS = 0, exact for the polynomial maps.
    for (const auto& n : {std::vector{3, 2}, std::vector{2, 1, 2}}) {
        const int dim = static_cast<int>(n.size()), order = 6;
        CAPTURE(dim);
        Random random(4);
        auto owned = grid(n, 2);
        bend(owned);
        reorient(owned, random);
        const Geometry geometry(owned.view(), order);
        const auto x = node_coordinates(geometry);
        double flux = 0.0, sum[3] = {}, unit = 0.0;
        for (const Side& side : boundary_sides(owned.view()))
            for (const SideNode& at : side_quadrature(geometry, side)) {
                double square = 0.0;
                for (int d = 0; d < dim; ++d) {
                    sum[d] += at.weight * at.normal[d], square += at.normal[d] * at.normal[d];
                    flux += at.weight * at.normal[d] * x[(side.element * geometry.n_nodes() + at.node) * dim + d];
                }
                unit = std::max(unit, std::abs(square - 1.0));
            }
        CHECK(flux == doctest::Approx(dim * volume(owned, order)).epsilon(1e-13));
        for (int d = 0; d < dim; ++d) CHECK(std::abs(sum[d]) < 1e-13);
        CHECK(unit < 1e-14);
    }
}

TEST_CASE("Jacobians are the map's derivative, coordinates are the map itself") {
    for (int dim : {2, 3}) {
        CAPTURE(dim);
        auto owned = grid(dim == 2 ? std::vector{2, 1} : std::vector{1, 2, 1}, 3);
        bend(owned);
        const Mesh mesh = owned.view();
        const int order = 4, n = n_local_nodes(order, dim);
        const Geometry geometry(mesh, order);
        std::vector<double> J(static_cast<std::size_t>(n * dim * dim)), inverse(9);
        const auto x = node_coordinates(geometry);
        double wrong = 0.0, misplaced = 0.0;
        for (Index e = 0; e < mesh.n_elements; ++e) {
            geometry.jacobians(e, J.data());
            for (int node = 0; node < n; ++node) {
                const auto xi = node_position(order, dim, node);
                const auto at = map_point(mesh, e, xi.data());
                for (int d = 0; d < dim; ++d)
                    misplaced = std::max(misplaced, std::abs(at[d] - x[(e * n + node) * dim + d]));
                invert(dim, &J[node * dim * dim], inverse.data());
                for (int a = 0; a < dim; ++a) {
                    // A small move along ξ_a must come back as that move.
                    constexpr double h = 1e-6;
                    auto plus = xi, minus = xi;
                    plus[a] += h, minus[a] -= h;
                    const auto x_plus = map_point(mesh, e, plus.data()), x_minus = map_point(mesh, e, minus.data());
                    for (int b = 0; b < dim; ++b) {
                        double moved = 0.0;
                        for (int d = 0; d < dim; ++d)
                            moved += inverse[b * dim + d] * (x_plus[d] - x_minus[d]) / (2 * h);
                        wrong = std::max(wrong, std::abs(moved - (a == b)));
                    }
                }
            }
        }
        CHECK(misplaced < 1e-14);
        CHECK(wrong < 1e-8);
    }
}

TEST_CASE("an inverted element is named with its corners") {
    auto mesh = grid({2, 1}, 1);
    std::swap(mesh.connectivity[4], mesh.connectivity[5]);
    std::swap(mesh.connectivity[6], mesh.connectivity[7]);
    CHECK_THROWS_WITH_AS(
        volume(mesh, 2),
        "element 1 is inverted or degenerate (Jacobian determinant -0.250000 at its node 0); its corners "
        "are (2, 0), (1, 0), (2, 1), (1, 1); expected a positive determinant: repair the element or its "
        "node order",
        InputError);
}
