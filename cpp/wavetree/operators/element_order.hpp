// The order in which elements are worked on, and their grouping into batches of lanes.
#pragma once

#include <array>
#include <vector>

#include "wavetree/mesh/mesh.hpp"

namespace wavetree {

// Axes of an element as others see them: the corner where they start (a bit per reference axis) and the reference
// axis that each of them is.
struct Frame {
    int origin = 0;
    std::array<int, 3> axes{0, 1, 2};

    // Corner at coordinates 0 or 1 along the frame's axes, a bit each.
    int corner(int dim, int at) const {
        int result = origin;
        for (int a = 0; a < dim; ++a)
            if (at >> a & 1) result ^= 1 << axes[a];
        return result;
    }
    bool reversed(int a) const { return (origin >> axes[a] & 1) != 0; }
    // A number below 64 that no other frame has.
    int id() const { return origin * 8 + axes[0] * 2 + (axes[1] > axes[2]); }
};

// Element-local number of every node (i fastest) along a frame's axes.
std::vector<int> frame_nodes(int order, int dim, const Frame& frame);

struct OrderedElement {
    Index element = -1;  // none
    Frame frame;
};

// Batches of `width` elements, wherever the mesh has structure consecutive ones of a row: each touches the one before
// along axis 0 of their common frame. Rows follow each other across the mesh as neighbours, and never depend on how
// elements and their axes are numbered but for the first.
struct ElementOrder {
    int width = 1;
    std::vector<OrderedElement> lanes;  // (n_batches, width)
    std::vector<Index> row_begin;       // first batch of every row, then that of the batches of single elements
    Index n_first = 0;                  // batches of the elements that go first

    Index n_rows() const { return static_cast<Index>(row_begin.size()) - 1; }
    Index n_batches() const { return static_cast<Index>(lanes.size()) / width; }
};

// first: (n_elements), 1 for elements that go first, in rows of their own; or empty.
ElementOrder order_elements(const Mesh& mesh, int width, const std::vector<char>& first = {});

}  // namespace wavetree
