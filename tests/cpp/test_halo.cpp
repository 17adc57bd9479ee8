// What ranks share: halos, sums over them, and the places of shared dofs.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "ranks.hpp"
#include "reference.hpp"
#include "share.hpp"

using namespace wavetree;
using namespace wavetree::tests;

namespace {

// One medium of a tank on one rank.
struct Bed {
    Bed(const Tank& tank, const std::vector<int>& split, std::size_t m, int rank, const Ranks* ranks)
        : share(tank, split, rank, ranks), n_nodes(n_local_nodes(tank.order, tank.dim())) {
        const MeshSetup setup = share.mesh();
        const MediumSetup medium = share.media()[m];
        const DofMap all = make_dof_map(share.with_ghosts().view(), tank.order);
        std::vector<Index> number;
        map = select(all, n_nodes, medium.elements, number);
        halo = make_halo(ranks, {all, n_nodes, medium.elements, medium.ghosts, number, setup.ghosts});
        shared = halo.shared(map.n_dofs), owned = halo.owned(map.n_dofs);
        positions.resize(static_cast<std::size_t>(map.n_dofs));
        for (std::size_t i = 0; i < map.element_dofs.size(); ++i) {
            const Index e = medium.elements[i / n_nodes];
            nodes.push_back(setup.ghosts.number[e] * n_nodes + static_cast<Index>(i) % n_nodes);
            const auto xi = node_position(tank.order, tank.dim(), static_cast<int>(i) % n_nodes);
            positions[map.element_dofs[i]] = map_point(setup.mesh, e, xi.data());
        }
    }

    Share share;
    int n_nodes;
    DofMap map;
    Halo halo;  // without ranks once these have ended
    std::vector<char> shared, owned;
    std::vector<Point> positions;  // (n_dofs)
    std::vector<Index> nodes;      // (n_elements, n_nodes): number among those of the tank's elements
};
using Beds = std::vector<std::unique_ptr<Bed>>;

Beds make_beds(const Tank& tank, const std::vector<int>& split, std::size_t m, int n_ranks) {
    return on_ranks(n_ranks, [&](const Ranks* ranks, int rank) {
        auto bed = std::make_unique<Bed>(tank, split, m, rank, ranks);
        bed->halo.ranks = nullptr;
        return bed;
    });
}

// The tank's dofs, by dof of the bed.
std::vector<Index> whole_dofs(const Bed& bed, const DofMap& whole) {
    std::vector<Index> result(bed.positions.size());
    for (std::size_t i = 0; i < bed.nodes.size(); ++i)
        result[bed.map.element_dofs[i]] = whole.element_dofs[bed.nodes[i]];
    return result;
}

// f(tank, split, number of ranks, medium) for the small tanks among two to four ranks, side by side and at random.
template <class F>
void for_splits(F&& f) {
    Random random(19);
    for (const Tank& tank : all_tanks(3))
        for (int n_ranks : {2, 3, 4})
            for (double stray : {0.0, 1.0})
                for (std::size_t m = 0; m < tank.physics.size(); ++m) {
                    CAPTURE(describe(tank));
                    CAPTURE(n_ranks);
                    CAPTURE(stray);
                    CAPTURE(m);
                    f(tank, random_split(tank, n_ranks, stray, random), n_ranks, m);
                }
}

double distance(const Point& a, const Point& b) { return std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]); }

std::vector<Index> dofs_with(const Bed& bed, int rank) {
    for (const SharedDofs& with : bed.halo.neighbours)
        if (with.rank == rank) return with.dofs;
    return {};
}

}  // namespace

TEST_CASE("two ranks list the same dofs in the same order: all that they share") {
    std::size_t n_seen = 0;
    for_splits([&](const Tank& tank, const std::vector<int>& split, int n_ranks, std::size_t m) {
        const Beds beds = make_beds(tank, split, m, n_ranks);
        const DofMap whole = make_dof_map(tank.owned.view(), tank.order);
        for (int a = 0; a < n_ranks; ++a)
            for (int b = 0; b < n_ranks; ++b) {
                const auto here = dofs_with(*beds[a], b), there = dofs_with(*beds[b], a);
                const auto of_a = whole_dofs(*beds[a], whole), of_b = whole_dofs(*beds[b], whole);
                const std::set<Index> all_a(of_a.begin(), of_a.end());
                std::set<Index> expected, found;
                for (Index dof : of_b)
                    if (a != b && all_a.count(dof)) expected.insert(dof);
                for (Index dof : here) found.insert(of_a[dof]);
                CHECK(found == expected);
                REQUIRE(here.size() == expected.size());
                REQUIRE(there.size() == expected.size());
                for (std::size_t i = 0; i < here.size(); ++i)
                    CHECK(distance(beds[a]->positions[here[i]], beds[b]->positions[there[i]]) < 1e-12);
                n_seen += here.size();
            }
    });
    CHECK(n_seen > 5000);
}

