#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "meshes.hpp"
#include "reference.hpp"
#include "wavetree/core/errors.hpp"
#include "wavetree/operators/boundary.hpp"

using namespace wavetree;
using namespace wavetree::tests;

TEST_CASE("impedance weights integrate over the sides") {
    Random random(6);
    auto owned = grid({3, 2}, 2);
    bend(owned);
    reorient(owned, random);
    const Mesh mesh = owned.view();
    const int order = 5;
    const Geometry geometry(mesh, order);
    const auto x = node_coordinates(geometry);
    // ∮ ½ |x|² ds by the weights against the same integral by fine chords along every side.
    double sum = 0.0, chords = 0.0;
    const auto sides = boundary_sides(mesh);
    for (const auto& node : impedance_nodes(geometry, sides)) {
        const double* at = &x[(node.element * geometry.n_nodes() + node.at.node) * 2];
        sum += node.at.weight * 0.5 * (at[0] * at[0] + at[1] * at[1]);
    }
    constexpr int n = 2000;
    for (const Side& side : sides)
        for (int i = 0; i < n; ++i) {
            std::array<std::array<double, 3>, 2> ends;
            for (int k = 0; k < 2; ++k) {
                double xi[2];
                xi[side.side / 2] = side.side % 2 ? 1.0 : -1.0;
                xi[1 - side.side / 2] = -1.0 + 2.0 * (i + k) / n;
                ends[k] = map_point(mesh, side.element, xi);
            }
            const double length = std::hypot(ends[1][0] - ends[0][0], ends[1][1] - ends[0][1]);
            for (const auto& end : ends) chords += 0.25 * length * (end[0] * end[0] + end[1] * end[1]);
        }
    CHECK(sum == doctest::Approx(chords).epsilon(1e-6));
}

TEST_CASE("Dirichlet dofs are those on the sides, once each") {
    Random random(8);
    auto owned = grid({3, 2}, 1);
    reorient(owned, random);
    const int order = 4;
    const Geometry geometry(owned.view(), order);
    const Reference reference(owned.view(), order);
    const auto dofs = dirichlet_dofs(geometry, reference.dofs(), boundary_sides(owned.view()));
    CHECK(dofs.size() == 2 * (3 + 2) * order);
    CHECK(std::is_sorted(dofs.begin(), dofs.end()));
    const auto x = reference.coordinates();
    for (Index dof : dofs) {
        const double to_x = std::min(std::abs(x[2 * dof]), std::abs(x[2 * dof] - 3.0));
        CHECK(std::min({to_x, std::abs(x[2 * dof + 1]), std::abs(x[2 * dof + 1] - 2.0)}) < 1e-14);
    }
}

TEST_CASE("a side that does not exist is refused") {
    const auto owned = grid({2, 1}, 1);
    const Geometry geometry(owned.view(), 2);
    CHECK_THROWS_WITH_AS(impedance_nodes(geometry, {{2, 0}}),
                         "side (2, 0) does not exist; the mesh has 2 elements with 4 sides each", InputError);
    CHECK_THROWS_AS(dirichlet_dofs(geometry, make_dof_map(owned.view(), 2), {{0, 4}}), InputError);
}
