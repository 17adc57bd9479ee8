#include "ranks.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <stdexcept>

namespace wavetree::tests {

void Team::wait(std::unique_lock<std::mutex>& lock, const std::function<bool()>& ready) {
    changed_.wait_for(lock, std::chrono::seconds(60), [&] { return failure_ || ready(); });
    if (!ready()) throw std::logic_error("a rank waits for one that has failed or makes other calls");
}

void Team::reduce(int rank, double* values, Index n, Combine combine) {
    std::unique_lock lock(mutex_);
    given_[rank].assign(values, values + n);
    if (++n_given_ == given_.size()) {
        result_ = given_[0];
        for (std::size_t k = 1; k < given_.size(); ++k) {
            if (given_[k].size() != result_.size()) throw std::logic_error("ranks reduce different numbers of values");
            std::transform(result_.begin(), result_.end(), given_[k].begin(), result_.begin(), combine);
        }
        n_given_ = 0, ++round_;
        changed_.notify_all();
    } else {
        wait(lock, [&, now = round_] { return round_ != now; });
    }
    std::copy(result_.begin(), result_.end(), values);
}

void Team::send(const Way& way, Message message) {
    const std::lock_guard lock(mutex_);
    messages_[way].push_back(std::move(message));
    changed_.notify_all();
}

Team::Message Team::receive(const Way& way) {
    std::unique_lock lock(mutex_);
    wait(lock, [&] { return !messages_[way].empty(); });
    Message message = std::move(messages_[way].front());
    messages_[way].pop_front();
    return message;
}

void Team::guard(const std::function<void()>& work) {
    try {
        work();
    } catch (...) {
        const std::lock_guard lock(mutex_);
        if (!failure_) failure_ = std::current_exception();
        changed_.notify_all();
    }
}

void Team::rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
}

namespace {

class TeamExchange : public Exchange {
  public:
    TeamExchange(Team& team, int rank, const std::vector<int>& with, const std::vector<std::size_t>& bytes)
        : team_(team) {
        for (std::size_t k = 0; k < with.size(); ++k) {
            to_.emplace_back(rank, with[k]), from_.emplace_back(with[k], rank);
            outgoing_.emplace_back(bytes[k]), incoming_.emplace_back(bytes[k]);
        }
    }

    std::byte* outgoing(std::size_t k) override { return outgoing_[k].data(); }
    const std::byte* incoming(std::size_t k) const override { return incoming_[k].data(); }

    void start() override {
        sent_ = outgoing_;
        for (std::size_t k = 0; k < to_.size(); ++k) {
            std::memset(incoming_[k].data(), 0xff, incoming_[k].size());  // not a number
            team_.send(to_[k], outgoing_[k]);
        }
    }
    void finish() override {
        if (outgoing_ != sent_) throw std::logic_error("a message was changed while it was on its way");
        for (std::size_t k = 0; k < from_.size(); ++k) {
            const Team::Message message = team_.receive(from_[k]);
            if (message.size() != incoming_[k].size()) throw std::logic_error("a message is not of the size expected");
            std::copy(message.begin(), message.end(), incoming_[k].begin());
        }
    }

  private:
    Team& team_;
    std::vector<Team::Way> to_, from_;
    std::vector<Team::Message> outgoing_, incoming_, sent_;
};

class TeamRank : public Ranks {
  public:
    TeamRank(Team& team, int rank) : team_(team), rank_(rank) {}

    int rank() const override { return rank_; }
    void sum(double* values, Index n) const override {
        team_.reduce(rank_, values, n, [](double a, double b) { return a + b; });
    }
    void max(double* values, Index n) const override {
        team_.reduce(rank_, values, n, [](double a, double b) { return std::max(a, b); });
    }
    std::unique_ptr<Exchange> connect(const std::vector<int>& ranks,
                                      const std::vector<std::size_t>& bytes) const override {
        return std::make_unique<TeamExchange>(team_, rank_, ranks, bytes);
    }

  private:
    Team& team_;
    int rank_;
};

}  // namespace

std::unique_ptr<Ranks> make_rank(Team& team, int rank) { return std::make_unique<TeamRank>(team, rank); }

}  // namespace wavetree::tests
