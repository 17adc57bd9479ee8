#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "meshes.hpp"
#include "reference.hpp"
#include "wavetree/operators/coupling.hpp"

using namespace wavetree;
using namespace wavetree::tests;

namespace {

// A box whose elements with centres in x[0] > 1 are solid; `solid` by element.
struct Bed {
    Bed(const std::vector<int>& n, int shape_order, bool scrambled) : owned(grid(n, shape_order)) {
        Random random(11);
        if (scrambled) reorient(owned, random), renumber(owned, random);
        const double centre[3] = {};
        for (Index e = 0; e < owned.view().n_elements; ++e)
            solid.push_back(map_point(owned.view(), e, centre)[0] > 1.0);
    }

    OwnedMesh owned;
    std::vector<char> solid;
};

// Midpoint of a side.
std::array<double, 3> middle(const Mesh& mesh, const Side& side) {
    double xi[3] = {};
    xi[side.side / 2] = side.side % 2 ? 1.0 : -1.0;
    return map_point(mesh, side.element, xi);
}

const std::vector<std::vector<int>> boxes{{3, 4}, {3, 2, 3}};

// A coupling with the two numberings that it joins.
struct Joint {
    Joint(const Bed& bed, int order) : geometry(bed.owned.view(), order), map(make_dof_map(bed.owned.view(), order)) {
        std::vector<Index> of_fluid, of_solid;
        for (std::size_t e = 0; e < bed.solid.size(); ++e)
            (bed.solid[e] ? of_solid : of_fluid).push_back(static_cast<Index>(e));
        n_fluid = select(map, geometry.n_nodes(), of_fluid, fluid).n_dofs;
        n_solid = select(map, geometry.n_nodes(), of_solid, solid).n_dofs;
        sides = interface_sides(bed.owned.view(), bed.solid);
        coupling = Coupling(geometry, map, sides, fluid, solid);
    }

    // B φ
    std::vector<double> to_solid(const std::vector<double>& phi) const {
        std::vector<double> r(static_cast<std::size_t>(n_solid * geometry.mesh().dim));
        coupling.to_solid(
            1.0, [&](Index dof) { return phi[dof]; },
            [&](Index dof, int d, double amount) { r[dof * geometry.mesh().dim + d] += amount; });
        return r;
    }

    Geometry geometry;
    DofMap map;
    std::vector<Index> fluid, solid;
    Index n_fluid, n_solid;
    std::vector<Side> sides;
    Coupling coupling{2};
};

}  // namespace

TEST_CASE("the interface is seen from the solid, once per side") {
    for (const auto& n : boxes)
        for (int shape_order : {1, 2})
            for (bool scrambled : {false, true}) {
                CAPTURE(n.size());
                CAPTURE(shape_order);
                CAPTURE(scrambled);
                const Bed bed(n, shape_order, scrambled);
                const auto sides = interface_sides(bed.owned.view(), bed.solid);
                REQUIRE(sides.size() == static_cast<std::size_t>(n.size() == 2 ? n[1] : n[1] * n[2]));
                std::vector<std::array<double, 3>> places;
                for (const Side& side : sides) {
                    CHECK(bed.solid[side.element] == 1);
                    places.push_back(middle(bed.owned.view(), side));
                    CHECK(places.back()[0] == doctest::Approx(1.0).epsilon(1e-14));
                }
                std::sort(places.begin(), places.end());
                CHECK(std::adjacent_find(places.begin(), places.end()) == places.end());
            }
}

TEST_CASE("one medium alone has no interface") {
    const Bed bed({3, 4}, 1, true);
    CHECK(interface_sides(bed.owned.view(), std::vector<char>(12, 0)).empty());
    CHECK(interface_sides(bed.owned.view(), std::vector<char>(12, 1)).empty());
    CHECK(Coupling(2).empty());
}

