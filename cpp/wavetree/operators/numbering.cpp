#include "wavetree/operators/numbering.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace wavetree {

namespace {

// A few blocks in small meshes, many in large ones, where the interfaces between them are small beside the blocks.
Index n_blocks_of(Index n_elements, int dim) {
    const Index few = std::min<Index>(n_elements / 256, dim == 3 ? 4 : 8);
    const Index many = std::min<Index>(n_elements / (dim == 3 ? 4096 : 2048), 64);
    return std::max<Index>({1, few, many});
}
// Nodes of a chunk: its places shall stay in the cache from the first element that touches them to the update.
Index nodes_per_chunk(int dim) { return dim == 3 ? 16384 : 4096; }
constexpr Index place_alignment = Numbering::alignment;

// A vector may reach beyond its last place, into what must not be another block's.
constexpr Index gap = place_alignment;

Index aligned(Index place) { return (place + place_alignment - 1) / place_alignment * place_alignment; }

}  // namespace

class Numbering::Builder {
  public:
    Builder(Numbering& to, const ElementOrder& order, const DofMap& map, int polynomial_order, int dim,
            const std::vector<char>& shared)
        : to_(to),
          order_(order),
          map_(map),
          shared_(shared),
          n1_(polynomial_order + 1),
          n_nodes_(power(n1_, dim)),
          dim_(dim) {
        list_dofs(polynomial_order);
    }

    void build() {
        make_blocks(0, order_.n_first);
        to_.n_first_blocks_ = static_cast<Index>(to_.blocks_.size());
        make_blocks(order_.n_first, order_.n_batches());
        find_last_chunks();
        to_.place_.assign(static_cast<std::size_t>(map_.n_dofs), -1);
        number_own();
        to_.interface_begin_ = next_ = aligned(next_);
        number_interface(false);
        to_.shared_begin_ = next_ = aligned(next_);
        if (!shared_.empty()) number_interface(true);
        to_.n_places_ = next_ = aligned(next_);
        number_copies();
        to_.size_ = aligned(next_ + 1) + place_alignment;  // vectors may be read beyond their last lane
        fill_lanes();
    }

  private:
    void list_dofs(int polynomial_order) {
        std::array<std::vector<int>, 64> frames;  // nodes by frame
        dofs_.resize(order_.lanes.size() * static_cast<std::size_t>(n_nodes_));
        for (std::size_t i = 0; i < order_.lanes.size(); ++i) {
            const OrderedElement& one = order_.lanes[i];
            auto& nodes = frames[one.frame.id()];
            if (nodes.empty()) nodes = frame_nodes(polynomial_order, dim_, one.frame);
            Dof* out = &dofs_[i / order_.width * n_nodes_ * order_.width + i % order_.width];
            for (int n = 0; n < n_nodes_; ++n)
                out[n * order_.width] =
                    one.element < 0 ? -1 : static_cast<Dof>(map_.element_dofs[one.element * n_nodes_ + nodes[n]]);
        }
    }
    Index first_lane(Index batch) const { return batch * n_nodes_ * order_.width; }

    // Blocks of equally many of the batches [begin, end), cut into chunks where a row ends or the chunk is large
    // enough.
    void make_blocks(Index begin, Index end) {
        const Index n = end - begin, per_batch = Index{order_.width} * n_nodes_;
        const Index n_elements = std::min(n * order_.width, map_.n_elements(n_nodes_));
        const Index n_blocks = std::min(n, n_blocks_of(n_elements, dim_));
        for (Index b = 0; b < n_blocks; ++b) {
            const auto first = static_cast<Index>(to_.chunks_.size());
            make_chunks(begin + n * b / n_blocks, begin + n * (b + 1) / n_blocks,
                        std::max<Index>(1, nodes_per_chunk(dim_) / per_batch));
            to_.blocks_.push_back({first, static_cast<Index>(to_.chunks_.size()), 0, 0});
        }
    }