TEST_CASE("the first rank that has a dof owns it, and it is shared where others have it too") {
    for_splits([&](const Tank& tank, const std::vector<int>& split, int n_ranks, std::size_t m) {
        const DofMap whole = make_dof_map(tank.owned.view(), tank.order);
        const Beds beds = make_beds(tank, split, m, n_ranks);
        std::map<Index, std::vector<int>> ranks_with;
        for (int rank = 0; rank < n_ranks; ++rank)
            for (Index dof : whole_dofs(*beds[rank], whole)) ranks_with[dof].push_back(rank);
        for (int rank = 0; rank < n_ranks; ++rank) {
            const auto dofs = whole_dofs(*beds[rank], whole);
            for (std::size_t i = 0; i < dofs.size(); ++i) {
                CHECK(beds[rank]->owned[i] == (ranks_with[dofs[i]].front() == rank));
                CHECK(beds[rank]->shared[i] == (ranks_with[dofs[i]].size() > 1));
            }
            const auto& neighbours = beds[rank]->halo.neighbours;
            CHECK(std::is_sorted(neighbours.begin(), neighbours.end(),
                                 [](const SharedDofs& a, const SharedDofs& b) { return a.rank < b.rank; }));
        }
    });
}

TEST_CASE("one rank shares nothing and owns all") {
    const Halo none;
    CHECK(none.shared(3).empty());
    CHECK(none.owned(3) == std::vector<char>{1, 1, 1});
    std::vector<double> values{1.0, 2.0};
    sum_shared(none, 1, values);
    CHECK(values == std::vector{1.0, 2.0});
}

TEST_CASE_TEMPLATE("sums over ranks are those of all elements, with the same bits on all ranks", Real, float, double) {
    constexpr Index n_each = 2;
    for_splits([&](const Tank& tank, const std::vector<int>& split, int n_ranks, std::size_t m) {
        const DofMap whole = make_dof_map(tank.owned.view(), tank.order);
        Random random(23);
        const auto given = random_values(static_cast<Index>(whole.element_dofs.size()) * n_each, random);
        const auto found = on_ranks(n_ranks, [&](const Ranks* ranks, int rank) {
            const Bed bed(tank, split, m, rank, ranks);
            const Index n = bed.map.n_dofs;
            HaloSum<Real> sum(bed.halo, n_each, [&](Index dof) { return n - 1 - dof; });
            std::vector<Real> own(static_cast<std::size_t>(n * n_each)), result(own.size(), Real(7));
            for (std::size_t i = 0; i < bed.nodes.size(); ++i)
                for (Index c = 0; c < n_each; ++c)
                    own[(n - 1 - bed.map.element_dofs[i]) * n_each + c] +=
                        static_cast<Real>(given[bed.nodes[i] * n_each + c]);
            for (int again : {0, 1}) {
                if (again) result.assign(result.size(), Real(-3));
                sum.start(own.data());
                sum.finish(own.data(), result.data(), static_cast<Index>(result.size()));
            }
            std::map<Index, Real> by_dof;
            const auto dofs = whole_dofs(bed, whole);
            for (Index dof = 0; dof < n; ++dof)
                for (Index c = 0; c < n_each; ++c) by_dof[dofs[dof] * n_each + c] = result[(n - 1 - dof) * n_each + c];
            return by_dof;
        });
        std::map<Index, double> expected;
        for (const Index e : tank.elements[m])
            for (Index i = e * n_local_nodes(tank.order, tank.dim());
                 i < (e + 1) * n_local_nodes(tank.order, tank.dim()); ++i)
                for (Index c = 0; c < n_each; ++c)
                    expected[whole.element_dofs[i] * n_each + c] += given[i * n_each + c];
        std::map<Index, Real> first;
        for (const auto& by_dof : found)
            for (const auto& [i, value] : by_dof) {
                CHECK(std::abs(value - expected[i]) < (sizeof(Real) == 4 ? 2e-6 : 2e-15));
                CHECK(first.try_emplace(i, value).first->second == value);
            }
        CHECK(first.size() == expected.size());
    });
}

