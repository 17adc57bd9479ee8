#include "wavetree/operators/element_order.hpp"

#include <deque>
#include <utility>

namespace wavetree {

namespace {

int axis_of(int bit) { return bit == 1 ? 0 : (bit == 2 ? 1 : 2); }

// Points at the corners, and the neighbour across every side.
class Topology {
  public:
    explicit Topology(const Mesh& mesh)
        : mesh_(mesh), dim_(mesh.dim), n_corners_(1 << mesh.dim), corners_(corner_nodes(mesh.shape_order, mesh.dim)) {
        neighbours_.assign(static_cast<std::size_t>(mesh.n_elements * 2 * dim_), -1);
        find_neighbours();
    }

    Index point(Index e, int corner) const { return mesh_.element(e)[corners_[corner]]; }
    Index neighbour(Index e, int side) const { return neighbours_[e * 2 * dim_ + side]; }
    int dim() const { return dim_; }

    // The element across the end of axis a (or its start), with the frame continued; element −1 at a boundary.
    OrderedElement cross(const OrderedElement& from, int a, bool forward) const {
        const Frame& frame = from.frame;
        const int at = forward ? 1 << a : 0;
        const int side = 2 * frame.axes[a] + (frame.corner(dim_, at) >> frame.axes[a] & 1);
        OrderedElement to{neighbour(from.element, side), {}};
        if (to.element < 0) return to;
        const int start = corner_of(to.element, point(from.element, frame.corner(dim_, at)));
        int across = (1 << dim_) - 1;
        for (int t = 0; t < dim_; ++t) {
            if (t == a) continue;
            const int bit = start ^ corner_of(to.element, point(from.element, frame.corner(dim_, at | 1 << t)));
            to.frame.axes[t] = axis_of(bit);
            across ^= bit;
        }
        to.frame.axes[a] = axis_of(across);
        to.frame.origin = forward ? start : start ^ across;
        return to;
    }

    Index most_exposed() const {
        Index best = 0, most = -1;
        for (Index e = 0; e < mesh_.n_elements; ++e) {
            Index n = 0;
            for (int s = 0; s < 2 * dim_; ++s) n += neighbour(e, s) < 0;
            if (n > most) best = e, most = n;
        }
        return best;
    }

  private:
    int corner_of(Index e, Index p) const {
        int c = 0;
        while (point(e, c) != p) ++c;
        return c;
    }

    struct SideKey {
        std::array<Index, 3> others;  // points of the side but its smallest, ascending
        Index element;
        int side;
    };

    SideKey key(Index e, int side, Index& smallest) const {
        std::array<Index, 4> points{-1, -1, -1, -1};
        int n = 0;
        for (int c = 0; c < n_corners_; ++c) {
            if ((c >> (side / 2) & 1) != side % 2) continue;
            int at = n++;
            for (const Index p = point(e, c); at >= 0; --at) {
                if (at == 0 || points[at - 1] < p) {
                    points[at] = p;
                    break;
                }
                points[at] = points[at - 1];
            }
        }
        smallest = points[0];
        return {{points[1], points[2], points[3]}, e, side};
    }

    // Sides are compared with those that have the same smallest point only.
    void find_neighbours() {
        std::vector<Index> begin(static_cast<std::size_t>(mesh_.n_points) + 1, 0);
        Index smallest = 0;
        for (Index e = 0; e < mesh_.n_elements; ++e)
            for (int s = 0; s < 2 * dim_; ++s) key(e, s, smallest), ++begin[smallest + 1];
        for (std::size_t p = 1; p < begin.size(); ++p) begin[p] += begin[p - 1];
        std::vector<SideKey> keys(static_cast<std::size_t>(begin.back()));
        std::vector<Index> end(begin.begin(), begin.end() - 1);
        for (Index e = 0; e < mesh_.n_elements; ++e)
            for (int s = 0; s < 2 * dim_; ++s) {
                const SideKey one = key(e, s, smallest);
                for (Index k = begin[smallest]; k < end[smallest]; ++k)
                    if (keys[k].others == one.others) {
                        neighbours_[e * 2 * dim_ + s] = keys[k].element;
                        neighbours_[keys[k].element * 2 * dim_ + keys[k].side] = e;
                    }
                keys[end[smallest]++] = one;
            }
    }

    const Mesh& mesh_;
    int dim_, n_corners_;
    std::vector<int> corners_;
    std::vector<Index> neighbours_;  // (n_elements, 2 dim)
};

class Builder {
  public:
    Builder(const Mesh& mesh, int width)
        : topology_(mesh), width_(width), state_(static_cast<std::size_t>(mesh.n_elements), open) {
        order_.width = width;
    }

    ElementOrder build() {
        if (state_.empty()) return finish();
        queue_.push_back({topology_.most_exposed(), {}});
        for (std::size_t next = 0; true; grow()) {
            if (!queue_.empty()) continue;
            while (next < state_.size() && state_[next] != open) ++next;  // parts that do not touch
            if (next == state_.size()) return finish();
            queue_.push_back({static_cast<Index>(next), {}});
        }
    }

  private:
    enum State : char { open, taken, single };

