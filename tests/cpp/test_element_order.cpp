#include <doctest/doctest.h>

#include <set>

#include "meshes.hpp"
#include "wavetree/operators/element_order.hpp"

using namespace wavetree;
using namespace wavetree::tests;

namespace {

Index point(const Mesh& mesh, const OrderedElement& of, int at) {
    return mesh.element(of.element)[corner_nodes(mesh.shape_order, mesh.dim)[of.frame.corner(mesh.dim, at)]];
}

// The end of `left` along axis 0 is the start of `right`, with the other axes continued.
bool touch(const Mesh& mesh, const OrderedElement& left, const OrderedElement& right) {
    for (int at = 0; at < 1 << mesh.dim; at += 2)
        if (point(mesh, left, at | 1) != point(mesh, right, at)) return false;
    return true;
}

OwnedMesh shuffled(const std::vector<int>& n, int shape_order, unsigned seed) {
    Random random(seed);
    auto mesh = grid(n, shape_order);
    reorient(mesh, random);
    renumber(mesh, random);
    return mesh;
}

}  // namespace

TEST_CASE("every element stands in one lane, those of a row side by side") {
    for (const auto& n : {std::vector{9, 5}, std::vector{3, 2}, std::vector{17, 16}, std::vector{5, 9, 4}})
        for (int shape_order : {1, 2})
            for (int width : {1, 4, 8, 16}) {
                const auto owned = shuffled(n, shape_order, 3);
                const Mesh mesh = owned.view();
                const auto order = order_elements(mesh, width);
                CAPTURE(width);
                std::set<Index> seen;
                for (const OrderedElement& one : order.lanes)
                    if (one.element >= 0) CHECK(seen.insert(one.element).second);
                CHECK(static_cast<Index>(seen.size()) == mesh.n_elements);
                CHECK(order.n_batches() * width < mesh.n_elements + width);  // one batch is padded at most
                for (Index row = 0; row < order.n_rows(); ++row)
                    for (Index i = order.row_begin[row] * width + 1; i < order.row_begin[row + 1] * width; ++i)
                        REQUIRE(touch(mesh, order.lanes[i - 1], order.lanes[i]));
            }
}

TEST_CASE("a box is all rows wherever they find room, however its elements are numbered and turned") {
    // Rows of 8 along either axis, and what is left in the corner.
    const auto owned = shuffled({19, 18}, 1, 4);
    const auto order = order_elements(owned.view(), 8);
    CHECK(owned.view().n_elements - order.row_begin.back() * 8 <= 3 * 8);
    const auto whole = shuffled({16, 5, 3}, 2, 5);
    CHECK(order_elements(whole.view(), 16).row_begin.back() * 16 == 16 * 5 * 3);
}

TEST_CASE("rows follow their neighbours") {
    // In a box rows of a layer come one after the other, then the next layer.
    const auto owned = grid({8, 4, 3}, 1);
    const auto order = order_elements(owned.view(), 8);
    REQUIRE(order.n_rows() == 12);
    for (Index i = 0; i < 96; ++i) CHECK(order.lanes[i].element == i);
}

TEST_CASE("nodes along the axes of a frame") {
    const Frame frame{0b010, {1, 0, 2}};  // along −y, x, z
    const auto nodes = frame_nodes(2, 3, frame);
    CHECK(nodes[0] == 6);
    CHECK(nodes[1] == 3);
    CHECK(nodes[3] == 7);
    CHECK(nodes[9] == 15);
    std::set<int> ids;
    for (int origin = 0; origin < 8; ++origin)
        for (const auto& axes : {std::array{0, 1, 2}, std::array{0, 2, 1}, std::array{1, 0, 2}, std::array{1, 2, 0},
                                 std::array{2, 0, 1}, std::array{2, 1, 0}}) {
            const int id = Frame{origin, axes}.id();
            CHECK(ids.insert(id).second);
            CHECK((id >= 0 && id < 64));
        }
}
