#include <doctest/doctest.h>

#include "meshes.hpp"
#include "wavetree/core/errors.hpp"

using namespace wavetree;
using tests::grid;

TEST_CASE("corners and sides of an element, x fastest") {
    CHECK(corner_nodes(2, 2) == std::vector<int>{0, 2, 6, 8});
    CHECK(corner_nodes(1, 3) == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7});
    CHECK(side_nodes(2, 2, 0) == std::vector<int>{0, 3, 6});
    CHECK(side_nodes(2, 2, 1) == std::vector<int>{2, 5, 8});
    CHECK(side_nodes(2, 2, 2) == std::vector<int>{0, 1, 2});
    CHECK(side_nodes(2, 2, 3) == std::vector<int>{6, 7, 8});
    CHECK(side_nodes(1, 3, 5) == std::vector<int>{4, 5, 6, 7});
}

TEST_CASE("meshes that cannot be are refused") {
    auto owned = grid({2, 1}, 1);
    auto mesh = owned.view();
    mesh.dim = 4;
    CHECK_THROWS_WITH_AS(mesh.check(), "dimension is 4; expected 2 or 3", InputError);
    mesh = owned.view();
    mesh.shape_order = 5;
    CHECK_THROWS_WITH_AS(mesh.check(), "shape_order is 5; expected 1 to 4", InputError);
    mesh = owned.view();
    mesh.n_elements = 0;
    CHECK_THROWS_WITH_AS(mesh.check(), "the mesh has no elements", InputError);
    owned.connectivity[5] = 6;
    CHECK_THROWS_WITH_AS(owned.view().check(), "element 1 refers to point 6; the mesh has 6 points", InputError);
}