TEST_CASE("an island of solid is closed: its normals add up to nothing") {
    for (const auto& n : {std::vector{3, 3}, std::vector{3, 3, 3}}) {
        Bed bed(n, 2, true);
        const double centre[3] = {};
        for (Index e = 0; e < bed.owned.view().n_elements; ++e) {
            const auto x = map_point(bed.owned.view(), e, centre);
            bed.solid[e] = 1;
            for (std::size_t d = 0; d < n.size(); ++d) bed.solid[e] &= std::abs(x[d] - 1.5) < 0.1;
        }
        bend(bed.owned);
        const Joint joint(bed, 5);
        CHECK(joint.sides.size() == 2 * n.size());
        double sum[3] = {}, size = 0.0;
        const auto r = joint.to_solid(std::vector<double>(static_cast<std::size_t>(joint.n_fluid), 1.0));
        for (std::size_t i = 0; i < r.size(); ++i) sum[i % n.size()] += r[i], size += std::abs(r[i]);
        for (std::size_t d = 0; d < n.size(); ++d) CHECK(std::abs(sum[d]) < 1e-13);
        CHECK(size > 1.0);
    }
}

TEST_CASE("B integrates constants and linear fields exactly") {
    // On the plane x = 1 of a sheared box: the area times its normal, and its first moments.
    for (const auto& n : boxes)
        for (int order = 1; order <= 8; ++order) {
            const int dim = static_cast<int>(n.size());
            CAPTURE(dim);
            CAPTURE(order);
            Bed bed(n, 1, true);
            shear(bed.owned);
            const Joint joint(bed, order);
            // The sheared edges ∂x/∂y and ∂x/∂z span the plane; out of the solid means towards small x.
            const double e1[3] = {0.4 * n[1], 0.8 * n[1], 0.3 * n[1]}, height = dim == 3 ? n[2] : 0.0;
            const double e2[3] = {0.1 * height, 0.0, 0.9 * height};
            const double expected[3] = {dim == 2 ? -e1[1] : -(e1[1] * e2[2] - e1[2] * e2[1]),
                                        dim == 2 ? e1[0] : -(e1[2] * e2[0] - e1[0] * e2[2]),
                                        -(e1[0] * e2[1] - e1[1] * e2[0])};
            std::vector<double> one(static_cast<std::size_t>(joint.n_fluid), 1.0), y(one.size());
            const auto x = Reference(bed.owned.view(), order).coordinates();
            for (Index dof = 0; dof < joint.map.n_dofs; ++dof)
                if (joint.fluid[dof] >= 0) y[joint.fluid[dof]] = x[dof * dim + 1];
            const double mean = -0.2 + 0.5 * e1[1];  // of y on the plane
            const auto by_one = joint.to_solid(one), by_y = joint.to_solid(y);
            for (int d = 0; d < dim; ++d) {
                double area = 0.0, moment = 0.0;
                for (Index i = d; i < static_cast<Index>(by_one.size()); i += dim) area += by_one[i], moment += by_y[i];
                CHECK(area == doctest::Approx(expected[d]).epsilon(1e-13));
                CHECK(moment == doctest::Approx(expected[d] * mean).epsilon(1e-13));
            }
        }
}

TEST_CASE("to_fluid is the transpose of to_solid") {
    for (const auto& n : boxes) {
        Bed bed(n, 2, true);
        bend(bed.owned);
        const Joint joint(bed, 4);
        const int dim = static_cast<int>(n.size());
        Random random(3);
        const auto phi = random_values(joint.n_fluid, random), u = random_values(joint.n_solid * dim, random);
        std::vector<double> f(phi.size()), s(u.size());
        joint.coupling.to_fluid(
            0.7, [&](Index dof, int d) { return u[dof * dim + d]; },
            [&](Index dof, int, double amount) { f[dof] += amount; });
        joint.coupling.to_solid(
            0.7, [&](Index dof) { return phi[dof]; },
            [&](Index dof, int d, double amount) { s[dof * dim + d] += amount; });
        double left = 0.0, right = 0.0;
        for (std::size_t i = 0; i < f.size(); ++i) left += f[i] * phi[i];
        for (std::size_t i = 0; i < s.size(); ++i) right += s[i] * u[i];
        CHECK(std::abs(left) > 1e-2);
        CHECK(std::abs(left - right) < 1e-13);
    }
}