    void make_chunks(Index begin, Index end, Index most) {
        for (Index at = begin; at < end;) {
            const Index stop = std::min(at + most, end);
            const auto row = std::upper_bound(order_.row_begin.begin(), order_.row_begin.end(), stop) - 1;
            const Index cut = row >= order_.row_begin.begin() && *row > at + most / 2 ? *row : stop;
            to_.chunks_.push_back({at, cut, 0, 0});
            at = cut;
        }
    }

    bool is_shared(Index d) const { return !shared_.empty() && shared_[d]; }

    template <class F>
    void for_nodes(const Chunk& chunk, F&& f) const {
        for (Index i = first_lane(chunk.batch_begin); i < first_lane(chunk.batch_end); ++i)
            if (dofs_[i] >= 0) f(dofs_[i]);
    }

    // Of every dof the first block that touches it, and the last chunk; −1 if several blocks or ranks do.
    void find_last_chunks() {
        owner_.assign(static_cast<std::size_t>(map_.n_dofs), -1);
        last_.assign(owner_.size(), -1);
        for (std::size_t b = 0; b < to_.blocks_.size(); ++b)
            for (Index c = to_.blocks_[b].chunk_begin; c < to_.blocks_[b].chunk_end; ++c)
                for_nodes(to_.chunks_[c], [&](Index d) {
                    if (owner_[d] < 0) owner_[d] = static_cast<Dof>(b);
                    last_[d] = static_cast<Dof>(owner_[d] == static_cast<Dof>(b) && !is_shared(d) ? c : -1);
                });
    }

    // Numbers the dofs of a chunk that `wanted` selects and that have no number yet: first those that the lanes of a
    // batch have in the same node, then the others. A batch's places lie together, which suits the processor's own
    // prefetching better than lines along whole rows.
    template <class Wanted, class Number>
    void number(const Chunk& chunk, Wanted&& wanted, Number&& set) {
        next_ = aligned(next_);
        for (Index i = first_lane(chunk.batch_begin); i < first_lane(chunk.batch_end); i += order_.width)
            if (is_line(&dofs_[i], wanted))
                for (int l = 0; l < order_.width; ++l) set(dofs_[i + l], next_++);
        for_nodes(chunk, [&](Index d) {
            if (wanted(d)) set(d, next_++);
        });
    }

    // Whether all lanes have a dof of their own that is wanted; elements of a batch may share dofs.
    template <class Wanted>
    bool is_line(const Dof* lanes, Wanted&& wanted) const {
        for (int l = 0; l < order_.width; ++l) {
            if (lanes[l] < 0 || !wanted(lanes[l])) return false;
            for (int k = 0; k < l; ++k)
                if (lanes[k] == lanes[l]) return false;
        }
        return true;
    }

    void number_own() {
        for (ElementBlock& block : to_.blocks_) {
            block.place_begin = next_ = aligned(next_);
            Index begun = block.place_begin;
            for (Index c = block.chunk_begin; c < block.chunk_end; ++c) {
                Chunk& chunk = to_.chunks_[c];
                number(
                    chunk, [&](Index d) { return last_[d] == static_cast<Dof>(c) && to_.place_[d] < 0; },
                    [&](Index d, Index place) { to_.place_[d] = static_cast<Dof>(place); });
                chunk.done = next_ = aligned(next_);
            }
            block.place_end = next_;
            next_ += gap;
            // A chunk begins the places of all chunks that finish one of its dofs, and of those before them.
            for (Index c = block.chunk_begin; c < block.chunk_end; ++c) {
                for_nodes(to_.chunks_[c], [&](Index d) {
                    if (last_[d] >= 0) begun = std::max(begun, to_.chunks_[last_[d]].done);
                });
                to_.chunks_[c].begun = begun;
            }
        }
    }

