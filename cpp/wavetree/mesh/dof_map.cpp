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

// A vertex, edge or face of every element, or its inside: fixed axes (as corner bits), free axes, and nodes.
struct LocalEntity {
    int base = 0;
    std::vector<int> free_axes{}, nodes{};

    Entity seen_by(const Index* corner) const {
        if (free_axes.empty()) return vertex(corner, base);
        if (free_axes.size() == 1) return edge(corner, base, free_axes[0]);
        return face(corner, base, free_axes[0], free_axes[1]);
    }
};

// Position of a node along an axis.
int position(int node, int axis, int order) { return node / power(order + 1, axis) % (order + 1); }

std::vector<LocalEntity> local_entities(int order, int dim) {
    std::vector<LocalEntity> entities;
    for (int n = 0; n < n_local_nodes(order, dim); ++n) {
        LocalEntity own;
        for (int d = 0; d < dim; ++d) {
            const int p = position(n, d, order);
            if (p == order) own.base |= 1 << d;
            if (p > 0 && p < order) own.free_axes.push_back(d);
        }
        const auto same = [&](const LocalEntity& x) { return x.base == own.base && x.free_axes == own.free_axes; };
        auto at = std::find_if(entities.begin(), entities.end(), same);
        if (at == entities.end()) at = entities.insert(at, own);
        at->nodes.push_back(n);
    }
    return entities;
}

// First provisional number of each shared entity.
class EntityTable {
  public:
    explicit EntityTable(std::size_t expected) { table_.reserve(expected); }
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

// Place of a node among those of its entity.
Index offset(const Entity& entity, int node, int order) {
    Index offset = 0;
    for (int k = entity.n_axes - 1; k >= 0; --k) {
        const int p = position(node, entity.axis[k], order);
        offset = offset * (order - 1) + (entity.reversed[k] ? order - p : p) - 1;
    }
    return offset;
}

}  // namespace

DofMap make_dof_map(const Mesh& mesh, int order) {
    mesh.check();
    const auto entities = local_entities(order, mesh.dim);
    const auto corners = corner_nodes(mesh.shape_order, mesh.dim);
    const Index n_nodes = n_local_nodes(order, mesh.dim);
    // Of a large structured mesh an element has 1 vertex, 2 edges, or 1, 3 edges and 3 faces, to itself.
    EntityTable table(static_cast<std::size_t>(mesh.n_elements * (mesh.dim == 2 ? 3 : 7)));
    DofMap map;
    map.element_dofs.resize(static_cast<std::size_t>(mesh.n_elements * n_nodes));
    std::array<Index, 8> corner{};
    for (Index e = 0; e < mesh.n_elements; ++e) {
        for (std::size_t c = 0; c < corners.size(); ++c) corner[c] = mesh.element(e)[corners[c]];
        Index* dofs = &map.element_dofs[static_cast<std::size_t>(e * n_nodes)];
        for (const LocalEntity& local : entities) {
            const auto size = static_cast<Index>(local.nodes.size());
            if (static_cast<int>(local.free_axes.size()) == mesh.dim) {
                Index inside = table.reserve(size);
                for (int n : local.nodes) dofs[n] = inside++;
                continue;
            }
            const Entity entity = local.seen_by(corner.data());
            const Index first = table.first(entity, size);
            for (int n : local.nodes) dofs[n] = first + offset(entity, n, order);
        }
    }
    map.n_dofs = table.size();
    std::vector<Index> number;
    std::vector<Index> all(static_cast<std::size_t>(mesh.n_elements));
    std::iota(all.begin(), all.end(), Index{0});
    return select(map, n_nodes, all, number);
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
