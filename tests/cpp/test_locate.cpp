#include <doctest/doctest.h>

#include <cmath>

#include "meshes.hpp"
#include "reference.hpp"
#include "wavetree/core/errors.hpp"
#include "wavetree/mesh/locate.hpp"

using namespace wavetree;
using namespace wavetree::tests;

namespace {

void round_trip(OwnedMesh owned, unsigned seed) {
    CAPTURE(owned.dim);
    CAPTURE(owned.shape_order);
    Random random(seed);
    reorient(owned, random);
    const Mesh mesh = owned.view();
    for (int i = 0; i < 200; ++i) {
        const Index element = static_cast<Index>(random() % mesh.n_elements);
        auto xi = random_values(3, random);
        if (i % 10 == 0) xi[0] = 1.0, xi[1] = -1.0;  // on an edge, corners of several elements
        const auto x = map_point(mesh, element, xi.data());
        const auto found = Locator(mesh).locate(x.data(), 1);
        REQUIRE(found.size() == 1);
        const auto back = map_point(mesh, found[0].element, found[0].reference);
        for (int d = 0; d < mesh.dim; ++d) CHECK(back[d] == doctest::Approx(x[d]).epsilon(1e-12));
        if (i % 10) CHECK(found[0].element == element);
    }
}

}  // namespace

TEST_CASE("points are found where the map puts them") {
    for (int shape_order = 1; shape_order <= 4; ++shape_order) {
        auto flat = grid({7, 5}, shape_order), solid = grid({3, 4, 2}, shape_order);
        bend(flat), bend(solid);
        round_trip(flat, shape_order);
        round_trip(solid, 10 + shape_order);
    }
}

TEST_CASE("points in a thin bulging element are found") {
    // One quarter ring element: its arcs leave the box of its corners, the nodes at ξ = ±1 do not.
    auto ring = grid({1, 1}, 4);
    deform(ring, [](const Point& x) {
        const double radius = 1.0 + 0.05 * x[0], angle = 1.57 * x[1];
        return Point{radius * std::cos(angle), radius * std::sin(angle), 0.0};
    });
    round_trip(ring, 7);
}

TEST_CASE("a point outside is refused with the mesh's extent and the distance") {
    const auto owned = grid({2, 2}, 1);
    const double positions[] = {0.5, 0.5, 5.0, 2.0};
    CHECK_THROWS_WITH_AS(Locator(owned.view()).locate(positions, 2),
                         "position (5, 2) m lies outside the mesh, which spans x from 0 to 2 m, y from 0 to 2 m; the "
                         "nearest mesh point is 3 m away: move the position or enlarge the domain",
                         InputError);
    const double nowhere[] = {NAN, 0.5};
    CHECK_THROWS_AS(Locator(owned.view()).locate(nowhere, 1), InputError);
}

TEST_CASE("a point just outside a curved edge is not moved inside") {
    auto owned = grid({3, 3}, 2);
    bend(owned);
    const Mesh mesh = owned.view();
    const double xi[] = {1.0 + 1e-6, 0.3};
    const auto x = map_point(mesh, 2, xi);  // element 2 ends at the right edge
    CHECK_THROWS_AS(Locator(mesh).locate(x.data(), 1), InputError);
}