    void number_interface(bool shared) {
        for (std::size_t b = 0; b < to_.blocks_.size(); ++b) {
            for (Index c = to_.blocks_[b].chunk_begin; c < to_.blocks_[b].chunk_end; ++c)
                number(
                    to_.chunks_[c],
                    [&](Index d) {
                        return last_[d] < 0 && owner_[d] == static_cast<Dof>(b) && to_.place_[d] < 0 &&
                               is_shared(d) == shared;
                    },
                    [&](Index d, Index place) { to_.place_[d] = static_cast<Dof>(place); });
            next_ += gap;
        }
    }

    void number_copies() {
        local_ = to_.place_;
        std::vector<Dof> copied(local_.size(), -1);  // block that had the last copy
        std::vector<int> n_copies(local_.size(), 0);
        to_.first_copy_.assign(static_cast<std::size_t>(to_.n_places_ - to_.shared_begin_), -1);
        copy_of_block_.resize(to_.blocks_.size());
        for (std::size_t b = 0; b < to_.blocks_.size(); ++b) {
            for (Index c = to_.blocks_[b].chunk_begin; c < to_.blocks_[b].chunk_end; ++c)
                number(
                    to_.chunks_[c],
                    [&](Index d) {
                        return last_[d] < 0 && (owner_[d] != static_cast<Dof>(b) || is_shared(d)) &&
                               copied[d] != static_cast<Dof>(b);
                    },
                    [&](Index d, Index place) {
                        copied[d] = static_cast<Dof>(b);
                        copy_of_block_[b].emplace_back(static_cast<Dof>(d), static_cast<Dof>(place));
                        add_copy(d, static_cast<std::size_t>(n_copies[d]++), place);
                    });
            next_ += gap;
        }
        for (auto* copies : {&to_.copies_, &to_.shared_copies_})
            for (auto& level : *copies) merge(level);
    }

    void add_copy(Index d, std::size_t level, Index from) {
        const Index to = to_.place_[d];
        auto& copies = is_shared(d) ? to_.shared_copies_ : to_.copies_;
        if (copies.size() <= level) copies.resize(level + 1);
        copies[level].push_back({to, from, 1});
        if (is_shared(d) && level == 0) to_.first_copy_[to - to_.shared_begin_] = static_cast<Dof>(from);
    }

    static void merge(std::vector<CopyRun>& runs) {
        std::sort(runs.begin(), runs.end(), [](const CopyRun& a, const CopyRun& b) { return a.to < b.to; });
        std::vector<CopyRun> merged;
        for (const CopyRun& run : runs)
            if (!merged.empty() && merged.back().to + merged.back().n == run.to &&
                merged.back().from + merged.back().n == run.from)
                ++merged.back().n;
            else
                merged.push_back(run);
        runs.swap(merged);
    }

    void fill_lanes() {
        const Dof spare = static_cast<Dof>(next_);
        for (std::size_t b = 0; b < to_.blocks_.size(); ++b) {
            for (const auto& [d, place] : copy_of_block_[b]) local_[d] = place;
            const Index begin = to_.chunks_[to_.blocks_[b].chunk_begin].batch_begin;
            const Index end = to_.chunks_[to_.blocks_[b].chunk_end - 1].batch_end;
            for (Index i = first_lane(begin); i < first_lane(end); ++i)
                dofs_[i] = dofs_[i] < 0 ? spare : local_[dofs_[i]];
            for (const auto& [d, place] : copy_of_block_[b]) local_[d] = to_.place_[d];
        }
        to_.lane_places_.swap(dofs_);
    }

    Numbering& to_;
    const ElementOrder& order_;
    const DofMap& map_;
    const std::vector<char>& shared_;
    const int n1_, n_nodes_, dim_;
    std::vector<Dof> dofs_;  // (n_batches, n_nodes, width), −1 in lanes that pad
    std::vector<Dof> owner_, last_, local_;
    std::vector<std::vector<std::pair<Dof, Dof>>> copy_of_block_;
    Index next_ = 0;
};

Numbering::Numbering(const ElementOrder& order, const DofMap& map, int polynomial_order, int dim,
                     const std::vector<char>& shared) {
    Builder(*this, order, map, polynomial_order, dim, shared).build();
}

}  // namespace wavetree
