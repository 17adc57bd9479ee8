// Ranks that are threads of this process.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "wavetree/core/ranks.hpp"

namespace wavetree::tests {

// What the ranks of one run share. Calls throw that are not the same on all ranks, and those that wait for a rank that
// has failed.
class Team {
  public:
    explicit Team(int n) : given_(static_cast<std::size_t>(n)) {}

    // values ← those of all ranks, put together in the order of the ranks.
    using Combine = double (*)(double, double);
    void reduce(int rank, double* values, Index n, Combine combine);

    using Message = std::vector<std::byte>;
    using Way = std::pair<int, int>;  // from, to
    void send(const Way& way, Message message);
    Message receive(const Way& way);

    void guard(const std::function<void()>& work);
    void rethrow() const;  // what failed first

  private:
    void wait(std::unique_lock<std::mutex>& lock, const std::function<bool()>& ready);

    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::vector<double>> given_;
    std::vector<double> result_;
    std::size_t n_given_ = 0, round_ = 0;
    std::map<Way, std::deque<Message>> messages_;
    std::exception_ptr failure_;
};

std::unique_ptr<Ranks> make_rank(Team& team, int rank);

// What f(ranks, rank) returns on each of n ranks.
template <class F>
auto on_ranks(int n, F&& f) {
    Team team(n);
    std::vector<decltype(f(std::declval<const Ranks*>(), 0))> results(static_cast<std::size_t>(n));
    std::vector<std::thread> threads;
    for (int rank = 0; rank < n; ++rank)
        threads.emplace_back([&, rank] {
            team.guard([&] {
                const auto ranks = make_rank(team, rank);
                results[rank] = f(ranks.get(), rank);
            });
        });
    for (std::thread& thread : threads) thread.join();
    team.rethrow();
    return results;
}

}  // namespace wavetree::tests
