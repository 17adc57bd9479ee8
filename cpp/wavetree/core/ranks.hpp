// The processes that share one run: reductions and messages, as an interface that knows no library.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "wavetree/core/types.hpp"

namespace wavetree {

// Messages of fixed sizes to and from some ranks, sent again and again.
class Exchange {
  public:
    Exchange() = default;
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;
    virtual ~Exchange() = default;

    // What goes to and comes from the k-th of the ranks; not to be touched between `start` and `finish`.
    virtual std::byte* outgoing(std::size_t k) = 0;
    virtual const std::byte* incoming(std::size_t k) const = 0;

    virtual void start() = 0;
    virtual void finish() = 0;
};

// Every rank must make the same calls in the same order.
class Ranks {
  public:
    Ranks() = default;
    Ranks(const Ranks&) = delete;
    Ranks& operator=(const Ranks&) = delete;
    virtual ~Ranks() = default;

    virtual int rank() const = 0;

    // Over all ranks, value by value; the same bits on every rank.
    virtual void sum(double* values, Index n) const = 0;
    virtual void max(double* values, Index n) const = 0;

    // bytes: to and from each of the ranks, of which each expects the same of this one.
    virtual std::unique_ptr<Exchange> connect(const std::vector<int>& ranks,
                                              const std::vector<std::size_t>& bytes) const = 0;
};

}  // namespace wavetree
