#include "wavetree/mesh/dof_map.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace wavetree {

namespace {

using Key = std::array<Index, 3>;

struct KeyHash {
    std::size_t operator()(const Key& key) const {
        std::size_t h = 1469598103934665603ull;
        for (Index k : key) h = (h ^ static_cast<std::size_t>(k)) * 1099511628211ull;
        return h ^ (h >> 29);
    }
};

// A vertex, edge or face as every element that has it sees it: a key made of corner numbers, and the
// axes along which its inner nodes are counted, starting from the corner of lowest number towards the
// neighbour of lower number. Corners are numbered by bits: bit k set = far end of axis k.
struct Entity {
    Key key{-1, -1, -1};
    std::array<int, 2> axis{};       // local axes in canonical order
    std::array<bool, 2> reversed{};  // counted from the far end
    int n_axes = 0;
};

Entity vertex(const Index* corner, int at) { return {{corner[at], -1, -1}, {}, {}, 0}; }

Entity edge(const Index* corner, int base, int axis) {
    const Index a = corner[base], b = corner[base | (1 << axis)];
    return {{std::min(a, b), std::max(a, b), -1}, {axis, 0}, {a > b, false}, 1};
}

Entity face(const Index* corner, int base, int axis0, int axis1) {
    int origin = base;
    for (int bits = 0; bits < 4; ++bits) {
        const int c = base | ((bits & 1) << axis0) | ((bits >> 1) << axis1);
        if (corner[c] < corner[origin]) origin = c;
    }
    int first = axis0, second = axis1;
    if (corner[origin ^ (1 << second)] < corner[origin ^ (1 << first)]) std::swap(first, second);
    return {{corner[origin], corner[origin ^ (1 << first)], corner[origin ^ (1 << second)]},
            {first, second},
            {((origin >> first) & 1) != 0, ((origin >> second) & 1) != 0},
            2};
}

// What one element-local node belongs to: its fixed axes (as corner bits) and its free axes.
struct LocalNode {
    int base = 0;
    std::vector<int> free_axes;
    std::array<int, 3> position{};
};

std::vector<LocalNode> local_nodes(int order, int dim) {
    std::vector<LocalNode> nodes(static_cast<std::size_t>(n_local_nodes(order, dim)));
    for (std::size_t n = 0; n < nodes.size(); ++n)
        for (int d = 0; d < dim; ++d) {
            const int p = static_cast<int>(n) / power(order + 1, d) % (order + 1);
            nodes[n].position[d] = p;
            if (p == order) nodes[n].base |= 1 << d;
            if (p > 0 && p < order) nodes[n].free_axes.push_back(d);
        }
    return nodes;
}

// First provisional number of each shared entity.
class EntityTable {
  public:
    Index first(const Entity& entity, Index size) {
        const auto [it, added] = table_.try_emplace(entity.key, next_);
        if (added) next_ += size;
        return it->second;
    }
    Index reserve(Index size) { return std::exchange(next_, next_ + size); }
    Index size() const { return next_; }

  private:
    std::unordered_map<Key, Index, KeyHash> table_;
    Index next_ = 0;
};

Index provisional_number(const LocalNode& node, const Index* corner, int order, EntityTable& table) {
    const int inner = order - 1;
    const auto& axes = node.free_axes;
    Entity entity = axes.empty()       ? vertex(corner, node.base)
                    : axes.size() == 1 ? edge(corner, node.base, axes[0])
                                       : face(corner, node.base, axes[0], axes[1]);
    Index offset = 0;
    for (int k = entity.n_axes - 1; k >= 0; --k) {
        const int p = node.position[entity.axis[k]];
        offset = offset * inner + (entity.reversed[k] ? order - p : p) - 1;
    }
    return table.first(entity, power(inner, entity.n_axes)) + offset;
}

}  // namespace

DofMap make_dof_map(const Mesh& mesh, int order) {
    mesh.check();
    const auto nodes = local_nodes(order, mesh.dim);
    const auto corners = corner_nodes(mesh.shape_order, mesh.dim);
    EntityTable table;
    DofMap map;
    map.element_dofs.reserve(static_cast<std::size_t>(mesh.n_elements) * nodes.size());
    std::array<Index, 8> corner{};
    for (Index e = 0; e < mesh.n_elements; ++e) {
        for (std::size_t c = 0; c < corners.size(); ++c) corner[c] = mesh.element(e)[corners[c]];
        Index interior = table.reserve(power(order - 1, mesh.dim));
        for (const LocalNode& node : nodes)
            map.element_dofs.push_back(static_cast<int>(node.free_axes.size()) == mesh.dim
                                           ? interior++
                                           : provisional_number(node, corner.data(), order, table));
    }
    map.n_dofs = table.size();
    std::vector<Index> number;
    std::vector<Index> all(static_cast<std::size_t>(mesh.n_elements));
    std::iota(all.begin(), all.end(), Index{0});
    return select(map, static_cast<Index>(nodes.size()), all, number);
}

DofMap select(const DofMap& map, Index n_nodes, const std::vector<Index>& elements, std::vector<Index>& number) {
    number.assign(static_cast<std::size_t>(map.n_dofs), -1);
    DofMap selected;
    selected.element_dofs.reserve(elements.size() * static_cast<std::size_t>(n_nodes));
    for (Index e : elements)
        for (Index n = 0; n < n_nodes; ++n) {
            Index& dof = number[static_cast<std::size_t>(map.element_dofs[e * n_nodes + n])];
            if (dof < 0) dof = selected.n_dofs++;
            selected.element_dofs.push_back(dof);
        }
    return selected;
}

}  // namespace wavetree
