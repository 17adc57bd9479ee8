// Where the values of a field stand, so that batches find them side by side.
#pragma once

#include <vector>

#include "wavetree/mesh/dof_map.hpp"
#include "wavetree/operators/element_order.hpp"

namespace wavetree {

// Consecutive batches of one block. When all chunks of the block up to this one have been worked on, nothing more is
// read from or added to the block's places before `done`; nothing has been yet to those from `begun` on.
struct Chunk {
    Index batch_begin, batch_end;
    Index begun;  // places that this chunk and those before it touch end here
    Index done;
};

// Elements that one thread works on. Blocks depend on the mesh alone.
struct ElementBlock {
    Index chunk_begin, chunk_end;
    Index place_begin, place_end;  // places that no other block touches
};

// Interface places [to, to + n) have copies at [from, from + n).
struct CopyRun {
    Index to, from, n;
};

// Places, in this order: of the dofs of every block, those first that are done first; of interface dofs, that several
// blocks touch; of dofs that other ranks have too; copies of interface dofs for all but the first of their blocks, of
// shared dofs for all their blocks; a spare one for lanes that pad batches. Dofs that the lanes of a batch have in the
// same node follow each other, aligned; some places between hold no dof.
class Numbering {
  public:
    // Ranges of places that belong together begin and end at multiples of this.
    static constexpr Index alignment = 16;

    // shared: (n_dofs), 1 for those that other ranks have too; or empty.
    Numbering(const ElementOrder& order, const DofMap& map, int polynomial_order, int dim,
              const std::vector<char>& shared = {});

    Index n_places() const { return n_places_; }  // without copies and spare
    Index interface_begin() const { return interface_begin_; }
    Index shared_begin() const { return shared_begin_; }  // up to n_places
    Index size() const { return size_; }
    Dof place(Index dof) const { return place_[dof]; }
    const std::vector<Dof>& places() const { return place_; }  // (n_dofs)

    const std::vector<ElementBlock>& blocks() const { return blocks_; }
    Index n_first_blocks() const { return n_first_blocks_; }  // of the elements that go first
    const std::vector<Chunk>& chunks() const { return chunks_; }
    // Copies by level: no interface place occurs twice in a level, and the levels are added up one after the other.
    const std::vector<std::vector<CopyRun>>& copies() const { return copies_; }
    const std::vector<std::vector<CopyRun>>& shared_copies() const { return shared_copies_; }
    // The copy of a shared place for the first of its blocks.
    Index first_copy(Index place) const { return first_copy_[place - shared_begin_]; }

    // (n_batches, n_nodes, width): the place of every lane, until it is forgotten.
    const std::vector<Dof>& lane_places() const { return lane_places_; }
    void forget_lanes() { lane_places_ = {}; }

  private:
    class Builder;
    Index n_places_ = 0, interface_begin_ = 0, shared_begin_ = 0, size_ = 0, n_first_blocks_ = 0;
    std::vector<Dof> place_;
    std::vector<ElementBlock> blocks_;
    std::vector<Chunk> chunks_;
    std::vector<std::vector<CopyRun>> copies_, shared_copies_;
    std::vector<Dof> first_copy_;
    std::vector<Dof> lane_places_;
};

}  // namespace wavetree
