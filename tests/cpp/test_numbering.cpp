#include <doctest/doctest.h>

#include <memory>
#include <set>
#include <utility>

#include "meshes.hpp"
#include "wavetree/operators/numbering.hpp"

using namespace wavetree;
using namespace wavetree::tests;

namespace {

struct Bed {
    Bed(const std::vector<int>& n, int polynomial_order, int lanes) : owned(grid(n, 1)), width(lanes) {
        Random random(7);
        reorient(owned, random);
        renumber(owned, random);
        map = make_dof_map(owned.view(), polynomial_order);
        order = order_elements(owned.view(), width);
        numbering = std::make_unique<Numbering>(order, map, polynomial_order, owned.dim);
        n_nodes = n_local_nodes(polynomial_order, owned.dim);
        for (const OrderedElement& one : order.lanes)
            nodes.push_back(frame_nodes(polynomial_order, owned.dim, one.frame));
    }

    // f(place, dof or −1) for all lanes of a chunk.
    template <class F>
    void for_lanes(const Chunk& chunk, F&& f) const {
        for (Index i = chunk.batch_begin * width; i < chunk.batch_end * width; ++i)
            for (int n = 0; n < n_nodes; ++n)
                f(numbering->lane_places()[(i / width * n_nodes + n) * width + i % width],
                  order.lanes[i].element < 0 ? -1 : map.element_dofs[order.lanes[i].element * n_nodes + nodes[i][n]]);
    }

    OwnedMesh owned;
    int width, n_nodes = 0;
    DofMap map;
    ElementOrder order;
    std::unique_ptr<Numbering> numbering;
    std::vector<std::vector<int>> nodes;
};

const std::vector<std::vector<int>> boxes{{40, 31}, {3, 2}, {70, 60}, {10, 9, 8}};

}  // namespace

TEST_CASE("every dof has a place, and every lane its dof's place or a copy of it") {
    for (const auto& n : boxes)
        for (int width : {4, 8}) {
            const Bed bed(n, 3, width);
            const Numbering& numbering = *bed.numbering;
            std::vector<Index> dof_at(static_cast<std::size_t>(numbering.size()), -1);
            for (Index dof = 0; dof < bed.map.n_dofs; ++dof) {
                REQUIRE(numbering.place(dof) < numbering.n_places());
                CHECK(std::exchange(dof_at[numbering.place(dof)], dof) == -1);
            }
            for (const auto& level : numbering.copies()) {
                std::set<Index> to;  // once in a level
                for (const CopyRun& run : level)
                    for (Index i = 0; i < run.n; ++i) {
                        CHECK(to.insert(run.to + i).second);
                        CHECK(run.to + i >= numbering.interface_begin());
                        CHECK(run.from + i >= numbering.n_places());
                        CHECK(std::exchange(dof_at[run.from + i], dof_at[run.to + i]) == -1);
                    }
            }
            for (const Chunk& chunk : numbering.chunks())
                bed.for_lanes(chunk, [&](Dof place, Index dof) { REQUIRE(dof_at[place] == dof); });
            CHECK((numbering.blocks().size() > 1) == (bed.owned.view().n_elements >= 512));
            CHECK((numbering.blocks().size() > 1) == !numbering.copies().empty());
        }
}

TEST_CASE("blocks keep to themselves, chunks to what has begun and is not done") {
    for (const auto& n : boxes) {
        const Bed bed(n, 3, 8);
        const Numbering& numbering = *bed.numbering;
        std::vector<int> writer(static_cast<std::size_t>(numbering.size()), -1);
        Index batch = 0, chunk_number = 0;
        for (std::size_t b = 0; b < numbering.blocks().size(); ++b) {
            const ElementBlock& block = numbering.blocks()[b];
            CHECK(block.chunk_begin == chunk_number);
            Index begun = block.place_begin, done = block.place_begin;
            for (; chunk_number < block.chunk_end; ++chunk_number) {
                const Chunk& chunk = numbering.chunks()[chunk_number];
                CHECK(chunk.batch_begin == batch);
                batch = chunk.batch_end;
                CHECK((chunk.begun >= begun && chunk.done >= done && chunk.begun >= chunk.done));
                begun = chunk.begun;
                bed.for_lanes(chunk, [&](Dof place, Index dof) {
                    if (dof < 0) return;
                    CHECK((writer[place] < 0 || writer[place] == static_cast<int>(b)));
                    writer[place] = static_cast<int>(b);
                    if (place < numbering.interface_begin()) REQUIRE((place >= done && place < begun));
                });
                done = chunk.done;
                for (Index edge : {begun, done}) CHECK(edge % Numbering::alignment == 0);
            }
            CHECK((begun == block.place_end && done == block.place_end));
        }
        CHECK(batch == bed.order.n_batches());
    }
}

TEST_CASE("in a box batches find their dofs side by side") {
    const Bed bed({64, 48}, 4, 8);
    Index together = 0, shifted = 0, all = 0;
    const auto& lanes = bed.numbering->lane_places();
    for (std::size_t i = 0; i < lanes.size(); i += 8, ++all) {
        int l = 1;
        while (l < 8 && lanes[i + l] == lanes[i] + l) ++l;
        together += l == 8, shifted += l == 7;
    }
    // All nodes but those at the end of the rows' axis, where the last lane's neighbour is in another batch.
    CHECK(static_cast<double>(together) >= 0.8 * static_cast<double>(all));
    CHECK(static_cast<double>(together + shifted) > 0.97 * static_cast<double>(all));
    // Holes cost little.
    CHECK(static_cast<double>(bed.numbering->n_places()) < 1.03 * static_cast<double>(bed.map.n_dofs));
}
