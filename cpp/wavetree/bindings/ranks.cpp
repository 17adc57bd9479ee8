#include "wavetree/bindings/ranks.hpp"

#include <pybind11/stl.h>

#include <thread>

#include "wavetree/core/errors.hpp"

namespace wavetree::bindings {

namespace {

// The library's own functions; requests and statuses are opaque bytes.
using StartAll = int (*)(int, void*);
using TestAll = int (*)(int, void*, int*, void*);

void check(int code, const char* what) {
    if (code != 0) throw RankError(std::string(what) + " failed with MPI error " + std::to_string(code));
}

// Persistent requests, first those that receive. `connection` is a `wavetree.ranks.Connection`, which frees them.
class Requests : public Exchange {
  public:
    explicit Requests(const py::object& connection)
        : connection_(connection),
          requests_(connection.attr("requests").cast<Bytes>()),
          statuses_(connection.attr("statuses").cast<Bytes>()),
          n_(connection.attr("n_requests").cast<int>()),
          start_(reinterpret_cast<StartAll>(connection.attr("start_all").cast<std::uintptr_t>())),
          test_(reinterpret_cast<TestAll>(connection.attr("test_all").cast<std::uintptr_t>())) {
        for (const py::handle& one : connection.attr("outgoing")) outgoing_.push_back(one.cast<Bytes>());
        for (const py::handle& one : connection.attr("incoming")) incoming_.push_back(one.cast<Bytes>());
        for (Bytes& one : outgoing_) to_.push_back(one.mutable_data());
        for (const Bytes& one : incoming_) from_.push_back(one.data());
        request_ = requests_.mutable_data(), status_ = statuses_.mutable_data();
    }
    ~Requests() override {
        const py::gil_scoped_acquire acquire;
        try {
            connection_.attr("free")();
        } catch (py::error_already_set& error) {
            error.discard_as_unraisable("the end of a connection between ranks");
        }
        connection_ = py::object(), requests_ = statuses_ = Bytes();
        outgoing_.clear(), incoming_.clear();
    }

    std::byte* outgoing(std::size_t k) override { return reinterpret_cast<std::byte*>(to_[k]); }
    const std::byte* incoming(std::size_t k) const override { return reinterpret_cast<const std::byte*>(from_[k]); }
    void start() override {
        if (n_ > 0) check(start_(n_, request_), "sending to other ranks");
    }
    void finish() override {
        // Other processes may need this core for the message to come: libraries that wait themselves do not let go.
        for (int done = n_ == 0, tries = 0; !done; ++tries) {
            check(test_(n_, request_, &done, status_), "receiving from other ranks");
            if (!done && tries > 1000) std::this_thread::yield();
        }
    }

  private:
    using Bytes = py::array_t<std::uint8_t, py::array::c_style>;
    py::object connection_;
    Bytes requests_, statuses_;
    std::vector<Bytes> outgoing_, incoming_;
    std::vector<std::uint8_t*> to_;
    std::vector<const std::uint8_t*> from_;
    std::uint8_t *request_, *status_;
    int n_;
    StartAll start_;
    TestAll test_;
};

class BoundRanks : public Ranks {
  public:
    explicit BoundRanks(py::object ranks) : ranks_(std::move(ranks)), rank_(ranks_.attr("rank").cast<int>()) {}
    ~BoundRanks() override {
        const py::gil_scoped_acquire acquire;
        ranks_ = py::object();
    }

    int rank() const override { return rank_; }
    void sum(double* values, Index n) const override { reduce("sum", values, n); }
    void max(double* values, Index n) const override { reduce("max", values, n); }
    std::unique_ptr<Exchange> connect(const std::vector<int>& with,
                                      const std::vector<std::size_t>& bytes) const override {
        const py::gil_scoped_acquire acquire;
        return std::make_unique<Requests>(ranks_.attr("connect")(with, bytes));
    }

  private:
    void reduce(const char* how, double* values, Index n) const {
        const py::gil_scoped_acquire acquire;
        const auto result = ranks_.attr(how)(py::array_t<double>(n, values)).cast<Array<double>>();
        std::copy_n(result.data(), n, values);
    }

    py::object ranks_;
    int rank_;
};

}  // namespace

std::unique_ptr<Ranks> Share::bind() const {
    if (ranks.is_none()) return nullptr;
    return std::make_unique<BoundRanks>(ranks);
}

void bind_ranks(py::module_& m) {
    using py::arg;
    py::class_<Share>(m, "Share", "What one of several ranks has of a mesh.")
        .def(py::init<py::object, Array<int>, Array<Index>>(), arg("ranks"), arg("ghost_rank").noconvert(),
             arg("number").noconvert(),
             "ranks: `wavetree.ranks.Ranks`; ghost_rank (n_ghosts,): rank of the elements behind this rank's own; "
             "number (n_elements + n_ghosts,): of all of them in the whole mesh.");
}

}  // namespace wavetree::bindings