namespace {

// The places of one rank's dofs, and which blocks touch these by which places.
struct Places {
    Places(const Bed& bed, const Tank& tank, int width) {
        std::vector<char> first(bed.map.element_dofs.size() / bed.n_nodes, 0);
        for (std::size_t i = 0; i < bed.map.element_dofs.size(); ++i)
            if (bed.shared[bed.map.element_dofs[i]]) first[i / bed.n_nodes] = 1;
        order = order_elements(bed.share.mesh().mesh, width, first);
        numbering = std::make_unique<Numbering>(order, bed.map, tank.order, tank.dim(), bed.shared);
        touched.resize(bed.positions.size());
        for (std::size_t b = 0; b < numbering->blocks().size(); ++b) touch(bed, tank, b);
    }

    void touch(const Bed& bed, const Tank& tank, std::size_t b) {
        const ElementBlock& block = numbering->blocks()[b];
        for (Index i = numbering->chunks()[block.chunk_begin].batch_begin * order.width;
             i < numbering->chunks()[block.chunk_end - 1].batch_end * order.width; ++i) {
            const OrderedElement& one = order.lanes[i];
            if (one.element < 0) continue;
            const auto nodes = frame_nodes(tank.order, tank.dim(), one.frame);
            for (int n = 0; n < bed.n_nodes; ++n)
                touched[bed.map.element_dofs[one.element * bed.n_nodes + nodes[n]]][b].insert(
                    numbering->lane_places()[(i / order.width * bed.n_nodes + n) * order.width + i % order.width]);
        }
    }

    ElementOrder order;
    std::unique_ptr<Numbering> numbering;
    std::vector<std::map<std::size_t, std::set<Index>>> touched;  // (n_dofs): places by block
};

// Returns the largest number of copies of one shared dof.
std::size_t check_places(const Bed& bed, const Places& places) {
    const Numbering& numbering = *places.numbering;
    std::map<Index, std::vector<Index>> copies;  // by shared place, by level
    for (const auto& level : numbering.shared_copies())
        for (const CopyRun& run : level)
            for (Index i = 0; i < run.n; ++i) copies[run.to + i].push_back(run.from + i);
    std::size_t most = 0, n_shared = 0;
    for (std::size_t dof = 0; dof < places.touched.size(); ++dof) {
        const Index place = numbering.place(static_cast<Index>(dof));
        CHECK((place >= numbering.shared_begin()) == (bed.shared[dof] != 0));
        REQUIRE((place >= 0 && place < numbering.n_places()));
        if (!bed.shared[dof]) continue;
        std::vector<Index> expected;  // block by block
        for (const auto& [b, by_block] : places.touched[dof]) {
            CHECK(static_cast<Index>(b) < numbering.n_first_blocks());
            REQUIRE(by_block.size() == 1);
            CHECK(*by_block.begin() >= numbering.n_places());
            expected.push_back(*by_block.begin());
        }
        CHECK(copies[place] == expected);
        CHECK(numbering.first_copy(place) == expected.front());
        most = std::max(most, expected.size()), ++n_shared;
    }
    CHECK(copies.size() == n_shared);
    return most;
}

}  // namespace

TEST_CASE("shared dofs stand behind the others, with a copy for every block that touches them") {
    std::size_t most = 0;
    Random random(29);
    for (const auto& n : {std::vector{4, 3}, std::vector{40, 31}, std::vector{10, 9, 8}}) {
        const Tank tank(n, 2, {"acoustic"});
        for (int n_ranks : {2, 3})
            for (double stray : {0.05, 1.0}) {
                CAPTURE(describe(tank));
                CAPTURE(n_ranks);
                CAPTURE(stray);
                for (const auto& bed : make_beds(tank, random_split(tank, n_ranks, stray, random), 0, n_ranks))
                    for (int width : {4, 8}) most = std::max(most, check_places(*bed, Places(*bed, tank, width)));
            }
    }
    CHECK(most > 1);
}