    void grow() {
        OrderedElement seed = queue_.front();
        queue_.pop_front();
        // Row beside row along axis 1, as long as there is one.
        while (state_[seed.element] == open) {
            const auto row = best_row(seed);
            if (row.empty()) {
                state_[seed.element] = single;
                singles_.push_back(seed);
                push_neighbours(seed);
                return;
            }
            take(row);
            const OrderedElement beside = open_beside(row);
            if (beside.element >= 0 && state_[seed.element] != open) seed = beside;
        }
    }

    // Along axis 0 of the seed's frame, both ways from it.
    std::vector<OrderedElement> row_through(const OrderedElement& seed) {
        std::deque<OrderedElement> row{seed};
        state_[seed.element] = taken;
        for (bool forward : {true, false})
            for (OrderedElement at = seed;;) {
                at = topology_.cross(at, 0, forward);
                if (at.element < 0 || state_[at.element] != open) break;
                state_[at.element] = taken;
                forward ? row.push_back(at) : row.push_front(at);
            }
        for (const OrderedElement& one : row) state_[one.element] = open;
        return {row.begin(), row.end()};
    }

    // The row of whole batches along the axis that gives most of them; the axis that the seed's frame puts first
    // unless another gives more than twice as many.
    std::vector<OrderedElement> best_row(const OrderedElement& seed) {
        std::vector<OrderedElement> best;
        Index most = 0;
        for (int a = 0; a < topology_.dim(); ++a) {
            OrderedElement turned = seed;
            std::swap(turned.frame.axes[0], turned.frame.axes[a]);
            auto row = row_through(turned);
            const Index n = static_cast<Index>(row.size()) / width_;
            if (n > 2 * most || (most == 0 && n > 0)) best = std::move(row), most = n;
        }
        best.resize(static_cast<std::size_t>(most * width_));
        return best;
    }

    void take(const std::vector<OrderedElement>& row) {
        order_.row_begin.push_back(order_.n_batches());
        order_.lanes.insert(order_.lanes.end(), row.begin(), row.end());
        for (const OrderedElement& one : row) state_[one.element] = taken;
        for (const OrderedElement& one : row) push_neighbours(one);
    }

    void push_neighbours(const OrderedElement& of) {
        for (int a = topology_.dim() - 1; a >= 0; --a)
            for (bool forward : {true, false}) {
                const OrderedElement at = topology_.cross(of, a, forward);
                if (at.element >= 0 && state_[at.element] == open) queue_.push_back(at);
            }
    }

    OrderedElement open_beside(const std::vector<OrderedElement>& row) const {
        for (bool forward : {true, false})
            for (const OrderedElement& one : row) {
                const OrderedElement at = topology_.cross(one, 1, forward);
                if (at.element >= 0 && state_[at.element] == open) return at;
            }
        return {};
    }

    ElementOrder finish() {
        order_.row_begin.push_back(order_.n_batches());
        order_.lanes.insert(order_.lanes.end(), singles_.begin(), singles_.end());
        while (order_.lanes.size() % static_cast<std::size_t>(width_)) order_.lanes.push_back({});
        return std::move(order_);
    }

    const Topology topology_;
    const int width_;
    std::vector<State> state_;
    std::deque<OrderedElement> queue_;
    std::vector<OrderedElement> singles_;
    ElementOrder order_;
};

}  // namespace

std::vector<int> frame_nodes(int order, int dim, const Frame& frame) {
    const int n1 = order + 1;
    std::vector<int> nodes(static_cast<std::size_t>(power(n1, dim)));
    for (std::size_t n = 0; n < nodes.size(); ++n)
        for (int a = 0; a < dim; ++a) {
            const int i = static_cast<int>(n) / power(n1, a) % n1;
            nodes[n] += (frame.reversed(a) ? order - i : i) * power(n1, frame.axes[a]);
        }
    return nodes;
}

namespace {

// The order of some elements alone.
ElementOrder order_some(const Mesh& mesh, int width, const std::vector<Index>& elements) {
    std::vector<Index> connectivity;
    for (Index e : elements)
        connectivity.insert(connectivity.end(), mesh.element(e), mesh.element(e) + mesh.n_shape_nodes());
    Mesh some = mesh;
    some.n_elements = static_cast<Index>(elements.size()), some.connectivity = connectivity.data();
    ElementOrder order = Builder(some, width).build();
    for (OrderedElement& one : order.lanes)
        if (one.element >= 0) one.element = elements[one.element];
    return order;
}

}  // namespace

ElementOrder order_elements(const Mesh& mesh, int width, const std::vector<char>& first) {
    if (first.empty()) return Builder(mesh, width).build();
    std::vector<Index> parts[2];
    for (Index e = 0; e < mesh.n_elements; ++e) parts[!first[e]].push_back(e);
    ElementOrder order = order_some(mesh, width, parts[0]);
    order.n_first = order.n_batches();
    const ElementOrder rest = order_some(mesh, width, parts[1]);
    for (Index begin : rest.row_begin) order.row_begin.push_back(order.n_first + begin);
    order.lanes.insert(order.lanes.end(), rest.lanes.begin(), rest.lanes.end());
    return order;
}

}  // namespace wavetree
