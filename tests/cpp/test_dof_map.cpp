#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "meshes.hpp"
#include "wavetree/mesh/dof_map.hpp"
#include "wavetree/mesh/geometry.hpp"

using namespace wavetree;
using namespace wavetree::tests;

namespace {

// Coordinates that elements give to one dof agree, and no two dofs share a place.
void check_places(const Mesh& mesh, int order, const DofMap& map) {
    const auto x = node_coordinates(Geometry(mesh, order));
    const std::size_t n_dofs = static_cast<std::size_t>(map.n_dofs);
    std::vector<double> place(n_dofs * mesh.dim, NAN);
    double apart = 0.0;
    for (std::size_t i = 0; i < map.element_dofs.size(); ++i)
        for (int d = 0; d < mesh.dim; ++d) {
            double& at = place[map.element_dofs[i] * mesh.dim + d];
            if (std::isnan(at)) at = x[i * mesh.dim + d];
            apart = std::max(apart, std::abs(at - x[i * mesh.dim + d]));
        }
    CHECK(apart < 1e-13);
    std::vector<std::vector<double>> places;
    for (std::size_t dof = 0; dof < n_dofs; ++dof) {
        places.emplace_back();
        for (int d = 0; d < mesh.dim; ++d) places.back().push_back(std::round(place[dof * mesh.dim + d] * 1e9));
    }
    std::sort(places.begin(), places.end());
    CHECK(std::adjacent_find(places.begin(), places.end()) == places.end());
}

void check_grid(const std::vector<int>& n, int shape_order, int order, unsigned seed) {
    CAPTURE(n.size());
    CAPTURE(shape_order);
    CAPTURE(order);
    Random random(seed);
    auto owned = grid(n, shape_order);
    bend(owned);
    reorient(owned, random);
    const DofMap map = make_dof_map(owned.view(), order);
    Index expected = 1;
    for (int count : n) expected *= count * order + 1;
    CHECK(map.n_dofs == expected);
    const auto [low, high] = std::minmax_element(map.element_dofs.begin(), map.element_dofs.end());
    CHECK(*low == 0);
    CHECK(*high == map.n_dofs - 1);
    check_places(owned.view(), order, map);
}

}  // namespace

TEST_CASE("quads in any orientation share their nodes") {
    for (int order = 1; order <= 8; ++order)
        for (int shape_order : {1, 3}) check_grid({4, 3}, shape_order, order, 10 * order + shape_order);
}

TEST_CASE("hexes in any orientation share their nodes, faces included") {
    for (int order : {1, 2, 3, 4, 7})
        for (int shape_order : {1, 2}) check_grid({3, 2, 3}, shape_order, order, 20 * order + shape_order);
}

TEST_CASE("dofs are numbered in the order in which elements first touch them") {
    auto owned = grid({3, 2}, 1);
    Random random(5);
    reorient(owned, random);
    const DofMap map = make_dof_map(owned.view(), 4);
    Index next = 0;
    for (Index dof : map.element_dofs) {
        REQUIRE(dof <= next);
        next = std::max(next, dof + 1);
    }
}

TEST_CASE("a part of the mesh is numbered by itself, in the order of its elements") {
    auto owned = grid({4, 3}, 1);
    Random random(6);
    reorient(owned, random);
    const int order = 3, n_nodes = n_local_nodes(order, 2);
    const DofMap map = make_dof_map(owned.view(), order);
    const std::vector<Index> elements{9, 1, 5};  // 1 and 9 touch 5, but not each other
    std::vector<Index> number;
    const DofMap part = select(map, n_nodes, elements, number);
    CHECK(part.n_dofs == 3 * n_nodes - 2 * (order + 1));
    REQUIRE(part.element_dofs.size() == 3 * static_cast<std::size_t>(n_nodes));
    Index next = 0;
    for (std::size_t i = 0; i < part.element_dofs.size(); ++i) {
        const Index dof = map.element_dofs[elements[i / n_nodes] * n_nodes + static_cast<Index>(i) % n_nodes];
        CHECK(number[dof] == part.element_dofs[i]);
        REQUIRE(part.element_dofs[i] <= next);
        next = std::max(next, part.element_dofs[i] + 1);
    }
    CHECK(next == part.n_dofs);
    REQUIRE(number.size() == static_cast<std::size_t>(map.n_dofs));
    CHECK(std::count(number.begin(), number.end(), -1) == map.n_dofs - part.n_dofs);
}
